/**
 * What somebody most likely meant who typed something else. Everything here is pure.
 *
 * @module
 */
import { closestString } from "@std/text/closest-string";
import { levenshteinDistance } from "@std/text/levenshtein-distance";
import { quote } from "../../lib/protocol/errors.ts";

/** No name that is typed by hand is longer, and to compare one takes the product of the lengths. */
const MAX_CHARACTERS = 64;

/** Shorter words are near too many others. */
const MIN_CHARACTERS = 4;

/** Something that has a name, and other words that only lead to it. */
export type Named = readonly [name: string, aliases?: readonly string[]];

/**
 * The word of a list that somebody most likely meant; undefined if none is near.
 *
 * @param share What share of its characters may be other ones.
 */
export function suggest(word: string, words: readonly string[], share: number = 1 / 2): string | undefined {
  if (words.length === 0 || word.length > MAX_CHARACTERS) return undefined;
  const lower = word.toLowerCase();
  const nearest = words.find((candidate) => lower.startsWith(candidate)) ?? closestString(lower, words);
  if (lower.startsWith(nearest)) return nearest;
  return levenshteinDistance(lower, nearest) <= nearest.length * share ? nearest : undefined;
}

/** The name that is meant by a word: by one that leads to it, or since it is near; then by one that is near such a word. */
export function nameMeant(word: string, names: readonly Named[]): string | undefined {
  const leading = new Map(names.flatMap(([name, aliases = []]) => aliases.map((alias) => [alias, name])));
  const long = [...leading.keys()].filter(({ length }) => length >= MIN_CHARACTERS);
  return leading.get(word.toLowerCase()) ??
    suggest(word, names.map(([name]) => name)) ??
    leading.get(suggest(word, long, 1 / 3) ?? "");
}

/** A word as it was typed, if it can be shown so. */
export function shown(word: string): string {
  return /^[\w.:/-]{1,60}$/.test(word) ? word : quote(word);
}

/** A word as a shell takes it: in single quotes, if it would do something with it otherwise. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
