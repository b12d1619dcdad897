/**
 * The broker under load: one that the benchmark starts, or a running one.
 *
 * @module
 */
import process from "node:process";
import { TextLineStream } from "@std/streams/text-line-stream";
import type { Client } from "../../lib/client.ts";
import { formatAddress } from "../../lib/protocol/address.ts";
import { MqError } from "../../lib/protocol/errors.ts";
import { brokerAccess, brokerFlags, connectWithHint, startCommandFor } from "../shared/broker_flags.ts";
import { option, UsageError, type Values } from "../command.ts";
import type { Io } from "../shared/stdio.ts";
import { type Target, topicName } from "./load.ts";
import { type MqWire, mqWire } from "./mq_wire.ts";

/** The V8 flags of a broker, the same as in the tasks of deno.json: see docs/performance.md. */
export const V8_FLAGS = "--v8-flags=--max-semi-space-size=8,--heap-growing-percent=30";

/** The flags for the broker's address. Without `--server` the benchmark starts a broker. */
export const subjectFlags = {
  ...brokerFlags,
  server: option("HOST:PORT", "A running broker; mqs://HOST:PORT for TLS.", (text) => text, {
    short: "s",
    suggestFor: brokerFlags.server.suggestFor,
    suggestForValue: brokerFlags.server.suggestForValue,
    defaultValue: ["a new broker on a free port", undefined],
  }),
} satisfies typeof brokerFlags;

/** The CPU use of both processes, as shares of one core (1 is a whole core), and the broker's memory. */
export interface Shares {
  readonly broker: number;
  /** The share of this process, the load generator. */
  readonly own: number;
  /** The resident memory of the broker at the end, in bytes. */
  readonly brokerRssBytes: number;
}

/** The broker under load. */
export interface Subject extends AsyncDisposable {
  readonly target: Target;
  readonly wire: MqWire;
  /**
   * Measures the CPU use of both processes during some work. Clears the progress bar at the end.
   *
   * @param work The load to measure.
   * @param warmUp A load before it that is not measured.
   */
  measure<T>(work: () => Promise<T>, warmUp?: () => Promise<unknown>): Promise<T & { shares: Shares }>;
}

/**
 * Connects to the broker of `--server`, or starts one.
 *
 * @throws {UsageError} If the address is invalid, or the broker does not recognize the events of the benchmark.
 * @throws {ConnectionError} If no broker answers there.
 */
export async function openSubject(
  flags: Values<typeof subjectFlags>,
  command: string,
  io: Io,
): Promise<Subject> {
  await using opened = new AsyncDisposableStack();
  const server = flags.server ?? opened.use(await startServer()).address;
  const access = brokerAccess({ ...flags, server }, io, command);
  const toStart = `${startCommandFor(access)} --events 'bench.*', or omit -s`;
  const client = opened.use(
    await connectWithHint({ ...access, name: "bench", echo: false, signal: io.signal }, toStart),
  );
  const { recognized } = await client.why(topicName(0));
  if (!recognized) {
    const problem = `the broker at ${formatAddress(access)} does not recognize ${topicName(0)}`;
    throw new UsageError(problem, toStart);
  }
  const kept = opened.move();
  return {
    target: access,
    wire: mqWire(access.token),
    async measure(work, warmUp) {
      try {
        if (warmUp) io.stderr.status("Warming up");
        await warmUp?.();
        return await withShares(client, work);
      } finally {
        io.stderr.status("");
      }
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function withShares<T>(client: Client, work: () => Promise<T>): Promise<T & { shares: Shares }> {
  const [before, ownBefore, start] = [await client.stats(), ownCpuMs(), performance.now()];
  const result = await work();
  const [after, ownMs, ms] = [await client.stats(), ownCpuMs() - ownBefore, performance.now() - start];
  const brokerMs = after.cpuMs - before.cpuMs;
  return { ...result, shares: { broker: brokerMs / ms, own: ownMs / ms, brokerRssBytes: after.rssBytes } };
}

function ownCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Starts `mq server` as a separate process, since in this one it would share a thread with the load. */
async function startServer(): Promise<{ address: string } & AsyncDisposable> {
  const main = new URL("../main.ts", import.meta.url).href;
  const program = Deno.build.standalone
    ? []
    : ["run", "--quiet", V8_FLAGS, "--allow-net", "--allow-env=MQ_URL,MQ_TOKEN,MQ_TLS_CA,MQ_HOPS", main];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...program, "server", "--port", "0", "--events", ">", "--json"],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  const log = lines[Symbol.asyncIterator]();
  const { value, done } = await log.next();
  if (done) throw new MqError("cannot-listen", "Cannot start a broker: it exited at once");
  const ended = drain(log);
  return {
    address: JSON.parse(value).data.addresses[0],
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGTERM");
      } catch {
        // It has exited: Ctrl-C reaches it, too.
      }
      await Promise.all([child.status, ended]);
    },
  };
}

/** Reads the log of the broker, so that its pipe never fills. When this process ends, the closed pipe ends the broker. */
async function drain(log: AsyncIterator<string>): Promise<void> {
  while (!(await log.next()).done);
}
