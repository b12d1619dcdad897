/**
 * The kinds of operands: names of events, patterns, words, or any text. Everything here is pure.
 *
 * @module
 */
import { ProtocolError } from "../../lib/protocol/errors.ts";
import { checkName, checkPublishable } from "../../lib/protocol/event.ts";
import { checkGroupName } from "../../lib/protocol/group.ts";
import { Pattern } from "../../lib/protocol/pattern.ts";
import { InvalidValueError } from "./errors.ts";
import { choice, folder } from "./flag_values.ts";
import { shellQuote } from "./suggestions.ts";

/** No suggestions are made for longer text. */
const MAX_CHARACTERS = 1000;

/** A kind of operands. */
export interface OperandKind {
  /** Throws a ProtocolError or an InvalidValueError if the text is invalid. */
  check(text: string): unknown;
  /** What to type instead of an invalid text; undefined if nothing is similar. The last operand may become several. */
  suggest(text: string, isLast: boolean): string | undefined;
}

export const PATTERN: OperandKind = {
  check: (text) => new Pattern(text),
  suggest: (text) => translate(text.split(/[\s,;]+/), (text) => new Pattern(text)),
};

export const NAME: OperandKind = {
  check: checkName,
  suggest: (text) => translate([text], checkName),
};

/** The name of an event to publish. The data may have got into the same word. */
export const PUBLISHABLE: OperandKind = {
  check: checkPublishable,
  suggest(text, isLast) {
    if (!isLast) return translate([text], checkPublishable);
    if (text.startsWith("{")) return `NAME ${shellQuote(text)}`;
    const [, name, data] = /^([^\s:]+)[: ]([^\s:][^]*)$/.exec(text) ?? [];
    return name === undefined ? translate([text], checkPublishable) : translate([name], checkPublishable, data);
  },
};

/** The name of a group. */
export const GROUP: OperandKind = { check: checkGroupName, suggest: () => undefined };

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** The id of an event. */
export const ID: OperandKind = {
  check(text) {
    if (!ULID.test(text)) throw new InvalidValueError("an id such as 01JD3K5E8Q5V1M4S3R6T7W8X9Y");
  },
  suggest: (text) => ULID.test(text.toUpperCase()) ? text.toUpperCase() : undefined,
};

/** The path of a folder. */
export const FOLDER: OperandKind = { check: folder, suggest: () => undefined };

/** One of some words. */
export function oneOf(...words: string[]): OperandKind {
  return { check: choice(...words), suggest: () => undefined };
}

export const TEXT: OperandKind = { check() {}, suggest: () => undefined };

/** Other notations of names and patterns, and that of mq: `order/+/paid`, `order.#`, `order:created`. */
const NOTATIONS: readonly (readonly [RegExp, string])[] = [
  [/^\//, ""],
  [/\/$/, ""],
  [/::|[:/]/g, "."],
  [/(?<=^|\.)(?:#|\*\*)$/, ">"],
  [/(?<=^|\.)\+(?=\.|$)/g, "*"],
];

/** Words in the notation of mq, followed by further words; undefined if one of them is invalid even then. */
function translate(words: string[], check: (text: string) => unknown, ...further: string[]): string | undefined {
  const texts = words.filter((word) => word !== "");
  if (texts.length === 0 || texts.join(" ").length > MAX_CHARACTERS) return undefined;
  const translated = texts.map((text) => NOTATIONS.reduce((text, [from, to]) => text.replace(from, to), text));
  const isValid = translated.every((text) => passes(text, check));
  return isValid ? [...translated, ...further].map(shellQuote).join(" ") : undefined;
}

function passes(text: string, check: (text: string) => unknown): boolean {
  try {
    check(text);
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}
