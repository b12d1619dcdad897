/**
 * Texts of records: their names, and which of them match.
 *
 * @module
 */
import { Pattern } from "../protocol/pattern.ts";
import { ID_CHARACTERS, nameOfRecord } from "./record.ts";

/** How many names are remembered with whether they match. Past that all are forgotten. */
const MAX_NAMES = 10_000;

/** Matches names with patterns, and remembers those that it has seen. */
export class NameMatcher {
  readonly #patterns: readonly Pattern[];
  readonly #known = new Map<string, boolean>();
  /** Whether all names match: those that begin with `mq.` are in no log. */
  readonly matchesAll: boolean;

  /**
   * Makes a matcher.
   *
   * @param patterns The texts of the patterns.
   */
  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map((text) => new Pattern(text));
    this.matchesAll = patterns.includes(">");
  }

  /**
   * Whether a record matches.
   *
   * @param text A text of records.
   * @param start Where the record begins.
   * @returns True if one of the patterns matches the name of its event.
   */
  matches(text: string, start: number): boolean {
    if (this.matchesAll) return true;
    const name = nameOfRecord(text, start);
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const isMatch = this.#patterns.some((pattern) => pattern.matches(name));
    if (this.#known.size === MAX_NAMES) this.#known.clear();
    this.#known.set(name, isMatch);
    return isMatch;
  }
}

/**
 * Counts the records whose id is not behind another one.
 *
 * @param text The records, in the order of their ids.
 * @param id The id.
 * @returns How many there are, and where the text behind them begins.
 */
export function countUpTo(text: string, id: string): { count: number; end: number } {
  let [count, end] = [0, 0];
  while (end < text.length && text.slice(end, end + ID_CHARACTERS) <= id) {
    count++;
    end = text.indexOf("\n", end) + 1;
  }
  return { count, end };
}

/**
 * Selects the records that match.
 *
 * @param text The records.
 * @param matcher Decides which.
 * @returns Their text, and how many there are.
 */
export function selectRecords(text: string, matcher: NameMatcher): { text: string; count: number } {
  let [selected, count] = ["", 0];
  let from = 0; // Where the run of records that match begins.
  for (let start = 0; start < text.length;) {
    const end = text.indexOf("\n", start) + 1;
    if (matcher.matches(text, start)) count++;
    else {
      selected += text.slice(from, start);
      from = end;
    }
    start = end;
  }
  return { text: selected + text.slice(from), count };
}

/**
 * The id of the last record of a text.
 *
 * @param text The records.
 * @returns Its id.
 */
export function lastId(text: string): string {
  const start = text.lastIndexOf("\n", text.length - 2) + 1;
  return text.slice(start, start + ID_CHARACTERS);
}
