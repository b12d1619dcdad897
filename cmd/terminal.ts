/**
 * The terminal, for a program that draws all over it: its size, its keys, and how it is left as it was.
 *
 * @module
 */

/** How many characters fit into a terminal. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The terminal of a program that draws all over it: the real one, or a test's. */
export interface Terminal {
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

/** The terminal of this process; undefined if its stdout is none. */
export function systemTerminal(): Terminal | undefined {
  return Deno.stdout.isTerminal() ? new SystemTerminal() : undefined;
}

/** However the process ends, the terminal is released: so nothing here waits. */
class SystemTerminal implements Terminal {
  readonly #release = () => this.release();
  #isTaken = false;

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
      // It has been closed.
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
