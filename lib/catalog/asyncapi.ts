/**
 * Reads the channels of an AsyncAPI document as entries of a catalog.
 *
 * @see {@link https://www.asyncapi.com/docs/reference/specification/v3.0.0}
 *
 * @module
 */
import type { Json } from "../protocol/data.ts";
import { quote } from "../protocol/errors.ts";
import { isObject, type JsonSource, type LocatedValue, parsePointer, type Path } from "./json_source.ts";
import type { RawEntry } from "./reader.ts";
import { SCHEMA_2020_12, versionOf } from "./schema.ts";
import { allSchemas } from "./schema_lint.ts";

/** A channel: the events of one pattern. */
interface Channel {
  readonly key: string;
  readonly pattern: string;
  readonly path: Path;
  /** The paths of its messages. */
  readonly messages: readonly Path[];
  /** Whether it defines no messages, so that any data is valid. */
  readonly acceptsAny: boolean;
}

/** The supported values of `schemaFormat`: AsyncAPI's own, JSON Schema draft-06 and draft-07, and (`new`) 2020-12. */
const SCHEMA_FORMAT =
  /^application\/(?:vnd\.aai\.asyncapi(?:\+json|\+yaml)?; *version=[23]\.\d+\.\d+|schema\+(?:json|yaml); *version=(?:draft-0[67]|(?<new>(?:draft\/)?2020-12)))$/;

/** The name of a channel if neither its address nor its key has characters for one, as with `/`. */
const ROOT = "root";

/** Replaces a parameter until it becomes a wildcard. No address has this character. */
const PARAMETER = "\0";

/** The most references that may follow each other; more are taken for a cycle. */
const MAX_REFERENCES = 100;

/**
 * Returns whether a text is an AsyncAPI document.
 *
 * @param source The text.
 * @returns True if it has a version of AsyncAPI.
 */
export function isAsyncApi(source: JsonSource): boolean {
  return ["string", "number"].includes(typeof source.at(["asyncapi"])); // In YAML, 3.0 is a number.
}

/**
 * Reads a document. Parts that mq does not support, such as a schema in another format, become warnings of the source.
 *
 * @param source The document.
 * @returns An entry for each channel, in their order; channels with the same pattern become one entry.
 * @throws {MqError} With the code `bad-catalog`, if the document is not valid.
 */
export function readAsyncApi(source: JsonSource): RawEntry[] {
  const version = String(source.at(["asyncapi"]));
  if (!/^[23](?:\.|$)/.test(version)) {
    throw source.error(["asyncapi"], `AsyncAPI ${version} is not supported: mq reads versions 2 and 3`);
  }
  const channels = source.at(["channels"]);
  if (!isObject(channels) || Object.keys(channels).length === 0) {
    throw source.error(["channels"], "the document has no channels");
  }
  return new DocumentReader(source, version.startsWith("2")).read(Object.keys(channels));
}

/** Reads the channels of a document. Any part may be a reference to another part of the document. */
class DocumentReader {
  readonly #source: JsonSource;
  /** In version 2 a channel's key is its address, and its messages belong to its operations. */
  readonly #isVersion2: boolean;

  constructor(source: JsonSource, isVersion2: boolean) {
    this.#source = source;
    this.#isVersion2 = isVersion2;
  }

