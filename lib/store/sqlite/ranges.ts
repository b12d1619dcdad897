/**
 * Sets of positions, written as ranges: those of a group that are not settled mostly follow one another.
 *
 * @module
 */

/**
 * Writes positions as ranges.
 *
 * @param positions The positions, in any order.
 * @returns JSON: the first of each range, as its distance to the end of the range before, and how many it has.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(encodeRanges([7, 4, 5, 9]), "[4,2,1,1,1,1]");
 * ```
 */
export function encodeRanges(positions: Iterable<number>): string {
  const sorted = Float64Array.from(positions).sort();
  const ranges: number[] = [];
  let end = 0;
  for (const position of sorted) {
    if (position === end && ranges.length > 0) ranges[ranges.length - 1]++;
    else ranges.push(position - end, 1);
    end = position + 1;
  }
  return JSON.stringify(ranges);
}

/**
 * Reads what {@linkcode encodeRanges} has written.
 *
 * @param json The JSON.
 * @returns The positions, in their order.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(decodeRanges("[4,2,1,1]"), [4, 5, 7]);
 * ```
 */
export function decodeRanges(json: string): number[] {
  const ranges: number[] = JSON.parse(json);
  const positions: number[] = [];
  let end = 0;
  for (let index = 0; index < ranges.length; index += 2) {
    const first = end + ranges[index];
    end = first + ranges[index + 1];
    for (let position = first; position < end; position++) positions.push(position);
  }
  return positions;
}
