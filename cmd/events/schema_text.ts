/**
 * Formats schemas and examples for the terminal. Everything here is pure.
 *
 * @module
 */
import { encodeData, type Json } from "../../lib/protocol/data.ts";
import { printable } from "../shared/format.ts";

/** How many properties or alternatives {@linkcode shapeOf} shows. */
const MAX_SHOWN = 12;

type Schema = { [key: string]: Json };

/** A schema on one line: its properties and their types, required ones with a star; or its type. */
export function shapeOf(schema: Json): string {
  const parts = [...partsOf(schema, asObject(schema), new Set())];
  const properties = new Map(parts.flatMap(({ properties }) => Object.entries(asObject(properties))));
  const required = new Set(parts.flatMap(({ required }) => Array.isArray(required) ? required : []));
  if (properties.size === 0) return printable(typeOf(schema));
  const texts = [...properties].map(([name, schema]) => `${name}${required.has(name) ? "*" : ""}: ${typeOf(schema)}`);
  return printable(joinFirst(texts, ", "));
}

/** A schema, and the schemas that it includes by `$ref` and `allOf`. */
function* partsOf(schema: Json, root: Schema, seen: Set<Json>): Generator<Schema> {
  if (seen.has(schema)) return;
  seen.add(schema);
  const part = asObject(schema);
  yield part;
  const { $ref, allOf } = part;
  if (typeof $ref === "string") yield* partsOf(resolve(root, $ref), root, seen);
  if (Array.isArray(allOf)) { for (const each of allOf) yield* partsOf(each, root, seen); }
}

/** The target of a reference within a schema. */
function resolve(root: Schema, ref: string): Json {
  const keys = ref.replace(/^#/, "").split("/").slice(1);
  return keys.reduce((value, key) => asObject(asObject(value)[key]), root);
}

/** The type that a schema describes, in a word or two. */
function typeOf(schema: Json): string {
  const { type, format, prefixItems, items, $ref, const: only, enum: values, oneOf, anyOf = oneOf } = asObject(schema);
  if (only !== undefined) return JSON.stringify(only);
  if (Array.isArray(values)) return joinFirst(values.map((value) => JSON.stringify(value)), "|");
  if (typeof $ref === "string") return $ref.split("/").at(-1)!.replaceAll("~1", "/");
  if (Array.isArray(anyOf)) return joinFirst(anyOf.map(typeOf), "|");
  if (Array.isArray(prefixItems)) {
    const rest = items === false ? [] : [`...${listOf(items ?? true)}`];
    return `[${joinFirst([...prefixItems.map(typeOf), ...rest], ", ")}]`;
  }
  if (type === "array" && items !== undefined) return listOf(items);
  if (type === "string" && typeof format === "string") return format;
  return type === undefined ? "any" : [type].flat().join("|");
}

function listOf(items: Json): string {
  const type = typeOf(items);
  return `${type.includes("|") ? `(${type})` : type}[]`;
}

function joinFirst(parts: readonly string[], separator: string): string {
  return parts.slice(0, MAX_SHOWN).join(separator) + (parts.length > MAX_SHOWN ? `${separator}…` : "");
}

function asObject(value: Json | undefined): Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

/** Indented JSON, one line each, safe to print. */
export function printableLines(value: Json): string[] {
  return JSON.stringify(value, null, 2).split("\n").map((line) => line.replace(/\S[^]*/, printable));
}

/** The command that publishes an example; NAME stands for the wildcards of a pattern. */
export function pubLine(pattern: string, example: Json): string {
  const name = pattern.split(".").map((token) => token === "*" || token === ">" ? "NAME" : token).join(".");
  return `mq pub ${printable(name)} '${printable(encodeData(example)).replaceAll("'", `'\\''`)}'`;
}
