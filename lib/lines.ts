/**
 * From bytes to lines: what is read from a socket becomes a web stream of whole lines.
 *
 * `TextLineStream` splits the text. The stage in front of it guards what it leaves open: it discards a line that is too
 * long, refuses text that is not UTF-8, and never hands on the unfinished line at the end of a connection. It gives
 * TextLineStream blocks that end at a line's end, which is also its fastest case.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { TextLineStream } from "@std/streams/text-line-stream";
import { ConnectionError, FatalProtocolError, ProtocolError } from "./errors.ts";
import { DEFAULT_LIMITS } from "./limits.ts";

/** The smallest read, in bytes: all that an idle connection holds. */
const MIN_READ_BYTES = 1024;

/** The largest read, in bytes: where a busy connection's reads stop growing. */
const MAX_READ_BYTES = 64 * 1024;

const LF = 0x0a;

/** Stands in the stream for a line that could not be read. No client can know it, and so send it. */
const FAULT_MARK = `\0${crypto.randomUUID()}`;

/** What lines are read from, such as a `Deno.Conn`. */
export interface ByteReader {
  /**
   * Reads at least one byte into a buffer.
   *
   * @param buffer Where the bytes go.
   * @returns How many came, or null at the end.
   */
  read(buffer: Uint8Array): Promise<number | null>;
}

/** Options of {@linkcode LineReader}. */
export interface LineReaderOptions {
  /**
   * The longest line, in bytes without its LF.
   *
   * @default {1048576}
   */
  maxLineBytes?: number;
}

/**
 * Reads lines of UTF-8, each ended by LF or CR LF, through `TextLineStream`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const chunks = ["one\r\ntw", "o\nhalf a li"].map((text) => new TextEncoder().encode(text));
 * const lines = new LineReader({
 *   read(buffer) {
 *     const chunk = chunks.shift();
 *     if (chunk) buffer.set(chunk);
 *     return Promise.resolve(chunk?.length ?? null);
 *   },
 * });
 * assertEquals(await lines.next(), "one");
 * assertEquals(await lines.next(), "two");
 * assertEquals(await lines.next(), null);
 * ```
 */
export class LineReader {
  readonly #framer: Framer;
  readonly #reader: ReadableStreamDefaultReader<string>;

  /**
   * Begins to read.
   *
   * @param source Where the bytes come from.
   * @param options The longest line.
   */
  constructor(source: ByteReader, options: LineReaderOptions = {}) {
    this.#framer = new Framer(source, options.maxLineBytes ?? DEFAULT_LIMITS.lineBytes);
    this.#reader = new ReadableStream(this.#framer, { highWaterMark: 0 })
      .pipeThrough(new TextLineStream())
      .getReader();
  }

  /**
   * The next line.
   *
   * @returns The line without its line end, or null after the last.
   * @throws {ProtocolError} In the place of a line that was too long and is discarded; the next call reads on.
   * @throws {FatalProtocolError} In the place of a line that is not UTF-8; nothing can be read after it.
   * @throws {ConnectionError} With the code `disconnected`, if the source failed; after all the lines before that.
   */
  async next(): Promise<string | null> {
    const { value, done } = await this.#reader.read();
    if (done) this.#framer.throwFailure();
    else if (value === FAULT_MARK) this.#framer.throwNextFault();
    return value ?? null;
  }

  /** How many bytes have come of a line that has not ended. After the end, they are what it was cut off in. */
  get unfinishedBytes(): number {
    return this.#framer.unfinishedBytes;
  }
}

/** The guard before TextLineStream: a source of text blocks, each of whole lines. */
class Framer implements UnderlyingDefaultSource<string> {
  readonly #source: ByteReader;
  readonly #maxLineBytes: number;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #faults: ProtocolError[] = [];
  /** The bytes of the line that has not ended yet, and room to read more. */
  #buffer = new Uint8Array(MIN_READ_BYTES);
  #length = 0;
  #discarding = false;
  #ended = false;
  #failure: { cause: unknown } | undefined;

