/**
 * What an event is: its name, and the patterns that names match. Everything here is pure.
 *
 * @module
 */
import { decodeTime } from "@std/ulid";
import { decodeData, type Json } from "./data.ts";
import { ProtocolError, quote } from "./errors.ts";
import { MAX_NAME_BYTES } from "./limits.ts";
import { isLongerThan } from "./text.ts";

/** Names that begin with this belong to the broker: it publishes them, clients cannot. */
export const RESERVED_PREFIX = "mq.";

/** The events a broker recognizes unless it is given others. */
export const DEFAULT_EVENTS: readonly string[] = Object.freeze(["create", "read", "update", "delete", "error"]);

const MAX_LISTED_PATTERNS = 10;

const TOKEN = String.raw`[\p{L}\p{M}\p{Nd}_-]+`;
const NAME = new RegExp(String.raw`^${TOKEN}(?:\.${TOKEN})*$`, "u");
const PATTERN_TOKEN = String.raw`(?:${TOKEN}|\*)`;
const PATTERN = new RegExp(String.raw`^(?:${PATTERN_TOKEN}(?:\.${PATTERN_TOKEN})*(?:\.>)?|>)$`, "u");

/**
 * Checks the name of an event: tokens of letters, marks, digits, `_` or `-`, joined by `.`; 255 bytes at most.
 *
 * @param name The name to check.
 * @throws {ProtocolError} With the code `bad-name`, if it is not one.
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
  checkLength(name, "bad-name");
}

/**
 * Whether a text is an event's name: what {@linkcode checkName} checks, without an error.
 *
 * @param text The text.
 * @returns True if it is.
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
 * Checks that clients may publish events of a name: it is well formed and not the broker's own.
 *
 * @param name The name to check.
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
 * Whether a name is one that only the broker publishes.
 *
 * @param name An event's name.
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
 * A pattern that names match, by NATS's convention: `*` stands for exactly one token, a last `>` for one or more.
 * The broker's own `mq.*` events are matched only by a pattern whose first token is `mq`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const pattern = new Pattern("order.*");
 * assertEquals(pattern.matches("order.created"), true);
 * assertEquals(pattern.matches("order.item.added"), false);
 * assertEquals(new Pattern("order.>").matches("order.item.added"), true);
 * assertEquals(new Pattern(">").matches("mq.connect"), false);
 * ```
 *
 * @see {@link https://docs.nats.io/nats-concepts/subjects#wildcards}
 */
export class Pattern {
  /** The pattern as it was written. */
  readonly text: string;
  readonly #tokens: readonly string[];
  readonly #open: boolean;
  readonly #hearsBroker: boolean;

  /**
   * Reads a pattern.
   *
   * @param text The pattern as it is written, 255 bytes at most.
   * @throws {ProtocolError} With the code `bad-pattern`, if it is not one.
   */
  constructor(text: string) {
    if (!PATTERN.test(text)) {
      throw new ProtocolError(
        "bad-pattern",
        `Cannot read ${
          quote(text)
        } as a pattern: it takes a name in which "*" may stand for a token, and a last ">" for the rest`,
      );
    }
    checkLength(text, "bad-pattern");
    this.text = copySubstring(text);
    const tokens = this.text.split(".");
    this.#hearsBroker = tokens[0] === "mq";
    this.#open = tokens.at(-1) === ">";
    this.#tokens = this.#open ? tokens.slice(0, -1) : tokens;
  }

  /** Whether it matches one name only: its own text. */
  get isLiteral(): boolean {
    return !this.#open && !this.#tokens.includes("*");
  }

  /**
   * Whether a name matches this pattern.
   *
   * @param name A well-formed event name.
   * @returns True if it does.
   */
  matches(name: string): boolean {
    return this.matchesTokens(name.split("."));
  }

  /**
   * The same for a name that has been taken apart, for those who try many patterns on it.
   *
   * @param tokens The tokens of a well-formed event name.
   * @returns True if it matches.
   */
  matchesTokens(tokens: readonly string[]): boolean {
    if (tokens[0] === "mq" && tokens.length > 1 && !this.#hearsBroker) return false;
    if (this.#open ? tokens.length <= this.#tokens.length : tokens.length !== this.#tokens.length) return false;
    return this.#tokens.every((token, index) => token === "*" || token === tokens[index]);
  }

  /**
   * Whether there is a name that both this pattern and another match.
   *
   * @param other The other pattern.
   * @returns True if there is.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new Pattern("order.*").overlaps(new Pattern("*.paid")), true);
   * assertEquals(new Pattern("ordr.*").overlaps(new Pattern("order.>")), false);
   * ```
   */
  overlaps(other: Pattern): boolean {
    const [a, b] = [this.#tokens, other.#tokens];
    const [aLength, bLength] = [a.length + Number(this.#open), b.length + Number(other.#open)];
    if (this.#hearsBroker !== other.#hearsBroker && Math.max(aLength, bLength) > 1) return false;
    if ((!this.#open && aLength < bLength) || (!other.#open && bLength < aLength)) return false;
    return a.every((token, index) => b[index] === undefined || token === "*" || b[index] === "*" || token === b[index]);
  }
}

/**
 * Checks the patterns of the events that a broker is to recognize.
 *
 * @param events The patterns.
 * @throws {ProtocolError} With the code `bad-pattern` or `reserved-name`.
 * @throws {RangeError} If there are none.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * checkRecognizable(["create", "order.>"]);
 * assertThrows(() => checkRecognizable(["mq.>"]));
 * ```
 */
export function checkRecognizable(events: readonly string[]): void {
  if (events.length === 0) throw new RangeError("Cannot start a broker that recognizes no events");
  for (const event of events) {
    new Pattern(event);
    if (isReserved(event)) {
      throw new ProtocolError("reserved-name", `Cannot recognize ${quote(event)}: "mq." events are the broker's own`);
    }
  }
}

/**
 * Copies a part of a line that is to be kept: V8 makes it a view of the block that was read, and to keep a name would
 * keep a megabyte.
 *
 * @param text The part.
 * @returns The same text.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(copySubstring("order.created and a megabyte".slice(0, 13)), "order.created");
 * ```
 */
export function copySubstring(text: string): string {
  return (" " + text).slice(1);
}

/**
 * Writes a list of patterns, or of anything else, for people: no message grows with what it tells of.
 *
 * @param patterns The patterns.
 * @param most How many of them are shown.
 * @param separator What stands between two.
 * @returns The first of them, and how many more there are; `nothing` where there is none.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatPatterns(["create", "order.*"]), "create, order.*");
 * assertEquals(formatPatterns(["a", "b", "c"], 2, " "), "a b and 1 more");
 * ```
 */
export function formatPatterns(
  patterns: readonly string[],
  most: number = MAX_LISTED_PATTERNS,
  separator: string = ", ",
): string {
  if (patterns.length === 0) return "nothing";
  const more = patterns.length - most;
  return patterns.slice(0, most).join(separator) + (more > 0 ? ` and ${more.toLocaleString("en-US")} more` : "");
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

function checkLength(text: string, code: "bad-name" | "bad-pattern"): void {
  if (isLongerThan(MAX_NAME_BYTES, text)) {
    throw new ProtocolError(code, `Cannot take ${quote(text)}: it is longer than ${MAX_NAME_BYTES} bytes`);
  }
}
