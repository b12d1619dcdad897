/**
 * Parses YAML 1.2 into JSON values and their positions in the text.
 *
 * @module
 */
import {
  type AliasEvent,
  boolCoreTag,
  type Event,
  EVENT_ID,
  floatCoreTag,
  getScalarValue,
  intCoreTag,
  NOT_RESOLVED,
  nullCoreTag,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  YAMLException,
} from "js-yaml";
import type { Json } from "../protocol/data.ts";
import { quote } from "../protocol/errors.ts";
import { isObject, type ParsedText, type Position, TextSyntaxError } from "./json_source.ts";

/** The most values in a text with its aliases expanded: a few lines of nested aliases would make billions. */
const MAX_VALUES = 1_000_000;

/** The deepest nesting of values. */
const MAX_DEPTH = 500;

/** The key whose value has the defaults of its mapping. */
const MERGE_KEY = "<<";

/** The types of plain scalars that are not strings. */
const PLAIN_TAGS = [nullCoreTag, boolCoreTag, intCoreTag, floatCoreTag];

/**
 * Parses YAML 1.2 with its core schema: `no`, `on` and dates are strings. Aliases and merge keys (`<<`) are expanded. A
 * key that is not a string, such as `404`, becomes the string that is written.
 *
 * @param text The text.
 * @returns Its value and the positions.
 * @throws {TextSyntaxError} If the text is not YAML, has several documents, duplicate keys or anything that JSON cannot
 * express, or if its aliases refer to themselves or expand to more than 1,000,000 values.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseYaml("order.paid:\n  example: no").value, { "order.paid": { example: "no" } });
 * ```
 */
export function parseYaml(text: string): ParsedText {
  try {
    return new YamlReader(text, parseEvents(text, { maxDepth: MAX_DEPTH })).read();
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { position, column } = error.mark!;
    throw new TextSyntaxError(position, `not valid YAML at column ${column + 1} (${error.reason})`);
  }
}

/** A parsed value. */
interface Part extends Position {
  readonly value: Json;
  /** The number of values in it, itself included. */
  readonly size: number;
}

/** The parser's events that begin a value. */
type StartEvent = Exclude<Event, { type: typeof EVENT_ID.POP | typeof EVENT_ID.DOCUMENT }>;

/** Builds values from the parser's events: a document, a mapping or a list begins, contains values, and ends. */
class YamlReader {
  readonly #text: string;
  readonly #events: readonly Event[];
  /** The values with an anchor; undefined while one is being read. */
  readonly #anchors = new Map<string, Part | undefined>();
  #index = 0;
  /** The offset of the last value. An empty value, as after `key:`, has no offset of its own and gets this one. */
  #offset = 0;

  constructor(text: string, events: readonly Event[]) {
    this.#text = text;
    this.#events = events;
  }

