/**
 * The names of events, and events as a client receives them.
 *
 * @module
 */
import { decodeTime } from "@std/ulid";
import { decodeData, encodeData, type Json } from "./data.ts";
import { MqError, ProtocolError, quote } from "./errors.ts";
import { MAX_NAME_BYTES } from "./limits.ts";
import { byteLength, isLongerThan } from "./text.ts";

/** The prefix of system events: names that begin with it are published by the broker, and not by clients. */
export const RESERVED_PREFIX = "mq.";

/** The first token of the names of replies to requests. Brokers always recognize names that begin with it. */
export const INBOX = "_INBOX";

/**
 * The events that a broker recognizes by default.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(DEFAULT_EVENTS.join(), "create,read,update,delete,error");
 * ```
 */
export const DEFAULT_EVENTS: readonly string[] = Object.freeze(["create", "read", "update", "delete", "error"]);

/** The source of a regular expression that matches one token of a name. */
export const TOKEN: string = String.raw`[\p{L}\p{M}\p{Nd}_-]+`;
const NAME = new RegExp(String.raw`^${TOKEN}(?:\.${TOKEN})*$`, "u");

/**
 * Checks the name of an event: tokens of letters, marks, digits, `_` or `-`, joined by `.`; at most 255 bytes.
 *
 * @param name The name.
 * @throws {ProtocolError} With the code `bad-name`, if it is not well formed.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * checkName("order.created");
 * checkName("commande.créée");
 * assertThrows(() => checkName("order..created"));
 * ```
 */
export function checkName(name: string): void {
  checkNameLength(name, "bad-name"); // First: the time and the stack that a regular expression takes grow with the text.
  if (!NAME.test(name)) {
    throw new ProtocolError(
      "bad-name",
      `Cannot read ${quote(name)} as an event's name: it takes letters, digits, "_" and "-", joined by single dots`,
    );
  }
}

/**
 * Checks that a name or a pattern is not longer than a name may be.
 *
 * @param text The name or the pattern.
 * @param code The code of the error.
 * @throws {ProtocolError} If it is longer than 255 bytes.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * checkNameLength("order.created", "bad-name");
 * assertThrows(() => checkNameLength("x".repeat(256), "bad-name"));
 * ```
 */
export function checkNameLength(text: string, code: "bad-name" | "bad-pattern"): void {
  if (isLongerThan(MAX_NAME_BYTES, text)) {
    throw new ProtocolError(code, `Cannot take ${quote(text)}: it is longer than ${MAX_NAME_BYTES} bytes`);
  }
}

/**
 * Whether a text is a well-formed event name, as {@linkcode checkName} checks it.
 *
 * @param text The text.
 * @returns True if it is well formed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(isName("order.created"), true);
 * assertEquals(isName("order created"), false);
 * ```
 */
export function isName(text: string): boolean {
  return !isLongerThan(MAX_NAME_BYTES, text) && NAME.test(text);
}

/**
 * Checks that clients may publish an event of this name: it is well formed and not reserved.
 *
 * @param name The name.
 * @throws {ProtocolError} With the code `bad-name` or `reserved-name`.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * checkPublishable("create");
 * assertThrows(() => checkPublishable("mq.connect"));
 * ```
 */
export function checkPublishable(name: string): void {
  checkName(name);
  if (isReserved(name)) {
    throw new ProtocolError(
      "reserved-name",
      `Cannot publish ${quote(name)}: names that begin with "${RESERVED_PREFIX}" belong to the broker`,
    );
  }
}

/**
 * Whether a name is reserved for system events.
 *
 * @param name The name of an event.
 * @returns True for names that begin with `mq.`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(isReserved("mq.connect"), true);
 * assertEquals(isReserved("mqtt"), false);
 * ```
 */
export function isReserved(name: string): boolean {
  return name.startsWith(RESERVED_PREFIX);
}

/** The headers of an event: its properties besides name and data. */
export interface EventHeaders {
  /** How many hops the event has taken, from 1 to 255; undefined or 0 for none. */
  hops?: number;
  /** The name to which a reply is to be published; undefined if no reply is requested. */
  reply?: string;
}

/**
 * The properties of an event besides name and data, as a client with meta receives them.
 *
 * @example
 * ```ts
 * const meta: EventMeta = { id: "01ARYZ6S41TSV4RRFFQ69G5FAV", from: "shop" };
 * ```
 */
export interface EventMeta {
  /** The ULID that the broker gave the event. */
  id?: string;
  /** The name of the client that published it. */
  from?: string;
  /** How many hops the event has taken; undefined or 0 for none. */
  hops?: number;
  /** The name to which a reply is to be published; undefined if no reply is requested. */
  reply?: string;
}

/** Publishes the reply to an event. */
export type Respond = (name: string, data?: Json) => void;

/** The last token of the name of a reply that reports an error. */
export const ERROR_TOKEN = "error";
/** How {@linkcode eventLine} writes an event. */
export interface EventLineOptions {
  /** Whether the data is a string that is written to the line without being encoded. Default: false. */
  raw?: boolean;
  /** The longest line that the broker accepts, in bytes without its LF. */
  maxBytes: number;
}

/**
 * Writes the line of an event that a client publishes.
 *
 * @param name The name.
 * @param data The data; undefined for none.
 * @param options Whether the data is encoded already, and the longest line.
 * @returns The line, without its LF.
 * @throws {ProtocolError} With the code `bad-name`, `reserved-name` or `line-too-long`.
 * @throws {TypeError} If the data has no form in JSON, or if raw data is not a string or contains a line end.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(eventLine("create", { id: 1 }, { maxBytes: 1000 }), 'create {"id":1}');
 * assertEquals(eventLine("create", '{"id": 1}', { raw: true, maxBytes: 1000 }), 'create {"id": 1}');
 * ```
 */
