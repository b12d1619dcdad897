/**
 * The data after `mq pub NAME` or `mq request NAME` on the command line, and hints for data that a shell has changed because
 * it was not quoted. Everything here is pure.
 *
 * @module
 */
import { isJson, jsonError, likelyJsonError } from "../../lib/protocol/data.ts";
import { quote } from "../../lib/protocol/errors.ts";
import { formatPatterns } from "../../lib/protocol/pattern.ts";
import { UsageError } from "../command.ts";

/** The runtime replaces bytes of an argument that are not UTF-8 with this character. */
const REPLACEMENT = "\ufffd";

/** The beginning of objects and arrays. The command prompt of Windows keeps single quotes around them. */
const LIKE_JSON = /^\s*'?[[{]/;

/** Data from the command line. */
export interface TypedData {
  readonly text: string;
  readonly warning?: string;
}

/**
 * Checks the words after the name.
 *
 * @param call The command line before them, such as `mq pub create`.
 * @param words All words after it.
 * @param mustBeJson Whether data that is not JSON is refused.
 * @throws {UsageError} If they are not the data of one event.
 */
export function readTyped(call: string, words: readonly string[], mustBeJson: boolean): TypedData {
  const [text = "", ...more] = words;
  if (more.length > 0) throw tooManyWords(call, words);
  if (text.includes(REPLACEMENT)) {
    throw new UsageError(
      "the data is not valid UTF-8, or contains U+FFFD, which replaces invalid bytes",
      `read it from stdin instead: ${call} - < FILE`,
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
  return {
    text,
    warning: `the data is published as text, because it begins like JSON but is not valid: ${mistake}${remedy}`,
  };
}

/** The error for data that the shell has split at spaces, or expanded at braces. */
function tooManyWords(call: string, words: readonly string[]): UsageError {
  const isExpanded = words.every((word) => /^[^{}:]+:./.test(word));
  const text = isExpanded ? `{${words.join(",")}}` : words.join(" ");
  const data = requoted(text) ?? (LIKE_JSON.test(text) ? '{"id":1}' : text);
  const extra = formatPatterns(words.slice(1).map(quote), 3, " ");
  const hint = `put data with spaces, quotes or braces in single quotes: ${quoted(call, data)}`;
  return new UsageError(`unexpected argument ${extra}`, hint);
}

/**
 * Restores JSON from which a shell has removed the double quotes: `{id:1,name:Ada}`.
 *
 * @returns The JSON; undefined if it cannot be restored.
 */
export function requoted(text: string): string | undefined {
  if (!LIKE_JSON.test(text) || text.includes('"')) return undefined;
  const json = text.replace(/^\s*'|'\s*$/g, "").replace(/[^{}[\],:]+/g, (part) => {
    const word = part.trim();
    return word === "" || isJson(word) ? part : part.replace(word, () => JSON.stringify(word));
  });
  return isJson(json) ? json : undefined;
}

/** The command with the data in single quotes. */
function quoted(call: string, data: string | undefined): string | undefined {
  return data === undefined ? undefined : `${call} '${data.replaceAll("'", `'\\''`)}'`;
}
