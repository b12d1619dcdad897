/**
 * One run of a handler: a process of its own that is given an event, and how it ended.
 *
 * @module
 */
import { durationText } from "./command.ts";

/** How long the output of a handler that has ended may stay open: only a process that left its group can hold it. */
const LEFTOVER_MS = 2000;

const encoder = new TextEncoder();

/** Options of {@linkcode runHandler}. */
export interface HandlerOptions {
  /** The program and its arguments. */
  readonly commandLine: readonly string[];
  /** Variables that it gets besides those that mq was given. */
  readonly env: Record<string, string>;
  /** What it reads from stdin. */
  readonly input: string;
  /** How long it may take, in milliseconds; then it is killed. */
  readonly timeoutMs: number;
  /** The most that is kept of what it prints, in bytes; if that is too little, it is killed. */
  readonly maxBytes: number;
  /** Takes whole lines as they come, in place of their being kept. It is read on when the promise resolves. */
  readonly print?: (lines: string) => Promise<void>;
}

/** How a handler ended. */
export interface Run {
  /** Whether it did what it was to do. */
  readonly ok: boolean;
  /** How it ended, for people: `done`, `exit code 1`. */
  readonly ended: string;
  /** How long it took, in milliseconds. */
  readonly ms: number;
  /** What it printed, where that was kept. */
  readonly output: string;
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
  if (typeof child === "string") return { ok: false, ended: child, ms: performance.now() - startedAt, output: "" };
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    killGroup(child.pid);
  }, options.timeoutMs);
  feed(child, options.input);
  const printed = new Printed(child, options);
  const status = await child.status;
  clearTimeout(timer);
  killGroup(child.pid); // What it has left running.
  groups.delete(child.pid);
  const output = await printed.end();
  const failure = printed.isTooLong
    ? `printed more than a line holds (${options.maxBytes} bytes) and was killed`
    : whyFailed(status, isLate, options);
  return { ok: failure === undefined, ended: failure ?? "done", ms: performance.now() - startedAt, output };
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
    if (input !== "") await writer.write(encoder.encode(input));
    await writer.close();
  } catch {
    // It has ended, or closed its stdin.
  }
}

/** Windows has no groups, but knows who started whom while the first of them runs (this was not tried there). */
function killGroup(pid: number): void {
  try {
    if (Deno.build.os !== "windows") return Deno.kill(-pid, "SIGKILL");
    new Deno.Command("taskkill", { args: ["/T", "/F", "/PID", `${pid}`], stdout: "null", stderr: "null" }).outputSync();
  } catch {
    // Nobody is left in it.
  }
}

/** At the end of mq itself, however it comes about: a second Ctrl-C does not wait. */
function killAll(): void {
  for (const pid of groups) killGroup(pid);
}

/** What a handler prints: whole lines go out as they come, or all of it is kept. */
class Printed {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #options: HandlerOptions;
  readonly #pid: number;
  readonly #exited: Promise<unknown>;
  readonly #read: Promise<void>;
  readonly #decoder = new TextDecoder();
  #text = "";
  #isTooLong = false;

  constructor({ stdout, pid, status }: Deno.ChildProcess, options: HandlerOptions) {
    this.#reader = stdout.getReader();
    this.#pid = pid;
    this.#exited = status;
    this.#options = options;
    this.#read = this.#readAll();
  }

  /** Whether it was more than may be kept. */
  get isTooLong(): boolean {
    return this.#isTooLong;
  }

  /** What was kept, when all has been read. */
  async end(): Promise<string> {
    const timer = setTimeout(() => this.#reader.cancel(), LEFTOVER_MS);
    await this.#read;
    clearTimeout(timer);
    if (!this.#options.print) return this.#text;
    if (this.#text !== "") await this.#options.print(this.#text);
    return "";
  }

  async #readAll(): Promise<void> {
    for (;;) {
      const { value, done } = await this.#reader.read();
      await this.#add(this.#decoder.decode(value, { stream: !done }));
      if (done) return;
      if (this.#text.length > this.#options.maxBytes) return await this.#giveUp();
    }
  }

  /** Once the handler has ended, nobody is made to wait: what is left of its output is little. */
  async #add(text: string): Promise<void> {
    const { print } = this.#options;
    const end = print ? text.lastIndexOf("\n") : -1;
    if (end < 0) {
      this.#text += text;
      return;
    }
    const lines = this.#text + text.slice(0, end);
    this.#text = text.slice(end + 1);
    await Promise.race([print!(lines), this.#exited]);
  }

  async #giveUp(): Promise<void> {
    this.#isTooLong = true;
    killGroup(this.#pid);
    await this.#reader.cancel();
  }
}
