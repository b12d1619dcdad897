/**
 * What to say when somebody listens where a broker should be, and the greeting fails: what was seen, and no guess.
 *
 * @module
 */
import { ConnectionError, type MqError, ProtocolError, quote, TimeoutError } from "../protocol/errors.ts";

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
