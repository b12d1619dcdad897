/**
 * Handles the output of a handler: forwards it as it arrives, or buffers it to publish it.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { sizeText } from "../command.ts";
import type { Output } from "./stdio.ts";

const LF = 0x0a;

/** The longest incomplete line that is held back, in bytes, so that concurrent handlers do not write into it. */
const MAX_HELD_BYTES = 64 * 1024;

/** The limit of the output of one run with `--emit-lines`, in bytes. */
const MAX_BUFFERED_BYTES = 64 * 1024 * 1024;

/** Receives the output of one run. */
export interface OutputHandler {
  /**
   * Takes the next bytes.
   *
   * @returns A promise to await before more is read, if there is no room.
   * @throws {OutputRefused} If the output is too large.
   */
  take(bytes: Uint8Array): Promise<void> | void;
  /** Called at the end of the output. */
  end(): void;
  /** Whether further output would be ignored. */
  readonly isClosed: boolean;
}

/** The output cannot be published. The message says how the run ended. */
export class OutputRefused extends Error {}

/** Options of {@linkcode ForwardedOutput}. */
export interface ForwardingOptions {
  /** Whether other handlers write at the same time: then lines are not split, up to a length. */
  readonly isShared: boolean;
  /** Whether an incomplete last line gets a line feed. */
  readonly endsLines: boolean;
}

/** Forwards the bytes unchanged as they arrive. */
export class ForwardedOutput implements OutputHandler {
  readonly #output: Output;
  readonly #options: ForwardingOptions;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #isInLine = false;

  constructor(output: Output, options: ForwardingOptions) {
    this.#output = output;
    this.#options = options;
  }

  take(bytes: Uint8Array): Promise<void> | void {
    const end = this.#options.isShared ? bytes.lastIndexOf(LF) + 1 : bytes.length;
    if (end > 0) {
      this.#writeHeld();
      this.#write(bytes.subarray(0, end));
    }
    this.#hold(bytes.subarray(end));
    if (this.#output.isFull) return this.#output.flush();
  }

  get isClosed(): boolean {
    return this.#output.failure !== undefined;
  }

  end(): void {
    this.#writeHeld();
    if (this.#isInLine && this.#options.endsLines) this.#write(new Uint8Array([LF]));
  }

  #hold(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > MAX_HELD_BYTES) this.#writeHeld();
  }

  #writeHeld(): void {
    for (const bytes of this.#held.splice(0)) this.#write(bytes);
    this.#heldBytes = 0;
  }

  #write(bytes: Uint8Array): void {
    this.#output.bytes(bytes);
    this.#isInLine = bytes.at(-1) !== LF;
  }
}

/** Options of {@linkcode BufferedOutput}. */
export interface BufferOptions {
  /** The longest line that the broker accepts, in bytes. */
  readonly lineBytes: number;
  /** Whether each line becomes an event, instead of the whole output. */
  readonly isByLine: boolean;
}

/** Buffers the bytes until the run has succeeded. */
export class BufferedOutput implements OutputHandler {
  readonly isClosed = false;
  readonly #options: BufferOptions;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #unfinishedBytes = 0;

  constructor(options: BufferOptions) {
    this.#options = options;
  }

  take(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
    if (this.#options.isByLine) this.#checkLines(bytes);
    else this.#checkLength(this.#bytes, "more than fits a line of the broker");
  }

  end(): void {}

  /**
   * The whole output as text.
   *
   * @throws {OutputRefused} If it is not UTF-8.
   */
  get text(): string {
    const bytes = concat(this.#chunks);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new OutputRefused(`its output is not UTF-8 (byte ${firstInvalidByte(bytes)})`);
    }
  }

  #checkLines(bytes: Uint8Array): void {
    let start = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, start)) {
      this.#checkLine(this.#unfinishedBytes + end - start);
      this.#unfinishedBytes = 0;
      start = end + 1;
    }
    this.#unfinishedBytes += bytes.length - start;
    this.#checkLine(this.#unfinishedBytes);
    if (this.#bytes > MAX_BUFFERED_BYTES) {
      throw new OutputRefused(`printed more than ${sizeText(MAX_BUFFERED_BYTES)}, the limit of --emit-lines`);
    }
  }

  #checkLine(bytes: number): void {
    this.#checkLength(bytes, "a line that is longer than the broker accepts");
  }

  #checkLength(bytes: number, what: string): void {
    const { lineBytes } = this.#options;
    if (bytes > lineBytes) throw new OutputRefused(`printed ${what} (${lineBytes} bytes)`);
  }
}

/** The position of the first byte that is not UTF-8, from 1: where encoding the decoded text gives another byte. */
function firstInvalidByte(bytes: Uint8Array): number {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const encoded = new TextEncoder().encode(text);
  let index = encoded.findIndex((byte, index) => byte !== bytes[index]);
  while ((encoded[index] & 0xc0) === 0x80) index--;
  return index + 1;
}
