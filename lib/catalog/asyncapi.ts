/**
 * Reads the channels of an AsyncAPI document as the events of a catalog.
 *
 * @see {@link https://www.asyncapi.com/docs/reference/specification/v3.0.0}
 *
 * @module
 */
import type { EventInfo } from "../protocol/responses.ts";
import { patternOfAddress } from "./asyncapi_address.ts";
import type { Json } from "../protocol/data.ts";
import { quote } from "../protocol/errors.ts";
import { type Excerpt, isObject, type JsonSource, parsePointer, type Path } from "./json_source.ts";
import { SCHEMA_2020_12, versionOf } from "./schema.ts";
import { everySchema } from "./schema_lint.ts";

/** An event as it stands in a text. */
export interface Draft {
  /** What is said of it. */
  readonly info: EventInfo;
  /** Where its pattern and its example stand. */
  readonly paths: { readonly pattern: Path; readonly example: Path };
  /** The schemas that its own is made of, as they stand in the text. */
  readonly schemas: readonly Excerpt[];
}

/** What a channel says of its events. */
interface Channel {
  readonly key: string;
  readonly pattern: string;
  /** Where it stands. */
  readonly path: Path;
  /** Where its messages stand. */
  readonly messages: readonly Path[];
  /** Whether it says nothing of its messages, so that any data will do. */
  readonly isOpen: boolean;
}

/** The formats of schemas that are JSON Schema: as AsyncAPI has it, draft-07 (or -06, which that includes) and 2020-12. */
const SCHEMA_FORMAT =
  /^application\/(?:vnd\.aai\.asyncapi(?:\+json|\+yaml)?; *version=[23]\.\d+\.\d+|schema\+(?:json|yaml); *version=(?:draft-0[67]|(?<new>(?:draft\/)?2020-12)))$/;

/** The name of a channel whose address and key leave nothing for one, as `/` does. */
const ROOT = "root";

/** How many references may lead to another before it is taken for a circle. */
const MAX_REFERENCES = 100;

/**
 * Whether a text is a document of AsyncAPI.
 *
 * @param source The text.
 * @returns True if it says so.
 */
export function isAsyncApi(source: JsonSource): boolean {
  return ["string", "number"].includes(typeof source.at(["asyncapi"])); // To YAML, 3.0 is a number.
}

/**
 * Reads a document. What mq cannot read of it, such as a schema in another format, becomes a warning of its source.
 *
 * @param source The document.
 * @returns Its channels as events, in their order; those that become the same pattern are one.
 * @throws {MqError} With the code `bad-catalog`, if it cannot be used.
 */
export function readAsyncApi(source: JsonSource): Draft[] {
  const version = String(source.at(["asyncapi"]));
  if (!/^[23](?:\.|$)/.test(version)) {
    throw source.fault(["asyncapi"], `it is a document of AsyncAPI ${version}, and mq reads those of versions 2 and 3`);
  }
  const channels = source.at(["channels"]);
  if (!isObject(channels) || Object.keys(channels).length === 0) {
    throw source.fault(["channels"], "there is no channel in it");
  }
  return new DocumentReader(source, version.startsWith("2")).read(Object.keys(channels));
}

/** Reads the channels of a document. Everything in it may be a reference to another place of the document. */
class DocumentReader {
  readonly #source: JsonSource;
  /** Whether it is of version 2, where a channel's key is its address, and its messages belong to its operations. */
  readonly #isOld: boolean;

  constructor(source: JsonSource, isOld: boolean) {
    this.#source = source;
    this.#isOld = isOld;
  }