  read(): ParsedText {
    if (this.#events.length === 0) return { value: null, position: { offset: 0, parts: new Map() } };
    this.#index++; // The document begins.
    const part = this.#part();
    this.#index++; // It ends.
    if (this.#index === this.#events.length) return { value: part.value, position: part };
    this.#index++;
    throw new TextSyntaxError(this.#start().offset, "a second document begins here; a catalog is a single document");
  }

  #part(): Part {
    const { event, offset } = this.#start();
    if (event.type === EVENT_ID.ALIAS) return { ...this.#anchored(event, offset), offset };
    const anchor = this.#slice(event.anchorStart, event.anchorEnd);
    if (anchor !== undefined) this.#anchors.set(anchor, undefined);
    const part = { offset, ...this.#content(event, offset) };
    if (part.size > MAX_VALUES) {
      throw new TextSyntaxError(offset, `with its aliases expanded, it has more than ${MAX_VALUES} values`);
    }
    if (anchor !== undefined) this.#anchors.set(anchor, part);
    return part;
  }

  /** Takes the event that begins a value, and returns it with its offset. */
  #start(): { event: StartEvent; offset: number } {
    const event = this.#events[this.#index++] as StartEvent;
    const start = event.type === EVENT_ID.ALIAS
      ? event.anchorStart
      : event.type === EVENT_ID.SCALAR
      ? event.valueStart
      : event.start;
    if (start >= 0) this.#offset = start;
    return { event, offset: this.#offset };
  }

  /** Returns whether a mapping or list has another part; if not, takes the event that ends it. */
  #hasNext(): boolean {
    const hasNext = this.#events[this.#index].type !== EVENT_ID.POP;
    if (!hasNext) this.#index++;
    return hasNext;
  }

  #anchored({ anchorStart, anchorEnd }: AliasEvent, offset: number): Part {
    const anchor = this.#text.slice(anchorStart, anchorEnd);
    const part = this.#anchors.get(anchor);
    if (part !== undefined) return part;
    const why = this.#anchors.has(anchor) ? "refers to itself" : "has no anchor above it";
    throw new TextSyntaxError(offset, `the alias ${quote("*" + anchor)} ${why}`);
  }

  #content(event: Exclude<StartEvent, AliasEvent>, offset: number): Omit<Part, "offset"> {
    const tag = this.#slice(event.tagStart, event.tagEnd);
    switch (event.type) {
      case EVENT_ID.MAPPING:
        checkTag(tag, "!!map", offset);
        return this.#mapping();
      case EVENT_ID.SEQUENCE:
        checkTag(tag, "!!seq", offset);
        return this.#list();
      case EVENT_ID.SCALAR:
        checkTag(tag, "!!str", offset);
        return { value: this.#scalar(event, tag !== undefined, offset), parts: new Map(), size: 1 };
    }
  }

  #list(): Omit<Part, "offset"> {
    const items: Part[] = [];
    while (this.#hasNext()) items.push(this.#part());
    return {
      value: items.map(({ value }) => value),
      parts: new Map(items.map((item, index) => [String(index), item])),
      size: items.reduce((sum, { size }) => sum + size, 1),
    };
  }

  #mapping(): Omit<Part, "offset"> {
    const own = new Map<string, Part>();
    const defaults: Part[] = [];
    while (this.#hasNext()) {
      const { key, offset, isMerge } = this.#key();
      if (own.has(key)) throw new TextSyntaxError(offset, `duplicate key ${quote(key)}`);
      const part = this.#part();
      if (isMerge) defaults.push(...mergedMappings(part, offset));
      else own.set(key, { ...part, offset });
    }
    const all = new Map([...defaults.reverse().flatMap(entriesOf), ...own]);
    return {
      value: Object.fromEntries([...all].map(([key, { value }]) => [key, value])),
      parts: all,
      size: [...all.values()].reduce((sum, { size }) => sum + size, 1),
    };
  }

  /** Takes a key as it is written: `404` becomes a string, as in JSON. */
  #key(): { key: string; offset: number; isMerge: boolean } {
    const { event, offset } = this.#start();
    if (event.type !== EVENT_ID.SCALAR) {
      throw new TextSyntaxError(offset, "a key must be a scalar, not a mapping, list or alias");
    }
    if (event.valueStart < 0) throw new TextSyntaxError(this.#start().offset, "a key is missing before the colon");
    const key = getScalarValue(this.#text, event);
    return { key, offset, isMerge: key === MERGE_KEY && event.style === SCALAR_STYLE.PLAIN };
  }

  #scalar(event: ScalarEvent, isString: boolean, offset: number): Json {
    const text = getScalarValue(this.#text, event);
    if (isString || event.style !== SCALAR_STYLE.PLAIN) return text;
    const [value = text] = PLAIN_TAGS.map((tag) => tag.resolve(text, false, tag.tagName)).filter((value) =>
      value !== NOT_RESOLVED
    );
    if (typeof value !== "number" || Number.isFinite(value)) return value as Json;
    throw new TextSyntaxError(offset, `JSON cannot express the number ${quote(text)}`);
  }

  #slice(start: number, end: number): string | undefined {
    return start < 0 ? undefined : this.#text.slice(start, end);
  }
}

/** Refuses a tag, unless it names the type that the value has anyway. */
function checkTag(tag: string | undefined, usual: string, offset: number): void {
  if (tag === undefined || tag === "!" || tag === usual) return;
  throw new TextSyntaxError(offset, `the tag ${quote(tag)} is not supported`);
}

/** The mappings of a merge key: one, or a list of them in which the first has precedence. */
function mergedMappings(part: Part, offset: number): Part[] {
  const parts = Array.isArray(part.value) ? [...part.parts.values()] as Part[] : [part];
  if (parts.every(({ value }) => isObject(value))) return parts;
  throw new TextSyntaxError(offset, "a merge key (<<) needs a mapping, or a list of mappings");
}

function entriesOf({ parts }: Part): [key: string, part: Part][] {
  return [...parts] as [key: string, part: Part][];
}
