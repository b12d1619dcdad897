/**
 * Two texts of a classic client that were read as one. Everything here is pure.
 *
 * @module
 */
import { isJson } from "../data.ts";
import type { ClassicMessage } from "./reading.ts";

/** Behind this no word goes on: a digit, what closes brackets and quotation marks, the end of a sentence, a pictograph. */
const END = /(?:[\p{Nd}}\])!?\p{So}]|[^\s([{]["'])$/u;

/** Behind a letter the same name again may begin, but for the end of a short word: `bread`, `thread`, `recreate`. */
const WORD = /\S\S\p{L}$/u;

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
 * import { readMessage } from "./reading.ts";
 *
 * const names = new Set(["create", "update"]);
 * const find = (text: string) => findGlued(readMessage(text, { names, recognizes: (name) => names.has(name) }), names);
 * assertEquals(find("create onecreate two"), "create");
 * assertEquals(find("create 1update 2"), "update");
 * assertEquals(find("create an event (create) just happened!"), undefined);
 * ```
 */
export function findGlued(
  { form, source, written, text }: ClassicMessage,
  names: ReadonlySet<string>,
): string | undefined {
  if (form !== "text" || source === undefined || isJson(text)) return undefined;
  if (text === "") return secondOf(source, names);
  if (!source.startsWith(written)) return undefined; // It has no name of its own.
  const beforeData = BEFORE_DATA.get(source.startsWith(":", written.length) ? ":" : " ")!;
  const isSecond = (name: string, at: number) => {
    if (!beforeData.test(source.slice(at + name.length))) return false;
    const before = source.slice(0, at);
    return END.test(before.slice(-2)) || (name === written && WORD.test(before.slice(-4)));
  };
  for (const name of new Set([written, ...names])) {
    for (let at = source.indexOf(name, written.length + 1); at !== -1; at = source.indexOf(name, at + 1)) {
      if (isSecond(name, at)) return name;
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
