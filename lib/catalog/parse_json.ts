/**
 * Reads JSON, and where in it everything stands.
 *
 * @module
 */
import { type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { quote } from "../protocol/errors.ts";
import { type Place, type Reading, ReadingFault } from "./json_source.ts";

/**
 * Reads a text in JSON.
 *
 * @param text The text.
 * @returns What it says.
 * @throws {ReadingFault} If it is not JSON, or an object in it has a key twice.
 */
export function parseJson(text: string): Reading {
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { disallowComments: true });
  if (root === undefined || errors.length > 0) throw syntaxFault(text, errors[0]);
  const place = { offset: root.offset, parts: partsOf(root) };
  return { value: JSON.parse(text), place };
}

function syntaxFault(text: string, { error, offset }: ParseError): ReadingFault {
  const words = printParseErrorCode(error).replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
  const column = offset - text.lastIndexOf("\n", offset - 1);
  return new ReadingFault(offset, `it is no JSON from column ${column} on (${words})`);
}

function partsOf({ type, children = [] }: Node): Map<string, Place> {
  const parts = new Map<string, Place>();
  for (const [index, child] of children.entries()) {
    const [key, value] = type === "object" ? [child.children![0].value, child.children![1]] : [String(index), child];
    // JSON lets a key come twice, and then one of the two counts for nothing.
    if (parts.has(key)) throw new ReadingFault(child.offset, `the key ${quote(key)} is there twice`);
    parts.set(key, { offset: child.offset, parts: partsOf(value) });
  }
  return parts;
}
