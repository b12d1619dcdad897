/**
 * The catalog of a broker's events: what each is for, what data it carries, and an example.
 *
 * @module
 */
import type { EventInfo } from "../protocol/responses.ts";
import { type Draft, isAsyncApi, readAsyncApi } from "./asyncapi.ts";
import { decodeData } from "../protocol/data.ts";
import { ProtocolError, quote } from "../protocol/errors.ts";
import { checkRecognizable, Pattern } from "../protocol/pattern.ts";
import { isObject, JsonSource, parsePointer } from "./json_source.ts";
import { takeWord } from "../protocol/text.ts";
import { explain, Schemas, type Validator } from "./schema.ts";

/** What an entry of a catalog may say. */
const ENTRY_KEYS = ["description", "schema", "example"];

/** One entry of a catalog. */
export interface Entry {
  /** What it says. */
  readonly info: EventInfo;
  /** What recognizes its events. */
  readonly pattern: Pattern;
  /** What judges their data; undefined if any will do. */
  readonly judge: Validator | undefined;
}

/** The events that a broker recognizes, and what it knows of them. Make one with {@linkcode parseCatalog}. */
export class Catalog {
  /** What was found in it that may be a slip, or that mq cannot read: a sentence each, with its line. */
  readonly warnings: readonly string[];
  readonly #entries: ReadonlyMap<string, Entry>;

  /**
   * Makes a catalog.
   *
   * @param entries Its entries, in any order.
   * @param warnings What was found in it that may be a slip.
   */
  constructor(entries: readonly Entry[], warnings: readonly string[] = []) {
    this.warnings = warnings;
    const literals = entries.filter(({ pattern }) => pattern.isLiteral);
    const others = entries.filter(({ pattern }) => !pattern.isLiteral);
    this.#entries = new Map([...literals, ...others].map((entry) => [entry.info.pattern, entry]));
  }

  /** What it says of each event: names before patterns, in the order in which they are tried. */
  get entries(): EventInfo[] {
    return [...this.#entries.values()].map(({ info }) => info);
  }

  /**
   * What it says of the events of a name.
   *
   * @param name An event's name.
   * @returns The first entry that matches; undefined if there is none.
   */
  find(name: string): EventInfo | undefined {
    return [...this.#entries.values()].find(({ pattern }) => pattern.matches(name))?.info;
  }

  /**
   * Judges the data of an event.
   *
   * @param by The pattern of the entry that recognizes it.
   * @param line Its line.
   * @throws {ProtocolError} With the code `invalid-data`, if the data does not fit that entry's schema.
   */
  check(by: string, line: string): void {
    const judge = this.#entries.get(by)?.judge;
    if (judge === undefined) return;
    const [name, text] = takeWord(line);
    const misfit = judge(decodeData(text));
    if (misfit) throw new ProtocolError("invalid-data", `Cannot take ${name}: ${explain("its data", misfit)}`);
  }
}

/**
 * Reads a catalog: an object with the names or patterns of events as keys, and what is known of each as
 * `{"description", "schema", "example"}`; or an AsyncAPI document of version 2 or 3, of which each channel is an event.
 *
 * @param text The catalog in JSON or YAML; the schemas are JSON Schema 2020-12, or those of AsyncAPI.
 * @param name What the catalog is called in errors, such as the name of its file. One that ends in `.json`, `.yml` or
 * `.yaml` says what the text is written in; otherwise one that begins with a bracket is JSON.
 * @returns The catalog. What may be a slip in it, although the standards allow it, is in its `warnings`.
 * @throws {MqError} With the code `bad-catalog`, if it cannot be used; the message names the line and the reason.
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
 * @example In YAML, with a slip
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const { warnings } = await parseCatalog("order.paid:\n  schema:\n    typ: object", "shop.yml");
 * const why = '"typ" is no keyword of JSON Schema and has no effect; did you mean "type"?';
 * assertEquals(warnings, [`shop.yml, line 3: ${why}`]);
 * ```
 */
export async function parseCatalog(text: string, name = "The catalog"): Promise<Catalog> {
  const source = await JsonSource.read(text, name);
  const isForeign = isAsyncApi(source);
  const drafts = isForeign ? readAsyncApi(source) : readEntries(source);
  const schemas = await Schemas.load(isForeign ? "asyncapi" : "2020-12");
  return new Catalog(drafts.map((draft) => complete(draft, schemas, source)), source.warnings);
}

function readEntries(source: JsonSource): Draft[] {
  const form = '{"NAME": {"description": "...", "schema": {...}, "example": ...}}';
  if (!isObject(source.value)) throw source.fault([], `a catalog is an object: ${form}`);
  const names = Object.keys(source.value);
  if (names.length === 0) throw source.fault([], `there is no event in it: ${form}`);
  return names.map((name) => readEntry(name, source));
}

function readEntry(name: string, source: JsonSource): Draft {
  const entry = source.at([name]) ?? {}; // In YAML, a name with nothing behind it is null.
  if (!isObject(entry)) throw source.fault([name], `what is known of ${quote(name)} stands in an object`);
  const unknown = Object.keys(entry).find((key) => !ENTRY_KEYS.includes(key));
  if (unknown !== undefined) {
    throw source.fault([name, unknown], `an event has ${ENTRY_KEYS.join(", ")}, and no ${quote(unknown)}`);
  }
  const { description, schema, example } = entry;
  if (description !== undefined && typeof description !== "string") {
    throw source.fault([name, "description"], "a description is a string");
  }
  const schemas = schema === undefined ? [] : [{ value: schema, path: [name, "schema"] }];
  const paths = { pattern: [name], example: [name, "example"] };
  return { info: { pattern: name, description, schema, example }, paths, schemas };
}

function complete({ info, paths, schemas: parts }: Draft, schemas: Schemas, source: JsonSource): Entry {
  try {
    checkRecognizable([info.pattern]);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw source.fault(paths.pattern, error.message);
  }
  const judge = info.schema === undefined ? undefined : schemas.compile(info.schema, parts, source);
  const pattern = new Pattern(info.pattern);
  const misfit = info.example === undefined ? undefined : judge?.(info.example);
  if (misfit === undefined) return { info, pattern, judge };
  const path = [...paths.example, ...parsePointer(misfit.pointer)];
  if (!isAsyncApi(source)) throw source.fault(path, explain("the example", misfit));
  source.warn(path, `${explain("the example", misfit)}, so ${info.pattern} is left without it`);
  return { info: { ...info, example: undefined }, pattern, judge };
}
