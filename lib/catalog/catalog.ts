/**
 * The catalog of a broker's events: a description, a schema of the data and an example for each.
 *
 * This module loads no parser and no schema compiler. {@linkcode parseCatalog} imports them when it is called.
 *
 * @module
 */
import { decodeData, isTooDeep } from "../protocol/data.ts";
import { ProtocolError, quote, visible } from "../protocol/errors.ts";
import type { Pattern } from "../protocol/pattern.ts";
import { takeWord } from "../protocol/text.ts";
import type { EventInfo } from "../protocol/responses.ts";

/** A longer explanation is cut off at this many UTF-16 code units. */
const MAX_EXPLANATION_CHARACTERS = 300;

/** Data that is nested deeper than JSON is parsed, or than the stack allows a recursive schema. */
export const TOO_DEEP: ValidationError = { pointer: "", rule: "must not be nested that deeply" };

/** Why a value does not match a schema. */
export interface ValidationError {
  /** The invalid part of the value, as a JSON pointer; empty for the value itself. */
  readonly pointer: string;
  /** The rule that it breaks, such as `must be integer`. */
  readonly rule: string;
}

/** Validates a value: returns the first error, or undefined if the value is valid. */
export type Validator = (value: unknown) => ValidationError | undefined;

/** One entry of a catalog. */
export interface CatalogEntry {
  /** The entry as `/events` returns it. */
  readonly info: EventInfo;
  /** Matches the names of its events. */
  readonly pattern: Pattern;
  /** Validates their data; undefined if any data is valid. */
  readonly validate: Validator | undefined;
}

/**
 * The events that a broker recognizes, with their schemas. {@linkcode parseCatalog} makes one from a text.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 *
 * const catalog: Catalog = await parseCatalog('{"order.created":{"schema":{"type":"object"}}}');
 * await using broker = new Broker({ catalog });
 * assertEquals(broker.events, ["order.created"]);
 * ```
 */
export class Catalog {
  /** Likely mistakes, and parts that mq cannot use: one sentence each, with the name and the line of the text. */
  readonly warnings: readonly string[];
  readonly #entries: ReadonlyMap<string, CatalogEntry>;

  /**
   * Makes a catalog.
   *
   * @param entries Its entries, in any order.
   * @param warnings What {@linkcode Catalog.warnings} returns.
   */
  constructor(entries: readonly CatalogEntry[], warnings: readonly string[] = []) {
    this.warnings = warnings;
    const literals = entries.filter(({ pattern }) => pattern.isLiteral);
    const others = entries.filter(({ pattern }) => !pattern.isLiteral);
    this.#entries = new Map([...literals, ...others].map((entry) => [entry.info.pattern, entry]));
  }

  /** The entries in the order in which they are tried: literal names first, then patterns. */
  get entries(): EventInfo[] {
    return [...this.#entries.values()].map(({ info }) => info);
  }

  /**
   * Finds the entry of an event.
   *
   * @param name The event's name.
   * @returns The first entry that matches; undefined if none does.
   */
  find(name: string): EventInfo | undefined {
    return [...this.#entries.values()].find(({ pattern }) => pattern.matches(name))?.info;
  }

  /**
   * Validates the data of an event.
   *
   * @param by The pattern of the entry that recognizes the event.
   * @param line The event as a line: `NAME DATA`.
   * @throws {ProtocolError} With the code `invalid-data`, if the data does not match the schema of that entry.
   */
  check(by: string, line: string): void {
    const validate = this.#entries.get(by)?.validate;
    if (validate === undefined) return;
    const [name, text] = takeWord(line);
    const error = isTooDeep(text) ? TOO_DEEP : validate(decodeData(text));
    if (error) throw new ProtocolError("invalid-data", `Cannot take ${name}: ${explain("its data", error)}`);
  }
}

/**
 * Reads a catalog. It is an object with the names or patterns of events as keys and
 * `{"description", "schema", "example"}` as values, or an AsyncAPI document of version 2 or 3, in which each channel is
 * an event.
 *
 * @param text The catalog in JSON or YAML; the schemas are JSON Schema 2020-12 or draft-07, or those of AsyncAPI.
 * @param name What errors and warnings call the catalog, such as the name of its file. `.json`, `.yml` or `.yaml` at its
 * end selects the format of the text; without one, a text that begins with a bracket is JSON, and any other is YAML.
 * @returns The catalog. Likely mistakes that the standards allow are in its `warnings`.
 * @throws {MqError} With the code `bad-catalog`, if the catalog is not valid; the message has the line and the reason.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 *
 * const catalog = await parseCatalog('{"order.*": {"schema": {"required": ["id"]}, "example": {"id": 1}}}');
 * await using broker = new Broker({ catalog });
 * assertEquals(broker.events, ["order.*"]);
 * ```
 *
 * @example A mistake in YAML
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const { warnings } = await parseCatalog("order.paid:\n  schema:\n    typ: object", "shop.yml");
 * const why = '"typ" is not a keyword of JSON Schema and has no effect; did you mean "type"?';
 * assertEquals(warnings, [`shop.yml, line 3: ${why}`]);
 * ```
 */
export async function parseCatalog(text: string, name = "The catalog"): Promise<Catalog> {
  const { readCatalog } = await import("./reader.ts");
  const { entries, warnings } = await readCatalog(text, name);
  return new Catalog(entries, warnings);
}

/**
 * Explains a validation error.
 *
 * @param what What was validated, such as `its data`.
 * @param error The error.
 * @returns A sentence on one line without control characters: parts of it may come from a publisher.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(explain("its data", { pointer: "/id", rule: "must be integer" }), "its data at /id must be integer");
 * ```
 */
export function explain(what: string, { pointer, rule }: ValidationError): string {
  const where = pointer === "" ? "" : ` at ${quote(pointer).slice(1, -1)}`;
  const sentence = visible(`${what}${where} ${rule}`);
  const isLong = sentence.length > MAX_EXPLANATION_CHARACTERS;
  return isLong ? sentence.slice(0, MAX_EXPLANATION_CHARACTERS) + "…" : sentence;
}
