/**
 * What failed when two sides tried to agree on TLS, in words that help.
 *
 * @module
 */

/** Why a TLS handshake failed. */
export interface HandshakeFailure {
  /** `untrusted`, `no-tls` (the other side does not speak it) or, for all else, `tls-failed`. */
  readonly code: "untrusted" | "no-tls" | "tls-failed";
  /** Half a sentence. */
  readonly reason: string;
}

/** What the runtime says, what kind of failure that is, and what it means to one who does not know TLS. */
const FAILURES: readonly (readonly [RegExp, HandshakeFailure["code"], string])[] = [
  [/UnknownIssuer|UnknownCA/, "untrusted", "the certificate is not signed by anybody that the client trusts"],
  [/InvalidContentType|InvalidMessage/, "no-tls", "the other side does not speak TLS"],
  [/not valid for name|NotValidForName/, "tls-failed", "the certificate is for another name"],
  [/expired/i, "tls-failed", "the certificate has expired"],
  [/not valid yet|NotValidYet/i, "tls-failed", "the certificate is not valid yet"],
  [/CaUsedAsEndEntity/, "tls-failed", "the certificate is an authority's, and not a server's"],
  [/end of file|eof|reset|broken pipe/i, "tls-failed", "the other side closed the connection"],
];

/**
 * Explains why a TLS handshake failed.
 *
 * @param error What the runtime threw.
 * @returns The kind of failure, and the reason: what the runtime says itself, if it is none of the usual ones.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const error = new Error("received corrupt message of type InvalidContentType");
 * assertEquals(explainHandshake(error), { code: "no-tls", reason: "the other side does not speak TLS" });
 * ```
 */
export function explainHandshake(error: unknown): HandshakeFailure {
  const message = error instanceof Error ? error.message : String(error);
  const [, code, reason] = FAILURES.find(([form]) => form.test(message)) ?? [/./, "tls-failed" as const, message];
  return { code, reason };
}
