/**
 * The data that was typed behind `mq pub NAME` or `mq request NAME`, and what a shell leaves of it where it was not quoted. Everything here is
 * pure.
 *
 * @module
 */
import { isJson, jsonError, likelyJsonError } from "../../lib/protocol/data.ts";
import { quote } from "../../lib/protocol/errors.ts";
import { formatPatterns } from "../../lib/protocol/pattern.ts";
import { UsageError } from "../command.ts";

/** What the runtime puts for bytes of an argument that are not UTF-8. */
const REPLACEMENT = "\ufffd";

/** How objects and arrays begin. The command prompt of Windows leaves single quotes before them. */
const LIKE_JSON = /^\s*'?[[{]/;

/** Data as it was typed. */
export interface TypedData {
  readonly text: string;
  /** What should be said of it. */
  readonly warning?: string;
}

/**
 * Reads the words behind the name.
 *
 * @param call What was typed before them, such as `mq pub create`.
 * @param words All that was typed behind it.
 * @param mustBeJson Whether nothing but JSON will do.
 * @throws {UsageError} If they are not the data of one event.
 */
export function readTyped(call: string, words: readonly string[], mustBeJson: boolean): TypedData {
  const [text = "", ...more] = words;
  if (more.length > 0) throw tooMuch(call, words);
  if (text.includes(REPLACEMENT)) {
    throw new UsageError(
      "the data is not UTF-8, or has U+FFFD in it, which stands for what is not",
      `bytes come whole through stdin: ${call} - < FILE`,
    );
  }
  const asJson = quoted(call, requoted(text));
  if (mustBeJson) {
    const why = text === "" ? undefined : jsonError(text);
    if (why !== undefined) throw new UsageError(`the data is not JSON: ${why}`, asJson ?? `${call} '{"id":1}'`);
  }
  const mistake = likelyJsonError(text);
  if (mistake === undefined) return { text };
  const remedy = asJson === undefined ? "" : `. As JSON: ${asJson}`;
  return { text, warning: `the data begins like JSON, but is not, and goes out as text: ${mistake}${remedy}` };
}

/** Words that a shell made of data with spaces in it, or of braces with commas between them. */
function tooMuch(call: string, words: readonly string[]): UsageError {
  const isExpanded = words.every((word) => /^[^{}:]+:./.test(word));
  const text = isExpanded ? `{${words.join(",")}}` : words.join(" ");
  const data = requoted(text) ?? (LIKE_JSON.test(text) ? '{"id":1}' : text);
  const extra = formatPatterns(words.slice(1).map(quote), 3, " ");
  const hint = `data with spaces, quotes or braces in single quotes: ${quoted(call, data)}`;
  return new UsageError(`unexpected argument ${extra}`, hint);
}

/**
 * JSON again, where a shell took the quotation marks off: `{id:1,name:Ada}`.
 *
 * @param text What is left.
 * @returns The JSON; undefined if that cannot be told.
 */
export function requoted(text: string): string | undefined {
  if (!LIKE_JSON.test(text) || text.includes('"')) return undefined;
  const json = text.replace(/^\s*'|'\s*$/g, "").replace(/[^{}[\],:]+/g, (part) => {
    const word = part.trim();
    return word === "" || isJson(word) ? part : part.replace(word, () => JSON.stringify(word));
  });
  return isJson(json) ? json : undefined;
}

/** A command that can be pasted. */
function quoted(call: string, data: string | undefined): string | undefined {
  return data === undefined ? undefined : `${call} '${data.replaceAll("'", `'\\''`)}'`;
}
