/**
 * The errors of a connection that could not be made: one sentence each, with what was seen and no guess at the cause.
 *
 * @module
 */
import { type Address, formatAddress } from "../protocol/address.ts";
import { ConnectionError, type MqError, ProtocolError, quote, TimeoutError } from "../protocol/errors.ts";

/** What the system says of names that are not there. In any other case a name may be found later. */
const UNKNOWN_NAME = /not known|No address associated|does not resolve|No such host/i;

/**
 * Says why nobody could be reached: what was seen, and no guess.
 *
 * @param address Where the broker should be.
 * @param timeoutMs How long it was tried, in milliseconds.
 * @param cause What the runtime threw.
 * @returns The error to tell, with the code `no-such-host` if the name cannot be found, and else `unreachable`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const cause = new Error("Network is unreachable (os error 101)");
 * const { message } = whyUnreachable({ hostname: "10.0.0.1", port: 3001, tls: false }, 5000, cause);
 * assertEquals(message, "No broker answers at 10.0.0.1:3001: Network is unreachable");
 * ```
 */
export function whyUnreachable(address: Address, timeoutMs: number, cause: unknown): ConnectionError {
  const place = formatAddress(address);
  const says = (code: MqError["code"], message: string) => new ConnectionError(code, message, { cause });
  if (cause instanceof TimeoutError) return says("unreachable", `No answer from ${place} within ${timeoutMs / 1000} s`);
  const reason = (cause as Error).message.replace(/ \(os error \d+\)$/, "");
  const [, lookup] = /^failed to lookup address information: (.*)$/s.exec(reason) ?? [];
  if (cause instanceof URIError || UNKNOWN_NAME.test(lookup ?? "")) {
    return says("no-such-host", `Cannot find the host ${quote(address.hostname)}: ${lookup ?? reason}`);
  }
  if (lookup !== undefined) return says("unreachable", `Cannot look up ${quote(address.hostname)}: ${lookup}`);
  const isRefused = cause instanceof Deno.errors.ConnectionRefused;
  return says("unreachable", `No broker answers at ${place}${isRefused ? "" : `: ${reason}`}`);
}

/** What a session has seen of the other side by the time its greeting fails. */
export interface Sighting {
  /** What the broker said last, if that was why it closes the connection. */
  readonly closeMessage?: ProtocolError;
  /** The beginning of the first line that came. */
  readonly firstLine?: string;
  /** How many bytes have come. */
  readonly receivedBytes: number;
}

/**
 * Says why a greeting failed.
 *
 * @param address Where that was, as `HOST:PORT`.
 * @param cause What befell the greeting.
 * @param sighting What was seen of the other side.
 * @param timeoutMs How long it was waited for, in milliseconds.
 * @returns The error to tell, with the code `refused`, `tls-failed`, `no-answer`, `not-a-broker`, or `unreachable` where
 * it may be a broker that goes down.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ConnectionError } from "../protocol/errors.ts";
 *
 * const cause = new ConnectionError("disconnected", "The connection was closed");
 * const { message } = whyNoGreeting("localhost:22", cause, { firstLine: "SSH-2.0", receivedBytes: 9 }, 5000);
 * assertEquals(message, 'What listens at localhost:22 sent "SSH-2.0", and closed the connection');
 * ```
 */
export function whyNoGreeting(
  address: string,
  cause: MqError,
  sighting: Sighting,
  timeoutMs: number,
): ConnectionError {
  const { code, message } = explain(address, cause, sighting, `${timeoutMs / 1000} s`);
  return new ConnectionError(code, message, { cause });
}

/** A code and a sentence. */
type Explanation = Pick<ConnectionError, "code" | "message">;

function explain(address: string, cause: MqError, sighting: Sighting, time: string): Explanation {
  const { closeMessage, firstLine, receivedBytes } = sighting;
  const reason = cause.cause instanceof ProtocolError ? cause.cause : undefined;
  const who = `What listens at ${address}`;
  if (closeMessage !== undefined) {
    const code = closeMessage.code === "bye" ? "unreachable" : "refused"; // One that goes down may come back.
    return { code, message: `The broker at ${address} closes the connection: ${closeMessage.message}` };
  }
  if (reason?.code === "tls") return { code: "tls-failed", message: `${who} speaks TLS: try mqs://${address}` };
  if (firstLine?.startsWith("HTTP/")) {
    return { code: "not-a-broker", message: `${who} speaks HTTP: it is no mq broker` };
  }
  if (receivedBytes === 0) return explainSilence(address, cause, time);
  const sent = firstLine === undefined ? `${receivedBytes} bytes without a line end` : quote(firstLine);
  if (cause instanceof TimeoutError) {
    return { code: "not-a-broker", message: `${who} sent ${sent}, and no answer within ${time}` };
  }
  const isClosed = cause instanceof ConnectionError && reason === undefined;
  if (isClosed) return { code: "not-a-broker", message: `${who} sent ${sent}, and closed the connection` };
  return { code: "not-a-broker", message: `${who} is no mq broker: ${reason?.message ?? cause.message}` };
}

function explainSilence(address: string, cause: MqError, time: string): Explanation {
  return cause instanceof TimeoutError
    ? { code: "no-answer", message: `Something listens at ${address}, but did not answer within ${time}` }
    : { code: "unreachable", message: `What listens at ${address} closes the connection at once` };
}

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
