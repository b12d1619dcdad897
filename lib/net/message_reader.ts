/**
 * Splits bytes into the messages of a classic client, as {@linkcode LineReader} splits them into lines.
 *
 * The bytes of one read are one message, except for JSON objects, which end with their last brace, and for line feeds and
 * null characters, which end a message.
 *
 * @module
 */
import { MAX_MESSAGE_BYTES } from "../protocol/classic.ts";
import { ConnectionError, ProtocolError } from "../protocol/errors.ts";
import type { ByteReader } from "./transport.ts";
import type { LineObserver } from "./line_reader.ts";
import type { MemoryBudget } from "./memory.ts";
import { Flow, scheduler } from "./read_scheduler.ts";
import { isLongerThan } from "../protocol/text.ts";

/** The size of the buffer of each reader, in bytes. It is larger than the longest message. */
const BUFFER_BYTES = 64 * 1024;

const NOTHING = new Uint8Array();

/** Byte order marks are kept: between messages they count as white space. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Clients in C send it behind each string. */
const NUL = "\0";

/** How long the rest of an object may take to arrive, in milliseconds. Until then, all bytes are taken as a part of it. */
const MAX_OBJECT_MS = 5000;

/** Options of {@linkcode MessageScanner}. */
export interface MessageScannerOptions {
  /**
   * The longest message, in bytes.
   *
   * @default {61439}
   */
  maxBytes?: number;
  /**
   * The clock, in milliseconds.
   *
   * @default {performance.now}
   */
  now?: () => number;
}

/**
 * Splits the text of each read into messages.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const scanner = new MessageScanner();
 * assertEquals(scanner.push(' create a record \n{"event":"a"}{"event'), ["create a record", '{"event":"a"}']);
 * assertEquals(scanner.push('":"}"}'), ['{"event":"}"}']);
 * ```
 */
export class MessageScanner {
  readonly #maxBytes: number;
  readonly #now: () => number;
  /** The beginning of a message that has not ended. */
  #pending = "";
  #pendingSince = 0;
  /** Whether the pending message is too long: then it is discarded up to its end. */
  #isTooLong = false;
  /** How many braces of the pending object are open; 0 if the pending message is a text. */
  #depth = 0;
  /** Whether the scanner is within a string of the object. */
  #isInString = false;
  #isEscaped = false;
  /** Whether nothing but white space has followed the first brace of the object. */
  #isKeyMissing = false;
  /** Whether the object is not JSON, so that its end is not awaited. */
  #isMalformed = false;

  /**
   * Makes a scanner.
   *
   * @param options The options.
   */
  constructor(options: MessageScannerOptions = {}) {
    this.#maxBytes = options.maxBytes ?? MAX_MESSAGE_BYTES;
    this.#now = options.now ?? (() => performance.now());
  }

