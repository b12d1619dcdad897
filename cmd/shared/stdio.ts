/**
 * The streams, signals and environment of a subcommand: those of the process, or those of a test.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { type Sink, SinkWriter } from "./sink.ts";
import { systemTerminal, type Terminal, type TerminalSupport, terminalSupport } from "./terminal.ts";

const encoder = new TextEncoder();

/** With more bytes waiting to be written, {@linkcode Output.isFull} is true. */
const MAX_PENDING_BYTES = 1024 * 1024;

/** With more bytes waiting to be written, lines are dropped: a broker does not wait for its log. */
const MAX_UNREAD_BYTES = 16 * MAX_PENDING_BYTES;

/**
 * A second signal within this time, in milliseconds, counts as the first: one Ctrl-C may arrive twice, from the terminal and
 * forwarded by npx or the `deno task` of Deno 2.4.
 */
const DUPLICATE_SIGNAL_MS = 250;

/** The variables that mq reads from its environment. */
export const ENVIRONMENT = ["MQ_URL", "MQ_TOKEN", "MQ_TLS_CA", "MQ_HOPS", "TERM"] as const;

/** The values of the variables that are set. */
export type Environment = Partial<Record<typeof ENVIRONMENT[number], string>>;

/** The input and output of a subcommand, except for the network. */
export interface Io {
  readonly stdin: ReadableStream<Uint8Array>;
  /** Results. */
  readonly stdout: Output;
  /** Messages, warnings and errors. */
  readonly stderr: Output;
  /** The terminal of stdout, if stdout is one. */
  readonly terminal?: Terminal;
  /** Whether somebody can be asked: both stdin and stderr are terminals. */
  readonly isInteractive?: boolean;
  /** Aborted when the command should end: by a signal, or by a write error of stdout, which is the reason then. */
  readonly signal: AbortSignal;
  readonly env: Environment;
}

/** Options of {@linkcode Output}. */
export interface OutputOptions {
  isTerminal: boolean;
  /** What the terminal supports. Default: neither colours nor cursor movement. */
  can?: TerminalSupport;
  /** Called when a write fails. Later output is ignored. */
  onFailure?: (error: unknown) => void;
}

/** Ordered output. All that is written in one tick of the event loop goes out in one write. */
export class Output {
  readonly isTerminal: boolean;
  readonly can: TerminalSupport;
  readonly #writer: SinkWriter;
  #text = "";
  #written: Promise<void> = Promise.resolve();
  #pendingBytes = 0;
  #droppedLines = 0;

  constructor(sink: Sink, options: OutputOptions) {
    this.#writer = new SinkWriter(sink, options.onFailure ?? (() => {}));
    this.isTerminal = options.isTerminal;
    this.can = options.can ?? { colors: false, cursor: false };
  }

  line(text: string): void {
    if (this.#pendingBytes > MAX_UNREAD_BYTES) {
      this.#droppedLines++;
      return;
    }
    this.#add(text + "\n");
  }

  /** Writes text without a line end, behind which somebody types an answer. */
  prompt(text: string): void {
    this.#add(text);
  }

  /** Writes bytes. They are not copied: do not change them afterwards. */
  bytes(bytes: Uint8Array): void {
    this.#flush();
    this.#write(bytes);
  }

  /** Shows a status line that the next line overwrites. Does nothing if the terminal cannot move its cursor. */
  status(text: string): void {
    if (this.can.cursor && !this.isFull) this.#add(`\r\x1b[K${text}`);
  }

  /** Draws a full screen, line by line from the top. Skipped while too much output waits. */
  screen(lines: readonly string[]): void {
    if (!this.isFull) this.#add("\x1b[H" + lines.map((line) => `\x1b[K${line}`).join("\r\n"));
  }

  /** Whether so much waits to be written, on a paused terminal for example, that the caller should await a flush. */
  get isFull(): boolean {
    return this.#pendingBytes > MAX_PENDING_BYTES;
  }

  /** The error of the failed write, if one has failed. */
  get failure(): unknown {
    return this.#writer.failure;
  }

  /** Continues after write failures: see {@linkcode SinkWriter.continueAfterFailure}. */
  continueAfterFailure(onFirstFailure: (error: unknown) => void): void {
    this.#writer.continueAfterFailure(onFirstFailure);
  }

  /** Resolves when everything was written or has failed. */
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
    const gap = this.#droppedLines > 0 ? `(${this.#droppedLines} lines were dropped: nothing read them in time)\n` : "";
    this.#droppedLines = 0;
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

/** The streams, terminal, signals and environment of this process. */
export function systemIo(): Io {
  const ending = new AbortController();
  const hasTerminal = [Deno.stdin, Deno.stdout, Deno.stderr].some((stream) => stream.isTerminal());
  endOnSignals(ending, hasTerminal);
  const env: Environment = Object.fromEntries(ENVIRONMENT.map((name) => [name, variable(name)]));
  const output = (stream: typeof Deno.stdout | typeof Deno.stderr, onFailure?: (error: unknown) => void) => {
    const isTerminal = stream.isTerminal();
    const can = terminalSupport(isTerminal, env.TERM, Deno.noColor);
    return new Output(stream, { isTerminal, can, onFailure });
  };
  const stdout = output(Deno.stdout, (error) => ending.abort(error));
  return {
    stdin: Deno.stdin.readable,
    stdout,
    stderr: output(Deno.stderr), // There is nowhere to report its failure.
    terminal: stdout.isTerminal ? systemTerminal(stdout.can) : undefined,
    isInteractive: Deno.stdin.isTerminal() && Deno.stderr.isTerminal(),
    signal: ending.signal,
    env,
  };
}

/** A variable without permission counts as unset. One that is not UTF-8 becomes U+FFFD, which no token or address contains. */
function variable(name: string): string | undefined {
  const isAllowed = Deno.permissions.querySync({ name: "env", variable: name }).state === "granted";
  try {
    return isAllowed ? Deno.env.get(name) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.InvalidData) return "\ufffd";
    throw error;
  }
}

/** The exit codes that shells use for processes ended by a signal: 128 plus its number. */
const EXIT_CODES: { readonly [signal in Deno.Signal]?: number } = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGBREAK: 130,
  SIGTERM: 143,
};

/**
 * The first signal asks the command to shut down, the second ends the process at once. A closed terminal sends SIGHUP, possibly
 * more than once. A process without a terminal ignores SIGHUP: nohup makes the system ignore it, but Deno resets that.
 */
function endOnSignals(ending: AbortController, hasTerminal: boolean): void {
  let first: Deno.Signal | undefined;
  let sameUntil = 0;
  const end = (signal: Deno.Signal) => {
    const isSame = signal === "SIGHUP" ? first === signal : performance.now() <= sameUntil;
    if (first !== undefined && !isSame) Deno.exit(EXIT_CODES[signal]);
    if (first === undefined) sameUntil = performance.now() + DUPLICATE_SIGNAL_MS;
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

export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