  read(keys: string[]): Draft[] {
    const channels = new Map<string, Channel>();
    for (const channel of keys.map((key) => this.#channel(key))) {
      const same = channels.get(channel.pattern);
      channels.set(channel.pattern, same === undefined ? channel : this.#merged(same, channel));
    }
    return [...channels.values()].map((channel) => this.#draft(channel));
  }

  #channel(key: string): Channel {
    const path = this.#resolve(["channels", key]);
    const address = this.#isOld ? key : this.#source.at([...path, "address"]);
    const pattern = (typeof address === "string" && patternOfAddress(address)) || patternOfAddress(key) || ROOT;
    const elsewhere = this.#elsewhere(path);
    if (elsewhere !== undefined) this.#warnOfOther(path, pattern, elsewhere);
    const messages = this.#isOld ? this.#messagesOfOperations(path) : this.#partsOf([...path, "messages"]);
    return { key, pattern, path, messages, isOpen: messages.length === 0 };
  }

  /** Several channels may have one address, and several addresses may become one pattern. */
  #merged(one: Channel, other: Channel): Channel {
    const keys = [one, other].map(({ key }) => quote(key)).join(" and ");
    this.#source.warn(["channels", other.key], `the channels ${keys} are both ${one.pattern}: data for either will do`);
    return { ...one, messages: [...one.messages, ...other.messages], isOpen: one.isOpen || other.isOpen };
  }

  #messagesOfOperations(path: Path): Path[] {
    return ["subscribe", "publish"].map((operation) => this.#resolve([...path, operation, "message"]))
      .filter((message) => this.#source.at(message) !== undefined)
      .flatMap((message) => this.#source.at([...message, "oneOf"]) ? this.#partsOf([...message, "oneOf"]) : [message]);
  }

  #partsOf(path: Path): Path[] {
    const parts = this.#source.at(path);
    if (typeof parts !== "object" || parts === null) return [];
    return Object.keys(parts).map((key) => this.#resolve([...path, key]));
  }

  #draft({ pattern, path, messages, isOpen }: Channel): Draft {
    const payloads = distinct(messages).map((message) => this.#payload(message, pattern));
    const isAny = isOpen || payloads.includes(undefined);
    const gathered = new Map<string, Excerpt>();
    const schema = isAny ? undefined : this.#joined(payloads as Excerpt[], gathered, pattern);
    const described = [path, ...messages, ...messages.flatMap((message) => this.#partsOf([...message, "traits"]))];
    const example = described.flatMap((place) => this.#partsOf([...place, "examples"]))
      .map((example) => [...example, "payload"])
      .find((example) => this.#source.at(example) !== undefined);
    return {
      info: { pattern, description: this.#textOf(described), schema, example: example && this.#source.at(example) },
      paths: { pattern: this.#isOld ? path : [...path, "address"], example: example ?? path },
      schemas: schema === undefined ? [] : [...payloads as Excerpt[], ...gathered.values()],
    };
  }

  #textOf(paths: Path[]): string | undefined {
    const texts = paths.flatMap((path) => ["description", "summary"].map((key) => this.#source.at([...path, key])));
    return texts.find((text) => typeof text === "string")?.trimEnd();
  }

  /** The schema of a message, out of the envelope that says which format it is in; nothing if mq cannot read it. */
  #payload(message: Path, pattern: string): Excerpt | undefined {
    const target = this.#resolve([...message, "payload"]);
    const holder = this.#source.at([...target, "schemaFormat"]) === undefined ? message : target;
    const path = holder === target ? this.#resolve([...target, "schema"]) : target;
    const elsewhere = this.#elsewhere(message) ?? this.#elsewhere(path);
    if (elsewhere !== undefined) return this.#warnOfOther(path, pattern, elsewhere);
    const schema = this.#source.at(path);
    const format = String(this.#source.at([...holder, "schemaFormat"]) ?? "");
    const match = SCHEMA_FORMAT.exec(format);
    if (format !== "" && match === null) {
      return this.#warnWithoutSchema(
        [...holder, "schemaFormat"],
        pattern,
        `its schema is in the format ${quote(format)}`,
      );
    }
    if (schema !== undefined && versionOf(schema, "asyncapi") === undefined) {
      return this.#warnWithoutSchema(
        [...path, "$schema"],
        pattern,
        "its schema is of a standard that mq does not know",
      );
    }
    if (match?.groups?.new && isObject(schema)) return { value: { $schema: SCHEMA_2020_12, ...schema }, path };
    return schema === undefined ? undefined : { value: schema, path };
  }

  #warnOfOther(path: Path, pattern: string, ref: string): undefined {
    return this.#warnWithoutSchema(path, pattern, `its schema is in another file, ${quote(ref)}`);
  }

  #warnWithoutSchema(path: Path, pattern: string, why: string): undefined {
    this.#source.warn(path, `any data will do for ${pattern}: ${why}`);
  }

  /** Goes where references lead; one that leads to another document is where it ends. */
  #resolve(path: Path): Path {
    let target = path;
    for (let steps = 0; steps < MAX_REFERENCES; steps++) {
      const ref = this.#source.at([...target, "$ref"]);
      if (typeof ref !== "string" || !ref.startsWith("#")) return target;
      const next = pathOf(ref);
      if (next === undefined || this.#source.at(next) === undefined) {
        throw this.#source.fault([...target, "$ref"], `nothing in this file is at ${quote(ref)}`);
      }
      target = next;
    }
    throw this.#source.fault(path, "its references lead round in a circle");
  }

  /** The reference to another document that stands at the end of a path. */
  #elsewhere(path: Path): string | undefined {
    const ref = this.#source.at([...path, "$ref"]);
    return typeof ref === "string" ? ref : undefined;
  }

  /** One schema of those that messages have, with all that it refers to, so that it stands by itself. */
  #joined(payloads: Excerpt[], gathered: Map<string, Excerpt>, pattern: string): Json | undefined {
    const [{ path }] = payloads;
    const schemas = payloads.map(({ value }) => structuredClone(value));
    const [version, ...others] = new Set(schemas.map((schema) => versionOf(schema, "asyncapi")));
    if (others.length > 0) {
      return this.#warnWithoutSchema(path, pattern, "the schemas of its messages are of several standards");
    }
    const whole = schemas.length === 1 ? schemas[0] : { anyOf: schemas };
    if (!isObject(whole)) return whole;
    if (version === "2020-12") whole.$schema = SCHEMA_2020_12;
    this.#gather(whole, gathered);
    const copies = [...gathered].map(([ref, { value }]) => [pathOf(ref)!, structuredClone(value)] as const);
    for (const [at, copy] of copies) put(whole, at, copy);
    const ref = refToOther([whole, ...copies.map(([, copy]) => copy)]);
    return ref === undefined ? whole : this.#warnOfOther(path, pattern, ref);
  }

  /** Finds what a schema refers to in the document, and what that refers to. */
  #gather(value: Json, gathered: Map<string, Excerpt>): void {
    if (typeof value !== "object" || value === null) return;
    const ref = isObject(value) ? value.$ref : undefined;
    const path = typeof ref === "string" && !gathered.has(ref) ? pathOf(ref) : undefined;
    if (path !== undefined && this.#source.at(path) !== undefined) {
      const target = this.#schemaAt(path);
      gathered.set(ref as string, { value: this.#source.at(target)!, path: target });
      this.#gather(this.#source.at(target)!, gathered);
    }
    for (const part of Object.values(value)) this.#gather(part, gathered);
  }

  /** Where a schema stands; in its envelope, if it has one. */
  #schemaAt(path: Path): Path {
    const target = this.#resolve(path);
    return this.#source.at([...target, "schemaFormat"]) === undefined ? target : this.#resolve([...target, "schema"]);
  }
}

/** The first reference to another document among schemas; an `$id` without any that leads to it is left out. */
function refToOther(schemas: Json[]): string | undefined {
  const objects = schemas.flatMap((schema) => [...everySchema(schema)].map(([, part]) => part)).filter(isObject);
  const ids = new Set(objects.map(({ $id }) => $id));
  const refs = objects.map(({ $ref }) => $ref).filter((ref) => typeof ref === "string");
  const others = refs.filter((ref) => !ref.startsWith("#") && !ref.includes("//json-schema.org/"));
  // Within an $id of its own, a schema could not refer to the rest of the document.
  if (others.length === 0) { for (const schema of objects) delete schema.$id; }
  return others.find((ref) => !ids.has(ref.split("#")[0]));
}

/** The place of the document that a reference names; nothing if it names something else. */
function pathOf(ref: string): Path | undefined {
  if (!ref.startsWith("#/")) return undefined;
  try {
    return parsePointer(decodeURIComponent(ref));
  } catch {
    return undefined; // A percent sign that begins no character: nothing can be at such a place.
  }
}

function put(whole: { [key: string]: Json }, path: Path, value: Json): void {
  let holder = whole;
  for (const key of path.slice(0, -1)) holder = (holder[key] ??= {}) as { [key: string]: Json };
  holder[path.at(-1)!] = value;
}

function distinct(paths: readonly Path[]): Path[] {
  return [...new Map(paths.map((path) => [JSON.stringify(path), path])).values()];
}
