/**
 * Counts by cause, in bounded memory.
 *
 * @module
 */
import { copySubstring } from "../protocol/text.ts";

/** How many different causes are counted apart; all others share one count. */
const MAX_CAUSES = 1000;

/**
 * Counts how often each cause has occurred.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const counter = new BoundedCounter();
 * assertEquals([counter.count("bad-name"), counter.count("bad-name"), counter.count("http")], [1, 2, 1]);
 * ```
 */
export class BoundedCounter {
  readonly #times = new Map<string, number>();

  /**
   * Counts one occurrence.
   *
   * @param cause What it is counted by.
   * @returns How often that has occurred, this time included.
   */
  count(cause: string): number {
    const isKnown = this.#times.has(cause) || this.#times.size < MAX_CAUSES;
    const key = isKnown ? copySubstring(cause) : "";
    const times = (this.#times.get(key) ?? 0) + 1;
    this.#times.set(key, times);
    return times;
  }
}
