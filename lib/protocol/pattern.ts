/**
 * Patterns, which names of events match.
 *
 * @module
 */
import { ProtocolError, quote } from "./errors.ts";
import { checkNameLength, isReserved, TOKEN } from "./event.ts";
import { copySubstring } from "./text.ts";

const PATTERN_TOKEN = String.raw`(?:${TOKEN}|\*)`;
const PATTERN = new RegExp(String.raw`^(?:${PATTERN_TOKEN}(?:\.${PATTERN_TOKEN})*(?:\.>)?|>)$`, "u");

/** How many patterns {@linkcode formatPatterns} shows unless it is told otherwise. */
const MAX_LISTED_PATTERNS = 10;

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
    checkNameLength(text, "bad-pattern");
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
