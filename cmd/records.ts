/**
 * Made-up events of a made-up database, for `mq app`. The same seed makes the same events.
 *
 * @module
 */
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { DEFAULT_EVENTS, type Json } from "../mod.ts";

/** What an app barks unless told otherwise: what a broker recognizes, and two names that it does not. */
export const BARKED_EVENTS: readonly string[] = [...DEFAULT_EVENTS, "archive", "login"];

const TABLES = ["users", "orders", "books", "songs"];
const NAMES = ["Ada", "Grace", "Edsger", "Barbara", "Donald", "Radia", "Linus", "Margaret", "Alan", "Frances"];
const ERRORS = ["disk full", "connection to replica lost", "deadlock found", "query took too long"];

/** An event to publish. */
export interface MadeUpEvent {
  name: string;
  data: Json;
}

/**
 * Makes events up, for ever.
 *
 * @param seed Any whole number: decides which events come.
 * @param names The names to choose from.
 * @returns The events.
 */
export function* makeUpEvents(seed: number, names: readonly string[]): Generator<MadeUpEvent, never> {
  const random = xoroshiro128plus(mix(seed));
  const below = (limit: number) => uniformInt(random, 0, limit - 1);
  const oneOf = <T>(items: readonly T[]) => items[below(items.length)];
  let lastId = below(100);
  while (true) {
    const name = oneOf(names);
    const table = oneOf(TABLES);
    switch (name) {
      case "create":
        yield { name, data: { table, id: ++lastId, name: oneOf(NAMES) } };
        break;
      case "update":
        yield { name, data: { table, id: 1 + below(lastId || 1), changed: { name: oneOf(NAMES) } } };
        break;
      case "error":
        yield { name, data: oneOf(ERRORS) };
        break;
      default:
        yield { name, data: { table, id: 1 + below(lastId || 1) } };
    }
  }
}

/** Spreads near seeds apart (the finalizer of MurmurHash3): the generator begins alike for seeds that are alike. */
function mix(seed: number): number {
  let hash = seed ^ Math.floor(seed / 2 ** 32);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
