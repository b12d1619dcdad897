/**
 * Made-up events of a made-up database, for `mq app`. The same seed makes the same events.
 *
 * @module
 */
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { RandomGenerator } from "pure-rand/types/RandomGenerator";
import type { Json } from "../../lib/protocol/data.ts";
import { DEFAULT_EVENTS } from "../../lib/protocol/event.ts";

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
  const dice = new Dice(seed);
  const records = new Records(dice);
  while (true) {
    const name = dice.oneOf(names);
    yield { name, data: records.about(name) };
  }
}

/** Chance, the same for the same seed. */
export class Dice {
  readonly #random: RandomGenerator;

  constructor(seed: number) {
    this.#random = xoroshiro128plus(mix(seed));
  }

  /** A whole number from 0 on, less than the limit. */
  below(limit: number): number {
    return uniformInt(this.#random, 0, limit - 1);
  }

  oneOf<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }
}

/** The records of the database. */
export class Records {
  readonly #dice: Dice;
  #lastId: number;

  constructor(dice: Dice) {
    this.#dice = dice;
    this.#lastId = dice.below(100);
  }

  /** The data of an event of a name. */
  about(name: string): Json {
    const table = this.#dice.oneOf(TABLES);
    switch (name) {
      case "create":
        return { table, id: ++this.#lastId, name: this.#dice.oneOf(NAMES) };
      case "update":
        return { table, id: this.#anyId(), changed: { name: this.#dice.oneOf(NAMES) } };
      case "error":
        return this.#dice.oneOf(ERRORS);
      default:
        return { table, id: this.#anyId() };
    }
  }

  #anyId(): number {
    return 1 + this.#dice.below(this.#lastId || 1);
  }
}

/** Spreads near seeds apart (the finalizer of MurmurHash3): the generator begins alike for seeds that are alike. */
function mix(seed: number): number {
  let hash = seed ^ Math.floor(seed / 2 ** 32);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
