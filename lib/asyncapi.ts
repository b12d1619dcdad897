/**
 * Reads the channels of an AsyncAPI 3 document as the events of a catalog.
 *
 * @see {@link https://www.asyncapi.com/docs/reference/specification/v3.0.0}
 *
 * @module
 */
import type { EventInfo } from "./answers.ts";
import type { Json } from "./data.ts";
import { quote } from "./errors.ts";
import { isObject, type JsonSource, parsePointer, type Path } from "./json_source.ts";

/** An event as it stands in a text. */
export interface Draft {
  /** What is said of it. */
  readonly info: EventInfo;
  /** Where its pattern, its schema and its example stand. */
  readonly paths: { readonly pattern: Path; readonly schema: Path; readonly example: Path };
}

/** The formats of schemas that are JSON Schema as AsyncAPI has it. */
const SCHEMA_FORMAT =
  /^application\/(?:vnd\.aai\.asyncapi(?:\+json|\+yaml)?; *version=[23]\.\d+\.\d+|schema\+(?:json|yaml); *version=draft-07)$/;

/** How many references may lead to another before it is taken for a circle. */
const MAX_REFERENCES = 100;

/**
 * Reads a document.
 *
 * @param source The document.
 * @returns Its channels as events, in their order.
 * @throws {MqError} With the code `bad-catalog`, if it cannot be used.
 */
export function readAsyncApi(source: JsonSource): Draft[] {
  const version = source.at(["asyncapi"]);
  if (!String(version).startsWith("3.")) {
    throw source.fault(["asyncapi"], `it is a document of AsyncAPI ${version}, and mq reads those of version 3`);
  }
  const channels = source.at(["channels"]);
  if (!isObject(channels) || Object.keys(channels).length === 0) {
    throw source.fault(["channels"], "there is no channel in it");
  }
  return Object.keys(channels).map((key) => new ChannelReader(source, ["channels", key]).read());
}

/** Reads one channel. Everything in it may be a reference to another place of the document. */
class ChannelReader {
  readonly #source: JsonSource;
  readonly #path: Path;

  constructor(source: JsonSource, path: Path) {
    this.#source = source;
    this.#path = path;
  }

  read(): Draft {
    const path = this.#resolve(this.#path);
    const messages = this.#messages([...path, "messages"]);
    const payloads = messages.map((message) => this.#schemaPath([...message, "payload"]));
    const schemas = payloads.map((payload) => this.#source.at(payload));
    const [example] = messages.map((message) => [...message, "examples", "0", "payload"])
      .filter((example) => this.#source.at(example) !== undefined);
    const info: EventInfo = {
      pattern: this.#pattern(path),
      description: this.#textOf([path, ...messages]),
      schema: schemas.length === 0 || schemas.includes(undefined) ? undefined : this.#joined(schemas as Json[]),
      example: example && this.#source.at(example),
    };
    return { info, paths: { pattern: [...path, "address"], schema: payloads[0] ?? path, example: example ?? path } };
  }

  /** Addresses are written with slashes as often as with dots, and a parameter takes the place of a token. */
  #pattern(path: Path): string {
    const address = this.#source.at([...path, "address"]) ?? this.#path.at(-1);
    return String(address).replaceAll("/", ".").replaceAll(/\{[^{}]*\}/g, "*");
  }

  #messages(path: Path): Path[] {
    const messages = this.#source.at(path);
    return isObject(messages) ? Object.keys(messages).map((key) => this.#resolve([...path, key])) : [];
  }

  #textOf(paths: Path[]): string | undefined {
    const texts = paths.flatMap((path) => ["description", "summary"].map((key) => this.#source.at([...path, key])));
    return texts.find((text) => typeof text === "string");
  }

  /** Where a schema stands; within its envelope, where that says which format it is in. */
  #schemaPath(path: Path): Path {
    const target = this.#resolve(path);
    const schema = this.#source.at(target);
    if (!isObject(schema) || schema.schemaFormat === undefined) return target;
    const format = String(schema.schemaFormat);
    if (SCHEMA_FORMAT.test(format)) return this.#resolve([...target, "schema"]);
    const why = `mq reads schemas of AsyncAPI and of JSON Schema draft-07, not ${quote(format)}`;
    throw this.#source.fault([...target, "schemaFormat"], why);
  }

  /** Goes where references lead. */
  #resolve(path: Path): Path {
    let target = path;
    for (let steps = 0; steps < MAX_REFERENCES; steps++) {
      const value = this.#source.at(target);
      if (!isObject(value) || typeof value.$ref !== "string") return target;
      const next = pathOf(value.$ref);
      if (next === undefined || this.#source.at(next) === undefined) {
        throw this.#source.fault([...target, "$ref"], `nothing in this file is at ${quote(value.$ref)}`);
      }
      target = next;
    }
    throw this.#source.fault(path, "its references lead round in a circle");
  }

  /** One schema of those that messages have, with all that it refers to, so that it stands by itself. */
  #joined(schemas: Json[]): Json {
    const schema = schemas.length === 1 ? schemas[0] : { anyOf: schemas };
    if (!isObject(schema)) return schema;
    const whole = structuredClone(schema);
    this.#gather(schema, whole, new Set());
    return whole;
  }

  #gather(value: Json, whole: { [key: string]: Json }, seen: Set<string>): void {
    if (typeof value !== "object" || value === null) return;
    const ref = isObject(value) ? value.$ref : undefined;
    const path = typeof ref === "string" && !seen.has(ref) ? pathOf(ref) : undefined;
    const target = path && this.#source.at(path) !== undefined ? this.#source.at(this.#schemaPath(path)) : undefined;
    if (path !== undefined && target !== undefined) {
      seen.add(ref as string);
      put(whole, path, structuredClone(target));
      this.#gather(target, whole, seen);
    }
    for (const part of Object.values(value)) this.#gather(part, whole, seen);
  }
}

/** The place of the document that a reference names; nothing if it names another document. */
function pathOf(ref: string): Path | undefined {
  return ref.startsWith("#/") ? parsePointer(decodeURIComponent(ref)) : undefined;
}

function put(whole: { [key: string]: Json }, path: Path, value: Json): void {
  let holder = whole;
  for (const key of path.slice(0, -1)) holder = (holder[key] ??= {}) as { [key: string]: Json };
  holder[path.at(-1)!] = value;
}
