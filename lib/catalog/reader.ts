/**
 * Reads a catalog from a text, and compiles the schemas of its entries.
 *
 * @module
 */
import { ProtocolError, quote } from "../protocol/errors.ts";
import { checkRecognizable, Pattern } from "../protocol/pattern.ts";
import type { EventInfo } from "../protocol/responses.ts";
import { isAsyncApi, readAsyncApi } from "./asyncapi.ts";
import { type CatalogEntry, explain } from "./catalog.ts";
import { isObject, JsonSource, type LocatedValue, parsePointer, type Path } from "./json_source.ts";
import { SchemaCompiler } from "./schema.ts";

/** The keys that an entry may have. */
const ENTRY_KEYS = ["description", "schema", "example"];

/** The form of a catalog, for error messages. */
const FORM = '{"NAME": {"description": "...", "schema": {...}, "example": ...}}';

/** An entry of a catalog before its schema is compiled. */
export interface RawEntry {
  /** The entry as `/events` returns it. */
  readonly info: EventInfo;
  /** Where its pattern and its example are in the text. */
  readonly paths: { readonly pattern: Path; readonly example: Path };
  /** The schemas in the text that `info.schema` is made of; in a catalog of mq's own format, at most one. */
  readonly schemas: readonly LocatedValue[];
}

/**
 * Reads a catalog.
 *
 * @param text The catalog in JSON or YAML.
 * @param name What errors and warnings call it; see {@linkcode JsonSource.read}.
 * @returns Its entries in the order of the text, and its warnings.
 * @throws {MqError} With the code `bad-catalog`, if the catalog is not valid.
 */
export async function readCatalog(
  text: string,
  name: string,
): Promise<{ entries: CatalogEntry[]; warnings: string[] }> {
  const source = await JsonSource.read(text, name);
  const isForeign = isAsyncApi(source);
  const rawEntries = isForeign ? readAsyncApi(source) : readEntries(source);
  const compiler = await SchemaCompiler.load(isForeign ? "asyncapi" : "2020-12");
  return { entries: rawEntries.map((entry) => compileEntry(entry, compiler, source)), warnings: source.warnings };
}

function readEntries(source: JsonSource): RawEntry[] {
  if (!isObject(source.value)) throw source.error([], `a catalog must be an object: ${FORM}`);
  const names = Object.keys(source.value);
  if (names.length === 0) throw source.error([], `the catalog has no events: ${FORM}`);
  return names.map((name) => readEntry(name, source));
}

function readEntry(name: string, source: JsonSource): RawEntry {
  const entry = source.at([name]) ?? {}; // In YAML, a name without a value is null.
  if (!isObject(entry)) throw source.error([name], `the entry of ${quote(name)} must be an object`);
  const unknown = Object.keys(entry).find((key) => !ENTRY_KEYS.includes(key));
  if (unknown !== undefined) {
    throw source.error([name, unknown], `unknown key ${quote(unknown)}: an entry has ${ENTRY_KEYS.join(", ")}`);
  }
  const { description, schema, example } = entry;
  if (description !== undefined && typeof description !== "string") {
    throw source.error([name, "description"], "a description must be a string");
  }
  const schemas = schema === undefined ? [] : [{ value: schema, path: [name, "schema"] }];
  const paths = { pattern: [name], example: [name, "example"] };
  return { info: { pattern: name, description, schema, example }, paths, schemas };
}

function compileEntry({ info, paths, schemas }: RawEntry, compiler: SchemaCompiler, source: JsonSource): CatalogEntry {
  checkPattern(info.pattern, paths.pattern, source);
  const pattern = new Pattern(info.pattern);
  const validate = info.schema === undefined ? undefined : compiler.compile(info.schema, schemas, source);
  const error = info.example === undefined ? undefined : validate?.(info.example);
  if (error === undefined) return { info, pattern, validate };
  const path = [...paths.example, ...parsePointer(error.pointer)];
  if (!isAsyncApi(source)) throw source.error(path, explain("the example", error));
  source.warn(path, `${explain("the example", error)}, so it is ignored`);
  return { info: { ...info, example: undefined }, pattern, validate };
}

function checkPattern(pattern: string, path: Path, source: JsonSource): void {
  try {
    checkRecognizable([pattern]);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw source.error(path, error.message);
  }
}
