/**
 * The errors of connections that could not be established. Each message says what was observed, and does not guess a cause.
 *
 * @module
 */
import { type Address, formatAddress } from "../protocol/address.ts";
import { ConnectionError, type MqError, ProtocolError, quote, TimeoutError } from "../protocol/errors.ts";
import { systemReason } from "../protocol/system_reason.ts";

/** Matches what systems say of a name that does not exist. Other look-ups that fail may succeed later. */
const UNKNOWN_NAME = /not known|No address associated|does not resolve|No such host/i;

/**
 * Makes the error of a TCP connection that failed.
 *
 * @param address The broker's address.
 * @param timeoutMs The timeout, in milliseconds.
 * @param cause The error of the runtime, or the TimeoutError.
 * @returns The error, with the code `no-such-host` if the name does not exist, or else `unreachable`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const cause = new Error("Network is unreachable (os error 101)");
 * const { message } = unreachableError({ hostname: "10.0.0.1", port: 3001, tls: false }, 5000, cause);
 * assertEquals(message, "No broker answers at 10.0.0.1:3001: Network is unreachable");
 * ```
 */
export function unreachableError(address: Address, timeoutMs: number, cause: unknown): ConnectionError {
  const place = formatAddress(address);
  const says = (code: MqError["code"], message: string) => new ConnectionError(code, message, { cause });
  if (cause instanceof TimeoutError) return says("unreachable", `No answer from ${place} within ${timeoutMs / 1000} s`);
  const reason = systemReason(cause);
  const [, lookup] = /^failed to lookup address information: (.*)$/s.exec(reason) ?? [];
  if (cause instanceof URIError || UNKNOWN_NAME.test(lookup ?? "")) {
    return says("no-such-host", `Cannot find the host ${quote(address.hostname)}: ${lookup ?? reason}`);
  }
  if (lookup !== undefined) return says("unreachable", `Cannot look up ${quote(address.hostname)}: ${lookup}`);
  const isRefused = cause instanceof Deno.errors.ConnectionRefused;
  return says("unreachable", `No broker answers at ${place}${isRefused ? "" : `: ${reason}`}`);
}

/** What was received of the peer before its greeting failed. */
export interface PartialGreeting {
  /** The broker's close message, if it has sent one. */
  readonly closeMessage?: ProtocolError;
  /** The beginning of the first line. */
  readonly firstLine?: string;
  /** How many bytes were received. */
  readonly receivedBytes: number;
}

/**
 * Makes the error of a connection whose greeting, the answer to `/hello`, failed.
 *
 * @param address The broker's address, as `HOST:PORT`.
 * @param cause The error of the greeting.
 * @param received What was received of the peer.
 * @param timeoutMs The timeout, in milliseconds.
 * @returns The error, with the code `refused`, `tls-failed`, `no-answer`, `not-a-broker`, or `unreachable` for a peer that
 * closes the connection and may be a broker that shuts down.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ConnectionError } from "../protocol/errors.ts";
 *
 * const cause = new ConnectionError("disconnected", "The connection was closed");
 * const { message } = greetingError("localhost:22", cause, { firstLine: "SSH-2.0", receivedBytes: 9 }, 5000);
 * assertEquals(message, 'The program at localhost:22 sent "SSH-2.0", and closed the connection');
 * ```
 */
export function greetingError(
  address: string,
  cause: MqError,
  received: PartialGreeting,
  timeoutMs: number,
): ConnectionError {
  const { code, message } = explain(address, cause, received, `${timeoutMs / 1000} s`);
  return new ConnectionError(code, message, { cause });
}

type Explanation = Pick<ConnectionError, "code" | "message">;

function explain(address: string, cause: MqError, received: PartialGreeting, time: string): Explanation {
  const { closeMessage, firstLine, receivedBytes } = received;
  const reason = cause.cause instanceof ProtocolError ? cause.cause : undefined;
  const program = `The program at ${address}`;
  if (closeMessage !== undefined) {
    const code = closeMessage.code === "bye" ? "unreachable" : "refused"; // A broker that shuts down may come back.
    return { code, message: `The broker at ${address} closed the connection: ${closeMessage.message}` };
  }
  if (reason?.code === "tls") return { code: "tls-failed", message: `${program} speaks TLS: try mqs://${address}` };
  if (firstLine?.startsWith("HTTP/")) {
    return { code: "not-a-broker", message: `${program} speaks HTTP, and not the lines of an mq broker` };
  }
  if (receivedBytes === 0) return explainSilence(address, cause, time);
  const sent = firstLine === undefined ? `${receivedBytes} bytes without a line end` : quote(firstLine);
  if (cause instanceof TimeoutError) {
    return { code: "not-a-broker", message: `${program} sent ${sent}, and no answer within ${time}` };
  }
  const isClosed = cause instanceof ConnectionError && reason === undefined;
  if (isClosed) return { code: "not-a-broker", message: `${program} sent ${sent}, and closed the connection` };
  return { code: "not-a-broker", message: `${program} is not an mq broker: ${reason?.message ?? cause.message}` };
}

function explainSilence(address: string, cause: MqError, time: string): Explanation {
  return cause instanceof TimeoutError
    ? {
      code: "no-answer",
      message: `The program at ${address} accepted the connection, but did not answer within ${time}`,
    }
    : { code: "unreachable", message: `The program at ${address} closed the connection at once` };
}

/** Why a TLS handshake failed. */
export interface HandshakeFailure {
  /** `untrusted` for the certificate, `no-tls` if the peer does not speak TLS, or `tls-failed` for other failures. */
  readonly code: "untrusted" | "no-tls" | "tls-failed";
  /** The reason, as the end of a sentence. */
  readonly reason: string;
}

/** Handshake failures by the runtime's message, with the reason in words for readers who do not know TLS. */
const HANDSHAKE_FAILURES: readonly (readonly [RegExp, HandshakeFailure["code"], string])[] = [
  [/UnknownIssuer|UnknownCA/, "untrusted", "the certificate is not signed by an authority that the client trusts"],
  [/InvalidContentType|InvalidMessage/, "no-tls", "the peer does not speak TLS"],
  [/not valid for name|NotValidForName/, "tls-failed", "the certificate is for another name"],
  [/expired/i, "tls-failed", "the certificate has expired"],
  [/not valid yet|NotValidYet/i, "tls-failed", "the certificate is not valid yet"],
  [/CaUsedAsEndEntity/, "tls-failed", "the certificate is that of an authority, not of a server"],
  [/end of file|eof|reset|broken pipe/i, "tls-failed", "the peer closed the connection"],
];

/**
 * Explains why a TLS handshake failed.
 *
 * @param error The error of the runtime.
 * @returns The code and the reason; the runtime's own message, if it is not a known one.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const error = new Error("received corrupt message of type InvalidContentType");
 * assertEquals(explainHandshake(error), { code: "no-tls", reason: "the peer does not speak TLS" });
 * ```
 */
export function explainHandshake(error: unknown): HandshakeFailure {
  const message = error instanceof Error ? error.message : String(error);
  const [, code, reason] = HANDSHAKE_FAILURES.find(([form]) => form.test(message)) ??
    [/./, "tls-failed" as const, message];
  return { code, reason };
}
