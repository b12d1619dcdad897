/**
 * The connections of a pool, in the order of their ids.
 *
 * @module
 */

/**
 * A list that is sorted by id. Ids of connections increase, so it is also the order in which they were accepted, and a page
 * of them is found by binary search.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const list = new ConnectionList<{ id: string }>();
 * const [a, b, c] = ["a", "b", "c"].map((id) => ({ id }));
 * for (const connection of [a, b, c]) list.add(connection);
 * list.delete(b);
 * assertEquals(list.after("b", 100), [c]); // What follows b is known without b.
 * assertEquals([...list], [a, c]);
 * ```
 */
export class ConnectionList<T extends { readonly id: string }> {
  readonly #list: T[] = [];

  /** How many there are. */
  get size(): number {
    return this.#list.length;
  }

  /**
   * Adds a connection.
   *
   * @param connection The connection; its id is greater than those of all others.
   */
  add(connection: T): void {
    this.#list.push(connection);
  }

  /**
   * Removes a connection.
   *
   * @param connection The connection.
   */
  delete(connection: T): void {
    const index = this.#firstFrom((id) => id >= connection.id);
    if (this.#list[index] === connection) this.#list.splice(index, 1);
  }

  /**
   * Returns the connections that were accepted after another one.
   *
   * @param id The id of the other one, which may have left; an empty string for none.
   * @param most How many are returned at most.
   * @returns The oldest of them, the oldest first.
   */
  after(id: string, most: number): T[] {
    const start = this.#firstFrom((other) => other > id);
    return this.#list.slice(start, start + most);
  }

  /** Visits the connections that there are now: they may be removed meanwhile. */
  [Symbol.iterator](): Iterator<T> {
    return this.#list.slice().values();
  }

  /** The index of the first connection whose id passes a test that all ids from there on pass. */
  #firstFrom(passes: (id: string) => boolean): number {
    let [low, high] = [0, this.#list.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (passes(this.#list[middle].id)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