  /**
   * Scans the text of one read.
   *
   * @param chunk The text.
   * @param isCut Whether there was more to read, so that the last message of the text may go on. Default false.
   * @returns The messages that end in the text, without white space around them; an error in place of a message that is too
   * long, or of an object whose rest did not arrive in time.
   */
  push(chunk: string, isCut = false): (string | ProtocolError)[] {
    const messages: (string | ProtocolError)[] = [];
    const isLate = this.#depth > 0 && this.#now() - this.#pendingSince > MAX_OBJECT_MS;
    if (isLate) messages.push(this.#discardObject());
    for (let start = 0; start < chunk.length;) {
      if (this.#isIdle()) start = skipSpace(chunk, start);
      const isObject = this.#depth > 0 || (this.#isIdle() && chunk[start] === "{");
      if (isObject) this.#checkKey(chunk, start);
      const end = isObject ? this.#objectEnd(chunk, start) : textEnd(chunk, start);
      this.#append(chunk.slice(start, end));
      const isWhole = isObject ? this.#depth === 0 || this.#isMalformed : end < chunk.length || !isCut;
      if (isWhole) messages.push(...this.#endMessage());
      start = end;
    }
    return messages;
  }

  /**
   * Ends the input.
   *
   * @returns The pending message, or an error if it is an object whose rest did not arrive.
   */
  end(): (string | ProtocolError)[] {
    return this.#depth > 0 ? [this.#discardObject()] : this.#endMessage();
  }

  /** Whether an object is pending. */
  get isInObject(): boolean {
    return this.#depth > 0;
  }

  /** Discards the pending message. */
  discard(): void {
    this.#pending = "";
    this.#depth = 0;
    this.#isInString = this.#isEscaped = this.#isTooLong = false;
    this.#isKeyMissing = this.#isMalformed = false;
  }

  #isIdle(): boolean {
    return this.#pending === "" && !this.#isTooLong;
  }

  /** Checks that a key or the last brace follows the first brace, as in JSON. */
  #checkKey(chunk: string, start: number): void {
    const isFirst = this.#depth === 0;
    if (!isFirst && !this.#isKeyMissing) return;
    const at = skipSpace(chunk, isFirst ? start + 1 : start);
    this.#isKeyMissing = at === chunk.length;
    this.#isMalformed = !this.#isKeyMissing && chunk[at] !== '"' && chunk[at] !== "}";
  }

  /** The index behind the last brace of the object; the length of the text if it does not end there. */
  #objectEnd(chunk: string, start: number): number {
    for (let index = start; index < chunk.length; index++) {
      const character = chunk[index];
      if (this.#isEscaped) this.#isEscaped = false;
      else if (this.#isInString) {
        this.#isEscaped = character === "\\";
        this.#isInString = character !== '"';
      } else if (character === '"') this.#isInString = true;
      else if (character === "{") this.#depth++;
      else if (character === "}" && --this.#depth === 0) return index + 1;
    }
    return chunk.length;
  }

  #append(part: string): void {
    if (this.#isIdle()) this.#pendingSince = this.#now();
    this.#pending = this.#isTooLong ? "" : this.#pending + part;
    this.#isTooLong ||= this.#pending.length > this.#maxBytes;
  }

  #endMessage(): (string | ProtocolError)[] {
    const [message, isTooLong] = [this.#pending.trim(), this.#isTooLong];
    this.discard();
    if (isTooLong) return [this.#tooLong()];
    return message === "" ? [] : [this.#checked(message)];
  }

  #discardObject(): ProtocolError {
    this.discard();
    return new ProtocolError("bad-message", "Discarded the beginning of a JSON object: its last brace never came");
  }

  #checked(message: string): string | ProtocolError {
    return isLongerThan(this.#maxBytes, message) ? this.#tooLong() : message;
  }

  #tooLong(): ProtocolError {
    return new ProtocolError("line-too-long", `Discarded a message longer than ${this.#maxBytes} bytes`);
  }
}

/** Reads the messages of a connection. */
export class MessageReader {
  readonly #source: ByteReader;
  readonly #scanner: MessageScanner;
  readonly #memory: MemoryBudget | undefined;
  /** How much of the memory budget it has taken, in bytes. */
  heldBytes = 0;
  /** The first bytes of a character whose others have not been read. */
  #rest = NOTHING;
  /** How many bytes have been received. */
  receivedBytes = 0;
  /** What the time is charged to that its messages take. */
  flow: Flow = new Flow();
  /** Always 0: the end of a connection ends its last message. */
  readonly unfinishedBytes = 0;

  /**
   * Makes a reader. It reads nothing before {@linkcode MessageReader.readAll}.
   *
   * @param source The source of the bytes.
   * @param maxBytes The longest message, in bytes.
   * @param memory The budget for its buffer. Default: none.
   */
  constructor(source: ByteReader, maxBytes: number, memory?: MemoryBudget) {
    this.#source = source;
    this.#memory = memory;
    this.#scanner = new MessageScanner({ maxBytes });
  }

  /**
   * Reads to the end of the source.
   *
   * @param observer The callbacks: `onLine` is called with each message.
   * @throws {ConnectionError} With the code `disconnected`, if the source failed; the messages before that are passed on.
   */
  async readAll(observer: LineObserver): Promise<void> {
    const buffer = new Uint8Array(BUFFER_BYTES);
    this.heldBytes = BUFFER_BYTES;
    this.#memory?.take(BUFFER_BYTES);
    try {
      for (let count = await this.#read(buffer); count !== null; count = await this.#read(buffer)) {
        this.receivedBytes += count;
        this.flow.isBulk = count === buffer.length;
        await this.#pass(count, () => this.#messagesIn(buffer.subarray(0, count), count === buffer.length), observer);
      }
    } finally {
      this.heldBytes = 0;
      this.#memory?.give(BUFFER_BYTES);
      await this.#pass(0, () => this.#scanner.end(), observer);
    }
  }

  /** Passes on messages, as the work of a flow. */
  async #pass(bytes: number, messages: () => (string | ProtocolError)[], observer: LineObserver): Promise<void> {
    const { flow } = this; // It may be another when the messages have been passed on.
    await scheduler.run(flow, bytes, () => passOn(messages(), observer, flow));
  }

  /** Does nothing: the limit of messages does not depend on authentication. */
  raiseLimit(): void {}

  /** The messages that end in some bytes. A character may be split between two reads only where a message may. */
  #messagesIn(bytes: Uint8Array, isCut: boolean): (string | ProtocolError)[] {
    const whole = this.#rest.length > 0 ? new Uint8Array([...this.#rest, ...bytes]) : bytes;
    const end = whole.length - unfinishedBytes(whole);
    this.#rest = whole.slice(end);
    const hasRest = end < whole.length;
    const text = decode(whole.subarray(0, end));
    if (text === undefined) return [this.#notUtf8()];
    const messages = this.#scanner.push(text, isCut || hasRest);
    return hasRest && !isCut && !this.#scanner.isInObject ? [...messages, this.#notUtf8()] : messages;
  }

  #notUtf8(): ProtocolError {
    this.#rest = NOTHING;
    this.#scanner.discard();
    return new ProtocolError("invalid-utf8", "Discarded a message that is not UTF-8");
  }

  async #read(buffer: Uint8Array): Promise<number | null> {
    try {
      return await this.#source.read(buffer);
    } catch (cause) {
      throw new ConnectionError("disconnected", "The connection broke", { cause });
    }
  }
}

