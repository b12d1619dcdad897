/**
 * Converts names of classic clients, which may have any character, to names and patterns of the line protocol. Everything
 * here is pure.
 *
 * @module
 */

/**
 * Converts a name to the line protocol.
 *
 * @param written The name as it was written.
 * @returns The name, with `-` for each run of characters that are not allowed in names.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(modernName("in transit"), "in-transit");
 * assertEquals(modernName("order/paid"), "order-paid");
 * ```
 */
export function modernName(written: string): string {
  return written.trim().replace(/[^\p{L}\p{M}\p{Nd}_.-]+/gu, "-");
}

/**
 * Converts a pattern with names of classic clients to the line protocol. A token with `*` or `>` is not changed, so that
 * it is a wildcard, or makes the pattern malformed; it never becomes a name.
 *
 * @param written The pattern as it was written.
 * @returns The pattern. It need not be well formed: {@linkcode Pattern} tells.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(modernPattern("in transit"), "in-transit");
 * assertEquals(modernPattern("order placed.*"), "order-placed.*");
 * assertEquals(modernPattern(">"), ">");
 * assertEquals(modernPattern("order*"), "order*");
 * ```
 *
 * @see {@linkcode Pattern} in event.ts, which reads it.
 */
export function modernPattern(written: string): string {
  return written.split(".").map((token) => /[*>]/.test(token) ? token : modernName(token)).join(".");
}
