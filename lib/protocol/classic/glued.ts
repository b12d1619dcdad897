/**
 * Two texts of a classic client that were read as one. Everything here is pure.
 *
 * @module
 */
import { isJson } from "../data.ts";
import { MAX_NAME_BYTES } from "../limits.ts";
import type { ClassicMessage } from "./message.ts";

/** Behind this no word goes on: a digit, what closes brackets and quotation marks, the end of a sentence, a pictograph. */
const END = /(?:[\p{Nd}}\])!?\p{So}]|[^\s([{]["'])$/u;

/** Behind a letter the same name again may begin, but for the end of a short word: `bread`, `thread`, `recreate`. */
const WORD = /\S\S\p{L}$/u;

/** What may be a name. */
const NAME = /[\p{L}\p{M}\p{Nd}_.-]+/gu;

/** Where in a word a number ends. */
const BEHIND_DIGIT = /(?<=\p{Nd})(?=\P{Nd})/gu;

/** What follows a name that has data, as the message's own name has it. */
const BEFORE_DATA = new Map([[" ", /^[ \t]+\S/], [":", /^:[ \t]*\S/]]);

/** The longest message, in characters, that may be nothing but names. */
const MAX_NAMES = 1000;

/**
 * Finds where a message that came as text goes on as another: a name with data behind it, in the same dialect, that
 * begins without a space where no word can go on; behind a letter that is the message's own name only. A message without
 * data is several if it is nothing but names.
 *
 * @param message The message.
 * @param names The names to look for, besides its own.
 * @returns The name that the second message begins with; undefined if there is none.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readMessage } from "./message.ts";
 *
 * const names = new Set(["create", "update"]);
 * const find = (text: string) => findGlued(readMessage(text, { names, recognizes: (name) => names.has(name) }), names);
 * assertEquals(find("create onecreate two"), "create");
 * assertEquals(find("create 1update 2"), "update");
 * assertEquals(find("create an event (create) just happened!"), undefined);
 * ```
 */
export function findGlued(message: ClassicMessage, names: ReadonlySet<string>): string | undefined {
  const { form, source, written, text } = message;
  if (form !== "text" || source === undefined || isJson(text)) return undefined;
  if (text === "") return secondOf(source, names);
  if (!source.startsWith(written)) return undefined; // It has no name of its own.
  const beforeData = BEFORE_DATA.get(source.startsWith(":", written.length) ? ":" : " ")!;
  const data = { source, start: written.length + 1, beforeData };
  return again(data, written) ? written : listedIn(data, names);
}

/** The data of a message that has a name: where it begins in the text, and what would follow the name of a second one. */
interface Data {
  readonly source: string;
  readonly start: number;
  readonly beforeData: RegExp;
}

/** Whether a message with the same name begins in the data. */
function again({ source, start, beforeData }: Data, name: string): boolean {
  for (let at = source.indexOf(name, start); at !== -1; at = source.indexOf(name, at + 1)) {
    const before = source.slice(Math.max(0, at - 4), at);
    if ((END.test(before) || WORD.test(before)) && beforeData.test(source.slice(at + name.length))) return true;
  }
  return false;
}

/** The first of some names with which a message begins in the data. Each word is looked at once, however many there are. */
function listedIn({ source, start, beforeData }: Data, names: ReadonlySet<string>): string | undefined {
  for (const { 0: word, index } of source.slice(start).matchAll(NAME)) {
    const [from, to] = [start + index, start + index + word.length];
    if (!beforeData.test(source.slice(to))) continue;
    if (names.has(word) && END.test(source.slice(from - 2, from))) return word;
    const end = word.slice(-MAX_NAME_BYTES);
    for (const { index } of end.matchAll(BEHIND_DIGIT)) {
      if (names.has(end.slice(index))) return end.slice(index);
    }
  }
}

/** The second of the names that a text consists of, if it consists of names. */
function secondOf(source: string, names: ReadonlySet<string>): string | undefined {
  if (source.length > MAX_NAMES || names.has(source)) return undefined;
  const found: string[] = [];
  for (let at = 0; at < source.length;) {
    const name = [...names].find((name) => source.startsWith(name, at));
    if (name === undefined) return undefined;
    found.push(name);
    at += name.length;
  }
  return found[1];
}
