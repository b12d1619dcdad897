/**
 * Writes output to a file, pipe or terminal, and handles failures: a full disk, a closed pipe.
 *
 * @module
 */
import { systemReason } from "../../lib/protocol/system_reason.ts";

/** The delay before another write to a non-blocking pipe that is full, in milliseconds. */
const RETRY_MS = 10;

const LF = 0x0a;

const encoder = new TextEncoder();

/** A destination for bytes, such as `Deno.stdout`. */
export interface Sink {
  /** Writes at least the first byte; resolves to the number of bytes written. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Whether the reader of the output has closed it, as in `mq logger | head`, which is no error. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe;
}

/** Why output could not be written, as part of a sentence. */
export function describeWriteError(error: unknown): string {
  return isBrokenPipe(error) ? "its reader has closed it" : systemReason(error);
}

/** Writes all bytes to a sink, until a write fails. */
export class SinkWriter {
  readonly #sink: Sink;
  #onFailure: (error: unknown) => void;
  #failure: unknown;
  #continuesAfterFailure = false;
  /** The number of lines lost since the last successful write, and the reason. */
  #lostLines = 0;
  #lossReason = "";
  /** Whether the last successful write ended in the middle of a line. */
  #isMidLine = false;

  /**
   * @param sink The destination.
   * @param onFailure Called with the error when a write fails. Later writes are ignored.
   */
  constructor(sink: Sink, onFailure: (error: unknown) => void) {
    this.#sink = sink;
    this.#onFailure = onFailure;
  }

  /** The error of the failed write, if one has failed. */
  get failure(): unknown {
    return this.#failure;
  }

  /**
   * Continues after failures, since a full disk may get free space again: each write is tried, and the first successful one
   * is preceded by the number of lines lost.
   *
   * @param onFirstFailure Called at the first failure only.
   */
  continueAfterFailure(onFirstFailure: (error: unknown) => void): void {
    this.#continuesAfterFailure = true;
    this.#onFailure = (error) => {
      this.#onFailure = () => {};
      onFirstFailure(error);
    };
  }

  /** Writes bytes. Wait for it before the next call. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) return;
    let rest = bytes;
    try {
      if (this.#lostLines > 0) await this.#reportLoss();
      while (rest.length > 0) rest = rest.subarray(await this.#writeSome(rest));
    } catch (error) {
      this.#lostLines += rest.reduce((lines, byte) => byte === LF ? lines + 1 : lines, 0);
      this.#lossReason = describeWriteError(error);
      if (!this.#continuesAfterFailure) this.#failure = error;
      this.#onFailure(error);
    }
  }

  async #reportLoss(): Promise<void> {
    const text = `${this.#isMidLine ? "\n" : ""}(${this.#lostLines} lines were lost: ${this.#lossReason})\n`;
    let rest = encoder.encode(text);
    while (rest.length > 0) rest = rest.subarray(await this.#writeSome(rest));
    this.#lostLines = 0;
  }

  /** Retries while a non-blocking pipe is full: the process at its other end may have made it non-blocking. */
  async #writeSome(bytes: Uint8Array): Promise<number> {
    for (;;) {
      try {
        const count = await this.#sink.write(bytes);
        this.#isMidLine = bytes[count - 1] !== LF;
        return count;
      } catch (error) {
        if (!(error instanceof Deno.errors.WouldBlock)) throw error;
        // Not with std's delay: every command would wait until that is loaded.
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}