  read(keys: string[]): RawEntry[] {
    const channels = new Map<string, Channel>();
    for (const channel of keys.map((key) => this.#channel(key))) {
      const same = channels.get(channel.pattern);
      channels.set(channel.pattern, same === undefined ? channel : this.#merge(same, channel));
    }
    return [...channels.values()].map((channel) => this.#entry(channel));
  }

  #channel(key: string): Channel {
    const path = this.#resolve(["channels", key]);
    const address = this.#isVersion2 ? key : this.#source.at([...path, "address"]);
    const pattern = (typeof address === "string" && patternOfAddress(address)) || patternOfAddress(key) || ROOT;
    const externalRef = this.#externalRef(path);
    if (externalRef !== undefined) this.#warnOfExternalRef(path, pattern, externalRef);
    const messages = this.#isVersion2 ? this.#messagesOfOperations(path) : this.#partsOf([...path, "messages"]);
    return { key, pattern, path, messages, acceptsAny: messages.length === 0 };
  }

  /** Merges two channels whose addresses become the same pattern. */
  #merge(one: Channel, other: Channel): Channel {
    const keys = [one, other].map(({ key }) => quote(key)).join(" and ");
    this.#source.warn(
      ["channels", other.key],
      `the channels ${keys} both become ${one.pattern}, which accepts the data of either`,
    );
    return { ...one, messages: [...one.messages, ...other.messages], acceptsAny: one.acceptsAny || other.acceptsAny };
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

  #entry({ pattern, path, messages, acceptsAny }: Channel): RawEntry {
    const payloads = distinct(messages).map((message) => this.#payload(message, pattern));
    const isAny = acceptsAny || payloads.includes(undefined);
    const referenced = new Map<string, LocatedValue>();
    const schema = isAny ? undefined : this.#bundle(payloads as LocatedValue[], referenced, pattern);
    const described = [path, ...messages, ...messages.flatMap((message) => this.#partsOf([...message, "traits"]))];
    const example = described.flatMap((place) => this.#partsOf([...place, "examples"]))
      .map((example) => [...example, "payload"])
      .find((example) => this.#source.at(example) !== undefined);
    return {
      info: { pattern, description: this.#textOf(described), schema, example: example && this.#source.at(example) },
      paths: { pattern: this.#isVersion2 ? path : [...path, "address"], example: example ?? path },
      schemas: schema === undefined ? [] : [...payloads as LocatedValue[], ...referenced.values()],
    };
  }

  #textOf(paths: Path[]): string | undefined {
    const texts = paths.flatMap((path) => ["description", "summary"].map((key) => this.#source.at([...path, key])));
    return texts.find((text) => typeof text === "string")?.trimEnd();
  }

  /** The schema of a message, taken out of an object with its format; undefined, with a warning, if unsupported. */
  #payload(message: Path, pattern: string): LocatedValue | undefined {
    const target = this.#resolve([...message, "payload"]);
    const holder = this.#source.at([...target, "schemaFormat"]) === undefined ? message : target;
    const path = holder === target ? this.#resolve([...target, "schema"]) : target;
    const externalRef = this.#externalRef(message) ?? this.#externalRef(path);
    if (externalRef !== undefined) return this.#warnOfExternalRef(path, pattern, externalRef);
    const schema = this.#source.at(path);
    const format = String(this.#source.at([...holder, "schemaFormat"]) ?? "");
    const match = SCHEMA_FORMAT.exec(format);
    if (format !== "" && match === null) {
      const why = `the format of its schema, ${quote(format)}, is not supported`;
      return this.#warnAcceptsAny([...holder, "schemaFormat"], pattern, why);
    }
    if (schema !== undefined && versionOf(schema, "asyncapi") === undefined) {
      return this.#warnAcceptsAny([...path, "$schema"], pattern, "the $schema of its schema is not supported");
    }
    if (match?.groups?.new && isObject(schema)) return { value: { $schema: SCHEMA_2020_12, ...schema }, path };
    return schema === undefined ? undefined : { value: schema, path };
  }

  #warnOfExternalRef(path: Path, pattern: string, ref: string): undefined {
    return this.#warnAcceptsAny(path, pattern, `its schema is in another file, ${quote(ref)}`);
  }

  #warnAcceptsAny(path: Path, pattern: string, why: string): undefined {
    this.#source.warn(path, `${pattern} accepts any data: ${why}`);
  }

  /** Follows references within the document; a reference to another document is not followed. */
  #resolve(path: Path): Path {
    let target = path;
    for (let steps = 0; steps < MAX_REFERENCES; steps++) {
      const ref = this.#source.at([...target, "$ref"]);
      if (typeof ref !== "string" || !ref.startsWith("#")) return target;
      const next = pathOf(ref);
      if (next === undefined || this.#source.at(next) === undefined) {
        throw this.#source.error([...target, "$ref"], `the reference ${quote(ref)} is not found in this file`);
      }
      target = next;
    }
    throw this.#source.error(path, "the references form a cycle");
  }

  /** The reference to another document at a path. */
  #externalRef(path: Path): string | undefined {
    const ref = this.#source.at([...path, "$ref"]);
    return typeof ref === "string" ? ref : undefined;
  }

  /** Makes one schema of those of the messages, with copies of all that they refer to in the document. */
  #bundle(payloads: LocatedValue[], referenced: Map<string, LocatedValue>, pattern: string): Json | undefined {
    const [{ path }] = payloads;
    const schemas = payloads.map(({ value }) => structuredClone(value));
    const [version, ...others] = new Set(schemas.map((schema) => versionOf(schema, "asyncapi")));
    if (others.length > 0) {
      return this.#warnAcceptsAny(path, pattern, "the schemas of its messages have different versions of JSON Schema");
    }
    const whole = schemas.length === 1 ? schemas[0] : { anyOf: schemas };
    if (!isObject(whole)) return whole;
    if (version === "2020-12") whole.$schema = SCHEMA_2020_12;
    this.#collectReferenced(whole, referenced);
    const copies = [...referenced].map(([ref, { value }]) => [pathOf(ref)!, structuredClone(value)] as const);
    for (const [at, copy] of copies) setAt(whole, at, copy);
    const ref = externalRefOf([whole, ...copies.map(([, copy]) => copy)]);
    return ref === undefined ? whole : this.#warnOfExternalRef(path, pattern, ref);
  }

  /** Collects what a schema refers to in the document, recursively. */
  #collectReferenced(value: Json, referenced: Map<string, LocatedValue>): void {
    if (typeof value !== "object" || value === null) return;
    const ref = isObject(value) ? value.$ref : undefined;
    const path = typeof ref === "string" && !referenced.has(ref) ? pathOf(ref) : undefined;
    if (path !== undefined && this.#source.at(path) !== undefined) {
      const target = this.#schemaAt(path);
      referenced.set(ref as string, { value: this.#source.at(target)!, path: target });
      this.#collectReferenced(this.#source.at(target)!, referenced);
    }
    for (const part of Object.values(value)) this.#collectReferenced(part, referenced);
  }

  /** The path of a schema, which may be in an object with its format. */
  #schemaAt(path: Path): Path {
    const target = this.#resolve(path);
    return this.#source.at([...target, "schemaFormat"]) === undefined ? target : this.#resolve([...target, "schema"]);
  }
}

/**
 * Finds the first reference to another document. If there is none, each `$id` is removed, since `#/...` below one refers
 * to its schema and not to the document.
 */
function externalRefOf(schemas: Json[]): string | undefined {
  const objects = schemas.flatMap((schema) => [...allSchemas(schema)].map(([, part]) => part)).filter(isObject);
  const ids = new Set(objects.map(({ $id }) => $id));
  const refs = objects.map(({ $ref }) => $ref).filter((ref) => typeof ref === "string");
  const others = refs.filter((ref) => !ref.startsWith("#") && !ref.includes("//json-schema.org/"));
  if (others.length === 0) { for (const schema of objects) delete schema.$id; }
  return others.find((ref) => !ids.has(ref.split("#")[0]));
}

/** The path that a reference leads to; undefined if it is not a JSON pointer. */
function pathOf(ref: string): Path | undefined {
  if (!ref.startsWith("#/")) return undefined;
  try {
    return parsePointer(decodeURIComponent(ref));
  } catch {
    return undefined; // The percent-encoding is not valid, so that nothing can be at this path.
  }
}

function setAt(whole: { [key: string]: Json }, path: Path, value: Json): void {
  let holder = whole;
  for (const key of path.slice(0, -1)) holder = (holder[key] ??= {}) as { [key: string]: Json };
  holder[path.at(-1)!] = value;
}

/**
 * Makes a name or a pattern of a channel's address:
 *
 * - of a URL, only the path is used;
 * - `/`, `:` and `.` separate tokens, and empty tokens are left out;
 * - a token with a parameter (`{id}`) and MQTT's `+` become `*`; MQTT's `#` at the end becomes `>`;
 * - other characters that a token cannot have become one `-` in the middle of a token, and are left out at its ends.
 *
 * @param address The address.
 * @returns The pattern; undefined if nothing is left, as of `/`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(patternOfAddress("/user/{userId}/signed up"), "user.*.signed-up");
 * assertEquals(patternOfAddress("wss://example.com/orders?since={when}"), "orders");
 * assertEquals(patternOfAddress("lights/light-{id}/#"), "lights.*.>");
 * assertEquals(patternOfAddress("/"), undefined);
 * ```
 */
export function patternOfAddress(address: string): string | undefined {
  const [path] = address.replace(/\{[^{}]*\}/g, PARAMETER).replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, "").split("?");
  const tokens = path.split(/[/.:]/).map(tokenOf).filter((token) => token !== "");
  // Only at the end does MQTT's # match several levels.
  const pattern = tokens.map((token, index) => token === ">" && index < tokens.length - 1 ? "*" : token);
  return pattern.length === 0 ? undefined : pattern.join(".");
}

function tokenOf(part: string): string {
  if (part.includes(PARAMETER) || part === "*" || part === "+") return "*";
  if (part === "#" || part === ">") return ">";
  return part.split(/[^\p{L}\p{M}\p{Nd}_-]+/u).filter((word) => word !== "").join("-");
}

function distinct(paths: readonly Path[]): Path[] {
  return [...new Map(paths.map((path) => [JSON.stringify(path), path])).values()];
}
