/**
 * Tokens: what a client proves with that it may come in, and what each allows.
 *
 * @module
 */
import { timingSafeEqual } from "@std/crypto/timing-safe-equal";
import { MqError } from "./errors.ts";

/** What a token allows: to publish, to listen, or both. */
export type Scope = "all" | "publish" | "listen";

/** The longest token, in bytes of UTF-8. */
const MAX_TOKEN_BYTES = 1024;

/** Fills what a token leaves of its bytes; it does not occur in UTF-8. */
const FILLER = 0xff;

const encoder = new TextEncoder();

const SCOPES: readonly string[] = ["all", "publish", "listen"] satisfies Scope[];

/** A token and what it allows. */
export interface Token {
  /** The secret. */
  readonly token: string;
  /** What it allows. */
  readonly scope: Scope;
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
  const tokens = lines.filter(({ words }) => words[0] !== "" && !words[0].startsWith("#")).map(parseToken);
  if (tokens.length > 0) return tokens;
  throw new MqError("bad-tokens", "Cannot find a token: it takes one a line, such as: publish s3cret");
}

function parseToken({ words, number }: { words: string[]; number: number }): Token {
  const [scope, token] = words.length === 1 ? ["all", words[0]] : words;
  if (words.length <= 2 && SCOPES.includes(scope)) return { scope: scope as Scope, token };
  const form = 'a line is a token without spaces, which may have "publish" or "listen" before it';
  throw new MqError("bad-tokens", `Cannot read line ${number} of the tokens: ${form}`);
}

/**
 * The tokens that let clients in.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const gate = new Gate([{ token: "s3cret", scope: "all" }, { token: "wonder", scope: "listen" }]);
 * assertEquals(gate.scopeOf("wonder"), "listen");
 * assertEquals(gate.scopeOf("guess"), undefined);
 * ```
 */
export class Gate {
  readonly #known: { bytes: Uint8Array; scope: Scope }[];

  /**
   * Makes a gate. Without tokens it is open.
   *
   * @param tokens The tokens it knows.
   * @throws {MqError} With the code `bad-tokens`, if one is empty or longer than 1,024 bytes.
   */
  constructor(tokens: readonly Token[]) {
    tokens.forEach(checkLength);
    this.#known = tokens.map(({ token, scope }) => ({ bytes: paddedBytes(token), scope }));
  }

  /** Whether everybody may come in. */
  get isOpen(): boolean {
    return this.#known.length === 0;
  }

  /**
   * What a token allows. How long that takes does not tell how near a wrong token comes to a right one: it is compared
   * with all of them, and at one length.
   *
   * @param token What a client has shown.
   * @returns What it allows; undefined if it is not known.
   */
  scopeOf(token: string): Scope | undefined {
    const shown = paddedBytes(token);
    let found: Scope | undefined;
    for (const { bytes, scope } of this.#known) {
      if (timingSafeEqual(bytes, shown)) found ??= scope;
    }
    return found;
  }
}

function checkLength({ token }: Token): void {
  if (token !== "" && encoder.encode(token).length <= MAX_TOKEN_BYTES) return;
  throw new MqError("bad-tokens", `Cannot use a token that is empty or longer than ${MAX_TOKEN_BYTES} bytes`);
}

/** A token as as many bytes as any other. One that is too long comes out as none that is known. */
function paddedBytes(token: string): Uint8Array {
  const bytes = new Uint8Array(MAX_TOKEN_BYTES + 1).fill(FILLER);
  const { read } = encoder.encodeInto(token, bytes);
  const isTooLong = read < token.length;
  if (isTooLong) bytes[MAX_TOKEN_BYTES] = 0;
  return bytes;
}
