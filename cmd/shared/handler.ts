/**
 * One run of a handler of `mq on` or `mq reply`: starts a process with an event on stdin, and reports how it ended.
 *
 * @module
 */
import type { MqEvent } from "../../lib/protocol/event.ts";
import { durationText } from "../command.ts";
import { type OutputHandler, OutputRefused } from "./handler_output.ts";

/**
 * How long to read the output of a handler after it has ended, in milliseconds. Only a process that has left its group can keep
 * it open longer.
 */
const LEFTOVER_MS = 2000;

const encoder = new TextEncoder();

/** Options of {@linkcode runHandler}. */
export interface HandlerOptions {
  /** The program and its arguments. */
  readonly commandLine: readonly string[];
  /** Environment variables in addition to the inherited ones. */
  readonly env: Record<string, string>;
  /** The line on its stdin; stdin is empty if this is. */
  readonly input: string;
  /** The time limit, in milliseconds; then it is killed. */
  readonly timeoutMs: number;
  /** Receives its output; if it refuses some, the process is killed. */
  readonly output: OutputHandler;
  /** Receives what it writes to stderr, and refuses nothing. Default: that is the stderr of mq. */
  readonly errors?: OutputHandler;
}

/** How a handler ended. */
export interface Run {
  /** Whether it succeeded. */
  readonly ok: boolean;
  /** How it ended: `done`, `exit code 1`. */
  readonly ended: string;
  /** How long it took, in milliseconds. */
  readonly ms: number;
  /** Whether it could not be started because there is no such program. */
  readonly isMissing?: boolean;
  /** The last of what it wrote, if that was kept. */
  readonly lastOutput?: string;
}

/** The command to run for each event. */
export interface EventHandler extends Pick<HandlerOptions, "commandLine" | "timeoutMs"> {
  /** Environment variables with which mq in the handler reaches the same broker. */
  readonly env: Record<string, string>;
}

/** Runs a handler for an event, with the data on stdin and everything else in the environment. */
export function handleEvent(
  event: MqEvent,
  attempt: number,
  handler: EventHandler,
  output: OutputHandler,
  errors?: OutputHandler,
): Promise<Run> {
  const { name, id, from, at, hops, text } = event;
  const env = { ...handler.env, MQ_EVENT: name, MQ_ID: id!, MQ_FROM: from!, MQ_AT: at!.toISOString() };
  const { commandLine, timeoutMs } = handler;
  const counts = { MQ_ATTEMPT: `${attempt}`, MQ_HOPS: `${hops + 1}` };
  return runHandler({ commandLine, env: { ...env, ...counts }, input: text, timeoutMs, output, errors });
}

/** The running process groups, by the pid of their leader. */
const groups = new Set<number>();

/** Runs a handler to its end, and kills what is left of its process group. Failures are reported in the result. */
export async function runHandler(options: HandlerOptions): Promise<Run> {
  const startedAt = performance.now();
  const child = start(options);
  if ("ended" in child) return { ok: false, ...child, ms: performance.now() - startedAt };
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    killGroup(child.pid);
  }, options.timeoutMs);
  feed(child, options.input);
  const reader = new OutputReader(child.stdout, options.output, () => killGroup(child.pid));
  const errorReader = options.errors && new OutputReader(child.stderr, options.errors, () => {});
  const status = await child.status;
  clearTimeout(timer);
  killGroup(child.pid); // Processes that it has left running.
  groups.delete(child.pid);
  const [refusal] = await Promise.all([reader.end(), errorReader?.end()]);
  const failure = refusal ?? whyFailed(status, isLate, options);
  return { ok: failure === undefined, ended: failure ?? "done", ms: performance.now() - startedAt };
}

