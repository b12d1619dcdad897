/**
 * Every error that mq throws or sends, in one place. The code of an error is the word that stands for it on the wire
 * and in `--json` output; the message is for people.
 *
 * @module
 */

/** The codes a broker answers with in `/err WHAT CODE TEXT`. docs/protocol.md says when it sends each. */
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
  "internal-error",
] as const;

/** One of {@linkcode WIRE_CODES}. */
export type WireCode = typeof WIRE_CODES[number];

/** The codes of errors that never travel: they arise in the client library. */
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
  | "bad-reply"
  | "bad-address"
  | "bad-tokens"
  | "bad-catalog"
  | "bad-certificate"
  | "bad-origin"
  | "bad-host"
  | "bad-method"
  | "bad-parameter"
  | "unsupported-encoding"
  | "unsupported-type"
  | "not-found"
  | "no-upgrade"
  | "draining"
  | "refused"
  | "address-in-use"
  | "cannot-listen"
  | "cannot-read"
  | "cannot-write"
  | "timeout";

/** The common class of mq's errors: catch this to catch them all. */
export class MqError extends Error {
  /** The word that stands for this error on the wire and in JSON output. */
  readonly code: WireCode | LocalCode | (string & Record<never, never>);

  /**
   * Makes an error.
   *
   * @param code The word that stands for this error.
   * @param message One sentence for people: what was being done, with which value.
   * @param options The cause, where another error led to this one.
   */
  constructor(code: MqError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/**
 * What was sent breaks a rule of the protocol: a malformed name, an unknown verb, an event the broker does not
 * recognize. The connection goes on.
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
 * What was sent cannot be read on from: the rest of the connection makes no sense, so it is closed.
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
 * The broker cannot be reached, or the connection to it broke. With the code `unconfirmed`, an event was sent and the
 * connection broke before its receipt came: it may or may not have been published.
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
 * What was waited for did not come in the time given.
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
 * A value as it is quoted in an error: JSON, so that it stays on one line, cut to 60 characters, and with what cannot be
 * seen or would steer a terminal written as an escape.
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
 * A text in which what cannot be seen, would end the line or would steer a terminal is written as an escape.
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
