/**
 * UTF-8 encoding of text, and the words of a line, which are separated by spaces and tabs.
 *
 * @module
 */

const SPACE = 0x20;
const TAB = 0x09;
const LF = 0x0a;

/** Shorter text, in UTF-16 code units, is encoded without a guess: it would gain nothing. */
const MIN_GUESSED_LENGTH = 256;

/** How many bytes a UTF-16 code unit takes at most. */
export const MAX_UTF8_BYTES = 3;

const encoder = new TextEncoder();

/** Whether the last long text was ASCII. The next one is guessed to be like it. */
let isAscii = true;

/**
 * Encodes text as UTF-8. ASCII text has as many bytes as code units: to encode it into a buffer of that size is much faster
 * than to let the encoder determine the size.
 *
 * @param text The text.
 * @returns The bytes.
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
 * Encodes text as UTF-8, with an LF behind it. To add the LF to long text before it is encoded would copy the text.
 *
 * @param text The text.
 * @returns The bytes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(encodeLine("é"), new Uint8Array([0xc3, 0xa9, 0x0a]));
 * ```
 */
export function encodeLine(text: string): Uint8Array {
  if (text.length >= MIN_GUESSED_LENGTH && isAscii) {
    const bytes = new Uint8Array(text.length + 1);
    const { read, written } = encoder.encodeInto(text, bytes);
    if (read === text.length && written === text.length) {
      bytes[text.length] = LF;
      return bytes;
    }
  }
  return encodeText(text + "\n");
}

/**
 * The length of a text in UTF-8.
 *
 * @param text The text.
 * @returns The length, in bytes.
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
 * Whether a text in UTF-8 is longer than a limit.
 *
 * @param bytes The limit, in bytes.
 * @param text The text.
 * @returns True if it is longer.
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
 * Copies a substring that is kept. In V8 a substring refers to the string that it was cut from, so that a name would keep
 * the whole block that was read in memory.
 *
 * @param text The substring.
 * @returns A copy.
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
 * The end of the word that begins at `start`: the next space or tab, or the end of the line.
 *
 * @param line The line.
 * @param start The index of the word. Default 0.
 * @returns The index behind the word.
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
 * Whether a word is the first word of a line.
 *
 * @param word The word.
 * @param line The line.
 * @returns True if it is.
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
 * Splits a text behind its first word. The rest begins behind the run of spaces and tabs that follows, and is unchanged.
 *
 * @param text The text.
 * @returns The word and the rest. Each may be empty.
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
 * Whether a line has only spaces and tabs, or nothing. Such lines are ignored.
 *
 * @param line The line.
 * @returns True if it is blank.
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
