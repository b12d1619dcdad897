/**
 * All errors that mq throws or sends. The code of an error identifies it on the wire and in `--json` output; the message
 * is for people.
 *
 * @module
 */

/**
 * The codes of `/err WHAT CODE TEXT`. docs/protocol.md, section 8, says when a broker sends each.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(WIRE_CODES.includes("unrecognized"), true);
 * ```
 */
export const WIRE_CODES = [
  "bad-name",
  "reserved-name",
  "bad-pattern",
  "bad-verb",
  "bad-arguments",
  "bad-message",
  "no-name",
  "not-subscribed",
  "too-many-patterns",
  "unrecognized",
  "invalid-data",
  "forbidden",
  "line-too-long",
  "unfinished-line",
  "answer-too-long",
  "invalid-utf8",
  "tls",
  "unauthorized",
  "too-many-connections",
  "silent",
  "slow-consumer",
  "out-of-memory",
  "no-store",
  "store-failed",
  "busy",
  "no-group",
  "group-differs",
  "too-many-groups",
  "no-job",
  "not-found",
  "too-many-keys",
  "internal-error",
] as const;

/**
 * One of {@linkcode WIRE_CODES}.
 *
 * @example
 * ```ts
 * const code: WireCode = "unrecognized";
 * ```
 */
export type WireCode = typeof WIRE_CODES[number];

/**
 * The codes of errors that are thrown and never sent.
 *
 * @example
 * ```ts
 * const code: LocalCode = "unreachable";
 * ```
 */
export type LocalCode =
  | "unreachable"
  | "no-such-host"
  | "no-answer"
  | "tls-failed"
  | "untrusted"
  | "no-tls"
  | "not-a-broker"
  | "disconnected"
  | "closed"
  | "unconfirmed"
  | "queue-full"
  | "no-responders"
  | "request-failed"
  | "not-a-request"
  | "unsupported"
  | "bad-reply"
  | "bad-address"
  | "bad-tokens"
  | "bad-catalog"
  | "bad-certificate"
  | "bad-origin"
  | "bad-host"
  | "bad-method"
  | "bad-request"
  | "bad-version"
  | "head-too-long"
  | "not-implemented"
  | "bad-parameter"
  | "rate-limited"
  | "unsupported-encoding"
  | "unsupported-type"
  | "no-upgrade"
  | "draining"
  | "refused"
  | "address-in-use"
  | "cannot-listen"
  | "cannot-read"
  | "cannot-write"
  | "store-in-use"
  | "store-foreign"
  | "store-newer"
  | "store-damaged"
  | "gap"
  | "timeout";

/**
 * The base class of all errors of mq.
 *
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { connect } from "../client.ts";
 *
 * await assertRejects(() => connect({ url: "http://example.org" }), MqError, "mq://");
 * ```
 */
export class MqError extends Error {
  /** Identifies the error on the wire and in JSON output. */
  readonly code: WireCode | LocalCode | (string & Record<never, never>);

  /**
   * Makes an error.
   *
   * @param code The code.
   * @param message One sentence for people: what was being done, and with which value.
   * @param options The cause, if there is one.
   */
  constructor(code: MqError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/**
 * A line breaks a rule of the protocol, such as a malformed name, an unknown verb, or an event that the broker does not
 * recognize. The connection stays open.
 *
 * @example A malformed name
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { checkName } from "./event.ts";
 *
 * const error = assertThrows(() => checkName("no spaces"), ProtocolError);
 * ```
 */
export class ProtocolError extends MqError {}

/**
 * The bytes of a connection cannot be read any further, so it is closed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const error = new FatalProtocolError("invalid-utf8", "A line is not UTF-8");
 * assertEquals(error instanceof ProtocolError, true);
 * ```
 */
export class FatalProtocolError extends ProtocolError {}

/**
 * The broker cannot be reached, or the connection to it broke. The code `unconfirmed` means that the connection broke
 * before the receipt of an event arrived: the event may or may not have been published.
 *
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { connect } from "../client.ts";
 *
 * await assertRejects(() => connect({ hostname: "127.0.0.1", port: 1 }), ConnectionError);
 * ```
 */
export class ConnectionError extends MqError {}

/**
 * A timeout has expired.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new TimeoutError("timeout", "No answer within 5 s").code, "timeout");
 * ```
 */
export class TimeoutError extends MqError {}

/**
 * Quotes a value for an error message: as a JSON string of at most 60 characters, on one line, with invisible characters
 * and terminal control characters escaped.
 *
 * @param value The text to quote.
 * @returns The quoted text.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(quote("a\nb"), '"a\\nb"');
 * ```
 */
export function quote(value: string): string {
  const cut = value.length > MAX_QUOTED_CHARACTERS ? value.slice(0, MAX_QUOTED_CHARACTERS) + "…" : value;
  return visible(JSON.stringify(cut));
}

/**
 * Escapes the invisible characters, line ends and terminal control characters of a text.
 *
 * @param text The text.
 * @returns The text, on one line.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(visible("unknown keyword: a\nb"), "unknown keyword: a\\u{a}b");
 * ```
 */
export function visible(text: string): string {
  return text.replace(/\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/gu, escapeCharacter);
}

function escapeCharacter(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

const MAX_QUOTED_CHARACTERS = 60;
