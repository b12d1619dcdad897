/**
 * A queue of which it does not matter how long it is. Everything here is pure.
 *
 * @module
 */

/** How many places may be empty before the queue is made anew. */
const MAX_EMPTY = 1024;

/**
 * First in, first out. `Array.shift` moves all that is left once an array is long, so that to take a hundred thousand
 * items one by one takes seconds.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const queue = new Queue<string>();
 * queue.push("a");
 * queue.push("b");
 * assertEquals([queue.shift(), queue.length], ["a", 1]);
 * ```
 */
export class Queue<T> {
  #items: (T | undefined)[] = [];
  #first = 0;

  /** How many items wait. */
  get length(): number {
    return this.#items.length - this.#first;
  }

  /**
   * Puts an item behind all others.
   *
   * @param item The item.
   */
  push(item: T): void {
    this.#items.push(item);
  }

  /**
   * Takes the item that has waited longest.
   *
   * @returns It; undefined if there is none.
   */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#first];
    this.#items[this.#first++] = undefined; // It is not to be kept.
    if (this.#first > MAX_EMPTY && this.#first > this.#items.length / 2) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }
}
