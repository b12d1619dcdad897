/**
 * What a subcommand reads from and writes to: the real terminal and pipes, or a test's.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { type Sink, SinkWriter } from "./sink.ts";
import { type Abilities, abilitiesOf, systemTerminal, type Terminal } from "./terminal.ts";

const encoder = new TextEncoder();

/** How many bytes may wait to be written before whoever writes them should wait. */
const MAX_PENDING_BYTES = 1024 * 1024;

/** How many bytes may wait before lines are left out, where nobody waits: the broker does not stop for its log. */
const MAX_UNREAD_BYTES = 16 * MAX_PENDING_BYTES;

/**
 * For how long a second signal is taken for the same key as the first, in milliseconds: a terminal sends Ctrl-C to all that
 * run in it, and npx and the `deno task` of Deno 2.4 then hand on what they got.
 */
const SAME_KEY_MS = 250;

/** The variables that mq reads from its environment. */
export const ENVIRONMENT = ["MQ_URL", "MQ_TOKEN", "MQ_TLS_CA", "MQ_HOPS", "TERM"] as const;

/** Their values, of those that are set. */
export type Environment = Partial<Record<typeof ENVIRONMENT[number], string>>;

/** What a subcommand has to do with the world outside, but for the network. */
export interface Io {
  readonly stdin: ReadableStream<Uint8Array>;
  /** Results. */
  readonly stdout: Output;
  /** Everything else. */
  readonly stderr: Output;
  /** The terminal that shows stdout, if one does. */
  readonly terminal?: Terminal;
  /** Aborted when the command should end: a signal, or stdout cannot be written; the reason is that error then. */
  readonly signal: AbortSignal;
  readonly env: Environment;
}

/** Options of {@linkcode Output}. */
export interface OutputOptions {
  /** Whether a person reads it. */
  isTerminal: boolean;
  /** What that person's terminal can do; nothing if it is left out. */
  can?: Abilities;
  /** Called when it cannot be written. After that nothing more is. */
  onFailure?: (error: unknown) => void;
}

/** Text that goes out in the order in which it is written, one write for all of a turn. */
export class Output {
  readonly isTerminal: boolean;
  readonly can: Abilities;
  readonly #writer: SinkWriter;
  #text = "";
  #written: Promise<void> = Promise.resolve();
  #pendingBytes = 0;
  #leftOut = 0;

  constructor(sink: Sink, options: OutputOptions) {
    this.#writer = new SinkWriter(sink, options.onFailure ?? (() => {}));
    this.isTerminal = options.isTerminal;
    this.can = options.can ?? { colors: false, cursor: false };
  }

  /** Writes one line. */
  line(text: string): void {
    if (this.#pendingBytes > MAX_UNREAD_BYTES) {
      this.#leftOut++;
      return;
    }
    this.#add(text + "\n");
  }

  /** Writes bytes as they are, behind all that was written before. They are kept: leave them as they are. */
  bytes(bytes: Uint8Array): void {
    this.#flush();
    this.#write(bytes);
  }

  /** Shows a line of which the next one takes the place; only where the cursor can be moved. */
  status(text: string): void {
    if (this.can.cursor && !this.isFull) this.#add(`\r\x1b[K${text}`);
  }

  /** Draws a terminal's screen, line by line from its top; one that nobody could see in time is left out. */
  screen(lines: readonly string[]): void {
    if (!this.isFull) this.#add("\x1b[H" + lines.map((line) => `\x1b[K${line}`).join("\r\n"));
  }

  /** Whether so much waits to be written (the terminal is paused, say) that one should wait for a flush. */
  get isFull(): boolean {
    return this.#pendingBytes > MAX_PENDING_BYTES;
  }

  /** What has ended it: it could not be written. */
  get failure(): unknown {
    return this.#writer.failure;
  }

