/**
 * Made-up events that fit a catalog, for `mq app`. The same seed makes the same events.
 *
 * @module
 */
import type { Catalog } from "../../lib/catalog/catalog.ts";
import { encodeData, type Json } from "../../lib/protocol/data.ts";
import { ProtocolError } from "../../lib/protocol/errors.ts";
import { isName } from "../../lib/protocol/event.ts";
import { formatEvent } from "../../lib/protocol/lines.ts";
import type { EventInfo } from "../../lib/protocol/responses.ts";
import { UsageError } from "../command.ts";
import { Dice, type MadeUpEvent, Records } from "./sample_events.ts";

/** How often data is made up anew that does not fit: a generator does not grasp everything that a schema can say. */
const MAX_TRIES = 20;

/** What takes the place of what a pattern leaves open. */
const WORDS = ["alpha", "beta", "gamma", "delta"];

/** Makes data up by a schema. */
type Generate = typeof import("json-schema-faker").generateSync;

/**
 * Makes events up, for ever. The generator of data is loaded now: most programs never need it.
 *
 * @param seed Any whole number: decides which events come.
 * @param catalog The catalog that they fit.
 * @returns The events.
 * @throws {UsageError} If there is an event for which no data can be made up.
 */
export async function makeUpFitting(seed: number, catalog: Catalog): Promise<Generator<MadeUpEvent, never>> {
  const { generateSync } = await import("json-schema-faker");
  return new Maker(seed, catalog, generateSync).events();
}

class Maker {
  readonly #catalog: Catalog;
  readonly #generate: Generate;
  readonly #dice: Dice;
  readonly #records: Records;
  /** Data that fits, by patterns, for when none can be made up. */
  readonly #spare: ReadonlyMap<string, Json>;

  constructor(seed: number, catalog: Catalog, generate: Generate) {
    this.#catalog = catalog;
    this.#generate = generate;
    this.#dice = new Dice(seed);
    this.#records = new Records(this.#dice);
    this.#spare = new Map(catalog.entries.map((info) => [info.pattern, this.#findSpare(info)]));
  }

  *events(): Generator<MadeUpEvent, never> {
    const patterns = this.#catalog.entries.map(({ pattern }) => pattern);
    const names = patterns.filter(isName);
    // What a pattern leaves open would have to be made up, and nobody waits for that where there are names.
    const choice = names.length > 0 ? names : patterns;
    while (true) {
      const name = this.#name(this.#dice.oneOf(choice));
      const info = this.#catalog.find(name)!; // Another one, perhaps, that comes before it.
      yield { name, data: this.#make(info, name) ?? this.#spare.get(info.pattern)! };
    }
  }

  #findSpare(info: EventInfo): Json {
    const data = info.example ?? this.#make(info, this.#name(info.pattern));
    if (data !== undefined) return data;
    const hint = `an "example" in its entry of the catalog, which is then published as it is`;
    throw new UsageError(`cannot make up data for ${info.pattern} that fits its schema`, hint);
  }

  #name(pattern: string): string {
    return pattern.split(".").map((token) => "*>".includes(token) ? this.#dice.oneOf(WORDS) : token).join(".");
  }

  #make({ pattern, schema }: EventInfo, name: string): Json | undefined {
    if (schema === undefined) return this.#records.about(name);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const data = this.#tryOut(schema);
      if (data !== undefined && this.#fits(pattern, formatEvent(name, encodeData(data)))) return data;
    }
  }

  #tryOut(schema: Json): Json | undefined {
    try {
      return this.#generate(schema as Parameters<Generate>[0], { seed: this.#dice.below(2 ** 31) }) as Json;
    } catch {
      return undefined; // There is something in the schema that it cannot do.
    }
  }

  #fits(pattern: string, line: string): boolean {
    try {
      this.#catalog.check(pattern, line);
      return true;
    } catch (error) {
      if (error instanceof ProtocolError) return false;
      throw error;
    }
  }
}
