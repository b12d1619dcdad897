/**
 * The broker that a benchmark puts its load on: one that it starts, or one that runs already.
 *
 * @module
 */
import process from "node:process";
import { TextLineStream } from "@std/streams/text-line-stream";
import type { Client } from "../../lib/client.ts";
import { formatAddress } from "../../lib/protocol/address.ts";
import { MqError } from "../../lib/protocol/errors.ts";
import { brokerAccess, brokerFlags, connectOrSay, howToStart } from "../shared/broker_flags.ts";
import { option, UsageError, type Values } from "../command.ts";
import type { Io } from "../shared/stdio.ts";
import { type Target, topicName } from "./load.ts";
import { type MqWire, mqWire } from "./mq_wire.ts";

/** How V8 keeps a broker's memory, as the tasks of deno.json have it, too: see docs/performance.md. */
export const V8_FLAGS = "--v8-flags=--max-semi-space-size=8,--heap-growing-percent=30";

/** The flags that name a broker, for the commands that start one of their own without them. */
export const subjectFlags = {
  ...brokerFlags,
  server: option("HOST:PORT", "A broker that runs; mqs://HOST:PORT if it speaks TLS.", (text) => text, {
    short: "s",
    aliases: brokerFlags.server.aliases,
    looks: brokerFlags.server.looks,
    fallback: ["one of its own, on a free port", undefined],
  }),
} satisfies typeof brokerFlags;

/** How busy two processes were, each as a share of one core: 1 is all of it. */
export interface Shares {
  /** The broker's. */
  readonly broker: number;
  /** This process's. */
  readonly own: number;
  /** The memory that the broker had resident at the end, in bytes. */
  readonly brokerRssBytes: number;
}

/** A broker under load. */
export interface Subject extends AsyncDisposable {
  /** Where it is. */
  readonly target: Target;
  /** How to speak to it. */
  readonly wire: MqWire;
  /**
   * Does something, and tells how much of the processors it took. Its progress, where it shows one, is wiped away.
   *
   * @param work What to do.
   * @param warmUp What to do before, without measuring it: a program just started is slow.
   */
  measure<T>(work: () => Promise<T>, warmUp?: () => Promise<unknown>): Promise<T & { shares: Shares }>;
}

/**
 * The broker that a flag names, or a new one.
 *
 * @throws {UsageError} If the flag cannot be read, or that broker does not recognize the events of a benchmark.
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
  const toStart = `${howToStart(access)} --events 'bench.*', or leave -s out`;
  const client = opened.use(
    await connectOrSay({ ...access, name: "bench", echo: false, signal: io.signal }, toStart),
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

/** Starts `mq server` as a process of its own: in this one it would share a thread with the load. */
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
  if (done) throw new MqError("cannot-listen", "Cannot start a broker: it ended at once");
  const ended = drain(log);
  return {
    address: JSON.parse(value).data.addresses[0],
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGTERM");
      } catch {
        // It has ended: Ctrl-C reaches it, too.
      }
      await Promise.all([child.status, ended]);
    },
  };
}

/** Its log is read so that it can go on; when this process is gone, writing it ends the broker. */
async function drain(log: AsyncIterator<string>): Promise<void> {
  while (!(await log.next()).done);
}
