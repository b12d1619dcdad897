/**
 * A text in JSON or YAML whose faults can be told with the line they are on.
 *
 * @module
 */
import type { Json } from "../protocol/data.ts";
import { MqError, visible } from "../protocol/errors.ts";

/** Where a value stands: the keys and indices that lead to it. */
export type Path = readonly string[];

/** Where a value and its parts stand in a text. */
export interface Place {
  /** Where it begins, its key included, in UTF-16 code units. */
  readonly offset: number;
  /** Its parts, by keys or indices. */
  readonly parts: ReadonlyMap<string, Place>;
}

/** A part of a text. */
export interface Excerpt {
  /** What it says. */
  readonly value: Json;
  /** Where it stands. */
  readonly path: Path;
}

/** What a text says. */
export interface Reading {
  /** The value. */
  readonly value: Json;
  /** Where it stands. */
  readonly place: Place;
}

/** A text that cannot be read. */
export class ReadingFault extends Error {
  /**
   * Makes an error.
   *
   * @param offset Where it is, in UTF-16 code units.
   * @param message What is wrong there.
   */
  constructor(readonly offset: number, message: string) {
    super(message);
  }
}

/** A text in JSON or YAML, read. */
export class JsonSource {
  /** What it says. */
  readonly value: Json;
  /** Where they are, by what they say. */
  readonly #warnings = new Map<string, number>();
  readonly #text: string;
  readonly #name: string;
  readonly #place: Place;

  /**
   * Reads a text. The parser is loaded now: most programs never need it.
   *
   * @param text The text.
   * @param name What it is called in errors, such as the name of its file. One that ends in `.json` is read as JSON, one
   * that ends in `.yml` or `.yaml` as YAML; another is JSON if it begins with a bracket.
   * @returns The text, read.
   * @throws {MqError} With the code `bad-catalog`, if it cannot be read or an object in it has a key twice.
   */
  static async read(text: string, name: string): Promise<JsonSource> {
    const bare = text.replace(/^\ufeff/, ""); // Some editors begin a file with a byte order mark.
    const parse = isYaml(bare, name)
      ? (await import("./parse_yaml.ts")).parseYaml
      : (await import("./parse_json.ts")).parseJson;
    try {
      return new JsonSource(bare, name, parse(bare));
    } catch (error) {
      if (error instanceof ReadingFault) throw faultAt(bare, name, error.offset, error.message);
      if (error instanceof RangeError) throw faultAt(bare, name, 0, "it is nested more deeply than mq can follow");
      throw error;
    }
  }

  private constructor(text: string, name: string, { value, place }: Reading) {
    this.#text = text;
    this.#name = name;
    this.#place = place;
    this.value = value;
  }

  /**
   * An error that says on which line it is.
   *
   * @param path Where the fault is; where nothing stands there, what would hold it is meant.
   * @param why What is wrong.
   * @returns The error.
   */
  fault(path: Path, why: string): MqError {
    return faultAt(this.#text, this.#name, this.#offsetOf(path), why);
  }

  /**
   * Notes what may be a slip.
   *
   * @param path Where it is.
   * @param why What is odd about it.
   */
  warn(path: Path, why: string): void {
    this.#warnings.set(this.fault(path, why).message, this.#offsetOf(path));
  }

  /** What may be a slip, each with its line, from the first line to the last. */
  get warnings(): string[] {
    return [...this.#warnings].sort(([, one], [, other]) => one - other).map(([message]) => message);
  }

  /**
   * A part of what it says.
   *
   * @param path Where it stands.
   * @returns The value there; undefined if there is none.
   */
  at(path: Path): Json | undefined {
    let value: Json | undefined = this.value;
    for (const key of path) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
      value = (value as { [key: string]: Json })[key];
    }
    return value;
  }

  /** Where what stands at a path begins, or the last on the way to it. */
  #offsetOf(path: Path): number {
    let place = this.#place;
    for (const key of path) {
      const next = place.parts.get(key);
      if (next === undefined) break;
      place = next;
    }
    return place.offset;
  }
}

function isYaml(text: string, name: string): boolean {
  const [, extension] = /\.(json|ya?ml)$/i.exec(name) ?? [];
  return extension === undefined ? !/^\s*[[{]/.test(text) : extension.toLowerCase() !== "json";
}

function faultAt(text: string, name: string, offset: number, why: string): MqError {
  const line = text.slice(0, offset).split("\n").length;
  return new MqError("bad-catalog", `${name}, line ${line}: ${visible(why)}`);
}

/**
 * Takes a JSON pointer (RFC 6901) apart.
 *
 * @param pointer The pointer; empty, or each key with a slash before it.
 * @returns The path it stands for.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parsePointer("/channels/order~1paid"), ["channels", "order/paid"]);
 * ```
 */
export function parsePointer(pointer: string): string[] {
  return pointer.split("/").slice(1).map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/**
 * Whether a value is an object in JSON.
 *
 * @param value The value.
 * @returns True if it is, and neither null nor a list.
 */
export function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