export function eventLine(name: string, data: Json | undefined, { raw, maxBytes }: EventLineOptions): string {
  checkPublishable(name);
  const text = raw ? checkRaw(data) : encodeData(data);
  const line = text === "" ? name : `${name} ${text}`;
  if (!isLongerThan(maxBytes, line)) return line;
  const message = `Cannot publish ${byteLength(line)} bytes: the broker takes lines of ${maxBytes}`;
  throw new ProtocolError("line-too-long", message);
}

function checkRaw(data: Json | undefined): string {
  if (data === undefined) return "";
  if (typeof data === "string" && !/\n|\r$/.test(data)) return data;
  throw new TypeError("Cannot send raw data that is not a string without line ends");
}

/**
 * An event as a subscriber receives it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const event = new MqEvent("create", '{"id":1}', { id: "01ARYZ6S41TSV4RRFFQ69G5FAV", from: "shop" });
 * assertEquals(event.data, { id: 1 });
 * assertEquals(event.json<{ id: number }>().id, 1);
 * assertEquals(event.at?.toISOString(), "2016-07-30T22:36:16.385Z");
 * ```
 */
export class MqEvent {
  /** The event's name. */
  readonly name: string;
  /** The data as it was on the line, byte for byte; empty for no data. */
  readonly text: string;
  /** The ULID that the broker gave the event; undefined on a connection without meta. */
  readonly id?: string;
  /** The name of the client that published it; undefined on a connection without meta. */
  readonly from?: string;
  /**
   * How many hops the event has taken. A program that publishes an event in reaction to this one adds one hop. 0 if the
   * publisher has set none, and on a connection without meta.
   */
  readonly hops: number;
  /** The name to which a reply is to be published; undefined if no reply is requested, or on a connection without meta. */
  readonly replyTo?: string;
  readonly #respond?: Respond;

  /**
   * Makes an event.
   *
   * @param name The event's name.
   * @param text The data as it was on the line.
   * @param meta The other properties.
   * @param respond Publishes replies; undefined for an event that was not received by a client.
   */
  constructor(name: string, text: string, meta: EventMeta = {}, respond?: Respond) {
    this.name = name;
    this.text = text;
    this.id = meta.id;
    this.from = meta.from;
    this.hops = meta.hops ?? 0;
    this.replyTo = meta.reply;
    this.#respond = respond;
  }

  /** The data: the JSON value if it is JSON, else the text; undefined for no data. It is parsed at each access. */
  get data(): Json | undefined {
    return decodeData(this.text);
  }

  /** When the broker accepted the event, from its ULID; undefined on a connection without meta. */
  get at(): Date | undefined {
    return this.id === undefined ? undefined : new Date(decodeTime(this.id));
  }

  /**
   * Reads the data, which must be JSON.
   *
   * @typeParam T The type of the value. It is not checked.
   * @returns The value.
   * @throws {ProtocolError} With the code `invalid-data`, if the data is not JSON or there is none.
   *
   * @example
   * ```ts
   * import { assertEquals, assertThrows } from "@std/assert";
   *
   * assertEquals(new MqEvent("create", '{"id":1}').json<{ id: number }>(), { id: 1 });
   * assertThrows(() => new MqEvent("create", "hello").json(), Error, 'the data of "create" as JSON: "hello"');
   * ```
   */
  json<T = Json>(): T {
    try {
      return JSON.parse(this.text);
    } catch (cause) {
      const seen = this.text === "" ? "there is none" : quote(this.text);
      throw new ProtocolError("invalid-data", `Cannot read the data of ${quote(this.name)} as JSON: ${seen}`, {
        cause,
      });
    }
  }

  /**
   * Publishes a reply to {@linkcode MqEvent.replyTo}, through the client that received the event. Like
   * {@linkcode Client.publish} it does not wait.
   *
   * @param data The data of the reply; undefined for none.
   * @throws {MqError} With the code `not-a-request`, if no reply is requested.
   * @throws {ProtocolError} With the code `line-too-long`.
   * @throws {ConnectionError} With the code `queue-full` or `closed`.
   * @throws {TypeError} If the data has no form in JSON.
   */
  reply(data?: Json): void {
    this.#answer(this.#checkedReplyTo(), data);
  }

  /**
   * Publishes an error as the reply: {@linkcode Client.request} rejects with the code `request-failed`.
   *
   * @param text The message of the error, one sentence for people.
   * @throws As {@linkcode MqEvent.reply}; also ProtocolError with the code `bad-name`, if the name of the reply is longer than
   * 249 bytes, so that `.error` does not fit behind it. {@linkcode Client.request} makes shorter ones.
   */
  replyError(text: string): void {
    this.#answer(`${this.#checkedReplyTo()}.${ERROR_TOKEN}`, text);
  }

  #checkedReplyTo(): string {
    if (this.replyTo !== undefined) return this.replyTo;
    throw new MqError("not-a-request", `Cannot reply to ${quote(this.name)}: it came without the name of a reply`);
  }

  #answer(name: string, data: Json | undefined): void {
    if (this.#respond !== undefined) return this.#respond(name, data);
    throw new MqError("not-a-request", `Cannot reply to ${quote(this.name)}: it was not received by a client`);
  }
}
