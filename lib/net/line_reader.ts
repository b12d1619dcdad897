/**
 * Splits bytes into lines with `TextLineStream`.
 *
 * `TextLineStream` takes lines of any length, and at the end passes on a line that has no LF. The framer in front of it
 * discards lines that are too long, reports bytes that are not UTF-8, and drops the unfinished line at the end of a
 * connection. It makes blocks of whole lines: that is the fastest case of TextLineStream, and it leaves nothing in the
 * stream, so that connections share a pool of streams and take one for each block.
 *
 * @module
 */
import { TextLineStream } from "@std/streams/text-line-stream";
import { ConnectionError, FatalProtocolError, ProtocolError } from "../protocol/errors.ts";
import { DEFAULT_LIMITS } from "../protocol/limits.ts";
import { freeBuffer, type MemoryBudget } from "./memory.ts";
import { Flow, scheduler, TICK_BYTES } from "./read_scheduler.ts";
import type { ByteReader } from "./transport.ts";

/** The size of a reader's own buffer, in bytes: all that an idle connection holds. */
const SMALL_BYTES = 1024;

/** The size of a buffer of the pool, which a busy reader borrows, in bytes. */
const LARGE_BYTES = TICK_BYTES;

/** How many buffers the pool has. When all are borrowed, readers allocate their own. */
const POOLED_BUFFERS = 64;

/** How many idle splitters are kept. */
const MAX_POOLED_SPLITTERS = 32;

/** After how many UTF-16 code units it is checked whether others should go first, however few lines they are. */
const CHARACTERS_BETWEEN_CHECKS = 16 * 1024;

const LF = 0x0a;

/** What a control line begins with. */
const SLASH = 0x2f;

/** The first byte of a TLS connection: the type of its first record, handshake or alert (RFC 8446, 5.1). */
const TLS_RECORD_TYPES: readonly number[] = [0x16, 0x15];

/** Strict decoding takes several times as long, so it is used only for text in which U+FFFD was found. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
const REPLACEMENT = "\ufffd";

/** The callbacks of a {@linkcode LineReader}. An error that they throw ends the reading. */
export interface LineObserver {
  /**
   * Called with each line.
   *
   * @param line The line, without its line end.
   * @returns A promise delays the next line until it is settled; any other value is ignored.
   */
  onLine(line: string): unknown;
  /**
   * Called instead of {@linkcode LineObserver.onLine} for a line that cannot be read.
   *
   * @param error The error: after `line-too-long` reading goes on; after `invalid-utf8` or `tls` on a connection there
   * are no more lines.
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
   * Whether at most `maxLineBytes` and one byte are buffered, until {@linkcode LineReader.maxLineBytes} is set. It is
   * for connections that are not authenticated yet.
   *
   * @default {false}
   */
  limitReadAhead?: boolean;
  /**
   * Whether the source is a file or a pipe and not a connection. Then the text behind the last LF is a line, too, and
   * keeps a CR at its end; reading goes on after a line that is not UTF-8; and the first bytes are not checked for TLS.
   *
   * @default {false}
   */
  isFile?: boolean;
  /**
   * What the time is charged to that its lines take.
   *
   * @default {new Flow()}
   */
  flow?: Flow;
  /** The budget for what is read and not passed on yet. Default: none. */
  memory?: MemoryBudget;
}

