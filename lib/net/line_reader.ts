/**
 * From bytes to lines, through `TextLineStream`.
 *
 * `TextLineStream` splits the text. The guard in front of it sees to what it leaves open: it discards a line that is too
 * long, refuses text that is not UTF-8, and never hands on the unfinished line at the end of a connection. It makes
 * blocks that end at a line's end, which is TextLineStream's fastest case; and since nothing of a block is left in it
 * afterwards, connections need no stream each: they borrow one for a block.
 *
 * @module
 */
import { TextLineStream } from "@std/streams/text-line-stream";
import { ConnectionError, FatalProtocolError, ProtocolError } from "../protocol/errors.ts";
import { DEFAULT_LIMITS } from "../protocol/limits.ts";
import { scheduler, TICK_BYTES } from "./read_scheduler.ts";
import type { ByteReader } from "./transport.ts";

/** The buffer that each reader has of its own, in bytes: all that an idle connection holds. */
const SMALL_BYTES = 1024;

/** The buffer that a busy reader borrows, in bytes. */
const LARGE_BYTES = TICK_BYTES;

/** How many large buffers there are to borrow; who finds none makes one. And how many splitters are kept. */
const SPARE_BUFFERS = 64;
const MAX_SPARE_SPLITTERS = 32;

/** After how many lines of a block it is looked at whether the turn has lasted long enough. */
const LINES_BETWEEN_LOOKS = 16;

const LF = 0x0a;

/** What a record of TLS begins with that is the first of a connection: a handshake, or an alert (RFC 8446, 5.1). */
const TLS_RECORDS: readonly number[] = [0x16, 0x15];

/** A decoder that throws takes several times as long as one that puts U+FFFD for what it cannot read. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
const REPLACEMENT = "\ufffd";

/** Who is told what a {@linkcode LineReader} reads. What it throws ends the reading. */
export interface LineObserver {
  /**
   * Called with each line.
   *
   * @param line The line, without its line end.
   * @returns If it is a promise, it is waited for before the next line.
   */
  onLine(line: string): unknown;
  /**
   * Called in the place of a line that could not be read.
   *
   * @param error Why: `line-too-long`, after which reading goes on, or on a connection `invalid-utf8` or `tls`, after
   * which nothing comes.
   */
  onFault(error: ProtocolError): void;
}

/** Options of {@linkcode LineReader}. */
export interface LineReaderOptions {
  /**
   * The longest line, in bytes without its LF.
   *
   * @default {1048576}
   */
  maxLineBytes?: number;
  /**
   * Whether no more than the longest line is read ahead, until {@linkcode LineReader.maxLineBytes} is set.
   *
   * @default {false}
   */
  isCautious?: boolean;
  /**
   * Whether the source is a file or a pipe and no connection. Then what stands behind the last LF is a line, too, with
   * its CR if it ends in one; a line that is not UTF-8 is a fault like others, after which reading goes on; and bytes
   * that look like TLS are not.
   *
   * @default {false}
   */
  isFile?: boolean;
}

/**
 * Reads lines of UTF-8, each ended by LF or CR LF, through `TextLineStream`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const chunks = ["one\r\ntw", "o\nhalf a li"].map((text) => new TextEncoder().encode(text));
 * const reader = new LineReader({
 *   read(buffer) {
 *     const chunk = chunks.shift();
 *     if (chunk) buffer.set(chunk);
 *     return Promise.resolve(chunk?.length ?? null);
 *   },
 * });
 * const lines: string[] = [];
 * await reader.readAll({ onLine: (line) => lines.push(line), onFault: (error) => console.error(error) });
 * assertEquals(lines, ["one", "two"]);
 * ```
 */
export class LineReader {
  readonly #framer: Framer;

  /**
   * Makes a reader that has not begun to read.
   *
   * @param source Where the bytes come from.
   * @param options The longest line.
   */
  constructor(source: ByteReader, options: LineReaderOptions = {}) {
    const { maxLineBytes = DEFAULT_LIMITS.lineBytes, isCautious = false, isFile = false } = options;
    this.#framer = new Framer(source, maxLineBytes, isCautious ? maxLineBytes + 1 : Infinity, isFile);
  }

