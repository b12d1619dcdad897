/**
 * What the operands of commands are: names of events, patterns, or any text. Everything here is pure.
 *
 * @module
 */
import { ProtocolError } from "../../lib/protocol/errors.ts";
import { checkName, checkPublishable } from "../../lib/protocol/event.ts";
import { Pattern } from "../../lib/protocol/pattern.ts";
import { shellWord } from "./mistakes.ts";
import { choice } from "./readers.ts";

/** Texts that are longer are not typed by hand. */
const MAX_CHARACTERS = 1000;

/** What an operand may be. */
export interface OperandKind {
  /** Throws a ProtocolError or a FormError if a text is none. */
  check(text: string): unknown;
  /** What a text that is none was most likely meant as, as it is typed. */
  meant(text: string): string | undefined;
}

/** A pattern, of which there may be several. */
export const PATTERN: OperandKind = {
  check: (text) => new Pattern(text),
  meant: (text) => rewritten(text.split(/[\s,;]+/), (text) => new Pattern(text)),
};

/** The name of an event. */
export const NAME: OperandKind = {
  check: checkName,
  meant: (text) => rewritten([text], checkName),
};

/** The name of an event that is to be published; data may have got into the same word. */
export const PUBLISHABLE: OperandKind = {
  check: checkPublishable,
  meant(text) {
    if (text.startsWith("{")) return `NAME ${shellWord(text)}`;
    const [, name, data] = /^([^\s:]+)[: ]([^\s:][^]*)$/.exec(text) ?? [];
    return name === undefined ? rewritten([text], checkPublishable) : rewritten([name], checkPublishable, data);
  },
};

/** One of some words. */
export function oneOf(...words: string[]): OperandKind {
  return { check: choice(...words), meant: () => undefined };
}

/** Any text. */
export const TEXT: OperandKind = { check() {}, meant: () => undefined };

/** How others write names and patterns, and how mq does: `order/+/paid`, `order.#`, `order:created`. */
const NOTATIONS: readonly (readonly [RegExp, string])[] = [
  [/^\//, ""],
  [/\/$/, ""],
  [/::|[:/]/g, "."],
  [/(?<=^|\.)(?:#|\*\*)$/, ">"],
  [/(?<=^|\.)\+(?=\.|$)/g, "*"],
];

/** Pieces as mq writes them, with what stands behind them; undefined if one of them is not what it should be even then. */
function rewritten(pieces: string[], check: (text: string) => unknown, ...behind: string[]): string | undefined {
  const texts = pieces.filter((piece) => piece !== "");
  if (texts.length === 0 || texts.join(" ").length > MAX_CHARACTERS) return undefined;
  const meant = texts.map((text) => NOTATIONS.reduce((text, [from, to]) => text.replace(from, to), text));
  const isMeant = meant.every((text) => isFine(text, check));
  return isMeant ? [...meant, ...behind].map(shellWord).join(" ") : undefined;
}

function isFine(text: string, check: (text: string) => unknown): boolean {
  try {
    check(text);
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}
