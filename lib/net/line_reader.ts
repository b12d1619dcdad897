/**
 * Splits bytes into lines with `TextLineStream`.
 *
 * `TextLineStream` takes lines of any length, and at the end passes on a line that has no LF. The {@linkcode Framer}
 * in front of it keeps both from it, and makes blocks of whole lines: that is the fastest case of TextLineStream, and it leaves
 * nothing in the stream, so that connections share a pool of streams and take one for each block.
 *
 * @module
 */
import { TextLineStream } from "@std/streams/text-line-stream";
import type { ProtocolError } from "../protocol/errors.ts";
import { DEFAULT_LIMITS } from "../protocol/limits.ts";
import { type Block, Framer } from "./framer.ts";
import type { MemoryBudget } from "./memory.ts";
import { Flow, scheduler } from "./read_scheduler.ts";
import type { ByteReader } from "./transport.ts";

/** How many idle splitters are kept. */
const MAX_POOLED_SPLITTERS = 32;

/** After how many UTF-16 code units it is checked whether others should go first, however few lines they are. */
const CHARACTERS_BETWEEN_CHECKS = 16 * 1024;

const LF = 0x0a;

/** What a control line begins with. */
const SLASH = 0x2f;

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
