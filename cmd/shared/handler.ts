/**
 * One run of a handler of `mq on` or `mq reply`: a process of its own that is given an event, and how it ended.
 *
 * @module
 */
import type { MqEvent } from "../../lib/protocol/event.ts";
import { durationText } from "../command.ts";
import { type Printed, Unusable } from "./printed.ts";

/** How long the output of a handler that has ended may stay open: only a process that left its group can hold it. */
const LEFTOVER_MS = 2000;

const encoder = new TextEncoder();

/** Options of {@linkcode runHandler}. */
export interface HandlerOptions {
  /** The program and its arguments. */
  readonly commandLine: readonly string[];
  /** Variables that it gets besides those that mq was given. */
  readonly env: Record<string, string>;
  /** What it reads from stdin, as a line; if that is empty, its stdin is. */
  readonly input: string;
  /** How long it may take, in milliseconds; then it is killed. */
  readonly timeoutMs: number;
  /** Takes what it prints; if that is too much, it is killed. */
  readonly printed: Printed;
}

/** How a handler ended. */
export interface Run {
  /** Whether it did what it was to do. */
  readonly ok: boolean;
  /** How it ended, for people: `done`, `exit code 1`. */
  readonly ended: string;
  /** How long it took, in milliseconds. */
  readonly ms: number;
}

/** What is run for events. */
export interface EventHandler extends Pick<HandlerOptions, "commandLine" | "timeoutMs"> {
  /** What it finds in its environment for every event: how mq in it reaches the broker. */
  readonly env: Record<string, string>;
}

/** Runs a handler for an event: the data is on its stdin, and the rest in its environment. */
export function handleEvent(event: MqEvent, attempt: number, handler: EventHandler, printed: Printed): Promise<Run> {
  const { name, id, from, at, hops, text } = event;
  const env = { ...handler.env, MQ_EVENT: name, MQ_ID: id!, MQ_FROM: from!, MQ_AT: at!.toISOString() };
  const { commandLine, timeoutMs } = handler;
  const counts = { MQ_ATTEMPT: `${attempt}`, MQ_HOPS: `${hops + 1}` };
  return runHandler({ commandLine, env: { ...env, ...counts }, input: text, timeoutMs, printed });
}

/** The groups that run, by the process that leads each. */
const groups = new Set<number>();

/**
 * Runs a handler to its end. Whatever becomes of it is a {@linkcode Run}, and nothing that it started in its group is
 * left running.
 */
export async function runHandler(options: HandlerOptions): Promise<Run> {
  const startedAt = performance.now();
  const child = start(options);
  if (typeof child === "string") return { ok: false, ended: child, ms: performance.now() - startedAt };
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    killGroup(child.pid);
  }, options.timeoutMs);
  feed(child, options.input);
  const reading = new Reading(child, options.printed, () => killGroup(child.pid));
  const status = await child.status;
  clearTimeout(timer);
  killGroup(child.pid); // What it has left running.
  groups.delete(child.pid);
  const failure = await reading.end() ?? whyFailed(status, isLate, options);
  return { ok: failure === undefined, ended: failure ?? "done", ms: performance.now() - startedAt };
}

/** Starts the process; if it cannot be started, says why. */
function start({ commandLine: [command, ...args], env }: HandlerOptions): Deno.ChildProcess | string {
  const options: Deno.CommandOptions & { detached: boolean } = {
    args,
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
    detached: Deno.build.os !== "windows", // It leads a group: Ctrl-C does not reach it, and all of it can be killed.
  };
  try {
    const child = new Deno.Command(command, options).spawn();
    groups.add(child.pid);
    globalThis.addEventListener("unload", killAll);
    return child;
  } catch (error) {
    return `could not be started: ${whyNotStarted(command, error as Error)}`;
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

/** A handler need not read what it is given. */
async function feed({ stdin }: Deno.ChildProcess, input: string): Promise<void> {
  const writer = stdin.getWriter();
  try {
    if (input !== "") await writer.write(encoder.encode(input + "\n")); // A shell's `read` fails on half a line.
    await writer.close();
  } catch (error) {
    // It has ended or closed its stdin: on a stream that has failed, Deno 2.4 throws a TypeError.
    if (!(error instanceof Deno.errors.BrokenPipe || error instanceof TypeError)) throw error;
  }
}

/** Windows has no groups, but knows who started whom while the first of them runs (this was not tried there). */
function killGroup(pid: number): void {
  try {
    if (Deno.build.os !== "windows") return Deno.kill(-pid, "SIGKILL");
    new Deno.Command("taskkill", { args: ["/T", "/F", "/PID", `${pid}`], stdout: "null", stderr: "null" }).outputSync();
  } catch (error) {
    // Nobody is left in it, or only what is run as somebody else (sudo), which is not ours to kill.
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied)) throw error;
  }
}

/** At the end of mq itself, however it comes about: a second Ctrl-C does not wait. */
function killAll(): void {
  for (const pid of groups) killGroup(pid);
}

/** Reads what a handler prints. */
class Reading {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #printed: Printed;
  readonly #ended: Promise<string | undefined>;
  /** Whether the handler has ended: then nobody is made to wait, for what is left of its output is little. */
  #isLast = false;
  #goOn = () => {};

  constructor({ stdout }: Deno.ChildProcess, printed: Printed, onUnusable: () => void) {
    this.#reader = stdout.getReader();
    this.#printed = printed;
    this.#ended = this.#readAll(onUnusable);
  }

  /** Reads what is left; returns why it was too much. */
  async end(): Promise<string | undefined> {
    this.#isLast = true;
    this.#goOn();
    const timer = setTimeout(() => this.#reader.cancel(), LEFTOVER_MS);
    const fault = await this.#ended;
    clearTimeout(timer);
    this.#printed.end();
    return fault;
  }

  async #readAll(onUnusable: () => void): Promise<string | undefined> {
    try {
      for (;;) {
        const { value, done } = await this.#reader.read();
        if (done) return undefined;
        await this.#take(value);
        if (this.#printed.isClosed) return void await this.#reader.cancel(); // The handler's next write fails, as in a pipe.
      }
    } catch (error) {
      if (!(error instanceof Unusable)) throw error;
      onUnusable();
      await this.#reader.cancel();
      return error.message;
    }
  }

  #take(bytes: Uint8Array): Promise<void> | void {
    const isTaken = this.#printed.take(bytes);
    if (isTaken === undefined || this.#isLast) return;
    return new Promise((resolve) => {
      this.#goOn = resolve;
      isTaken.then(resolve);
    });
  }
}
