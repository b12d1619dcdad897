/**
 * The keys of events that are published once, however often they are sent (docs/protocol.md, 14.4).
 *
 * @module
 */

/** The longest key, in UTF-16 code units. */
export const MAX_KEY_CHARACTERS = 128;

/** What a key is, as part of a sentence. */
export const KEY_FORM: string = `one word of at most ${MAX_KEY_CHARACTERS} characters`;

/**
 * Whether a text is a key: one word, without control characters.
 *
 * @param text The text.
 * @returns True if it is.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([isKey("cart-17"), isKey("cart 17"), isKey("x".repeat(129))], [true, false, false]);
 * ```
 */
export function isKey(text: string): boolean {
  return text !== "" && text.length <= MAX_KEY_CHARACTERS && !/[ \p{Cc}]/u.test(text);
}
