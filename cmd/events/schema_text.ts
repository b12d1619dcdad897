/**
 * How schemas and examples are shown. Everything here is pure.
 *
 * @module
 */
import { encodeData, type Json } from "../../lib/protocol/data.ts";
import { layOut } from "../shared/format.ts";

/** How many words of a schema are shown in short. */
const MAX_SHOWN = 12;

type Schema = { [key: string]: Json };

/** A schema in short: the properties and their types, with a star behind what is required; or its type. */
export function shapeOf(schema: Json): string {
  const parts = [...partsOf(schema, asObject(schema), new Set())];
  const properties = new Map(parts.flatMap(({ properties }) => Object.entries(asObject(properties))));
  const required = new Set(parts.flatMap(({ required }) => Array.isArray(required) ? required : []));
  if (properties.size === 0) return layOut(typeOf(schema));
  const texts = [...properties].map(([name, schema]) => `${name}${required.has(name) ? "*" : ""}: ${typeOf(schema)}`);
  return layOut(some(texts, ", "));
}

/** A schema, and those that all of its values fit, too. */
function* partsOf(schema: Json, root: Schema, seen: Set<Json>): Generator<Schema> {
  if (seen.has(schema)) return;
  seen.add(schema);
  const part = asObject(schema);
  yield part;
  const { $ref, allOf } = part;
  if (typeof $ref === "string") yield* partsOf(at(root, $ref), root, seen);
  if (Array.isArray(allOf)) { for (const each of allOf) yield* partsOf(each, root, seen); }
}

/** What a reference within a schema leads to. */
function at(root: Schema, ref: string): Json {
  const keys = ref.replace(/^#/, "").split("/").slice(1);
  return keys.reduce((value, key) => asObject(asObject(value)[key]), root);
}

/** The type of a value, as near as a word or two can say it. */
function typeOf(schema: Json): string {
  const { type, format, prefixItems, items, $ref, const: only, enum: values, oneOf, anyOf = oneOf } = asObject(schema);
  if (only !== undefined) return JSON.stringify(only);
  if (Array.isArray(values)) return some(values.map((value) => JSON.stringify(value)), "|");
  if (typeof $ref === "string") return $ref.split("/").at(-1)!.replaceAll("~1", "/");
  if (Array.isArray(anyOf)) return some(anyOf.map(typeOf), "|");
  if (Array.isArray(prefixItems)) {
    const rest = items === false ? [] : [`...${listOf(items ?? true)}`];
    return `[${some([...prefixItems.map(typeOf), ...rest], ", ")}]`;
  }
  if (type === "array" && items !== undefined) return listOf(items);
  if (type === "string" && typeof format === "string") return format;
  return type === undefined ? "any" : [type].flat().join("|");
}

function listOf(items: Json): string {
  const type = typeOf(items);
  return `${type.includes("|") ? `(${type})` : type}[]`;
}

function some(parts: readonly string[], separator: string): string {
  return parts.slice(0, MAX_SHOWN).join(separator) + (parts.length > MAX_SHOWN ? `${separator}…` : "");
}

function asObject(value: Json | undefined): Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

/** JSON over as many lines as it takes. */
export function layOutLines(value: Json): string[] {
  return JSON.stringify(value, null, 2).split("\n").map((line) => line.replace(/\S[^]*/, layOut));
}

/** The command that publishes an example, to be pasted; NAME stands in it for what a pattern leaves open. */
export function pubLine(pattern: string, example: Json): string {
  const name = pattern.split(".").map((token) => token === "*" || token === ">" ? "NAME" : token).join(".");
  return `mq pub ${layOut(name)} '${layOut(encodeData(example)).replaceAll("'", `'\\''`)}'`;
}
