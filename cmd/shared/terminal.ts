/**
 * The terminal: what it supports, its size and keys, and full-screen mode, which is always undone at the end.
 *
 * @module
 */

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** What a terminal supports beyond plain lines of text. */
export interface TerminalSupport {
  /** Colours and bold text. */
  readonly colors: boolean;
  /** Cursor movement: a line or the whole screen can be overwritten. */
  readonly cursor: boolean;
}

/**
 * What the terminal of a stream supports.
 *
 * @param isTerminal Whether the stream is a terminal.
 * @param term The value of TERM: `dumb` supports nothing.
 * @param noColor Whether NO_COLOR is set.
 */
export function terminalSupport(isTerminal: boolean, term: string | undefined, noColor: boolean): TerminalSupport {
  const cursor = isTerminal && term !== "dumb";
  return { colors: cursor && !noColor, cursor };
}

/** The terminal of stdout: the real one, or that of a test. */
export interface Terminal {
  /** Whether full-screen mode is supported. */
  readonly isScreen: boolean;
  /** Its current size, in characters. */
  size(): Size;
  /** Enters full-screen mode: an empty screen, and each key press is readable at once, Ctrl-C included. */
  take(): void;
  /** Leaves full-screen mode. */
  release(): void;
  /**
   * Calls a function whenever the size changes.
   *
   * @returns A function that removes the listener.
   */
  onResize(listener: () => void): () => void;
}

/** Escape sequences: the alternate screen, without cursor and line wrapping; and back. */
const TAKE = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const RELEASE = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/** The size of a terminal that reports none. */
const DEFAULT_SIZE: Size = { columns: 80, rows: 24 };

const encoder = new TextEncoder();

/** The terminal of this process. Its stdout must be one. */
export function systemTerminal({ cursor }: TerminalSupport): Terminal {
  return new SystemTerminal(cursor);
}

/** Everything is synchronous, so that full-screen mode is left however the process ends. */
class SystemTerminal implements Terminal {
  readonly isScreen: boolean;
  readonly #release = () => this.release();
  #isTaken = false;
  /** The size when it was last known. */
  #size = DEFAULT_SIZE;

  constructor(isScreen: boolean) {
    this.isScreen = isScreen;
  }

  size(): Size {
    try {
      const { columns, rows } = Deno.consoleSize();
      this.#size = columns > 0 && rows > 0 ? { columns, rows } : DEFAULT_SIZE;
    } catch {
      // The terminal has been closed: the next write to it fails, which ends the command.
    }
    return this.#size;
  }

  take(): void {
    this.#isTaken = true;
    globalThis.addEventListener("unload", this.#release);
    this.#switch(TAKE, true);
  }

  release(): void {
    if (!this.#isTaken) return;
    this.#isTaken = false;
    globalThis.removeEventListener("unload", this.#release);
    this.#switch(RELEASE, false);
  }

  onResize(listener: () => void): () => void {
    if (Deno.build.os === "windows") return () => {}; // Windows has no such signal.
    Deno.addSignalListener("SIGWINCH", listener);
    return () => Deno.removeSignalListener("SIGWINCH", listener);
  }

  #switch(codes: string, isRaw: boolean): void {
    try {
      if (Deno.stdin.isTerminal()) Deno.stdin.setRaw(isRaw);
      Deno.stdout.writeSync(encoder.encode(codes));
    } catch {
      // The terminal has been closed.
    }
  }
}

/** Whether a terminal could not be read because it has been closed: EIO, to which Deno gives no class of its own. */
function isClosedTerminal(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EIO";
}

// deno-lint-ignore no-control-regex -- Terminals send escape sequences for keys.
const KEY = /\x1b\[[\d;]*[A-Za-z~]|\x1bO[A-Z]|[^]/gu;

/**
 * The keys that are pressed: each a character, or the escape sequence of a key such as an arrow. They end with the input, and
 * where it cannot be read because the terminal has been closed.
 *
 * @param stdin The terminal in raw mode.
 * @param signal Ends the reading.
 */
export async function* keys(stdin: ReadableStream<Uint8Array>, signal: AbortSignal): AsyncGenerator<string> {
  const texts = stdin.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>, { signal });
  try {
    for await (const text of texts) yield* text.match(KEY) ?? [];
  } catch (error) {
    if (signal.aborted || !isClosedTerminal(error)) throw error;
  }
}
