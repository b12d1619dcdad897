/**
 * The names of events, and events as a client receives them.
 *
 * @module
 */
import { decodeTime } from "@std/ulid";
import { decodeData, type Json } from "./data.ts";
import { ProtocolError, quote } from "./errors.ts";
import { MAX_NAME_BYTES } from "./limits.ts";
import { isLongerThan } from "./text.ts";

/** The prefix of system events: names that begin with it are published by the broker, and not by clients. */
export const RESERVED_PREFIX = "mq.";

/** The events that a broker recognizes by default. */
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
  if (!NAME.test(name)) {
    throw new ProtocolError(
      "bad-name",
      `Cannot read ${quote(name)} as an event's name: it takes letters, digits, "_" and "-", joined by single dots`,
    );
  }
  checkNameLength(name, "bad-name");
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
  return NAME.test(text) && !isLongerThan(MAX_NAME_BYTES, text);
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

/**
 * An event as a listener receives it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const event = new MqEvent("create", '{"id":1}', "01ARYZ6S41TSV4RRFFQ69G5FAV", "shop");
 * assertEquals(event.data, { id: 1 });
 * assertEquals(event.at?.toISOString(), "2016-07-30T22:36:16.385Z");
 * ```
 */
export class MqEvent {
  /** The event's name. */
  readonly name: string;
  /** The data byte for byte as it stood on the line; empty where there was none. */
  readonly text: string;
  /** The ULID that the broker gave the event; undefined on a connection without meta. */
  readonly id?: string;
  /** The name of the client that published it; undefined on a connection without meta. */
  readonly from?: string;
  /**
   * How many hops are behind the event: how often it was made of another one, as far as those who did so have said. Who
   * makes an event of this one publishes it with one more. 0 where nothing was said, and on a connection without meta.
   */
  readonly hops: number;

  /**
   * Makes an event.
   *
   * @param name The event's name.
   * @param text The data as it stood on the line.
   * @param id The ULID that the broker gave it.
   * @param from The name of the client that published it.
   * @param hops How many hops are behind it.
   */
  constructor(name: string, text: string, id?: string, from?: string, hops = 0) {
    this.name = name;
    this.text = text;
    this.id = id;
    this.from = from;
    this.hops = hops;
  }

  /** The data as a JSON value; undefined where there was none. It is parsed at each access. */
  get data(): Json | undefined {
    return decodeData(this.text);
  }

  /** When the broker took the event in, from its ULID; undefined on a connection without meta. */
  get at(): Date | undefined {
    return this.id === undefined ? undefined : new Date(decodeTime(this.id));
  }
}
