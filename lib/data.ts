/**
 * How a JSON value is written as the data of a line. Everything here is pure.
 *
 * @module
 */

/** Any value that JSON can carry. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * Writes a JSON value as the data of a line. A string that people could type, and that would not be taken for JSON,
 * is written bare; everything else is written as JSON. `undefined` is no data at all.
 *
 * @param value The value to write.
 * @returns The text, without control characters and so on one line.
 * @throws {TypeError} If the value is not one that JSON can carry.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(encodeData({ id: 1 }), '{"id":1}');
 * assertEquals(encodeData("hello world"), "hello world");
 * assertEquals(encodeData("42"), '"42"');
 * assertEquals(encodeData(undefined), "");
 * ```
 */
export function encodeData(value: Json | undefined): string {
  if (value === undefined) return "";
  if (typeof value === "string" && canStandBare(value)) return value;
  const text = stringify(value);
  if (text === undefined) throw new TypeError(`Cannot write a ${typeof value} as data: JSON has no form for it`);
  return text;
}

/**
 * Reads the data of a line: JSON where it parses, else the bare text. The inverse of {@linkcode encodeData}.
 *
 * @param text The data as it stands on the line.
 * @returns The value, or undefined where there is no data.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(decodeData('{"id":1}'), { id: 1 });
 * assertEquals(decodeData("hello world"), "hello world");
 * assertEquals(decodeData(""), undefined);
 * ```
 */
export function decodeData(text: string): Json | undefined {
  if (text === "") return undefined;
  if (!mayBeJson(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * Whether a text is JSON.
 *
 * @param text The text.
 * @returns True if it parses.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(isJson('{"id":1}'), true);
 * assertEquals(isJson("hello"), false);
 * ```
 */
export function isJson(text: string): boolean {
  if (!mayBeJson(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function canStandBare(text: string): boolean {
  return text !== "" && text.trim() === text && !/\p{Cc}/u.test(text) && text.isWellFormed() && !isJson(text);
}

/** Whether a text begins as JSON does. To have it parsed and fail costs twenty times as much. */
function mayBeJson(text: string): boolean {
  return /^[\s\d"[{-]|^(?:true|false|null)\b/.test(text);
}

function stringify(value: Json): string | undefined {
  try {
    return JSON.stringify(value)?.replace(/[\x7f-\x9f]/g, escapeControl);
  } catch (cause) {
    throw new TypeError("Cannot write a value as data: JSON has no form for it", { cause });
  }
}

/** JSON leaves these control characters as they are. */
function escapeControl(character: string): string {
  return `\\u00${character.charCodeAt(0).toString(16)}`;
}
