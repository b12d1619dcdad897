/**
 * Random events that conform to the schemas of a catalog, for `mq app`. The same seed gives the same events.
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
import { RandomChoice, type SampleEvent, SampleRecords } from "./sample_events.ts";

/** How many times data is generated for one event until it is valid: the generator does not support all of JSON Schema. */
const MAX_TRIES = 20;

/** The tokens that replace the wildcards of a pattern. */
const TOKENS = ["alpha", "beta", "gamma", "delta"];

/** Generates data from a schema. */
type Generate = typeof import("json-schema-faker").generateSync;

/**
 * Generates random events without end.
 *
 * @param seed An integer. The same seed gives the same events.
 * @param catalog The catalog with the names and schemas.
 * @throws {UsageError} If no valid data can be generated for one of the events.
 */
export async function catalogSamples(seed: number, catalog: Catalog): Promise<Generator<SampleEvent, never>> {
  const { generateSync } = await import("json-schema-faker");
  return new CatalogSampler(seed, catalog, generateSync).events();
}

class CatalogSampler {
  readonly #catalog: Catalog;
  readonly #generate: Generate;
  readonly #random: RandomChoice;
  readonly #records: SampleRecords;
  /** Valid data by pattern, for an event for which none can be generated. */
  readonly #fallback: ReadonlyMap<string, Json>;

  constructor(seed: number, catalog: Catalog, generate: Generate) {
    this.#catalog = catalog;
    this.#generate = generate;
    this.#random = new RandomChoice(seed);
    this.#records = new SampleRecords(this.#random);
    this.#fallback = new Map(catalog.entries.map((info) => [info.pattern, this.#fallbackFor(info)]));
  }

  *events(): Generator<SampleEvent, never> {
    const patterns = this.#catalog.entries.map(({ pattern }) => pattern);
    const names = patterns.filter(isName);
    // Nobody subscribes to invented names where the catalog has plain ones.
    const choice = names.length > 0 ? names : patterns;
    while (true) {
      const name = this.#nameFor(this.#random.oneOf(choice));
      const info = this.#catalog.find(name)!; // An earlier pattern of the catalog may match the name.
      yield { name, data: this.#dataFor(info, name) ?? this.#fallback.get(info.pattern)! };
    }
  }

  #fallbackFor(info: EventInfo): Json {
    const data = info.example ?? this.#dataFor(info, this.#nameFor(info.pattern));
    if (data !== undefined) return data;
    const hint = `add an "example" to its entry in the catalog, which is then published unchanged`;
    throw new UsageError(`cannot generate data for ${info.pattern} that conforms to its schema`, hint);
  }

  #nameFor(pattern: string): string {
    return pattern.split(".").map((token) => "*>".includes(token) ? this.#random.oneOf(TOKENS) : token).join(".");
  }

  #dataFor({ pattern, schema }: EventInfo, name: string): Json | undefined {
    if (schema === undefined) return this.#records.dataFor(name);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const data = this.#tryGenerate(schema);
      if (data !== undefined && this.#isValid(pattern, formatEvent(name, encodeData(data)))) return data;
    }
  }

  #tryGenerate(schema: Json): Json | undefined {
    try {
      return this.#generate(schema as Parameters<Generate>[0], { seed: this.#random.below(2 ** 31) }) as Json;
    } catch {
      return undefined; // The generator does not support something in the schema.
    }
  }

  #isValid(pattern: string, line: string): boolean {
    try {
      this.#catalog.check(pattern, line);
      return true;
    } catch (error) {
      if (error instanceof ProtocolError) return false;
      throw error;
    }
  }
}
