/**
 * A text in JSON whose faults can be told with the line they are on.
 *
 * @module
 */
import type { Node, ParseError } from "jsonc-parser";
import type { Json } from "./data.ts";
import { MqError, quote, visible } from "./errors.ts";

/** Where a value stands: the keys and indices that lead to it. */
export type Path = readonly string[];

/** What reads JSON into a tree that knows where everything stands. */
type Parser = typeof import("jsonc-parser");

/** A text in JSON, read. */
export class JsonSource {
  /** What it says. */
  readonly value: Json;
  readonly #text: string;
  readonly #name: string;
  readonly #root: Node;

  /**
   * Reads a text. The parser is loaded now: most programs never need it.
   *
   * @param text The text.
   * @param name What it is called in errors, such as the name of its file.
   * @returns The text, read.
   * @throws {MqError} With the code `bad-catalog`, if it is not JSON or an object in it has a key twice.
   */
  static async read(text: string, name: string): Promise<JsonSource> {
    const bare = text.replace(/^\ufeff/, ""); // Some editors begin a file with a byte order mark.
    return new JsonSource(bare, name, await import("jsonc-parser"));
  }

  private constructor(text: string, name: string, parser: Parser) {
    this.#text = text;
    this.#name = name;
    const errors: ParseError[] = [];
    const root = parser.parseTree(text, errors, { disallowComments: true });
    if (root === undefined || errors.length > 0) throw this.#syntaxFault(errors[0], parser);
    this.#root = root;
    this.#refuseTwins(root);
    this.value = JSON.parse(text);
  }

  /**
   * An error that says on which line it is.
   *
   * @param path Where the fault is; where nothing stands there, what would hold it is meant.
   * @param why What is wrong.
   * @param word A string within it that shows the line more exactly.
   * @returns The error.
   */
  fault(path: Path, why: string, word?: string): MqError {
    const node = this.#find(path);
    const start = node.parent?.type === "property" ? node.parent.offset : node.offset;
    const at = word === undefined ? -1 : this.#text.indexOf(JSON.stringify(word), node.offset);
    const isInside = at !== -1 && at < node.offset + node.length;
    return this.#faultAt(isInside ? at : start, why);
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

  /** What stands at a path, or the last on the way to it. */
  #find(path: Path): Node {
    let node = this.#root;
    for (const key of path) {
      const { type, children = [] } = node;
      const property = children.find(({ children }) => children?.[0].value === key);
      const next = type === "array" ? children[Number(key)] : property?.children?.[1];
      if (next === undefined) return node;
      node = next;
    }
    return node;
  }

  #faultAt(offset: number, why: string): MqError {
    const line = this.#text.slice(0, offset).split("\n").length;
    return new MqError("bad-catalog", `${this.#name}, line ${line}: ${visible(why)}`);
  }

  #syntaxFault({ error, offset }: ParseError, parser: Parser): MqError {
    const words = parser.printParseErrorCode(error).replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
    const column = offset - this.#text.lastIndexOf("\n", offset - 1);
    return this.#faultAt(offset, `it is no JSON from column ${column} on (${words})`);
  }

  /** JSON lets a key come twice, and then one of the two counts for nothing. */
  #refuseTwins({ type, children = [] }: Node): void {
    const keys = new Set<string>();
    for (const child of children) {
      this.#refuseTwins(child);
      if (type !== "object") continue;
      const key = child.children![0].value;
      if (keys.has(key)) throw this.#faultAt(child.offset, `the key ${quote(key)} is there twice`);
      keys.add(key);
    }
  }
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
