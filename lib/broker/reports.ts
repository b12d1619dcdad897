/**
 * What the broker tells of its connections, in bounded space and time: a page of `/clients`, and `/why`.
 *
 * @module
 */
import { isReserved } from "../protocol/event.ts";
import { RESPONSE_BYTES } from "../protocol/limits.ts";
import type { Pattern } from "../protocol/pattern.ts";
import type { ClientInfo, Why } from "../protocol/responses.ts";
import { byteLength } from "../protocol/text.ts";
import type { Connection } from "./connection.ts";
import type { Route } from "./router.ts";

/** How many patterns of one connection are listed at most. */
const MAX_LISTED_PATTERNS = 10;

/** How many bytes the patterns of a page may take together: all else that a page of `/clients` tells takes 54 KiB at most. */
const PAGE_PATTERN_BYTES = 10 * 1024;

/** How many connections each list of `/why` has at most, and how many bytes. */
const [MAX_LISTED_CONNECTIONS, MAX_LIST_BYTES] = [100, RESPONSE_BYTES * 0.45];

/** How many bytes the patterns of a connection in `/why` may take. */
const WHY_PATTERN_BYTES = 300;

/** How many patterns `/why` tries, to find those that match. */
const MAX_TRIED_PATTERNS = 5000;

/** Some patterns of a connection, and how many it has. */
export interface ListedPatterns {
  /** The first patterns. */
  patterns: string[];
  /** How many there are. */
  patternCount: number;
}

/**
 * Lists the first patterns of a connection.
 *
 * @param patterns All its patterns, by their text.
 * @param maxBytes How many bytes they may take as JSON. Default: no limit.
 * @returns At most ten of them, each whole.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Pattern } from "../protocol/pattern.ts";
 *
 * const patterns = new Map(["create", "order.*"].map((text) => [text, new Pattern(text)]));
 * assertEquals(listPatterns(patterns), { patterns: ["create", "order.*"], patternCount: 2 });
 * assertEquals(listPatterns(patterns, 15), { patterns: ["create"], patternCount: 2 });
 * ```
 */
export function listPatterns(patterns: ReadonlyMap<string, Pattern>, maxBytes: number = Infinity): ListedPatterns {
  const listed: string[] = [];
  let bytes = 2; // The brackets.
  for (const text of patterns.keys()) {
    bytes += byteLength(text) + 3; // With its quotation marks and a comma.
    if (listed.length === MAX_LISTED_PATTERNS || bytes > maxBytes) break;
    listed.push(text);
  }
  return { patterns: listed, patternCount: patterns.size };
}

/**
 * Describes the connections of a page of `/clients`. Each gets an equal share of the room that the page has for patterns;
 * what one does not need, those after it may use.
 *
 * @param connections The connections.
 * @returns What `/clients` tells of them, with some of their patterns.
 */
export function describePage(connections: readonly Connection[]): ClientInfo[] {
  let leftBytes = PAGE_PATTERN_BYTES;
  return connections.map((connection, index) => {
    const { patterns } = listPatterns(connection.patterns, leftBytes / (connections.length - index));
    leftBytes -= byteLength(patterns.join()) + 3 * patterns.length;
    return connection.describe(patterns);
  });
}

/**
 * Explains who would get an event.
 *
 * @param route The route of its name, whether it is recognized or not.
 * @param connections All connections, the oldest first.
 * @returns The response to `/why`.
 */
export function explainRoute({ name, recognizedBy, groups }: Route, connections: Iterable<Connection>): Why {
  const by = recognizedBy ?? (isReserved(name) ? "mq.>" : null);
  const hearing = new Set(groups);
  const firstMatch = matcher(name);
  const hears = new BoundedList<Why["hears"][number]>();
  const ignores = new BoundedList<Why["ignores"][number]>();
  let receivers = 0;
  for (const { id, name, patterns, queue: { queuedBytes, isFull }, group, observe } of connections) {
    if (observe !== undefined) continue;
    if (group === undefined || !hearing.has(group)) {
      ignores.add(() => ({ id, name, ...listPatterns(patterns, WHY_PATTERN_BYTES) }));
      continue;
    }
    if (by !== null && !isFull) receivers++;
    hears.add(() => {
      const pattern = firstMatch(patterns);
      if (pattern === undefined) return undefined;
      return { id, name, pattern, queuedBytes, ...(isFull && { full: true }) };
    });
  }
  return {
    name,
    recognized: by !== null,
    by,
    receivers,
    hears: hears.items,
    hearsCount: hears.count,
    ignores: ignores.items,
    ignoresCount: ignores.count,
  };
}

/** Finds the first pattern that matches a name, until it has tried too many in all. */
function matcher(name: string): (patterns: ReadonlyMap<string, Pattern>) => string | undefined {
  const tokens = name.split(".");
  let left = MAX_TRIED_PATTERNS;
  return (patterns) => {
    for (const pattern of patterns.values()) {
      if (left-- <= 0) return undefined;
      if (pattern.matchesTokens(tokens)) return pattern.text;
    }
  };
}

/** A list that ends where it would be too long, and counts all the same. */
class BoundedList<T> {
  readonly items: T[] = [];
  count = 0;
  #leftBytes = MAX_LIST_BYTES;

  /** Adds an item, which is made only if there is room for it; undefined ends the list. */
  add(make: () => T | undefined): void {
    this.count++;
    if (this.items.length === MAX_LISTED_CONNECTIONS || this.#leftBytes <= 0) return;
    const item = make();
    this.#leftBytes = item === undefined ? 0 : this.#leftBytes - jsonBytes(item) - 1;
    if (item !== undefined && this.#leftBytes >= 0) this.items.push(item);
  }
}

function jsonBytes(value: unknown): number {
  return byteLength(JSON.stringify(value));
}
