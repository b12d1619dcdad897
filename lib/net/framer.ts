/**
 * Makes blocks of whole lines from bytes, for {@linkcode LineReader}: discards lines that are too long, reports bytes that are
 * not UTF-8, and drops the unfinished line at the end of a connection.
 *
 * @module
 */
import { ConnectionError, FatalProtocolError, ProtocolError } from "../protocol/errors.ts";
import { borrowBuffer, freeBuffer, growBuffer, LARGE_BYTES } from "./buffers.ts";
import type { MemoryBudget } from "./memory.ts";
import { scheduler } from "./read_scheduler.ts";
import type { ByteReader } from "./transport.ts";

/** The size of a reader's own buffer, in bytes: all that an idle connection holds. */
const SMALL_BYTES = 1024;

const LF = 0x0a;

/** The first byte of a TLS connection: the type of its first record, handshake or alert (RFC 8446, 5.1). */
const TLS_RECORD_TYPES: readonly number[] = [0x16, 0x15];

/** Strict decoding takes several times as long, so it is used only for text in which U+FFFD was found. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
const REPLACEMENT = "\ufffd";

/** The text of whole lines, or the error in place of a line that cannot be read. */
export type Block = string | ProtocolError;

/** Options of {@linkcode Framer}. */
export interface FramerOptions {
  /** The longest line, in bytes without its LF. */
  maxLineBytes: number;
  /** How many bytes may be in the buffer. */
  maxBufferedBytes: number;
  /** Whether the source is a file or a pipe and not a connection: see {@linkcode LineReader}. */
  isFile: boolean;
  /** The budget for what is in the buffer; undefined for none. */
  memory: MemoryBudget | undefined;
}

/** Reads a source and makes blocks of text, each of whole lines, and errors in place of lines that cannot be read. */
export class Framer {
  readonly #source: ByteReader;
  readonly #isFile: boolean;
  readonly #memory: MemoryBudget | undefined;
  /** See {@linkcode FramerOptions.maxLineBytes}. */
  maxLineBytes: number;
  /** See {@linkcode FramerOptions.maxBufferedBytes}. */
  maxBufferedBytes: number;
  /** How many bytes it has read. */
  receivedBytes = 0;
  /** What the last read has made, until it is passed on. */
  #blocks: Block[] = [];
  readonly #ownBuffer = new Uint8Array(SMALL_BYTES);
  /** The unfinished line, and space to read more. */
  #buffer: Uint8Array = this.#ownBuffer;
  /** The length of the unfinished line, in bytes. */
  #length = 0;
  /** Whether the unfinished line is too long, and is discarded up to its end. */
  #discarding = false;
  /** Whether no more is read. */
  hasEnded = false;
  /** Whether the last read has filled the space that there was for it, so that there is probably more to read. */
  #isFull = false;
  /** Whether it has filled a large buffer. */
  isBusy = false;
  #failure: { cause: unknown } | undefined;

  /**
   * Makes a framer. It reads nothing before {@linkcode Framer.read}.
   *
   * @param source The source of the bytes.
   * @param options The limits, and what the source is.
   */
  constructor(source: ByteReader, { maxLineBytes, maxBufferedBytes, isFile, memory }: FramerOptions) {
    this.#source = source;
    this.maxLineBytes = maxLineBytes;
    this.maxBufferedBytes = maxBufferedBytes;
    this.#isFile = isFile;
    this.#memory = memory;
  }

