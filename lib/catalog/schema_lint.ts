/**
 * Finds what is odd about a schema although the standard allows it: most often a slip. Everything here is pure.
 *
 * @module
 */
import { closestString } from "@std/text/closest-string";
import { levenshteinDistance } from "@std/text/levenshtein-distance";
import type { Json } from "../protocol/data.ts";
import { quote } from "../protocol/errors.ts";
import { isObject, type Path } from "./json_source.ts";

/** What is odd. */
export interface Oddity {
  /** Where in the schema. */
  readonly path: Path;
  /** What it is, in a sentence. */
  readonly why: string;
}

/** A schema that is no boolean. */
type Schema = { readonly [key: string]: Json };

/** The keywords that bear upon values of one type alone, by that type. */
const KEYWORDS_OF_TYPES: Record<string, string[]> = {
  object: [
    ...[
      "properties",
      "patternProperties",
      "additionalProperties",
      "unevaluatedProperties",
      "propertyNames",
      "required",
    ],
    ...["minProperties", "maxProperties", "dependentRequired", "dependentSchemas", "dependencies"],
  ],
  array: [
    ...["items", "prefixItems", "additionalItems", "unevaluatedItems", "contains", "minContains", "maxContains"],
    ...["minItems", "maxItems", "uniqueItems"],
  ],
  string: ["minLength", "maxLength", "pattern", "contentEncoding", "contentMediaType", "contentSchema"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
};

const TYPES_OF_KEYWORDS: ReadonlyMap<string, string> = new Map(
  Object.entries(KEYWORDS_OF_TYPES).flatMap(([type, keywords]) => keywords.map((keyword) => [keyword, type])),
);

const KEYWORDS: ReadonlySet<string> = new Set([
  ...TYPES_OF_KEYWORDS.keys(),
  ...["$schema", "$id", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary", "$comment", "$defs"],
  ...["type", "enum", "const", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "format", "definitions"],
  ...["title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"],
]);

/** The keywords that do nothing without another. */
const COMPANIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ["then", ["if"]],
  ["else", ["if"]],
  ["if", ["then", "else"]],
  ["minContains", ["contains"]],
  ["maxContains", ["contains"]],
]);

/** What is bounded from both sides. */
const BOUNDED = ["Contains", "Items", "Length", "Properties", "imum"];

/** Keywords whose value is a schema; lists of them, too. */
const HOLD_A_SCHEMA: ReadonlySet<string> = new Set([
  ...["additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not"],
  ...["propertyNames", "then", "unevaluatedItems", "unevaluatedProperties", "allOf", "anyOf", "oneOf", "prefixItems"],
]);

/** Keywords whose value has schemas by keys that anybody may choose. */
const HOLD_A_MAP: ReadonlySet<string> = new Set([
  ...["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"],
]);

/** How far a word may be from the one that was meant. */
const MAX_DISTANCE = 2;

/**
 * The schemas right below a schema.
 *
 * @param schema The schema.
 * @returns Each with where it stands in it.
 */
export function* subschemas(schema: Json): Generator<[path: Path, schema: Json]> {
  if (!isObject(schema)) return;
  for (const [keyword, value] of Object.entries(schema)) {
    if (HOLD_A_SCHEMA.has(keyword) && !Array.isArray(value)) yield [[keyword], value];
    else if (HOLD_A_SCHEMA.has(keyword) || (HOLD_A_MAP.has(keyword) && isObject(value))) {
      for (const [key, part] of Object.entries(value as object)) yield [[keyword, key], part];
    }
  }
}

/**
 * A schema, and all below it.
 *
 * @param schema The schema.
 * @returns Each with where it stands.
 */
export function* everySchema(schema: Json): Generator<[path: Path, schema: Json]> {
  yield [[], schema];
  for (const [path, part] of subschemas(schema)) {
    for (const [at, below] of everySchema(part)) yield [[...path, ...at], below];
  }
}

/**
 * Finds what is odd about a schema and those below it.
 *
 * @param schema The schema.
 * @param isOpen Whether anybody may add keywords, as in AsyncAPI.
 * @param formats The formats that are known.
 * @returns What is odd, in no particular order.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const [{ path, why }] = lint({ properties: { id: { typ: "integer" } } }, false, new Set());
 * assertEquals(path, ["properties", "id", "typ"]);
 * assertEquals(why, '"typ" is no keyword of JSON Schema and has no effect; did you mean "type"?');
 * ```
 */
export function* lint(schema: Json, isOpen: boolean, formats: ReadonlySet<string>): Generator<Oddity> {
  for (const [path, part] of everySchema(schema)) {
    if (!isObject(part)) continue;
    const odd = [...oddKeywords(part, isOpen), ...oddFormat(part, formats), ...oddBounds(part)];
    for (const [keyword, why] of odd) yield { path: [...path, keyword], why };
  }
}

function* oddKeywords(schema: Schema, isOpen: boolean): Generator<[keyword: string, why: string]> {
  const types = typesOf(schema);
  for (const keyword of Object.keys(schema)) {
    if (!KEYWORDS.has(keyword)) {
      if (!isOpen && !keyword.startsWith("x-")) yield [keyword, unknownKeyword(keyword)];
      continue;
    }
    const companions = COMPANIONS.get(keyword) ?? [];
    if (companions.length > 0 && !companions.some((companion) => Object.hasOwn(schema, companion))) {
      yield [keyword, `"${keyword}" has no effect without ${companions.map((each) => `"${each}"`).join(" or ")}`];
    }
    const type = TYPES_OF_KEYWORDS.get(keyword);
    if (type !== undefined && types !== undefined && !types.has(type)) {
      yield [keyword, `"${keyword}" is for the type ${type} and has no effect on ${[...types].join(" or ")}`];
    }
  }
}

function unknownKeyword(keyword: string): string {
  const closest = closestString(keyword, [...KEYWORDS]);
  const isClose = levenshteinDistance(keyword, closest) <= MAX_DISTANCE;
  const hint = isClose ? `; did you mean "${closest}"?` : "";
  return `${quote(keyword)} is no keyword of JSON Schema and has no effect${hint}`;
}

function typesOf({ type }: Schema): Set<Json> | undefined {
  if (type === undefined) return undefined;
  return new Set([type].flat().map((each) => each === "integer" ? "number" : each));
}

function* oddFormat({ format }: Schema, formats: ReadonlySet<string>): Generator<[keyword: string, why: string]> {
  if (typeof format !== "string" || formats.has(format)) return;
  yield ["format", `the format ${quote(format)} is not known, so nothing is held to it`];
}

function* oddBounds(schema: Schema): Generator<[keyword: string, why: string]> {
  for (const bounded of BOUNDED) {
    const [least, most] = [`min${bounded}`, `max${bounded}`];
    if (Number(schema[least]) > Number(schema[most])) yield [least, `"${least}" is above "${most}": nothing can fit`];
  }
}
