/**
 * The patterns of one connection.
 *
 * @module
 */
import type { MemoryBudget } from "../net/memory.ts";
import { ProtocolError, quote } from "../protocol/errors.ts";
import { formatPatterns, Pattern } from "../protocol/pattern.ts";
import { PatternChange } from "./pattern_change.ts";

/** The patterns of a connection until it subscribes to something. */
const EVERYTHING: ReadonlyMap<string, Pattern> = new Map([[">", new Pattern(">")]]);

/** The patterns of a connection that has not authenticated, or may not subscribe. */
const NOTHING: ReadonlyMap<string, Pattern> = new Map();

/**
 * What a connection is subscribed to: nothing at first, then everything, then what its client asks for. A memory budget counts
 * that.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { MemoryBudget } from "../net/memory.ts";
 * import { Pattern } from "../protocol/pattern.ts";
 *
 * const subscribed = new PatternSet(new MemoryBudget());
 * subscribed.begin();
 * assertEquals([...subscribed.patterns.keys()], [">"]);
 * subscribed.add([new Pattern("create")]);
 * assertEquals([...subscribed.patterns.keys()], ["create"]);
 * ```
 */
export class PatternSet {
  readonly #memory: MemoryBudget;
  #current = NOTHING;
  /** The patterns that its client asked for. */
  readonly #own = new Map<string, Pattern>();
  /** How much of the budget it has taken, in bytes. */
  heldBytes = 0;

  /**
   * Makes an empty set.
   *
   * @param memory The budget.
   */
  constructor(memory: MemoryBudget) {
    this.#memory = memory;
  }

  /** The patterns, by their text. It stays as it is only until the next change. */
  get patterns(): ReadonlyMap<string, Pattern> {
    return this.#current;
  }

  /** Its connection may subscribe, and is subscribed to everything until it does. */
  begin(): void {
    this.#current = EVERYTHING;
  }

  /**
   * Checks whether patterns can be added.
   *
   * @param patterns The patterns to add.
   * @param limit How many it may have in all.
   * @returns Whether that would change anything.
   * @throws {ProtocolError} With the code `too-many-patterns`.
   */
  checkAdd(patterns: readonly Pattern[], limit: number): boolean {
    const own = this.#current === EVERYTHING ? NOTHING : this.#current;
    const added = new Set(patterns.map(({ text }) => text).filter((text) => !own.has(text)));
    if (own.size + added.size > limit) throw tooManyPatterns(limit);
    return added.size > 0 || this.#current === EVERYTHING;
  }

  /**
   * Adds patterns. The first ones replace the `>` that it begins with.
   *
   * @param patterns The patterns to add.
   * @returns What has changed.
   */
  add(patterns: readonly Pattern[]): PatternChange {
    const change = new PatternChange();
    if (this.#current === EVERYTHING) change.remove(">");
    for (const pattern of patterns) {
      if (this.#own.has(pattern.text)) continue;
      this.#own.set(pattern.text, pattern);
      this.#hold(patternBytes(pattern.text));
      change.add(pattern.text);
    }
    this.#current = this.#own;
    return change;
  }

  #hold(bytes: number): void {
    this.heldBytes += bytes;
    this.#memory.take(bytes);
  }

  /**
   * Checks whether patterns can be removed.
   *
   * @param patterns The patterns to remove.
   * @throws {ProtocolError} With the code `not-subscribed`, if it does not have one of them.
   */
  checkRemove(patterns: readonly Pattern[]): void {
    const unknown = patterns.find(({ text }) => text !== ">" && !this.#current.has(text));
    if (unknown === undefined) return;
    const own = formatPatterns([...this.#current.keys()]);
    const message = `Cannot unsubscribe from ${quote(unknown.text)}: this connection is subscribed to ${own}`;
    throw new ProtocolError("not-subscribed", message);
  }

  /**
   * Removes patterns; `>` removes them all.
   *
   * @param patterns The patterns to remove; it has each, but for `>`.
   * @returns What has changed.
   */
  remove(patterns: readonly Pattern[]): PatternChange {
    const change = new PatternChange();
    const isAll = patterns.some(({ text }) => text === ">");
    const removed = isAll ? [...this.#current.keys()] : patterns.map(({ text }) => text);
    for (const text of removed) {
      if (this.#own.delete(text)) this.#hold(-patternBytes(text));
      change.remove(text);
    }
    this.#current = this.#own;
    return change;
  }

  /** Removes all patterns. */
  clear(): void {
    this.#hold(-this.heldBytes);
    this.#own.clear();
  }
}

/**
 * The error for a subscription to too many patterns.
 *
 * @param limit How many there may be.
 * @returns The error to send.
 */
export function tooManyPatterns(limit: number): ProtocolError {
  const message = `Cannot subscribe to more than ${limit} patterns: unsubscribe from some first`;
  return new ProtocolError("too-many-patterns", message);
}

/** About how much memory a pattern takes with all that refers to it, in bytes. */
const PATTERN_BYTES = 300;
const PATTERN_CHARACTER_BYTES = 6;

function patternBytes(text: string): number {
  return PATTERN_BYTES + text.length * PATTERN_CHARACTER_BYTES;
}
