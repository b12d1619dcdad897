/**
 * What a subcommand reads from and writes to: the real terminal and pipes, or a test's.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { type Abilities, abilitiesOf, systemTerminal, type Terminal } from "./terminal.ts";

const encoder = new TextEncoder();

/** How many bytes may wait to be written before whoever writes them should wait. */
const MAX_PENDING_BYTES = 1024 * 1024;

/** How many bytes may wait before lines are left out, where nobody waits: the broker does not stop for its log. */
const MAX_UNREAD_BYTES = 16 * MAX_PENDING_BYTES;

/** The variables that mq reads from its environment. */
export const ENVIRONMENT = ["MQ_URL", "MQ_TOKEN", "MQ_TLS_CA", "TERM"] as const;

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
  /** Aborted when the command should end: Ctrl-C, SIGTERM, or nobody reads its output any more. */
  readonly signal: AbortSignal;
  readonly env: Environment;
}

/** Options of {@linkcode Output}. */
export interface OutputOptions {
  /** Whether a person reads it. */
  isTerminal: boolean;
  /** What that person's terminal can do; nothing if it is left out. */
  can?: Abilities;
  /** Called when nobody reads it any more. */
  onBroken?: () => void;
}

/** Text that goes out in the order in which it is written, one write for all of a turn. */
export class Output {
  readonly isTerminal: boolean;
  readonly can: Abilities;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #onBroken: () => void;
  #text = "";
  #written: Promise<void> = Promise.resolve();
  #pendingBytes = 0;
  #leftOut = 0;
  #broken = false;

  constructor(sink: WritableStream<Uint8Array>, options: OutputOptions) {
    this.#writer = sink.getWriter();
    this.isTerminal = options.isTerminal;
    this.can = options.can ?? { colors: false, cursor: false };
    this.#onBroken = options.onBroken ?? (() => {});
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

  /** Waits until everything was written, or nobody reads it any more. */
  async flush(): Promise<void> {
    this.#flush();
    await this.#written;
  }

  #add(text: string): void {
    if (this.#broken) return;
    if (this.#text === "") setImmediate(() => this.#flush());
    this.#text += text;
  }

  #flush(): void {
    if (this.#text === "" || this.#broken) return;
    const gap = this.#leftOut > 0 ? `(${this.#leftOut} lines were left out: nobody read them)\n` : "";
    this.#leftOut = 0;
    const bytes = encoder.encode(gap + this.#text);
    this.#text = "";
    this.#write(bytes);
  }

  #write(bytes: Uint8Array): void {
    if (this.#broken) return;
    this.#pendingBytes += bytes.length;
    this.#written = this.#writer.write(bytes).catch(() => this.#break());
    this.#written.then(() => this.#pendingBytes -= bytes.length);
  }

  /** A reader that leaves early (`mq logger | head`) is not an error: the work is done. */
  #break(): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#onBroken();
  }
}

/** The program's own terminal, pipes, signals and environment. */
export function systemIo(): Io {
  const ending = new AbortController();
  const onBroken = () => ending.abort("broken pipe");
  endOnSignals(ending);
  const env: Environment = Object.fromEntries(ENVIRONMENT.map((name) => [name, variable(name)]));
  const output = (stream: typeof Deno.stdout | typeof Deno.stderr) => {
    const isTerminal = stream.isTerminal();
    const can = abilitiesOf(isTerminal, env.TERM, Deno.noColor);
    return new Output(stream.writable, { isTerminal, can, onBroken });
  };
  const stdout = output(Deno.stdout);
  return {
    stdin: Deno.stdin.readable,
    stdout,
    stderr: output(Deno.stderr),
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

/** The first signal asks the command to end in its own time, the second does not wait. */
function endOnSignals(ending: AbortController): void {
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT", "SIGBREAK"] : ["SIGINT", "SIGTERM"];
  for (const signal of signals) {
    Deno.addSignalListener(signal, () => ending.signal.aborted ? Deno.exit(1) : ending.abort(signal));
  }
}

/** Resolves when a signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