/**
 * Reads lines of UTF-8, each ended by LF or CR LF.
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
  /** What the time is charged to that its lines take. */
  flow: Flow;

  /**
   * Makes a reader. It reads nothing before {@linkcode LineReader.readAll}.
   *
   * @param source The source of the bytes.
   * @param options The options.
   */
  constructor(source: ByteReader, options: LineReaderOptions = {}) {
    const { maxLineBytes = DEFAULT_LIMITS.lineBytes, limitReadAhead = false, isFile = false } = options;
    const maxBufferedBytes = limitReadAhead ? maxLineBytes + 1 : Infinity;
    this.#framer = new Framer(source, { maxLineBytes, maxBufferedBytes, isFile, memory: options.memory });
    this.flow = options.flow ?? new Flow();
  }

  /**
   * Reads to the end of the source.
   *
   * @param observer The callbacks.
   * @throws {ConnectionError} With the code `disconnected`, if the source failed; the lines before that are passed on.
   */
  async readAll(observer: LineObserver): Promise<void> {
    const framer = this.#framer;
    try {
      while (!framer.hasEnded) {
        const count = await framer.read();
        const { flow } = this; // It may be another when the lines have been passed on.
        flow.isBulk = framer.hasMore;
        await scheduler.run(flow, count ?? 0, () => passOn(framer.blocks(count), observer, flow));
        if (framer.isBusy) await scheduler.nextTick(); // The next read gets what arrives until then.
      }
    } finally {
      framer.release();
    }
    framer.throwFailure();
  }

  /**
   * Sets the length of the longest line, and ends {@linkcode LineReaderOptions.limitReadAhead}.
   *
   * @param bytes The length, in bytes without the LF.
   */
  raiseLimit(bytes: number): void {
    this.#framer.maxLineBytes = bytes;
    this.#framer.maxBufferedBytes = Infinity;
  }

  /** How much of the memory budget it has taken, in bytes. */
  get heldBytes(): number {
    return this.#framer.heldBytes;
  }

  /** The number of bytes read so far. */
  get receivedBytes(): number {
    return this.#framer.receivedBytes;
  }

  /** The length so far of the line whose LF has not been read, in bytes. */
  get unfinishedBytes(): number {
    return this.#framer.unfinishedBytes;
  }
}

/** A `TextLineStream`, with its writer and its reader. */
class Splitter {
  readonly #writer: WritableStreamDefaultWriter<string>;
  readonly #reader: ReadableStreamDefaultReader<string>;

  constructor() {
    const { writable, readable } = new TextLineStream();
    this.#writer = writable.getWriter();
    this.#reader = readable.getReader();
  }

  /** Passes on the lines of a block. The block ends with an LF, so that the stream is empty afterwards. */
  async split(block: string, observer: LineObserver, flow: Flow): Promise<void> {
    const reader = this.#reader;
    const hasCr = block.includes("\r");
    this.#writer.write(block);
    let nextCheck = flow.linesBetweenChecks;
    let checkAt = CHARACTERS_BETWEEN_CHECKS;
    for (let end = 0; end < block.length;) {
      const line = (await reader.read()).value!;
      end += line.length + 1;
      if (hasCr && block.charCodeAt(end - 1) !== LF) end++; // TextLineStream has removed a CR.
      const pause = observer.onLine(line);
      if (pause instanceof Promise) await scheduler.pause(flow, pause);
      const isCheckDue = --nextCheck === 0 || end >= checkAt || line.charCodeAt(0) === SLASH;
      if (!isCheckDue) continue;
      if (scheduler.isOver()) await scheduler.yield(flow);
      nextCheck = flow.linesBetweenChecks;
      checkAt = end + CHARACTERS_BETWEEN_CHECKS;
    }
  }
}

const splitterPool: Splitter[] = [];

/** Passes on blocks, line by line, as the work of a flow. */
async function passOn(blocks: Iterable<Block>, observer: LineObserver, flow: Flow): Promise<void> {
  for (const block of blocks) {
    if (typeof block === "string") await split(block, observer, flow);
    else observer.onFault(block);
  }
}

/** Passes on the lines of a block. */
async function split(block: string, observer: LineObserver, flow: Flow): Promise<void> {
  const splitter = splitterPool.pop() ?? new Splitter();
  await splitter.split(block, observer, flow); // If that throws, lines may be left in it: it is not pooled.
  if (splitterPool.length < MAX_POOLED_SPLITTERS) splitterPool.push(splitter);
}

