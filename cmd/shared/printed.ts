/**
 * What a handler prints: it passes through as it comes, or is kept to be published.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { sizeText } from "../command.ts";
import type { Output } from "./stdio.ts";

const LF = 0x0a;

/** How much of a line is held back, in bytes, so that lines of other handlers do not come between its parts. */
const MAX_HELD_BYTES = 64 * 1024;

/** The most that is kept of a run that makes an event of each line, in bytes. */
const MAX_KEPT_BYTES = 64 * 1024 * 1024;

/** Where the bytes go that a handler prints. */
export interface Printed {
  /**
   * Takes what comes.
   *
   * @returns What is to be waited for before more is read; nothing if there is room.
   * @throws {Unusable} If that was too much.
   */
  take(bytes: Uint8Array): Promise<void> | void;
  /** Called when nothing more will come. */
  end(): void;
  /** Whether what comes is of no use any more. */
  readonly isClosed: boolean;
}

/** Nothing can be made of what a handler has printed. Its message says how the run ended. */
export class Unusable extends Error {}

/** Options of {@linkcode Passing}. */
export interface PassingOptions {
  /** Whether others print at the same time: then lines are kept whole, up to a length. */
  readonly isShared: boolean;
  /** Whether what ends in the middle of a line gets an end. */
  readonly endsLines: boolean;
}

/** Passes the bytes on as they come, whatever they are. */
export class Passing implements Printed {
  readonly #output: Output;
  readonly #options: PassingOptions;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #isInLine = false;

  constructor(output: Output, options: PassingOptions) {
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

/** Options of {@linkcode Kept}. */
export interface KeptOptions {
  /** The longest line that the broker takes, in bytes: what becomes an event must fit. */
  readonly lineBytes: number;
  /** Whether each line becomes an event, and not all of it one. */
  readonly isByLine: boolean;
}

/** Keeps the bytes until it is known whether the run has succeeded. */
export class Kept implements Printed {
  readonly isClosed = false;
  readonly #options: KeptOptions;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #unfinishedBytes = 0;

  constructor(options: KeptOptions) {
    this.#options = options;
  }

  take(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
    if (this.#options.isByLine) this.#checkLines(bytes);
    else this.#checkLength(this.#bytes, "more than a line of the broker holds");
  }

  end(): void {}

  /**
   * All of it, as text.
   *
   * @throws {Unusable} If it is not UTF-8.
   */
  get text(): string {
    const bytes = concat(this.#chunks);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new Unusable(`its output is not UTF-8 (byte ${firstInvalidByte(bytes)})`);
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
    if (this.#bytes > MAX_KEPT_BYTES) {
      throw new Unusable(`printed more than the ${sizeText(MAX_KEPT_BYTES)} that are kept of a run`);
    }
  }

  #checkLine(bytes: number): void {
    this.#checkLength(bytes, "a line longer than the broker takes");
  }

  #checkLength(bytes: number, what: string): void {
    const { lineBytes } = this.#options;
    if (bytes > lineBytes) throw new Unusable(`printed ${what} (${lineBytes} bytes)`);
  }
}

/** Where bytes are no UTF-8, counted from 1: there U+FFFD begins, where what becomes of them as text differs from them. */
function firstInvalidByte(bytes: Uint8Array): number {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const encoded = new TextEncoder().encode(text);
  let index = encoded.findIndex((byte, index) => byte !== bytes[index]);
  while ((encoded[index] & 0xc0) === 0x80) index--;
  return index + 1;
}
