/**
 * Finds likely mistakes in schemas: what the standard allows, but has no effect. Everything here is pure.
 *
 * @module
 */
import { closestString } from "@std/text/closest-string";
import { levenshteinDistance } from "@std/text/levenshtein-distance";
import type { Json } from "../protocol/data.ts";
import { quote } from "../protocol/errors.ts";
import { isObject, type Path } from "./json_source.ts";

/** A likely mistake. */
export interface LintWarning {
  /** Where it is in the schema. */
  readonly path: Path;
  /** What is wrong, in a sentence. */
  readonly why: string;
}

/** A schema that is not a boolean. */
type ObjectSchema = { readonly [key: string]: Json };

/** The keywords that apply to values of one type only, by that type. */
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

/** The keywords that have no effect without one of some others. */
const REQUIRED_KEYWORDS: ReadonlyMap<string, readonly string[]> = new Map([
  ["then", ["if"]],
  ["else", ["if"]],
  ["if", ["then", "else"]],
  ["minContains", ["contains"]],
  ["maxContains", ["contains"]],
]);

/** The ends of the keywords that come in pairs of `min` and `max`. */
const BOUNDS = ["Contains", "Items", "Length", "Properties", "imum"];

/** Keywords whose value is a schema, or a list of schemas. */
const SCHEMA_KEYWORDS: ReadonlySet<string> = new Set([
  ...["additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not"],
  ...["propertyNames", "then", "unevaluatedItems", "unevaluatedProperties", "allOf", "anyOf", "oneOf", "prefixItems"],
]);

/** Keywords whose value is an object with schemas as values. */
const SCHEMA_MAP_KEYWORDS: ReadonlySet<string> = new Set([
  ...["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"],
]);

/** The greatest edit distance to a keyword that is suggested. */
const MAX_DISTANCE = 2;

/**
 * Iterates over the direct subschemas of a schema.
 *
 * @param schema The schema.
 * @returns Each with its path.
 */
export function* subschemas(schema: Json): Generator<[path: Path, schema: Json]> {
  if (!isObject(schema)) return;
  for (const [keyword, value] of Object.entries(schema)) {
    if (SCHEMA_KEYWORDS.has(keyword) && !Array.isArray(value)) yield [[keyword], value];
    else if (SCHEMA_KEYWORDS.has(keyword) || (SCHEMA_MAP_KEYWORDS.has(keyword) && isObject(value))) {
      for (const [key, part] of Object.entries(value as object)) yield [[keyword, key], part];
    }
  }
}

/**
 * Iterates over a schema and all its subschemas.
 *
 * @param schema The schema.
 * @returns Each with its path.
 */
export function* allSchemas(schema: Json): Generator<[path: Path, schema: Json]> {
  yield [[], schema];
  for (const [path, part] of subschemas(schema)) {
    for (const [at, below] of allSchemas(part)) yield [[...path, ...at], below];
  }
}

/**
 * Finds likely mistakes in a schema and its subschemas.
 *
 * @param schema The schema.
 * @param allowsExtensions Whether unknown keywords are allowed, as in AsyncAPI.
 * @param formats The known formats.
 * @returns The mistakes, in no particular order.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const [{ path, why }] = lint({ properties: { id: { typ: "integer" } } }, false, new Set());
 * assertEquals(path, ["properties", "id", "typ"]);
 * assertEquals(why, '"typ" is not a keyword of JSON Schema and has no effect; did you mean "type"?');
 * ```
 */
export function* lint(schema: Json, allowsExtensions: boolean, formats: ReadonlySet<string>): Generator<LintWarning> {
  for (const [path, part] of allSchemas(schema)) {
    if (!isObject(part)) continue;
    const found = [...lintKeywords(part, allowsExtensions), ...lintFormat(part, formats), ...lintBounds(part)];
    for (const [keyword, why] of found) yield { path: [...path, keyword], why };
  }
}

function* lintKeywords(schema: ObjectSchema, allowsExtensions: boolean): Generator<[keyword: string, why: string]> {
  const types = typesOf(schema);
  for (const keyword of Object.keys(schema)) {
    if (!KEYWORDS.has(keyword)) {
      if (!allowsExtensions && !keyword.startsWith("x-")) yield [keyword, unknownKeyword(keyword)];
      continue;
    }
    const required = REQUIRED_KEYWORDS.get(keyword) ?? [];
    if (required.length > 0 && !required.some((each) => Object.hasOwn(schema, each))) {
      yield [keyword, `"${keyword}" has no effect without ${required.map((each) => `"${each}"`).join(" or ")}`];
    }
    const type = TYPES_OF_KEYWORDS.get(keyword);
    if (type !== undefined && types !== undefined && !types.has(type)) {
      yield [keyword, `"${keyword}" applies to the type ${type} and has no effect on ${[...types].join(" or ")}`];
    }
  }
}

function unknownKeyword(keyword: string): string {
  const closest = closestString(keyword, [...KEYWORDS]);
  const isClose = levenshteinDistance(keyword, closest) <= MAX_DISTANCE;
  const hint = isClose ? `; did you mean "${closest}"?` : "";
  return `${quote(keyword)} is not a keyword of JSON Schema and has no effect${hint}`;
}

function typesOf({ type }: ObjectSchema): Set<Json> | undefined {
  if (type === undefined) return undefined;
  return new Set([type].flat().map((each) => each === "integer" ? "number" : each));
}

function* lintFormat(
  { format }: ObjectSchema,
  formats: ReadonlySet<string>,
): Generator<[keyword: string, why: string]> {
  if (typeof format !== "string" || formats.has(format)) return;
  yield ["format", `the format ${quote(format)} is unknown and has no effect`];
}

function* lintBounds(schema: ObjectSchema): Generator<[keyword: string, why: string]> {
  for (const bound of BOUNDS) {
    const [least, most] = [`min${bound}`, `max${bound}`];
    if (Number(schema[least]) > Number(schema[most])) {
      yield [least, `"${least}" is greater than "${most}": no value is valid`];
    }
  }
}
