/**
 * The kinds of operands: names of events, patterns, words, or any text. Everything here is pure.
 *
 * @module
 */
import { ProtocolError } from "../../lib/protocol/errors.ts";
import { checkName, checkPublishable } from "../../lib/protocol/event.ts";
import { Pattern } from "../../lib/protocol/pattern.ts";
import { shellQuote } from "./suggestions.ts";
import { choice } from "./flag_values.ts";

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