async function passOn(messages: (string | ProtocolError)[], observer: LineObserver, flow: Flow): Promise<void> {
  for (const message of messages) {
    if (typeof message !== "string") observer.onFault(message);
    else {
      const pause = observer.onLine(message);
      if (pause instanceof Promise) await scheduler.pause(flow, pause);
    }
    if (scheduler.isOver()) await scheduler.yield(flow);
  }
}

/** Decodes UTF-8; undefined if it is malformed. */
function decode(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** How many bytes at the end are an incomplete character. */
function unfinishedBytes(bytes: Uint8Array): number {
  for (let count = 1; count <= Math.min(3, bytes.length); count++) {
    const byte = bytes[bytes.length - count];
    const isContinuation = byte >= 0x80 && byte < 0xc0;
    if (isContinuation) continue;
    const length = byte < 0xc0 || byte >= 0xf8 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return length > count ? count : 0;
  }
  return 0;
}

function skipSpace(text: string, start: number): number {
  let end = start;
  while (end < text.length && (text[end] === NUL || text[end].trim() === "")) end++;
  return end;
}

function textEnd(text: string, start: number): number {
  const ends = ["\n", NUL].map((mark) => text.indexOf(mark, start)).filter((end) => end !== -1);
  return Math.min(text.length, ...ends);
}
