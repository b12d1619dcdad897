/**
 * Text to bytes, as fast as the runtime can, and how many those are.
 *
 * @module
 */

/** Text shorter than this, in UTF-16 code units, is encoded the plain way: there is nothing to gain. */
const MIN_GUESSED_LENGTH = 256;

/** The most bytes that a UTF-16 code unit takes. */
export const MAX_UTF8_BYTES = 3;

const encoder = new TextEncoder();

/** Whether the last long text was ASCII: the next is guessed to be like it. */
let isAscii = true;

/**
 * Encodes text as UTF-8. Long text that is ASCII has as many bytes as code units: to encode it into bytes that are there
 * already is much faster than to have the encoder find out how many it takes.
 *
 * @param text The text.
 * @returns Its bytes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(encodeText("é\n"), new Uint8Array([0xc3, 0xa9, 0x0a]));
 * ```
 */
export function encodeText(text: string): Uint8Array {
  if (text.length < MIN_GUESSED_LENGTH) return encoder.encode(text);
  if (isAscii) {
    const bytes = new Uint8Array(text.length);
    if (encoder.encodeInto(text, bytes).read === text.length) return bytes;
  }
  const bytes = encoder.encode(text);
  isAscii = bytes.length === text.length;
  return bytes;
}

/**
 * How long a text is as UTF-8.
 *
 * @param text The text.
 * @returns The number of its bytes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(byteLength("é"), 2);
 * ```
 */
export function byteLength(text: string): number {
  return encoder.encode(text).length;
}

/**
 * Whether a text is longer than so many bytes of UTF-8.
 *
 * @param bytes How many.
 * @param text The text.
 * @returns True if it is.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(isLongerThan(1, "e"), false);
 * assertEquals(isLongerThan(1, "é"), true);
 * ```
 */
export function isLongerThan(bytes: number, text: string): boolean {
  return text.length * MAX_UTF8_BYTES > bytes && byteLength(text) > bytes;
}
