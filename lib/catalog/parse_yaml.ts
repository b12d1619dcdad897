/**
 * Reads YAML 1.2 as another way to write JSON, and where in it everything stands.
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
import { isObject, type Place, type Reading, ReadingFault } from "./json_source.ts";

/** How many values a text may stand for, those that its aliases repeat included: a few lines of them make billions. */
const MAX_VALUES = 1_000_000;

/** How deep values may be in others. */
const MAX_DEPTH = 500;

/** The key whose value is the defaults of the mapping that it is in. */
const MERGE_KEY = "<<";

/** What a plain scalar may be that is no string. */
const PLAIN = [nullCoreTag, boolCoreTag, intCoreTag, floatCoreTag];

/**
 * Reads a text in YAML 1.2 by its core schema: `no`, `on` and dates are strings. Aliases and merge keys (`<<`) are
 * followed, and a key that is no string is taken as it is written.
 *
 * @param text The text.
 * @returns What it says.
 * @throws {ReadingFault} If it is not YAML, has more than one document, a key twice in a mapping or something that JSON
 * has not, or if its aliases lead in a circle or stand for more than 1,000,000 values.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseYaml("order.paid:\n  example: no").value, { "order.paid": { example: "no" } });
 * ```
 */
export function parseYaml(text: string): Reading {
  try {
    return new Reader(text, parseEvents(text, { maxDepth: MAX_DEPTH })).read();
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { position, column } = error.mark!;
    throw new ReadingFault(position, `it is no YAML from column ${column + 1} on (${error.reason})`);
  }
}

/** A value that was read. */
interface Part extends Place {
  readonly value: Json;
  /** How many values it stands for. */
  readonly size: number;
}

/** What begins a value. */
type Start = Exclude<Event, { type: typeof EVENT_ID.POP | typeof EVENT_ID.DOCUMENT }>;

/** Reads what a parser has found: a document, a mapping or a list begins, holds values, and ends. */
class Reader {
  readonly #text: string;
  readonly #events: readonly Event[];
  /** What has an anchor; undefined as long as it is being read. */
  readonly #anchors = new Map<string, Part | undefined>();
  #index = 0;
  /** Where the last value is. One that is not written, as after `key:`, has no place of its own. */
  #offset = 0;

  constructor(text: string, events: readonly Event[]) {
    this.#text = text;
    this.#events = events;
  }

