/**
 * How a JSON value is written as the data of a line. Everything here is pure.
 *
 * @module
 */

import { visible } from "./errors.ts";

/** What JSON begins with that is no plain text. The command prompt of Windows leaves single quotes before it. */
const LIKE_JSON = /^\s*(?:'?[[{]|")/;

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
  } catch { // JSON.parse throws only at what is not JSON.
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
  } catch { // JSON.parse throws only at what is not JSON.
    return false;
  }
}

/**
 * Writes any text as the data of a line without loss: {@linkcode decodeData} reads the text again, or its value where it
 * is JSON. Text stands as it is wherever a line can carry it. JSON of several lines is joined, which is the same JSON; any
 * other text that a line would change, having line ends in it or white space before it, becomes a string in JSON.
 *
 * @param text The text; empty for no data.
 * @returns The data.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(dataFromText("hello"), "hello");
 * assertEquals(dataFromText('{\n  "id": 1\n}'), '{"id": 1}');
 * assertEquals(dataFromText("two\nlines"), '"two\\nlines"');
 * assertEquals(dataFromText("  indented"), '"  indented"');
 * ```
 */
export function dataFromText(text: string): string {
  if (!/[\r\n]|^[ \t]/.test(text) && text.isWellFormed()) return text;
  return isJson(text) ? joinLines(text) : encodeData(text);
}

/** No string of JSON has line ends in it, so white space that has some stands between its tokens. */
function joinLines(json: string): string {
  const line = json.replace(/[ \t\r\n]+/g, (space) => /[\r\n]/.test(space) ? "" : space);
  return line.trimStart().replace(/\p{Surrogate}/gu, escapeCodeUnit);
}

/**
 * Why a text that begins as an object, an array or a string in JSON does is not JSON: most likely a slip, such as quotation
 * marks that a shell has taken away.
 *
 * @param text The text.
 * @returns The reason, on one line; undefined if the text is JSON, or does not look like it.
 *
 * @example
 * ```ts
 * import { assertEquals, assertMatch } from "@std/assert";
 *
 * assertMatch(mistakeInJson("{id:1}")!, /^Expected property name/);
 * assertEquals(mistakeInJson('{"id":1}'), undefined);
 * assertEquals(mistakeInJson("disk full"), undefined);
 * ```
 */
export function mistakeInJson(text: string): string | undefined {
  return LIKE_JSON.test(text) ? whyNotJson(text) : undefined;
}

/**
 * Why a text is not JSON.
 *
 * @param text The text.
 * @returns The reason, on one line; undefined if it is JSON.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(whyNotJson(""), "Unexpected end of JSON input");
 * assertEquals(whyNotJson("1"), undefined);
 * ```
 */
export function whyNotJson(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) { // JSON.parse throws nothing but the reason.
    return visible((error as Error).message.replace(/(?: in JSON)? at position \d+ .*$/, ""));
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
    return JSON.stringify(value)?.replace(/[\x7f-\x9f]/g, escapeCodeUnit);
  } catch (cause) {
    throw new TypeError("Cannot write a value as data: JSON has no form for it", { cause });
  }
}

/** JSON leaves some control characters as they are, and UTF-8 has no form for half of a surrogate pair. */
function escapeCodeUnit(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
