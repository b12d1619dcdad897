/**
 * The random events of `mq app`: changes of sample records in a database. The same seed gives the same events.
 *
 * @module
 */
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { RandomGenerator } from "pure-rand/types/RandomGenerator";
import type { Json } from "../../lib/protocol/data.ts";
import { DEFAULT_EVENTS } from "../../lib/protocol/event.ts";

/** The names that `mq app` uses by default: those that a broker recognizes by default, and two that it does not. */
export const SAMPLE_EVENTS: readonly string[] = [...DEFAULT_EVENTS, "archive", "login"];

const TABLES = ["users", "orders", "books", "songs"];
const NAMES = ["Ada", "Grace", "Edsger", "Barbara", "Donald", "Radia", "Linus", "Margaret", "Alan", "Frances"];
const ERRORS = ["disk full", "connection to replica lost", "deadlock found", "query took too long"];

/** An event to publish. */
export interface SampleEvent {
  name: string;
  data: Json;
}

/**
 * Generates random events without end.
 *
 * @param seed An integer. The same seed gives the same events.
 * @param names The names to choose from.
 */
export function* sampleEvents(seed: number, names: readonly string[]): Generator<SampleEvent, never> {
  const random = new RandomChoice(seed);
  const records = new SampleRecords(random);
  while (true) {
    const name = random.oneOf(names);
    yield { name, data: records.dataFor(name) };
  }
}

/** Random numbers and choices from a seed. */
export class RandomChoice {
  readonly #generator: RandomGenerator;

  constructor(seed: number) {
    this.#generator = xoroshiro128plus(mix(seed));
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return uniformInt(this.#generator, 0, limit - 1);
  }

  oneOf<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }
}

/** The records that the events are about. */
export class SampleRecords {
  readonly #random: RandomChoice;
  #lastId: number;

  constructor(random: RandomChoice) {
    this.#random = random;
    this.#lastId = random.below(100);
  }

  /** The data of the next event of that name. */
  dataFor(name: string): Json {
    const table = this.#random.oneOf(TABLES);
    switch (name) {
      case "create":
        return { table, id: ++this.#lastId, name: this.#random.oneOf(NAMES) };
      case "update":
        return { table, id: this.#anyId(), changed: { name: this.#random.oneOf(NAMES) } };
      case "error":
        return this.#random.oneOf(ERRORS);
      default:
        return { table, id: this.#anyId() };
    }
  }

  #anyId(): number {
    return 1 + this.#random.below(this.#lastId || 1);
  }
}

/** The finalizer of MurmurHash3: with seeds that are close together the generator would begin with similar numbers. */
function mix(seed: number): number {
  let hash = seed ^ Math.floor(seed / 2 ** 32);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