  /**
   * Reads to the end of the source.
   *
   * @param observer Who is told of each line.
   * @throws {ConnectionError} With the code `disconnected`, if the source failed; after all the lines before that.
   */
  async readAll(observer: LineObserver): Promise<void> {
    const framer = this.#framer;
    try {
      for (let part = await framer.next(); part !== null; part = await framer.next()) {
        if (typeof part === "string") await split(part, observer);
        else observer.onFault(part);
      }
    } finally {
      framer.release();
    }
    framer.throwFailure();
  }

  /**
   * Changes the longest line, in bytes without its LF.
   *
   * @param bytes The longest that is read from now on.
   */
  set maxLineBytes(bytes: number) {
    this.#framer.maxLineBytes = bytes;
    this.#framer.maxHeldBytes = Infinity;
  }

  /** How many bytes have come in all. */
  get receivedBytes(): number {
    return this.#framer.receivedBytes;
  }

  /** How many bytes have come of a line that has not ended. After the end, they are what it was cut off in. */
  get unfinishedBytes(): number {
    return this.#framer.unfinishedBytes;
  }
}

/** A `TextLineStream`, with its two ends in hand. */
class Splitter {
  readonly #writer: WritableStreamDefaultWriter<string>;
  readonly #reader: ReadableStreamDefaultReader<string>;

  constructor() {
    const { writable, readable } = new TextLineStream();
    this.#writer = writable.getWriter();
    this.#reader = readable.getReader();
  }

  /** Hands out the lines of a block. When it is done, nothing of the block is left. */
  async split(block: string, observer: LineObserver): Promise<void> {
    const reader = this.#reader;
    const hasCr = block.includes("\r");
    this.#writer.write(block);
    let lines = 0;
    for (let end = 0; end < block.length;) {
      const line = (await reader.read()).value!;
      end += line.length + 1;
      if (hasCr && block.charCodeAt(end - 1) !== LF) end++; // There was a CR, which TextLineStream has dropped.
      const pause = observer.onLine(line);
      if (pause instanceof Promise) await pause;
      if (++lines % LINES_BETWEEN_LOOKS === 0 && scheduler.isOver()) await scheduler.next();
    }
  }
}

/** The splitters that nobody has borrowed. */
const spareSplitters: Splitter[] = [];

/** Hands out the lines of a block. */
async function split(block: string, observer: LineObserver): Promise<void> {
  const splitter = spareSplitters.pop() ?? new Splitter();
  await splitter.split(block, observer); // If it throws, lines are left: then the splitter is not used again.
  if (spareSplitters.length < MAX_SPARE_SPLITTERS) spareSplitters.push(splitter);
}

/** The guard before TextLineStream: makes blocks of text, each of whole lines, and faults. */
class Framer {
  readonly #source: ByteReader;
  readonly #isFile: boolean;
  maxLineBytes: number;
  /** How much may be in the buffer. */
  maxHeldBytes: number;
  receivedBytes = 0;
  /** What was read and not handed out yet. */
  readonly #parts: (string | ProtocolError)[] = [];
  readonly #ownBuffer = new Uint8Array(SMALL_BYTES);
  /** The bytes of the line that has not ended yet, and room to read more. */
  #buffer = this.#ownBuffer;
  #length = 0;
  #discarding = false;
  #ended = false;
  #failure: { cause: unknown } | undefined;

  constructor(source: ByteReader, maxLineBytes: number, maxHeldBytes: number, isFile: boolean) {
    this.#isFile = isFile;
    this.maxHeldBytes = maxHeldBytes;
    this.#source = source;
    this.maxLineBytes = maxLineBytes;
  }

  /** The next block, or the fault in its place; null at the end. */
  async next(): Promise<string | ProtocolError | null> {
    while (this.#parts.length === 0 && !this.#ended) {
      const isLarge = this.#buffer.length > SMALL_BYTES;
      const room = this.#buffer.subarray(
        this.#length,
        Math.min(this.#length + scheduler.shareBytes, this.maxHeldBytes),
      );
      const count = await this.#read(room);
      if (count === null) {
        this.#end();
        break;
      }
      if (isLarge) await scheduler.admit(count);
      this.#take(count);
      const isFull = count === room.length;
      this.#fit(isFull);
      if (isFull && isLarge) await scheduler.next(); // Until then more gathers for the next read.
    }
    return this.#parts.shift() ?? null;
  }

