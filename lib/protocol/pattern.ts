/**
 * Patterns: they select events by name.
 *
 * @module
 */
import { ProtocolError, quote } from "./errors.ts";
import { checkNameLength, isReserved, TOKEN } from "./event.ts";
import { copySubstring } from "./text.ts";

const PATTERN_TOKEN = String.raw`(?:${TOKEN}|\*)`;
const PATTERN = new RegExp(String.raw`^(?:${PATTERN_TOKEN}(?:\.${PATTERN_TOKEN})*(?:\.>)?|>)$`, "u");

/** How many items {@linkcode formatPatterns} shows by default. */
const MAX_LISTED_PATTERNS = 10;

/**
 * A pattern, with the wildcards of NATS: `*` matches exactly one token, `>` at the end one or more. The system events of
 * the broker, `mq.*`, are matched only by patterns whose first token is `mq`.
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
  /** The pattern as it is written. */
  readonly text: string;

  /**
   * Reads a pattern.
   *
   * @param text The pattern, of at most 255 bytes.
   * @throws {ProtocolError} With the code `bad-pattern`, if it is not well formed.
   */
  constructor(text: string) {
    checkNameLength(text, "bad-pattern"); // First: the time that a regular expression takes grows with the text.
    if (!PATTERN.test(text)) {
      throw new ProtocolError(
        "bad-pattern",
        `Cannot read ${
          quote(text)
        } as a pattern: it takes a name in which "*" may stand for a token, and a last ">" for the rest`,
      );
    }
    this.text = copySubstring(text); // And nothing else: there may be very many, and they are seldom matched one by one.
  }

  /** Its tokens, without a `>` at its end. */
  get #tokens(): readonly string[] {
    const tokens = this.text.split(".");
    return this.#isOpen ? tokens.slice(0, -1) : tokens;
  }

  get #isOpen(): boolean {
    return this.text.endsWith(">");
  }

  get #matchesSystem(): boolean {
    return this.text === "mq" || this.text.startsWith("mq.");
  }

  /** Whether it has no wildcards, so that it matches one name only. */
  get isLiteral(): boolean {
    return !this.#isOpen && !this.text.includes("*");
  }

  /**
   * Whether this pattern matches a name.
   *
   * @param name A well-formed event name.
   * @returns True if it matches.
   */
  matches(name: string): boolean {
    return this.matchesTokens(name.split("."));
  }

  /**
   * Whether this pattern matches a name that is split into tokens already.
   *
   * @param tokens The tokens of a well-formed event name.
   * @returns True if it matches.
   */
  matchesTokens(tokens: readonly string[]): boolean {
    if (tokens[0] === "mq" && tokens.length > 1 && !this.#matchesSystem) return false;
    const { text } = this;
    let start = 0;
    for (const token of tokens) {
      if (text[start] === ">") return true;
      const dot = text.indexOf(".", start);
      const end = dot === -1 ? text.length : dot;
      const isMatch = text[start] === "*" || (end - start === token.length && text.startsWith(token, start));
      if (!isMatch) return false;
      start = end + 1;
    }
    return start > text.length;
  }

  /**
   * Whether there is a name that this pattern and another one both match.
   *
   * @param other The other pattern.
   * @returns True if there is such a name.
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
    const [aLength, bLength] = [a.length + Number(this.#isOpen), b.length + Number(other.#isOpen)];
    if (this.#matchesSystem !== other.#matchesSystem && Math.max(aLength, bLength) > 1) return false;
    if ((!this.#isOpen && aLength < bLength) || (!other.#isOpen && bLength < aLength)) return false;
    return a.every((token, index) => b[index] === undefined || token === "*" || b[index] === "*" || token === b[index]);
  }
}

/**
 * Checks the patterns of the events that a broker recognizes.
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
      throw new ProtocolError(
        "reserved-name",
        `Cannot recognize ${quote(event)}: names that begin with "mq." belong to the broker`,
      );
    }
  }
}

/**
 * Writes a list of patterns, or of other items, for people, in bounded length.
 *
 * @param patterns The items.
 * @param most How many items are shown. Default 10.
 * @param separator The text between two items. Default `, `.
 * @returns The first items and the number of the others; `nothing` for an empty list.
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