/** Starts the process; returns why it ended before it began if that fails. */
function start(
  { commandLine: [command, ...args], env, errors }: HandlerOptions,
): Deno.ChildProcess | Pick<Run, "ended" | "isMissing"> {
  const options: Deno.CommandOptions & { detached: boolean } = {
    args,
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: errors === undefined ? "inherit" : "piped",
    detached: Deno.build.os !== "windows", // A group of its own: Ctrl-C does not reach it, and the whole group can be killed.
  };
  try {
    const child = new Deno.Command(command, options).spawn();
    groups.add(child.pid);
    globalThis.addEventListener("unload", killAll);
    return child;
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound;
    return { ended: `could not be started: ${whyNotStarted(command, error as Error)}`, isMissing };
  }
}

function whyNotStarted(command: string, error: Error): string {
  if (error instanceof Deno.errors.NotFound) return `there is no program ${JSON.stringify(command)}`;
  if (error instanceof Deno.errors.PermissionDenied) return `${JSON.stringify(command)} may not be executed`;
  return error.message;
}

function whyFailed({ success, code, signal }: Deno.CommandStatus, isLate: boolean, options: HandlerOptions) {
  if (success) return undefined;
  if (isLate) return `took longer than ${durationText(options.timeoutMs)} and was killed`;
  return signal === null ? `exit code ${code}` : `killed by ${signal}`;
}

/** Writes the input. A handler may end without reading it. */
async function feed({ stdin }: Deno.ChildProcess, input: string): Promise<void> {
  const writer = stdin.getWriter();
  try {
    if (input !== "") await writer.write(encoder.encode(input + "\n")); // The `read` of a shell fails on an incomplete line.
    await writer.close();
  } catch (error) {
    // It has ended or closed its stdin: Deno 2.4 throws a TypeError then.
    if (!(error instanceof Deno.errors.BrokenPipe || error instanceof TypeError)) throw error;
  }
}

/** Windows has no process groups; taskkill /T kills child processes while the parent runs (not tested there). */
function killGroup(pid: number): void {
  try {
    if (Deno.build.os !== "windows") return Deno.kill(-pid, "SIGKILL");
    new Deno.Command("taskkill", { args: ["/T", "/F", "/PID", `${pid}`], stdout: "null", stderr: "null" }).outputSync();
  } catch (error) {
    // The group is empty, or its processes run as another user (sudo).
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied)) throw error;
  }
}

/** Runs when mq exits, also after a second Ctrl-C. */
function killAll(): void {
  for (const pid of groups) killGroup(pid);
}

/** Reads the output of a handler. */
class OutputReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #output: OutputHandler;
  readonly #ended: Promise<string | undefined>;
  /** Whether the handler has ended: the little output that is left is read without waiting for room. */
  #hasEnded = false;
  #resume = () => {};

  constructor(stream: ReadableStream<Uint8Array>, output: OutputHandler, onRefused: () => void) {
    this.#reader = stream.getReader();
    this.#output = output;
    this.#ended = this.#readAll(onRefused);
  }

  /** Reads the rest; resolves to the reason if the output was refused. */
  async end(): Promise<string | undefined> {
    this.#hasEnded = true;
    this.#resume();
    const timer = setTimeout(() => this.#reader.cancel(), LEFTOVER_MS);
    const refusal = await this.#ended;
    clearTimeout(timer);
    this.#output.end();
    return refusal;
  }

  async #readAll(onRefused: () => void): Promise<string | undefined> {
    try {
      for (;;) {
        const { value, done } = await this.#reader.read();
        if (done) return undefined;
        await this.#take(value);
        if (this.#output.isClosed) return void await this.#reader.cancel(); // Then the handler's next write fails.
      }
    } catch (error) {
      if (!(error instanceof OutputRefused)) throw error;
      onRefused();
      await this.#reader.cancel();
      return error.message;
    }
  }

  #take(bytes: Uint8Array): Promise<void> | void {
    const isTaken = this.#output.take(bytes);
    if (isTaken === undefined || this.#hasEnded) return;
    return new Promise((resolve) => {
      this.#resume = resolve;
      isTaken.then(resolve);
    });
  }
}