  get unfinishedBytes(): number {
    return this.#length;
  }

  /** Throws what ended the source, if it did not end by itself. */
  throwFailure(): void {
    if (this.#failure) throw new ConnectionError("disconnected", "The connection broke", this.#failure);
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

  /** Takes in `count` bytes read behind what is there: the lines that are whole now become parts. */
  #take(count: number): void {
    if (this.receivedBytes === 0 && !this.#isFile && TLS_RECORDS.includes(this.#buffer[0])) return this.#refuseTls();
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

  /** The end of a file ends its last line, too. With a CR more than it has, it does not lose its own. */
  #end(): void {
    this.#ended = true;
    const hasTail = this.#length > 0 || this.#discarding;
    if (!this.#isFile || this.#failure || !hasTail) return;
    const line = this.#decodeLine(this.#buffer.subarray(0, this.#length));
    this.#parts.push(typeof line === "string" ? line + "\r\n" : line);
  }

  #refuseTls(): void {
    this.#ended = true;
    this.#parts.push(new FatalProtocolError("tls", "What came is TLS, not lines of text"));
  }

  #decode(block: Uint8Array): void {
    const mayBeTooLong = this.#discarding || block.length > this.maxLineBytes;
    if (mayBeTooLong) return this.#decodeEach(block);
    const text = decoder.decode(block);
    if (text.includes(REPLACEMENT)) this.#decodeEach(block);
    else this.#parts.push(text);
  }

  /** The careful way, line by line, once something may be wrong with one of them. */
  #decodeEach(block: Uint8Array): void {
    let text = "";
    for (let start = 0, end = 0; start < block.length && !this.#ended; start = end) {
      end = block.indexOf(LF, start) + 1;
      const line = this.#decodeLine(block.subarray(start, end));
      if (typeof line === "string") text += line;
      else {
        if (text !== "") this.#parts.push(text);
        this.#parts.push(line);
        text = "";
      }
    }
    if (text !== "") this.#parts.push(text);
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
      this.#ended = true;
      return new FatalProtocolError("invalid-utf8", "Cannot read on: a line is not UTF-8", { cause });
    }
  }

  /** A reader that fills its own buffer borrows a large one, and gives it back when that was more than there is. */
  #fit(isFull: boolean): void {
    const size = this.#buffer.length;
    if (this.#discarding && size > LARGE_BYTES) this.#move(borrowBuffer());
    else if (this.#length === size && size >= LARGE_BYTES) this.#move(new Uint8Array(this.#nextSize(size)));
    else if (isFull && size === SMALL_BYTES) this.#move(borrowBuffer());
    else if (!isFull && size > SMALL_BYTES && this.#length < SMALL_BYTES) this.#move(this.#ownBuffer);
  }

  /** Few steps up to the longest line, and the last one not a small one: each leaves a buffer behind. */
  #nextSize(size: number): number {
    return size * 16 < this.maxLineBytes ? size * 8 : this.maxLineBytes + LARGE_BYTES;
  }

  #move(buffer: Uint8Array<ArrayBuffer>): void {
    buffer.set(this.#buffer.subarray(0, this.#length));
    this.release();
    this.#buffer = buffer;
  }

  /** Gives back what it has borrowed. To be called at the end, too. */
  release(): void {
    if (this.#buffer.buffer === spareBlock) spareBuffers.push(this.#buffer);
    this.#buffer = this.#ownBuffer;
  }
}

/**
 * The large buffers that nobody has borrowed, all of one block: kept one by one, they would lie scattered over what the
 * allocator has, which could then not give back the memory between them. What is never used of the block costs nothing.
 */
const spareBlock = new ArrayBuffer(SPARE_BUFFERS * LARGE_BYTES);
const spareBuffers = Array.from(
  { length: SPARE_BUFFERS },
  (_, index) => new Uint8Array(spareBlock, index * LARGE_BYTES, LARGE_BYTES),
).reverse();

function borrowBuffer(): Uint8Array<ArrayBuffer> {
  return spareBuffers.pop() ?? new Uint8Array(LARGE_BYTES);
}
