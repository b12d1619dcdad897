/**
 * Tokens: what a client proves with that it may come in, and what each allows.
 *
 * @module
 */
import { MqError } from "./errors.ts";

/** What a token allows: to publish, to listen, or both. */
export type Scope = "all" | "publish" | "listen";

/** The longest token, in characters: each is a byte. */
export const MAX_TOKEN_CHARACTERS = 1024;

/** What cannot be in a token: a header of HTTP carries visible ASCII unchanged, and nothing else. */
const FOREIGN = /[^\x21-\x7e]/u;

const SCOPES: readonly string[] = ["all", "publish", "listen"] satisfies Scope[];

/** A token and what it allows. */
export interface Token {
  /** The secret. */
  readonly token: string;
  /** What it allows. */
  readonly scope: Scope;
}

/**
 * Reads a token. White space around it is no part of it: a line end of the file that it came from, say.
 *
 * @param text The token.
 * @returns It, without white space around it.
 * @throws {MqError} With the code `bad-tokens`, if it is not 1 to 1,024 visible characters of ASCII. The token is not in
 * the message.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(parseToken("s3cret\r\n"), "s3cret");
 * assertThrows(() => parseToken("s\u00e9cret"), Error, "its character 2 is U+00E9");
 * ```
 */
export function parseToken(text: string): string {
  const token = text.trim();
  const problem = problemOf(token);
  if (problem === undefined) return token;
  throw new MqError("bad-tokens", `Cannot use the token: ${problem}`);
}

/** Why a text cannot be a token, as the rest of a sentence. */
function problemOf(token: string): string | undefined {
  if (token === "") return "it is empty";
  const { 0: foreign, index } = FOREIGN.exec(token) ?? {};
  if (foreign !== undefined) {
    const code = foreign.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
    return `its character ${index! + 1} is U+${code}, and a token takes visible characters of ASCII alone`;
  }
  const { length } = token;
  if (length > MAX_TOKEN_CHARACTERS) return `it is ${length} characters long, and may have ${MAX_TOKEN_CHARACTERS}`;
}

/**
 * Reads a list of tokens: one a line, which may have `publish` or `listen` before it. Blank lines, and those that begin
 * with `#`, are left out.
 *
 * @param text The list.
 * @returns The tokens, at least one.
 * @throws {MqError} With the code `bad-tokens`, if there is none or a line cannot be read. No token is in its message.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const tokens = parseTokens("# for the class\nlisten wonder\n\ns3cret\n");
 * assertEquals(tokens, [{ scope: "listen", token: "wonder" }, { scope: "all", token: "s3cret" }]);
 * ```
 */
export function parseTokens(text: string): Token[] {
  const lines = text.split("\n").map((line, index) => ({ words: line.trim().split(/\s+/), number: index + 1 }));
  const tokens = lines.filter(({ words }) => words[0] !== "" && !words[0].startsWith("#")).map(parseLine);
  if (tokens.length > 0) return tokens;
  throw new MqError("bad-tokens", "Cannot find a token: it takes one a line, such as: publish s3cret");
}

function parseLine({ words, number }: { words: string[]; number: number }): Token {
  const [scope, token] = words.length === 1 ? ["all", words[0]] : words;
  const isLine = words.length <= 2 && SCOPES.includes(scope);
  const problem = isLine ? problemOf(token) : LINE_FORM;
  if (problem === undefined) return { scope: scope as Scope, token };
  throw new MqError("bad-tokens", `Cannot read line ${number} of the tokens: ${problem}`);
}

const LINE_FORM = 'a line is a token without spaces, which may have "publish" or "listen" before it';