  constructor(source: ByteReader, maxLineBytes: number) {
    this.#source = source;
    this.#maxLineBytes = maxLineBytes;
  }

  async pull(controller: ReadableStreamDefaultController<string>): Promise<void> {
    let text = "";
    while (text === "" && !this.#ended) {
      const room = this.#buffer.subarray(this.#length);
      const count = await this.#read(room);
      if (count === null) break;
      text = this.#take(count);
      const isBusy = count === room.length;
      this.#fit(isBusy, count);
      if (isBusy) await nextTurn();
    }
    if (text !== "") controller.enqueue(text);
    else controller.close();
  }

  get unfinishedBytes(): number {
    return this.#length;
  }

  /** Throws what ended the source, if it did not end by itself. */
  throwFailure(): void {
    if (this.#failure) throw new ConnectionError("disconnected", "The connection broke", this.#failure);
  }

  /** Throws the fault that the mark just read stands for. */
  throwNextFault(): never {
    throw this.#faults.shift();
  }

  /** An error of the source is kept for the end: raised in a stream, it would throw away the lines before it. */
  async #read(room: Uint8Array): Promise<number | null> {
    try {
      return await this.#source.read(room);
    } catch (cause) {
      this.#failure = { cause };
      return null;
    }
  }

  /** Takes in `count` bytes read behind what is there; returns the lines that are whole now. */
  #take(count: number): string {
    const start = this.#length;
    const end = start + count;
    const last = this.#buffer.subarray(start, end).lastIndexOf(LF);
    const wholeEnd = last === -1 ? 0 : start + last + 1;
    const text = wholeEnd === 0 ? "" : this.#decode(this.#buffer.subarray(0, wholeEnd));
    if (wholeEnd > 0) this.#buffer.copyWithin(0, wholeEnd, end);
    this.#length = end - wholeEnd;
    if (this.#discarding || this.#length > this.#maxLineBytes) {
      this.#discarding = true;
      this.#length = 0;
    }
    return text;
  }

  #decode(block: Uint8Array): string {
    const mayBeTooLong = this.#discarding || block.length > this.#maxLineBytes;
    if (mayBeTooLong) return this.#decodeEach(block);
    try {
      return this.#decoder.decode(block);
    } catch {
      return this.#decodeEach(block);
    }
  }

  /** The careful way, line by line, once something is wrong with one of them. */
  #decodeEach(block: Uint8Array): string {
    let text = "";
    for (let start = 0, end = 0; start < block.length && !this.#ended; start = end) {
      end = block.indexOf(LF, start) + 1;
      text += this.#decodeLine(block.subarray(start, end));
    }
    return text;
  }

  #decodeLine(line: Uint8Array): string {
    if (this.#discarding || line.length - 1 > this.#maxLineBytes) {
      this.#discarding = false;
      return this.#fault(
        new ProtocolError("line-too-long", `Discarded a line longer than ${this.#maxLineBytes} bytes`),
      );
    }
    try {
      return this.#decoder.decode(line);
    } catch (cause) {
      this.#ended = true;
      return this.#fault(new FatalProtocolError("invalid-utf8", "Cannot read on: a line is not UTF-8", { cause }));
    }
  }

  #fault(error: ProtocolError): string {
    this.#faults.push(error);
    return `${FAULT_MARK}\n`;
  }

  /** Gives a connection that fills its reads larger ones, and one that has gone quiet its small one back. */
  #fit(isBusy: boolean, count: number): void {
    const size = this.#buffer.length;
    const isQuiet = count < size / 4 && this.#length < size / 4;
    if (this.#length === size || (isBusy && size < MAX_READ_BYTES)) this.#resize(size * 2);
    else if (size > MAX_READ_BYTES && this.#length < MAX_READ_BYTES) this.#resize(MAX_READ_BYTES);
    else if (size > MIN_READ_BYTES && isQuiet) this.#resize(size / 2);
  }

  #resize(size: number): void {
    const buffer = new Uint8Array(size);
    buffer.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = buffer;
  }
}

/** A source that always has more would keep all else waiting: reads that are ready at once end no turn of the loop. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
