/**
 * Suggests what somebody probably meant who typed something else. Everything here is pure.
 *
 * @module
 */
import { closestString } from "@std/text/closest-string";
import { levenshteinDistance } from "@std/text/levenshtein-distance";
import { quote } from "../../lib/protocol/errors.ts";

/** Longer words are not compared: that takes the product of the lengths, and no name is longer. */
const MAX_CHARACTERS = 64;

/** Shorter words are similar to too many others. */
const MIN_CHARACTERS = 4;

/** The share of the characters of a word that a slip of the finger may change. */
const SLIP = 1 / 5;

/** A name, and the words for which it is suggested. */
export type Nameable = readonly [name: string, suggestFor?: readonly string[]];

/**
 * The most similar word of a list; undefined if none is similar.
 *
 * @param word What was typed.
 * @param words The candidates.
 * @param share The share of its characters that may differ.
 */
export function suggest(word: string, words: readonly string[], share: number = 1 / 2): string | undefined {
  if (words.length === 0 || word.length > MAX_CHARACTERS) return undefined;
  const lower = word.toLowerCase();
  const nearest = closestString(lower, words);
  const distance = levenshteinDistance(lower, nearest);
  if (distance <= nearest.length * SLIP) return nearest; // `loger` is `logger`, and not `log`.
  const beginning = words.find((candidate) => lower.startsWith(candidate));
  return beginning ?? (distance <= nearest.length * share ? nearest : undefined);
}

/** The name that is suggested for a word: because the word leads to it, is similar to it, or to a word that leads to it. */
export function suggestName(word: string, names: readonly Nameable[]): string | undefined {
  const leading = new Map(names.flatMap(([name, words = []]) => words.map((word) => [word, name])));
  const long = [...leading.keys()].filter(({ length }) => length >= MIN_CHARACTERS);
  return leading.get(word.toLowerCase()) ??
    suggest(word, names.map(([name]) => name)) ??
    leading.get(suggest(word, long, 1 / 3) ?? "");
}

/** A word for a message: quoted, unless it is short and plain. */
export function quoteIfNeeded(word: string): string {
  return /^[\w.:/-]{1,60}$/.test(word) ? word : quote(word);
}

/** A word for a command line: in single quotes, if a shell would change it otherwise. */
export function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
