/**
 * Encodes and decodes the data of an event line: JSON values as text.
 *
 * @module
 */

import { visible } from "./errors.ts";

/** How deep objects and arrays may be nested in JSON; deeper, a text counts as bare text. */
const MAX_JSON_DEPTH = 50_000;

const [QUOTE, OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [0x22, 0x5b, 0x5d, 0x7b, 0x7d];

/** Matches text that is most likely meant as JSON. The command prompt of Windows passes single quotes on. */
const LIKE_JSON = /^\s*(?:'?[[{]|")/;

/**
 * A JSON value.
 *
 * @example
 * ```ts
 * const data: Json = { id: 1, tags: ["new", null] };
 * ```
 */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * Encodes a JSON value as the data of a line. A string is written bare, without quotes, if it has no control characters
 * or white space around it and would not be read as JSON. Everything else is written as JSON.
 *
 * @param value The value; `undefined` for no data.
 * @returns The text, on one line; empty for no data.
 * @throws {TypeError} If the value has no form in JSON.
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
 * Decodes the data of a line: JSON if it parses, otherwise the bare text. The inverse of {@linkcode encodeData}.
 *
 * @param text The data as it stands on the line.
 * @returns The value; undefined for no data.
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
 * Encodes any text as the data of a line without loss: {@linkcode decodeData} returns the text, or its value if it is
 * JSON. Text that a line can carry is not changed. JSON of several lines is joined to one. Other text with line ends, or
 * with white space before it, becomes a JSON string.
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

/** Strings in JSON contain no line ends, so white space with line ends is always between tokens. */
function joinLines(json: string): string {
  const line = json.replace(/[ \t\r\n]+/g, (space) => /[\r\n]/.test(space) ? "" : space);
  return line.trimStart().replace(/\p{Surrogate}/gu, escapeCodeUnit);
}

/**
 * The syntax error of a text that begins like an object, an array or a string in JSON. It is most likely a mistake, such as
 * quotes that the shell has removed.
 *
 * @param text The text.
 * @returns The error message, on one line; undefined if the text is JSON, or does not begin like JSON.
 *
 * @example
 * ```ts
 * import { assertEquals, assertMatch } from "@std/assert";
 *
 * assertMatch(likelyJsonError("{id:1}")!, /^Expected property name/);
 * assertEquals(likelyJsonError('{"id":1}'), undefined);
 * assertEquals(likelyJsonError("disk full"), undefined);
 * ```
 */
export function likelyJsonError(text: string): string | undefined {
  return LIKE_JSON.test(text) ? jsonError(text) : undefined;
}

/**
 * The syntax error of a text that is not JSON.
 *
 * @param text The text.
 * @returns The error message, on one line; undefined if the text is JSON.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(jsonError(""), "Unexpected end of JSON input");
 * assertEquals(jsonError("1"), undefined);
 * ```
 */
export function jsonError(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) { // JSON.parse throws nothing else.
    return visible((error as Error).message.replace(/(?: in JSON)? at position \d+ .*$/, ""));
  }
}

function canStandBare(text: string): boolean {
  return text !== "" && text.trim() === text && !/\p{Cc}/u.test(text) && text.isWellFormed() && !isJson(text);
}

/** Whether a text begins like JSON, and is not nested too deep. A JSON.parse that fails takes 20 times as long. */
function mayBeJson(text: string): boolean {
  return /^[\s\d"[{-]|^(?:true|false|null)\b/.test(text) && !isTooDeep(text);
}

/**
 * Whether objects and arrays are nested deeper than JSON is parsed: the time for that grows faster than the depth.
 *
 * @param text JSON, or any other text.
 * @returns True if more than 50,000 brackets are open at a place.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(isTooDeep("[".repeat(50_000)), false);
 * assertEquals(isTooDeep("[".repeat(50_001)), true);
 * ```
 */
export function isTooDeep(text: string): boolean {
  if (text.length <= MAX_JSON_DEPTH) return false;
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === QUOTE) index = stringEnd(text, index);
    else if (code === OPEN_BRACKET || code === OPEN_BRACE) depth++;
    else if (code === CLOSE_BRACKET || code === CLOSE_BRACE) depth--;
    if (depth > MAX_JSON_DEPTH) return true;
  }
  return false;
}

/** The index of the quotation mark that ends a string of JSON; the length of the text if there is none. */
function stringEnd(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === "\\") backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}

function stringify(value: Json): string | undefined {
  try {
    return JSON.stringify(value)?.replace(/[\x7f-\x9f]/g, escapeCodeUnit);
  } catch (cause) {
    throw new TypeError("Cannot write a value as data: JSON has no form for it", { cause });
  }
}

/** JSON.stringify does not escape all control characters, and UTF-8 cannot encode lone surrogates. */
function escapeCodeUnit(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
