/**
 * Takes JSON apart as text, so that numbers and the order of keys stay as they were written. Everything here is pure.
 *
 * @module
 */
import { encodeData } from "../data.ts";

/** A string, a bracket or a comma. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{},]/g;
const MEMBER = /^("(?:[^"\\]|\\.)*")\s*:([^]*)$/;
const STRING_OR_SPACE = /("(?:[^"\\]|\\.)*")|\s+/g;

/**
 * Writes JSON, or a text, on one line. JSON has line ends only between its tokens, where any white space is the same.
 *
 * @param text The text.
 * @returns The text, with a space for each run of line ends.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(onOneLine('{"id":\r\n1}'), '{"id": 1}');
 * ```
 */
export function onOneLine(text: string): string {
  return text.replace(/[\r\n]+/g, " ");
}

/**
 * The members of an object.
 *
 * @param json The object.
 * @returns The text of each value by its key; of a key that is there twice, the last.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const members = membersOf('{ "id" : 12345678901234567890, "tags": ["a", "b"] }');
 * assertEquals([...members], [["id", "12345678901234567890"], ["tags", '["a", "b"]']]);
 * ```
 */
export function membersOf(json: string): Map<string, string> {
  const members = new Map<string, string>();
  for (const part of partsOf(json)) {
    const [, key, value] = MEMBER.exec(part)!;
    members.set(JSON.parse(key), value.trim());
  }
  return members;
}

/**
 * The parts of an object or array between its commas.
 *
 * @param json The object or array.
 * @returns The text of each element, or of each member with its key.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(partsOf('["create", {"id": 1, "of": 2}]'), ['"create"', '{"id": 1, "of": 2}']);
 * ```
 */
export function partsOf(json: string): string[] {
  const parts: string[] = [];
  let [depth, start] = [0, 0];
  for (const { 0: token, index } of json.matchAll(TOKEN)) {
    if (token === "{" || token === "[") {
      if (depth++ === 0) start = index + 1;
    } else if (token === "}" || token === "]") {
      if (--depth === 0) parts.push(json.slice(start, index).trim());
    } else if (token === "," && depth === 1) {
      parts.push(json.slice(start, index).trim());
      start = index + 1;
    }
  }
  return parts.filter((part) => part !== "");
}

/**
 * A value of JSON as the data of a line.
 *
 * @param json The text of the value.
 * @returns A string as {@linkcode encodeData} writes it; else the text itself, without white space between its tokens.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(dataOf('"a record"'), "a record");
 * assertEquals(dataOf('{ "id": 1.0 }'), '{"id":1.0}');
 * ```
 */
export function dataOf(json: string): string {
  return json.startsWith('"') ? encodeData(JSON.parse(json)) : json.replace(STRING_OR_SPACE, "$1");
}
