/**
 * A queue whose operations take constant time. Everything here is pure.
 *
 * @module
 */

/** The number of empty places after which the array is copied. */
const MAX_EMPTY = 1024;

/**
 * A queue, first in, first out. `Array.shift` moves all other items of a long array, so that taking a hundred thousand
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

  /** The number of items. */
  get length(): number {
    return this.#items.length - this.#first;
  }

  /**
   * Adds an item at the end.
   *
   * @param item The item.
   */
  push(item: T): void {
    this.#items.push(item);
  }

  /**
   * Removes the first item.
   *
   * @returns The item; undefined if the queue is empty.
   */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#first];
    this.#items[this.#first++] = undefined; // So that it can be collected.
    if (this.#first > MAX_EMPTY && this.#first > this.#items.length / 2) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }
}
