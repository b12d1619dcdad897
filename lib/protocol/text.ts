/**
 * Text: its UTF-8 encoding, and the words of a line. Words are separated by spaces and tabs, and by no other white space.
 *
 * @module
 */

const SPACE = 0x20;
const TAB = 0x09;

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

/**
 * Copies a part of a line that is to be kept: V8 makes it a view of the block that was read, and to keep a name would
 * keep a megabyte.
 *
 * @param text The part.
 * @returns The same text.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(copySubstring("order.created and a megabyte".slice(0, 13)), "order.created");
 * ```
 */
export function copySubstring(text: string): string {
  return (" " + text).slice(1);
}

/**
 * Where the word that begins at `start` ends: at the next space or tab, or at the end of the line.
 *
 * @param line A line.
 * @param start Where the word begins, in UTF-16 code units. Default 0.
 * @returns The index just behind the word.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(wordEnd("create hello"), 6);
 * ```
 */
export function wordEnd(line: string, start = 0): number {
  let index = start;
  while (index < line.length && !isSpaceAt(line, index)) index++;
  return index;
}

/**
 * Whether a line begins with a word, and not just with another that begins like it.
 *
 * @param word The word.
 * @param line A line.
 * @returns True if it does.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(isFirstWord("create", "create hello"), true);
 * assertEquals(isFirstWord("create", "created hello"), false);
 * ```
 */
export function isFirstWord(word: string, line: string): boolean {
  return line.startsWith(word) && (line.length === word.length || isSpaceAt(line, word.length));
}

/**
 * Takes the first word off a text. What follows the first run of spaces or tabs is left as it is, byte for byte.
 *
 * @param text The text.
 * @returns The word and the rest, each possibly empty.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(takeWord("create   two  words "), ["create", "two  words "]);
 * ```
 */
export function takeWord(text: string): [word: string, rest: string] {
  const end = wordEnd(text);
  let start = end;
  while (start < text.length && isSpaceAt(text, start)) start++;
  return [text.slice(0, end), text.slice(start)];
}

/**
 * The words of a text, as the verbs that take a list read them.
 *
 * @param text The text.
 * @returns The words, without the spaces and tabs between them.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(words(" order.*  user.> "), ["order.*", "user.>"]);
 * ```
 */
export function words(text: string): string[] {
  return text.split(/[ \t]+/).filter((word) => word !== "");
}

/**
 * Whether a line holds nothing but white space. Such lines are ignored.
 *
 * @param line A line.
 * @returns True if it does.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(isBlank(" \t"), true);
 * ```
 */
export function isBlank(line: string): boolean {
  return line === "" || (isSpaceAt(line, 0) && /^[ \t]*$/.test(line));
}

function isSpaceAt(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code === SPACE || code === TAB;
}
