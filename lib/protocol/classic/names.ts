/**
 * Names of classic clients, which may hold any character, as names and patterns of the line protocol. Everything here is
 * pure.
 *
 * @module
 */

/**
 * A name of a classic client, which may hold any character, as a name of the line protocol.
 *
 * @param written The name as it was written.
 * @returns It, with `-` for each run of characters that no name can hold.
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
 * A pattern in which names may be written as classic clients write them. A token that holds `*` or `>` stays as it is,
 * so that it is a wildcard, or no pattern at all; it never becomes a name.
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
