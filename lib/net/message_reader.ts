/**
 * From bytes to the messages of a classic client: what {@linkcode LineReader} is for lines.
 *
 * What is read at once is one message, but for JSON objects, which say themselves where they end, and for line feeds and
 * the null characters of C, which end a message as a line feed ends a line.
 *
 * @module
 */
import { MAX_MESSAGE_BYTES } from "../protocol/classic.ts";
import { ConnectionError, ProtocolError } from "../protocol/errors.ts";
import type { ByteReader } from "./transport.ts";
import type { LineObserver } from "./line_reader.ts";
import { scheduler } from "./read_scheduler.ts";
import { isLongerThan } from "../protocol/text.ts";

/** The buffer of each reader: what does not fit into it cannot be one message. */
const BUFFER_BYTES = 64 * 1024;

const NOTHING = new Uint8Array();

/** A byte order mark is white space between messages, and stays in what they say. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What ends a string in C. */
const NUL = "\0";

/** How long an object may take to come whole, in milliseconds: what comes behind one that has no end is lost as long. */
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
   * The time, in milliseconds.
   *
   * @default {Date.now}
   */
  now?: () => number;
}

/**
 * Takes what is read apart into messages.
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
  /** The beginning of what has not ended. */
  #begun = "";
  #begunAt = 0;
  /** Whether that is too long already: then it is only looked for its end. */
  #isTooLong = false;
  /** How many braces of an object are open: 0 if it is a text that has not ended. */
  #depth = 0;
  #isString = false;
  #isEscaped = false;
  /** Whether an object has shown nothing yet behind its first brace. */
  #isKeyless = false;
  /** Whether it is no JSON: then nothing is waited for. */
  #isBroken = false;

  /**
   * Makes a scanner that has seen nothing.
   *
   * @param options The longest message, and the time.
   */
  constructor(options: MessageScannerOptions = {}) {
    this.#maxBytes = options.maxBytes ?? MAX_MESSAGE_BYTES;
    this.#now = options.now ?? Date.now;
  }

  /**
   * Takes in what was read at once.
   *
   * @param chunk The text.
   * @param isCut Whether there was more to read, so that what the text ends with may go on. Default false.
   * @returns The messages that it ends, without white space around them; an error in the place of one that is too long, or
   * of an object whose rest did not come.
   */
  push(chunk: string, isCut = false): (string | ProtocolError)[] {
    const messages: (string | ProtocolError)[] = [];
    const isLate = this.#depth > 0 && this.#now() - this.#begunAt > MAX_OBJECT_MS;
    if (isLate) messages.push(this.#discard());
    for (let start = 0; start < chunk.length;) {
      if (this.#isBetween()) start = skipSpace(chunk, start);
      const isObject = this.#depth > 0 || (this.#isBetween() && chunk[start] === "{");
      if (isObject) this.#lookForKey(chunk, start);
      const end = isObject ? this.#objectEnd(chunk, start) : textEnd(chunk, start);
      this.#begin(chunk.slice(start, end));
      const isWhole = isObject ? this.#depth === 0 || this.#isBroken : end < chunk.length || !isCut;
      if (isWhole) messages.push(...this.#finish());
      start = end;
    }
    return messages;
  }

  /**
   * Ends the input.
   *
   * @returns What it ends with, if that has not ended: a message, or an error if it is the beginning of an object.
   */
  end(): (string | ProtocolError)[] {
    return this.#depth > 0 ? [this.#discard()] : this.#finish();
  }

  /** Whether an object has begun and not ended. */
  get isInObject(): boolean {
    return this.#depth > 0;
  }

  /** Forgets what has begun and not ended. */
  forget(): void {
    this.#begun = "";
    this.#depth = 0;
    this.#isString = this.#isEscaped = this.#isTooLong = false;
    this.#isKeyless = this.#isBroken = false;
  }

  #isBetween(): boolean {
    return this.#begun === "" && !this.#isTooLong;
  }

  /** Behind the first brace of JSON stands a key, or the last brace. */
  #lookForKey(chunk: string, start: number): void {
    const isFirst = this.#depth === 0;
    if (!isFirst && !this.#isKeyless) return;
    const at = skipSpace(chunk, isFirst ? start + 1 : start);
    this.#isKeyless = at === chunk.length;
    this.#isBroken = !this.#isKeyless && chunk[at] !== '"' && chunk[at] !== "}";
  }

  /** Where the object ends that the text is in the middle of, or begins: behind its last brace, or not in this text. */
  #objectEnd(chunk: string, start: number): number {
    for (let index = start; index < chunk.length; index++) {
      const character = chunk[index];
      if (this.#isEscaped) this.#isEscaped = false;
      else if (this.#isString) {
        this.#isEscaped = character === "\\";
        this.#isString = character !== '"';
      } else if (character === '"') this.#isString = true;
      else if (character === "{") this.#depth++;
      else if (character === "}" && --this.#depth === 0) return index + 1;
    }
    return chunk.length;
  }

  #begin(part: string): void {
    if (this.#isBetween()) this.#begunAt = this.#now();
    this.#begun = this.#isTooLong ? "" : this.#begun + part;
    this.#isTooLong ||= this.#begun.length > this.#maxBytes;
  }

  #finish(): (string | ProtocolError)[] {
    const [message, isTooLong] = [this.#begun.trim(), this.#isTooLong];
    this.forget();
    if (isTooLong) return [this.#tooLong()];
    return message === "" ? [] : [this.#checked(message)];
  }

  #discard(): ProtocolError {
    this.forget();
    return new ProtocolError("bad-message", "Discarded the beginning of a JSON object: its last brace never came");
  }

  #checked(message: string): string | ProtocolError {
    return isLongerThan(this.#maxBytes, message) ? this.#tooLong() : message;
  }

  #tooLong(): ProtocolError {
    return new ProtocolError("line-too-long", `Discarded a message longer than ${this.#maxBytes} bytes`);
  }
}

/** Reads messages from a connection. */
export class MessageReader {
  readonly #source: ByteReader;
  readonly #scanner: MessageScanner;
  /** The beginning of a character that has not ended. */
  #rest = NOTHING;
  /** How many bytes have been received. */
  receivedBytes = 0;
  /** No message has an end that could be missing. */
  readonly unfinishedBytes = 0;

  /**
   * Makes a reader that has not begun to read.
   *
   * @param source Where the bytes come from.
   * @param maxBytes The longest message, in bytes.
   */
  constructor(source: ByteReader, maxBytes: number) {
    this.#source = source;
    this.#scanner = new MessageScanner({ maxBytes });
  }

  /**
   * Reads to the end of the source.
   *
   * @param observer Who is told of each message, as of a line.
   * @throws {ConnectionError} With the code `disconnected`, if the source failed; after all the messages before that.
   */
  async readAll(observer: LineObserver): Promise<void> {
    const buffer = new Uint8Array(BUFFER_BYTES);
    try {
      for (let count = await this.#read(buffer); count !== null; count = await this.#read(buffer)) {
        await scheduler.admit(count);
        this.receivedBytes += count;
        await tellAll(this.#messagesIn(buffer.subarray(0, count), count === buffer.length), observer);
      }
    } finally {
      await tellAll(this.#scanner.end(), observer);
    }
  }

  /** Does nothing: a message has the same limit whoever sends it. */
  raiseLimit(): void {}

  /** What some bytes end. A character may come in two pieces only where a message may. */
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
    this.#scanner.forget();
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

async function tellAll(messages: (string | ProtocolError)[], observer: LineObserver): Promise<void> {
  for (const message of messages) {
    if (typeof message !== "string") observer.onFault(message);
    else {
      const pause = observer.onLine(message);
      if (pause instanceof Promise) await pause;
    }
    if (scheduler.isTickOver()) await scheduler.nextTick();
  }
}

/** Text of UTF-8; undefined if it is not that. */
function decode(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** How many bytes at the end are the beginning of a character. */
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
