/**
 * Reads what is behind something that cannot be read. Runs in the worker.
 *
 * @module
 */

/**
 * Reads something that may be damaged, where another place says so.
 *
 * @param read Reads it.
 * @returns What it returns; undefined if it throws.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([attempt(() => JSON.parse("1")), attempt(() => JSON.parse("{"))], [1, undefined]);
 * ```
 */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined; // As said above.
  }
}

/**
 * Reads at the next position where that is possible. A damaged page may have led to a large part of the log, so its end is
 * searched in longer and longer steps, and then more closely: where there is more than one, what is between them may be
 * passed over.
 *
 * @param position A position where it is not possible.
 * @param read Reads at a position.
 * @returns What that returns; undefined if it is possible nowhere.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const readers = [17, Infinity].map((end) => (position: number) => {
 *   if (position < end) throw new Error("It is damaged");
 *   return position;
 * });
 * assertEquals(readers.map((read) => readBehind(10, read)), [17, undefined]);
 * ```
 */
export function readBehind<T>(position: number, read: (position: number) => T): T | undefined {
  const readAt = (position: number) => attempt(() => ({ position, value: read(position) }));
  let [bad, step] = [position, 1];
  let good = readAt(bad + step);
  while (good === undefined) {
    bad += step;
    step *= 2;
    if (bad + step > Number.MAX_SAFE_INTEGER) return undefined;
    good = readAt(bad + step);
  }
  while (good.position - bad > 1) {
    const middle = Math.floor((bad + good.position) / 2);
    const found = readAt(middle);
    if (found === undefined) bad = middle;
    else good = found;
  }
  return good.value;
}
