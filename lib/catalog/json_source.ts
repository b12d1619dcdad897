/**
 * A text in JSON or YAML, parsed so that errors can give the line of each value.
 *
 * @module
 */
import type { Node, ParseError } from "jsonc-parser";
import type { Json } from "../protocol/data.ts";
import { MqError, quote, visible } from "../protocol/errors.ts";

/** Where a value is: the keys and indices that lead to it. */
export type Path = readonly string[];

/** The positions of a value and its parts in a text. */
export interface Position {
  /** Where it begins, its key included, in UTF-16 code units. */
  readonly offset: number;
  /** Its parts, by key or index. */
  readonly parts: ReadonlyMap<string, Position>;
}

/** A value and where it is. */
export interface LocatedValue {
  /** The value. */
  readonly value: Json;
  /** Where it is. */
  readonly path: Path;
}

/** A parsed text. */
export interface ParsedText {
  /** Its value. */
  readonly value: Json;
  /** The positions of the value and its parts. */
  readonly position: Position;
}

/** A text is not valid at some offset. */
export class TextSyntaxError extends Error {
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

/** A parsed text in JSON or YAML. */
export class JsonSource {
  /** The parsed value. */
  readonly value: Json;
  /** The offset of each warning, by its message. */
  readonly #warnings = new Map<string, number>();
  readonly #text: string;
  readonly #name: string;
  readonly #position: Position;

  /**
   * Parses a text. The parser is imported by this call.
   *
   * @param text The text.
   * @param name What errors call it, such as the name of its file. One that ends in `.json` is parsed as JSON, one that
   * ends in `.yml` or `.yaml` as YAML; any other as JSON if the text begins with a bracket, else as YAML.
   * @returns The parsed text.
   * @throws {MqError} With the code `bad-catalog`, if the text is not valid or an object in it has a duplicate key.
   */
  static async read(text: string, name: string): Promise<JsonSource> {
    const bare = text.replace(/^\ufeff/, ""); // Some editors begin a file with a byte order mark.
    const parse = isYaml(bare, name) ? (await import("./parse_yaml.ts")).parseYaml : await loadJsonParser();
    try {
      return new JsonSource(bare, name, parse(bare));
    } catch (error) {
      if (error instanceof TextSyntaxError) throw errorAt(bare, name, error.offset, error.message);
      if (error instanceof RangeError) throw errorAt(bare, name, 0, "it is nested too deeply");
      throw error;
    }
  }

  private constructor(text: string, name: string, { value, position }: ParsedText) {
    this.#text = text;
    this.#name = name;
    this.#position = position;
    this.value = value;
  }

  /**
   * Makes an error with the line of a value.
   *
   * @param path Where the value is. If there is none, the error has the line of the nearest value that contains it.
   * @param why What is wrong.
   * @returns The error.
   */
  error(path: Path, why: string): MqError {
    return errorAt(this.#text, this.#name, this.#offsetOf(path), why);
  }

  /**
   * Adds a warning.
   *
   * @param path Where the likely mistake is.
   * @param why What is wrong.
   */
  warn(path: Path, why: string): void {
    this.#warnings.set(this.error(path, why).message, this.#offsetOf(path));
  }

  /** The warnings, in the order of their lines. */
  get warnings(): string[] {
    return [...this.#warnings].sort(([, one], [, other]) => one - other).map(([message]) => message);
  }

  /**
   * Returns the value at a path.
   *
   * @param path The path.
   * @returns The value; undefined if there is none.
   */
  at(path: Path): Json | undefined {
    let value: Json | undefined = this.value;
    for (const key of path) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
      value = (value as { [key: string]: Json })[key];
    }
    return value;
  }

  /** The offset of the value at a path, or of the last value on the way to it. */
  #offsetOf(path: Path): number {
    let position = this.#position;
    for (const key of path) {
      const next = position.parts.get(key);
      if (next === undefined) break;
      position = next;
    }
    return position.offset;
  }
}

function isYaml(text: string, name: string): boolean {
  const [, extension] = /\.(json|ya?ml)$/i.exec(name) ?? [];
  return extension === undefined ? !/^\s*[[{]/.test(text) : extension.toLowerCase() !== "json";
}

function errorAt(text: string, name: string, offset: number, why: string): MqError {
  const line = text.slice(0, offset).split("\n").length;
  return new MqError("bad-catalog", `${name}, line ${line}: ${visible(why)}`);
}

/** JSON.parse gives no positions and keeps the last of duplicate keys; jsonc-parser gives the positions. */
async function loadJsonParser(): Promise<(text: string) => ParsedText> {
  const { parseTree, printParseErrorCode } = await import("jsonc-parser");
  return (text) => {
    const errors: ParseError[] = [];
    const root = parseTree(text, errors, { disallowComments: true });
    if (root === undefined || errors.length > 0) {
      const [{ error, offset }] = errors;
      const words = printParseErrorCode(error).replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
      const column = offset - text.lastIndexOf("\n", offset - 1);
      throw new TextSyntaxError(offset, `not valid JSON at column ${column} (${words})`);
    }
    return { value: JSON.parse(text), position: { offset: root.offset, parts: partsOf(root) } };
  };
}

function partsOf({ type, children = [] }: Node): Map<string, Position> {
  const parts = new Map<string, Position>();
  for (const [index, child] of children.entries()) {
    const [key, value] = type === "object" ? [child.children![0].value, child.children![1]] : [String(index), child];
    if (parts.has(key)) throw new TextSyntaxError(child.offset, `duplicate key ${quote(key)}`);
    parts.set(key, { offset: child.offset, parts: partsOf(value) });
  }
  return parts;
}

/**
 * Parses a JSON pointer (RFC 6901).
 *
 * @param pointer The pointer; empty, or each key with a slash before it.
 * @returns The keys.
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
 * Returns whether a value is a JSON object.
 *
 * @param value The value.
 * @returns True if it is an object, and neither null nor an array.
 */
export function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
