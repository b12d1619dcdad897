/**
 * Reads the tokens by which clients authenticate, and the scope of each.
 *
 * @module
 */
import { MqError } from "./errors.ts";

/**
 * What a token permits: to publish, to listen, or both.
 *
 * @example
 * ```ts
 * const scope: Scope = "listen";
 * ```
 */
export type Scope = "all" | "publish" | "listen";

/** The longest token, in characters of ASCII. */
export const MAX_TOKEN_CHARACTERS = 1024;

/** Matches a character that a token cannot have. HTTP headers carry only visible ASCII unchanged. */
const INVALID_CHARACTER = /[^\x21-\x7e]/u;

const SCOPES: readonly string[] = ["all", "publish", "listen"] satisfies Scope[];

/**
 * A token and its scope.
 *
 * @example
 * ```ts
 * const token: Token = { token: "s3cret", scope: "publish" };
 * ```
 */
export interface Token {
  /** The secret. */
  readonly token: string;
  /** What it permits. */
  readonly scope: Scope;
}

/**
 * Reads a token. White space around it is removed, such as the line end of a file.
 *
 * @param text The token.
 * @returns The token, without white space around it.
 * @throws {MqError} With the code `bad-tokens`, if it is not 1 to 1,024 visible characters of ASCII. The message does not
 * contain the token.
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
  const problem = tokenProblem(token);
  if (problem === undefined) return token;
  throw new MqError("bad-tokens", `Cannot use the token: ${problem}`);
}

/** Why a text is not a valid token, as the end of a sentence. */
function tokenProblem(token: string): string | undefined {
  if (token === "") return "it is empty";
  const { 0: invalid, index } = INVALID_CHARACTER.exec(token) ?? {};
  if (invalid !== undefined) {
    const code = invalid.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
    return `its character ${index! + 1} is U+${code}, and a token takes visible characters of ASCII alone`;
  }
  const { length } = token;
  if (length > MAX_TOKEN_CHARACTERS) return `it is ${length} characters long, and may have ${MAX_TOKEN_CHARACTERS}`;
}

/**
 * Reads a list of tokens, one per line, with `publish` or `listen` before it to limit its scope. Blank lines and lines that
 * begin with `#` are ignored.
 *
 * @param text The list.
 * @returns The tokens, at least one.
 * @throws {MqError} With the code `bad-tokens`, if there is none or a line cannot be read. The message contains no token.
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
  const problem = isLine ? tokenProblem(token) : LINE_FORM;
  if (problem === undefined) return { scope: scope as Scope, token };
  throw new MqError("bad-tokens", `Cannot read line ${number} of the tokens: ${problem}`);
}

const LINE_FORM = 'a line is a token without spaces, which may have "publish" or "listen" before it';
