/**
 * Who subscribes to a name: an index of patterns. A name has few forms that a pattern which matches it can have, and each is
 * one look-up: so a name of few tokens is looked up in the same time however many patterns there are.
 *
 * @module
 */
import type { Pattern } from "../protocol/pattern.ts";

/** The holders of one pattern. Most have one, and a set takes much memory. */
interface Entry<H> {
  readonly pattern: Pattern;
  holders: H | Set<H>;
}

/**
 * An index from patterns to those who hold them, which are anything but sets.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Pattern } from "../protocol/pattern.ts";
 *
 * const index = new PatternIndex<string>();
 * index.add(new Pattern("order.*"), "shop");
 * index.add(new Pattern(">"), "log");
 * index.add(new Pattern("order.paid"), "log");
 * assertEquals([...index.find("order.paid")].sort(), ["log", "shop"]);
 * assertEquals([...index.find("order")], ["log"]);
 * ```
 */
export class PatternIndex<H> {
  readonly #entries = new Map<string, Entry<H>>();

  /**
   * Adds a holder of a pattern.
   *
   * @param pattern The pattern.
   * @param holder Who holds it.
   */
  add(pattern: Pattern, holder: H): void {
    const entry = this.#entries.get(pattern.text);
    if (entry === undefined) this.#entries.set(pattern.text, { pattern, holders: holder });
    else if (entry.holders instanceof Set) entry.holders.add(holder);
    else entry.holders = new Set([entry.holders, holder]);
  }

  /**
   * Removes a holder of a pattern.
   *
   * @param text The pattern.
   * @param holder Who holds it.
   */
  delete(text: string, holder: H): void {
    const { holders } = this.#entries.get(text)!;
    if (holders instanceof Set && holders.size > 1) holders.delete(holder);
    else this.#entries.delete(text);
  }

  /**
   * Finds who holds a pattern that matches a name.
   *
   * @param name A well-formed name.
   * @returns The holders, each once.
   */
  find(name: string): Set<H> {
    const found = new Set<H>();
    const tokens = name.split(".");
    // A token of the name is there in a pattern or is a wildcard, and the pattern may end in `>` at each of them.
    if (2 ** (tokens.length + 1) < this.#entries.size) this.#findForms(tokens, found);
    else {
      for (const { pattern, holders } of this.#entries.values()) {
        if (pattern.matchesTokens(tokens)) addAll(found, holders);
      }
    }
    return found;
  }

  #findForms(tokens: readonly string[], found: Set<H>): void {
    const isSystem = tokens[0] === "mq" && tokens.length > 1; // Nobody hears of these who does not ask for `mq`.
    let beginnings = [""];
    for (const [index, token] of tokens.entries()) {
      const forms = isSystem && index === 0 ? [token] : [token, "*"];
      if (!isSystem || index > 0) { for (const beginning of beginnings) this.#take(beginning + ">", found); }
      const end = index === tokens.length - 1 ? "" : ".";
      beginnings = beginnings.flatMap((beginning) => forms.map((form) => beginning + form + end));
    }
    for (const text of beginnings) this.#take(text, found);
  }

  #take(text: string, found: Set<H>): void {
    const entry = this.#entries.get(text);
    if (entry !== undefined) addAll(found, entry.holders);
  }
}

function addAll<H>(found: Set<H>, holders: H | Set<H>): void {
  if (!(holders instanceof Set)) found.add(holders);
  else for (const holder of holders) found.add(holder);
}