/** The text of whole lines, or the error in place of a line that cannot be read. */
type Block = string | ProtocolError;

interface FramerOptions {
  maxLineBytes: number;
  maxBufferedBytes: number;
  isFile: boolean;
  memory: MemoryBudget | undefined;
}

/** Reads a source and makes blocks of text, each of whole lines, and errors in place of lines that cannot be read. */
class Framer {
  readonly #source: ByteReader;
  readonly #isFile: boolean;
  readonly #memory: MemoryBudget | undefined;
  maxLineBytes: number;
  /** How many bytes may be in the buffer. */
  maxBufferedBytes: number;
  receivedBytes = 0;
  /** What the last read has made. */
  #blocks: Block[] = [];
  readonly #ownBuffer = new Uint8Array(SMALL_BYTES);
  /** The unfinished line, and space to read more. */
  #buffer = this.#ownBuffer;
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

  constructor(source: ByteReader, { maxLineBytes, maxBufferedBytes, isFile, memory }: FramerOptions) {
    this.#source = source;
    this.maxLineBytes = maxLineBytes;
    this.maxBufferedBytes = maxBufferedBytes;
    this.#isFile = isFile;
    this.#memory = memory;
  }

  /** Reads once; returns how many bytes came, null at the end. */
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

  /** The blocks that the bytes of the last read have completed. */
  blocks(count: number | null): readonly Block[] {
    this.#blocks = [];
    if (count === null) this.#finish();
    else {
      this.#append(count);
      this.#resize();
    }
    return this.#blocks;
  }

  get unfinishedBytes(): number {
    return this.#length;
  }

  /** Throws the error of the source, if it has failed. */
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
    if (this.#discarding && size > LARGE_BYTES) this.#move(borrowBuffer());
    else if (this.#length === size && size >= LARGE_BYTES) this.#move(new Uint8Array(this.#nextSize(size)));
    else if (isFull && size === SMALL_BYTES && this.#mayGrow()) this.#move(borrowBuffer());
    else if (!isFull && size > SMALL_BYTES && this.#length < SMALL_BYTES) this.#move(this.#ownBuffer);
  }

  #mayGrow(): boolean {
    return this.#length === this.#buffer.length || this.#memory === undefined || this.#memory.fits(LARGE_BYTES);
  }

  /** Grows in few steps, since each leaves a buffer to the garbage collector. */
  #nextSize(size: number): number {
    return size * 16 < this.maxLineBytes ? size * 8 : this.maxLineBytes + LARGE_BYTES;
  }

  #move(buffer: Uint8Array<ArrayBuffer>): void {
    buffer.set(this.#buffer.subarray(0, this.#length));
    this.release();
    this.#buffer = buffer;
    this.#memory?.take(this.heldBytes);
  }

  /** Returns a borrowed buffer to the pool. */
  release(): void {
    this.#memory?.give(this.heldBytes);
    if (this.#buffer.buffer === poolMemory) bufferPool.push(this.#buffer);
    else freeBuffer(this.#buffer);
    this.#buffer = this.#ownBuffer;
  }

  /** How much of the budget it has taken: its own buffer is always there. */
  get heldBytes(): number {
    return this.#buffer === this.#ownBuffer ? 0 : this.#buffer.length;
  }
}

/**
 * The memory of the pool's buffers, in one piece: single buffers would be scattered over the heap, and the allocator could
 * not return the memory between them to the system. Pages that are never used take no memory.
 */
const poolMemory = new ArrayBuffer(POOLED_BUFFERS * LARGE_BYTES);
const bufferPool = Array.from(
  { length: POOLED_BUFFERS },
  (_, index) => new Uint8Array(poolMemory, index * LARGE_BYTES, LARGE_BYTES),
).reverse();

function borrowBuffer(): Uint8Array<ArrayBuffer> {
  return bufferPool.pop() ?? new Uint8Array(LARGE_BYTES);
}
