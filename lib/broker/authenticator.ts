/**
 * Finds out what a token allows, in a time that does not depend on how much of it is right.
 *
 * @module
 */
import { timingSafeEqual } from "@std/crypto/timing-safe-equal";
import { FatalProtocolError } from "../protocol/errors.ts";
import { MAX_TOKEN_CHARACTERS, parseToken, type Scope, type Token } from "../protocol/tokens.ts";

/** Fills up the bytes of a token; it does not occur in UTF-8. */
const FILLER = 0xff;

const encoder = new TextEncoder();

/**
 * The tokens of a broker.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const authenticator = new Authenticator([{ token: "s3cret", scope: "all" }, { token: "wonder", scope: "listen" }]);
 * assertEquals(authenticator.authorize("wonder"), "listen");
 * assertEquals(authenticator.authorize("guess"), undefined);
 * ```
 */
export class Authenticator {
  readonly #known: { bytes: Uint8Array; scope: Scope }[];

  /**
   * Makes an authenticator. Without tokens every client may connect.
   *
   * @param tokens The tokens.
   * @throws {MqError} With the code `bad-tokens`, if one is none ({@linkcode parseToken}).
   */
  constructor(tokens: readonly Token[]) {
    this.#known = tokens.map(({ token, scope }) => ({ bytes: paddedBytes(parseToken(token)), scope }));
  }

  /** Whether every client may connect. */
  get isOpen(): boolean {
    return this.#known.length === 0;
  }

  /**
   * Finds out what a token allows. The time that takes does not depend on how much of a wrong token is right: it is
   * compared with all tokens, and at one length.
   *
   * @param token The client's token; white space around it is no part of it.
   * @returns What it allows; undefined if the token is not known.
   */
  authorize(token: string): Scope | undefined {
    const shown = paddedBytes(token.trim());
    let found: Scope | undefined;
    for (const { bytes, scope } of this.#known) {
      if (timingSafeEqual(bytes, shown)) found ??= scope;
    }
    return found;
  }
}

/** A token as as many bytes as any other. One that is too long comes out as none that is known. */
function paddedBytes(token: string): Uint8Array {
  const bytes = new Uint8Array(MAX_TOKEN_CHARACTERS + 1).fill(FILLER);
  const { read } = encoder.encodeInto(token, bytes);
  const isTooLong = read < token.length;
  if (isTooLong) bytes[MAX_TOKEN_CHARACTERS] = 0;
  return bytes;
}

/**
 * The error of a connection that has not authenticated.
 *
 * @param why What is missing, as the rest of the sentence.
 * @returns The error to send.
 */
export function unauthorized(why: string): FatalProtocolError {
  return new FatalProtocolError("unauthorized", `Cannot let you in: ${why}`);
}