  /**
   * Reads once.
   *
   * @returns How many bytes came; null at the end.
   */
  async read(): Promise<number | null> {
    const end = Math.min(this.#length + scheduler.shareBytes, this.maxBufferedBytes, this.#buffer.length);
    const space = this.#buffer.subarray(this.#length, end);
    try {
      const count = await this.#source.read(space);
      this.#isFull = count === space.length;
      this.isBusy = this.#isFull && this.#buffer.length > SMALL_BYTES;
      return count;
    } catch (cause) { // Thrown at the end, after the lines before it.
      this.#failure = { cause };
      return null;
    }
  }

  /** Whether there is probably more to read at once. */
  get hasMore(): boolean {
    return this.#isFull || this.#source.hasMore === true;
  }

  /**
   * Makes blocks of what the last read has completed.
   *
   * @param count How many bytes came; null at the end.
   * @returns The blocks.
   */
  blocks(count: number | null): readonly Block[] {
    if (count === null) this.#finish();
    else {
      this.#append(count);
      this.#resize();
    }
    const blocks = this.#blocks;
    this.#blocks = [];
    return blocks;
  }

  /** The length of the line whose LF has not come, in bytes. */
  get unfinishedBytes(): number {
    return this.#length;
  }

  /**
   * Throws the error of the source, if it has failed.
   *
   * @throws {ConnectionError} With the code `disconnected`.
   */
  throwFailure(): void {
    if (this.#failure) throw new ConnectionError("disconnected", "The connection broke", this.#failure);
  }

  /** Adds `count` bytes, which were read behind the unfinished line, and makes a block of the lines that are whole now. */
  #append(count: number): void {
    if (this.receivedBytes === 0 && !this.#isFile && TLS_RECORD_TYPES.includes(this.#buffer[0])) {
      return this.#refuseTls();
    }
    this.receivedBytes += count;
    const start = this.#length;
    const end = start + count;
    const last = this.#buffer.subarray(start, end).lastIndexOf(LF);
    const wholeEnd = last === -1 ? 0 : start + last + 1;
    if (wholeEnd > 0) {
      this.#decode(this.#buffer.subarray(0, wholeEnd));
      this.#buffer.copyWithin(0, wholeEnd, end);
    }
    this.#length = end - wholeEnd;
    if (this.#discarding || this.#length > this.maxLineBytes) {
      this.#discarding = true;
      this.#length = 0;
    }
  }

  /** At the end of a file, the unfinished line is passed on; TextLineStream removes the CR added here, and not its own. */
  #finish(): void {
    this.hasEnded = true;
    const hasTail = this.#length > 0 || this.#discarding;
    if (!this.#isFile || this.#failure || !hasTail) return;
    const line = this.#decodeLine(this.#buffer.subarray(0, this.#length));
    this.#blocks.push(typeof line === "string" ? line + "\r\n" : line);
  }

  #refuseTls(): void {
    this.hasEnded = true;
    this.#blocks.push(new FatalProtocolError("tls", "What came is TLS, not lines of text"));
  }

  #decode(block: Uint8Array): void {
    const mayBeTooLong = this.#discarding || block.length > this.maxLineBytes;
    if (mayBeTooLong) return this.#decodeEach(block);
    const text = decoder.decode(block);
    if (text.includes(REPLACEMENT)) this.#decodeEach(block);
    else this.#blocks.push(text);
  }

  /** Decodes line by line, where one of the lines may be too long or not UTF-8. */
  #decodeEach(block: Uint8Array): void {
    let text = "";
    for (let start = 0, end = 0; start < block.length && !this.hasEnded; start = end) {
      end = block.indexOf(LF, start) + 1;
      const line = this.#decodeLine(block.subarray(start, end));
      if (typeof line === "string") text += line;
      else {
        if (text !== "") this.#blocks.push(text);
        this.#blocks.push(line);
        text = "";
      }
    }
    if (text !== "") this.#blocks.push(text);
  }

  #decodeLine(line: Uint8Array): string | ProtocolError {
    if (this.#discarding || line.length - 1 > this.maxLineBytes) {
      this.#discarding = false;
      return new ProtocolError("line-too-long", `Discarded a line longer than ${this.maxLineBytes} bytes`);
    }
    try {
      return strictDecoder.decode(line);
    } catch (cause) { // The decoder throws at nothing else.
      if (this.#isFile) return new ProtocolError("invalid-utf8", "The line is not UTF-8", { cause });
      this.hasEnded = true;
      return new FatalProtocolError("invalid-utf8", "Cannot read on: a line is not UTF-8", { cause });
    }
  }

  /**
   * Borrows a large buffer when a read has filled the own one, and returns it when a read has not filled it. Where memory is
   * short, a larger one is taken only for a line that does not fit.
   */
  #resize(): void {
    const isFull = this.#isFull;
    const size = this.#buffer.length;
    if (size > LARGE_BYTES && this.#length < LARGE_BYTES) this.#move(borrowBuffer());
    else if (this.#length === size && size >= LARGE_BYTES) this.#grow(size + LARGE_BYTES);
    else if (isFull && size === SMALL_BYTES && this.#mayGrow()) this.#move(borrowBuffer());
    else if (!isFull && size > SMALL_BYTES && this.#length < SMALL_BYTES) this.#move(this.#ownBuffer);
  }

  #mayGrow(): boolean {
    return this.#length === this.#buffer.length || this.#memory === undefined || this.#memory.fits(LARGE_BYTES);
  }

  #grow(size: number): void {
    const before = this.heldBytes;
    this.#buffer = growBuffer(this.#buffer, size, this.maxLineBytes + LARGE_BYTES);
    this.#memory?.take(this.heldBytes - before);
  }

  #move(buffer: Uint8Array): void {
    buffer.set(this.#buffer.subarray(0, this.#length));
    this.release();
    this.#buffer = buffer;
    this.#memory?.take(this.heldBytes);
  }

  /** Gives a large buffer back. */
  release(): void {
    this.#memory?.give(this.heldBytes);
    freeBuffer(this.#buffer);
    this.#buffer = this.#ownBuffer;
  }

  /** How much of the budget it has taken: its own buffer is always there. */
  get heldBytes(): number {
    return this.#buffer === this.#ownBuffer ? 0 : this.#buffer.length;
  }
}