  /** Goes on when it cannot be written, and calls a function the first time: see {@linkcode SinkWriter}. */
  outliveFailures(tell: (error: unknown) => void): void {
    this.#writer.outliveFailures(tell);
  }

  /** Waits until everything was written, or could not be. */
  async flush(): Promise<void> {
    this.#flush();
    await this.#written;
  }

  #add(text: string): void {
    if (this.#text === "") setImmediate(() => this.#flush());
    this.#text += text;
  }

  #flush(): void {
    if (this.#text === "") return;
    const gap = this.#leftOut > 0 ? `(${this.#leftOut} lines were left out: nobody read them)\n` : "";
    this.#leftOut = 0;
    const bytes = encoder.encode(gap + this.#text);
    this.#text = "";
    this.#write(bytes);
  }

  #write(bytes: Uint8Array): void {
    this.#pendingBytes += bytes.length;
    this.#written = this.#written.then(async () => {
      await this.#writer.write(bytes);
      this.#pendingBytes -= bytes.length;
    });
  }
}

/** The program's own terminal, pipes, signals and environment. */
export function systemIo(): Io {
  const ending = new AbortController();
  const hasTerminal = [Deno.stdin, Deno.stdout, Deno.stderr].some((stream) => stream.isTerminal());
  endOnSignals(ending, hasTerminal);
  const env: Environment = Object.fromEntries(ENVIRONMENT.map((name) => [name, variable(name)]));
  const output = (stream: typeof Deno.stdout | typeof Deno.stderr, onFailure?: (error: unknown) => void) => {
    const isTerminal = stream.isTerminal();
    const can = abilitiesOf(isTerminal, env.TERM, Deno.noColor);
    return new Output(stream, { isTerminal, can, onFailure });
  };
  const stdout = output(Deno.stdout, (error) => ending.abort(error));
  return {
    stdin: Deno.stdin.readable,
    stdout,
    stderr: output(Deno.stderr), // That it fails can be said nowhere.
    terminal: stdout.isTerminal ? systemTerminal(stdout.can) : undefined,
    signal: ending.signal,
    env,
  };
}

/** A variable that may not be read is one that is not set. One that is not UTF-8 is no token and no address either. */
function variable(name: string): string | undefined {
  const isAllowed = Deno.permissions.querySync({ name: "env", variable: name }).state === "granted";
  try {
    return isAllowed ? Deno.env.get(name) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.InvalidData) return "\ufffd";
    throw error;
  }
}

/** What a shell tells of a program that a signal has ended: 128 and its number. */
const EXIT_CODES: { readonly [signal in Deno.Signal]?: number } = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGBREAK: 130,
  SIGTERM: 143,
};

/**
 * The first signal asks the command to end in its own time, the second does not wait. A terminal that is closed sends
 * SIGHUP, more than once perhaps. A program that has no terminal, such as one that nohup has started, has none to end with;
 * nohup has the system ignore the signal, but the runtime does not leave it at that.
 */
function endOnSignals(ending: AbortController, hasTerminal: boolean): void {
  let first: Deno.Signal | undefined;
  let sameUntil = 0;
  const end = (signal: Deno.Signal) => {
    const isSame = signal === "SIGHUP" ? first === signal : performance.now() <= sameUntil;
    if (first !== undefined && !isSame) Deno.exit(EXIT_CODES[signal]);
    if (first === undefined) sameUntil = performance.now() + SAME_KEY_MS;
    first ??= signal;
    ending.abort(signal);
  };
  if (Deno.build.os === "windows") return listenFor(["SIGINT", "SIGBREAK"], end);
  listenFor(["SIGINT", "SIGTERM"], end);
  listenFor(["SIGHUP"], hasTerminal ? end : () => {});
}

function listenFor(signals: readonly Deno.Signal[], listener: (signal: Deno.Signal) => void): void {
  for (const signal of signals) Deno.addSignalListener(signal, () => listener(signal));
}

/** Resolves when a signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