  read(): Reading {
    if (this.#events.length === 0) return { value: null, place: { offset: 0, parts: new Map() } };
    this.#index++; // The document begins.
    const place = this.#part();
    this.#index++; // It ends.
    if (this.#index === this.#events.length) return { value: place.value, place };
    this.#index++;
    throw new ReadingFault(this.#start().offset, "another document begins here, and a catalog is one");
  }

  #part(): Part {
    const { event, offset } = this.#start();
    if (event.type === EVENT_ID.ALIAS) return { ...this.#anchored(event, offset), offset };
    const anchor = this.#slice(event.anchorStart, event.anchorEnd);
    if (anchor !== undefined) this.#anchors.set(anchor, undefined);
    const part = { offset, ...this.#content(event, offset) };
    if (part.size > MAX_VALUES) {
      throw new ReadingFault(offset, `with what its aliases repeat, it is more than ${MAX_VALUES} values`);
    }
    if (anchor !== undefined) this.#anchors.set(anchor, part);
    return part;
  }

  /** Takes the beginning of a value, and says where it is. */
  #start(): { event: Start; offset: number } {
    const event = this.#events[this.#index++] as Start;
    const start = event.type === EVENT_ID.ALIAS
      ? event.anchorStart
      : event.type === EVENT_ID.SCALAR
      ? event.valueStart
      : event.start;
    if (start >= 0) this.#offset = start;
    return { event, offset: this.#offset };
  }

  /** Whether a mapping or list goes on; if not, its end is taken. */
  #goesOn(): boolean {
    const goesOn = this.#events[this.#index].type !== EVENT_ID.POP;
    if (!goesOn) this.#index++;
    return goesOn;
  }

  #anchored({ anchorStart, anchorEnd }: AliasEvent, offset: number): Part {
    const anchor = this.#text.slice(anchorStart, anchorEnd);
    const part = this.#anchors.get(anchor);
    if (part !== undefined) return part;
    const why = this.#anchors.has(anchor) ? "stands within what it stands for" : "stands for nothing above it";
    throw new ReadingFault(offset, `the alias ${quote("*" + anchor)} ${why}`);
  }

  #content(event: Exclude<Start, AliasEvent>, offset: number): Omit<Part, "offset"> {
    const tag = this.#slice(event.tagStart, event.tagEnd);
    switch (event.type) {
      case EVENT_ID.MAPPING:
        refuseTag(tag, "!!map", offset);
        return this.#mapping();
      case EVENT_ID.SEQUENCE:
        refuseTag(tag, "!!seq", offset);
        return this.#list();
      case EVENT_ID.SCALAR:
        refuseTag(tag, "!!str", offset);
        return { value: this.#scalar(event, tag !== undefined, offset), parts: new Map(), size: 1 };
    }
  }

  #list(): Omit<Part, "offset"> {
    const items: Part[] = [];
    while (this.#goesOn()) items.push(this.#part());
    return {
      value: items.map(({ value }) => value),
      parts: new Map(items.map((item, index) => [String(index), item])),
      size: items.reduce((sum, { size }) => sum + size, 1),
    };
  }

  #mapping(): Omit<Part, "offset"> {
    const own = new Map<string, Part>();
    const defaults: Part[] = [];
    while (this.#goesOn()) {
      const { key, offset, isMerge } = this.#key();
      if (own.has(key)) throw new ReadingFault(offset, `the key ${quote(key)} is there twice`);
      const part = this.#part();
      if (isMerge) defaults.push(...merged(part, offset));
      else own.set(key, { ...part, offset });
    }
    const all = new Map([...defaults.reverse().flatMap(entriesOf), ...own]);
    return {
      value: Object.fromEntries([...all].map(([key, { value }]) => [key, value])),
      parts: all,
      size: [...all.values()].reduce((sum, { size }) => sum + size, 1),
    };
  }

  /** A key as it is written: `404` is a string there, as in JSON. */
  #key(): { key: string; offset: number; isMerge: boolean } {
    const { event, offset } = this.#start();
    if (event.type !== EVENT_ID.SCALAR) {
      throw new ReadingFault(offset, "a key is a text here, and no mapping, list or alias");
    }
    if (event.valueStart < 0) throw new ReadingFault(this.#start().offset, "there is no key before a colon");
    const key = getScalarValue(this.#text, event);
    return { key, offset, isMerge: key === MERGE_KEY && event.style === SCALAR_STYLE.PLAIN };
  }

  #scalar(event: ScalarEvent, isString: boolean, offset: number): Json {
    const text = getScalarValue(this.#text, event);
    if (isString || event.style !== SCALAR_STYLE.PLAIN) return text;
    const [value = text] = PLAIN.map((tag) => tag.resolve(text, false, tag.tagName)).filter((value) =>
      value !== NOT_RESOLVED
    );
    if (typeof value !== "number" || Number.isFinite(value)) return value as Json;
    throw new ReadingFault(offset, `JSON has no such number as ${quote(text)}`);
  }

  #slice(start: number, end: number): string | undefined {
    return start < 0 ? undefined : this.#text.slice(start, end);
  }
}

/** A tag says of what type a value is; that may be said, if it is what the value is anyway. */
function refuseTag(tag: string | undefined, usual: string, offset: number): void {
  if (tag === undefined || tag === "!" || tag === usual) return;
  throw new ReadingFault(offset, `JSON has nothing for the tag ${quote(tag)}`);
}

/** The mappings of a merge key: one, or a list of them of which the first counts most. */
function merged(part: Part, offset: number): Part[] {
  const parts = Array.isArray(part.value) ? [...part.parts.values()] as Part[] : [part];
  if (parts.every(({ value }) => isObject(value))) return parts;
  throw new ReadingFault(offset, "a merge key (<<) takes a mapping, or a list of them");
}

function entriesOf({ parts }: Part): [key: string, part: Part][] {
  return [...parts] as [key: string, part: Part][];
}
