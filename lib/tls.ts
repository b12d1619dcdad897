/**
 * What failed when two sides tried to agree on TLS, in words that help.
 *
 * @module
 */

const UNTRUSTED = /UnknownIssuer|UnknownCA/;

/** What the runtime says, and what that means to one who does not know TLS. */
const REASONS: readonly (readonly [RegExp, (match: RegExpExecArray) => string])[] = [
  [UNTRUSTED, () => "the certificate is not signed by anybody that the client trusts"],
  [/not valid for name "([^"]*)"/, ([, name]) => `the certificate is not for ${name}`],
  [/NotValidForName/, () => "the certificate is for another name"],
  [/certificate.*expired|Expired/i, () => "the certificate has expired"],
  [/not valid yet|NotValidYet/i, () => "the certificate is not valid yet"],
  [/CaUsedAsEndEntity/, () => "the certificate is one of an authority, and not one for a server"],
  [/InvalidContentType|InvalidMessage/, () => "the other side does not speak TLS"],
  [/end of file|eof|reset|broken pipe/i, () => "the other side closed the connection"],
];

/**
 * Why a TLS handshake failed.
 *
 * @param error What the runtime threw.
 * @returns Half a sentence; what the runtime says itself, if it is none of the usual reasons.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const error = new Error("received corrupt message of type InvalidContentType");
 * assertEquals(whyHandshakeFailed(error), "the other side does not speak TLS");
 * ```
 */
export function whyHandshakeFailed(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  for (const [form, reason] of REASONS) {
    const match = form.exec(message);
    if (match) return reason(match);
  }
  return message;
}

/**
 * Whether a TLS handshake failed because a client does not know who signed the certificate.
 *
 * @param error What the runtime threw.
 * @returns True if that is the reason.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(isUntrusted(new Error("invalid peer certificate: UnknownIssuer")), true);
 * ```
 */
export function isUntrusted(error: unknown): boolean {
  return error instanceof Error && UNTRUSTED.test(error.message);
}
