/**
 * The broker that a benchmark puts its load on: one that it starts, or one that runs already.
 *
 * @module
 */
import process from "node:process";
import { TextLineStream } from "@std/streams/text-line-stream";
import {
  type Address,
  type Client,
  connect,
  ConnectionError,
  formatAddress,
  MqError,
  parseAddress,
} from "../../mod.ts";
import { brokerAddress, howToStart } from "../broker_flags.ts";
import { type Flag, option, UsageError } from "../command.ts";
import type { Io } from "../stdio.ts";
import { topicName } from "./load.ts";

/** `-s HOST:PORT`, for the commands that start a broker of their own without it. */
export const subjectFlag: Flag<string | undefined> = option("HOST:PORT", "A broker that runs.", (text) => text, {
  short: "s",
  fallback: ["one of its own, on a free port", undefined],
});

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
  readonly address: Address;
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
export async function openSubject(flag: string | undefined, command: string, io: Io): Promise<Subject> {
  await using opened = new AsyncDisposableStack();
  const address = flag === undefined ? opened.use(await startServer()).address : brokerAddress(flag, io, command);
  const client = opened.use(await connectTo(address, io.signal));
  const { recognized } = await client.why(topicName(0));
  if (!recognized) {
    const problem = `the broker at ${formatAddress(address)} does not recognize ${topicName(0)}`;
    throw new UsageError(problem, `${howToStart(address)} --events 'bench.*', or leave -s out`);
  }
  const kept = opened.move();
  return {
    address,
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

async function connectTo(address: Address, signal: AbortSignal): Promise<Client> {
  try {
    return await connect({ ...address, name: "bench", echo: false, signal });
  } catch (error) {
    if (!(error instanceof ConnectionError) || error.code !== "unreachable") throw error;
    const hint = `start one with: ${howToStart(address)} --events 'bench.*', or leave -s out`;
    throw new ConnectionError(error.code, `${error.message}; ${hint}`, { cause: error });
  }
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
async function startServer(): Promise<{ address: Address } & AsyncDisposable> {
  const main = new URL("../main.ts", import.meta.url).href;
  const program = Deno.build.standalone ? [] : ["run", "--quiet", "--allow-net", "--allow-env=MQ_URL", main];
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
    address: parseAddress(JSON.parse(value).data.addresses[0]),
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
