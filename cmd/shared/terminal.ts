/**
 * The terminal: what it can do, its size, its keys, and how a program that draws all over it leaves it as it was.
 *
 * @module
 */

/** How many characters fit into a terminal. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** What a terminal can do beside showing lines of text one below the other. */
export interface Abilities {
  /** Whether text may have colours, or be bold. */
  readonly colors: boolean;
  /** Whether what has been written can be overwritten: a line, or the whole screen. */
  readonly cursor: boolean;
}

/**
 * What a stream's terminal can do. Nothing else decides that.
 *
 * @param isTerminal Whether there is one.
 * @param term What TERM says of it: `dumb` can do nothing.
 * @param noColor Whether NO_COLOR is set: its user wants none.
 */
export function abilitiesOf(isTerminal: boolean, term: string | undefined, noColor: boolean): Abilities {
  const cursor = isTerminal && term !== "dumb";
  return { colors: cursor && !noColor, cursor };
}

/** The terminal that shows a program's stdout: the real one, or a test's. */
export interface Terminal {
  /** Whether one can draw all over it. */
  readonly isScreen: boolean;
  /** How large it is at this moment. */
  size(): Size;
  /** Takes it over: there is an empty screen, and keys come as they are pressed, Ctrl-C among them. */
  take(): void;
  /** Leaves it as it was. */
  release(): void;
  /**
   * Calls a function whenever its size has changed.
   *
   * @returns A function that undoes it.
   */
  onResize(listener: () => void): () => void;
}

/** A second screen without a cursor, on which what is too long for a line is cut; and the first one again. */
const TAKE = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const RELEASE = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/** What a terminal is taken for that does not know its size. */
const USUAL_SIZE: Size = { columns: 80, rows: 24 };

const encoder = new TextEncoder();

/** The terminal of this process, which its stdout must be. */
export function systemTerminal({ cursor }: Abilities): Terminal {
  return new SystemTerminal(cursor);
}

/** However the process ends, the terminal is released: so nothing here waits. */
class SystemTerminal implements Terminal {
  readonly isScreen: boolean;
  readonly #release = () => this.release();
  #isTaken = false;

  constructor(isScreen: boolean) {
    this.isScreen = isScreen;
  }

  size(): Size {
    const { columns, rows } = Deno.consoleSize();
    return columns > 0 && rows > 0 ? { columns, rows } : USUAL_SIZE;
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
    if (Deno.build.os === "windows") return () => {}; // Which has no signal for it.
    Deno.addSignalListener("SIGWINCH", listener);
    return () => Deno.removeSignalListener("SIGWINCH", listener);
  }

  #switch(codes: string, isRaw: boolean): void {
    try {
      if (Deno.stdin.isTerminal()) Deno.stdin.setRaw(isRaw);
      Deno.stdout.writeSync(encoder.encode(codes));
    } catch {
      // It has been closed: there is nothing left to draw on, or to leave as it was.
    }
  }
}

// deno-lint-ignore no-control-regex -- Such are the keys.
const KEY = /\x1b\[[\d;]*[A-Za-z~]|\x1bO[A-Z]|[^]/gu;

/**
 * The keys that are pressed: each a character, or what a terminal sends for a key that stands for none.
 *
 * @param stdin Where they come from.
 * @param signal Ends them.
 */
export async function* keys(stdin: ReadableStream<Uint8Array>, signal: AbortSignal): AsyncGenerator<string> {
  const texts = stdin.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>, { signal });
  for await (const text of texts) yield* text.match(KEY) ?? [];
}
