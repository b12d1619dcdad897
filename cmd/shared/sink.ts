/**
 * Where output goes, and what is done when it cannot be written: a disk is full, or nobody reads it any more.
 *
 * @module
 */

/** How long to wait for a pipe that cannot take anything now and says so, in milliseconds. */
const RETRY_MS = 10;

const LF = 0x0a;

const encoder = new TextEncoder();

/** What takes bytes, such as `Deno.stdout`. */
export interface Sink {
  /** Writes bytes, or the first of them; returns how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Whether nobody reads the output any more: to `mq logger | head` that is no error, the work is done. */
export function isReaderGone(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe;
}

/** Why output could not be written, in words. */
export function whyNotWritten(error: unknown): string {
  return isReaderGone(error) ? "nobody reads it any more" : systemReason(error);
}

/** What the system says of an error: `Is a directory`. */
export function systemReason(error: unknown): string {
  return error instanceof Error ? error.message.replace(/ \(os error \d+\)$/, "") : String(error);
}

/** Writes to a sink, whole, until that fails. */
export class SinkWriter {
  readonly #sink: Sink;
  #onFailure: (error: unknown) => void;
  #failure: unknown;
  #outlivesFailures = false;
  /** How many lines could not be written since the last that was, and why. */
  #lostLines = 0;
  #whyLost = "";
  /** Whether what was written ends in the middle of a line. */
  #isCut = false;

  /**
   * @param sink Where the bytes go.
   * @param onFailure Called with the error when they cannot go there. After that nothing more is written.
   */
  constructor(sink: Sink, onFailure: (error: unknown) => void) {
    this.#sink = sink;
    this.#onFailure = onFailure;
  }

  /** What has ended the writing. */
  get failure(): unknown {
    return this.#failure;
  }

  /**
   * Goes on after a failure, since a disk may get room again: each write is tried, and the first that succeeds says how
   * many lines are missing before it.
   *
   * @param tell Called at the first failure only.
   */
  outliveFailures(tell: (error: unknown) => void): void {
    this.#outlivesFailures = true;
    this.#onFailure = (error) => {
      this.#onFailure = () => {};
      tell(error);
    };
  }

  /** Writes bytes. To be called again only when that is done. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) return;
    let rest = bytes;
    try {
      if (this.#lostLines > 0) await this.#tellLost();
      while (rest.length > 0) rest = rest.subarray(await this.#writeSome(rest));
    } catch (error) {
      this.#lostLines += rest.reduce((lines, byte) => byte === LF ? lines + 1 : lines, 0);
      this.#whyLost = whyNotWritten(error);
      if (!this.#outlivesFailures) this.#failure = error;
      this.#onFailure(error);
    }
  }

  async #tellLost(): Promise<void> {
    const text = `${this.#isCut ? "\n" : ""}(${this.#lostLines} lines were left out: ${this.#whyLost})\n`;
    let rest = encoder.encode(text);
    while (rest.length > 0) rest = rest.subarray(await this.#writeSome(rest));
    this.#lostLines = 0;
  }

  /** A pipe may have been set up by its other end not to block. */
  async #writeSome(bytes: Uint8Array): Promise<number> {
    for (;;) {
      try {
        const count = await this.#sink.write(bytes);
        this.#isCut = bytes[count - 1] !== LF;
        return count;
      } catch (error) {
        if (!(error instanceof Deno.errors.WouldBlock)) throw error;
        // Not with std's delay: every command would wait until that is loaded.
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}
