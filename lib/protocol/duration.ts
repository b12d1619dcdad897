/**
 * Durations, as control lines and flags have them.
 *
 * @module
 */

const UNITS_MS = new Map([["ms", 1], ["s", 1000], ["m", 60_000], ["h", 3_600_000], ["d", 86_400_000]]);

/** The longest duration, in milliseconds: ten years. */
export const MAX_DURATION_MS: number = 3650 * 86_400_000;

/**
 * Reads a duration.
 *
 * @param text A number with a unit: `500ms`, `2s`, `1.5m`, `1h`, `7d`.
 * @returns The duration in milliseconds; undefined if it is none, less than 1 ms, or more than ten years.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(["1.5s", "7d", "0s", "5"].map(parseDuration), [1500, 604_800_000, undefined, undefined]);
 * ```
 */
export function parseDuration(text: string): number | undefined {
  const [, number, unit] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * UNITS_MS.get(unit)!);
  return unit !== undefined && ms >= 1 && ms <= MAX_DURATION_MS ? ms : undefined;
}

/**
 * Writes a duration as {@linkcode parseDuration} reads it.
 *
 * @param ms The duration in milliseconds, which is rounded up: from a thousand seconds on to seconds.
 * @returns A number with a unit, of at most nine digits up to the longest duration.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([toDuration(1.5), toDuration(3_600_000)], ["2ms", "3600s"]);
 * ```
 */
export function toDuration(ms: number): string {
  return ms < 1_000_000 ? `${Math.ceil(ms)}ms` : `${Math.ceil(ms / 1000)}s`;
}
