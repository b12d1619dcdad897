/**
 * What the gateway answers: JSON, and the status that goes with each error.
 *
 * @module
 */
import { MqError } from "../protocol/errors.ts";

/** Nothing that it sends is to be kept, guessed at, or shown within another page. */
const HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" };

/** The status of each code, and the headers that belong to it. With any other code it is 500. */
export const STATUSES: ReadonlyMap<string, [status: number, headers?: Record<string, string>]> = new Map([
  ["bad-name", [400]],
  ["reserved-name", [400]],
  ["bad-pattern", [400]],
  ["too-many-patterns", [400]],
  ["invalid-utf8", [400]],
  ["bad-parameter", [400]],
  ["unauthorized", [401, { "www-authenticate": "Bearer" }]],
  ["forbidden", [403]],
  ["bad-origin", [403]],
  ["unrecognized", [404]],
  ["not-found", [404]],
  ["bad-method", [405]],
  ["line-too-long", [413]],
  ["unsupported-encoding", [415, { "accept-encoding": "identity" }]],
  ["unsupported-type", [415, { "accept": "application/json, text/plain" }]],
  ["bad-host", [421]],
  ["invalid-data", [422]],
  ["no-upgrade", [426, { upgrade: "websocket", connection: "upgrade" }]],
  ["too-many-connections", [503]],
  ["draining", [503]],
]);

/**
 * Answers with JSON.
 *
 * @param status The status.
 * @param value The value.
 * @param headers More headers.
 * @returns The answer.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await json(202, { receivers: 2 }).text(), '{"receivers":2}\n');
 * ```
 */
export function json(status: number, value: unknown, headers: Record<string, string> = {}): Response {
  return text(status, "application/json", JSON.stringify(value) + "\n", headers);
}

/**
 * Answers with a text.
 *
 * @param status The status.
 * @param type Its media type.
 * @param body The text, or a stream of it.
 * @param headers More headers.
 * @returns The answer.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(text(200, "text/plain", "ok\n").headers.get("x-content-type-options"), "nosniff");
 * ```
 */
export function text(status: number, type: string, body: BodyInit, headers: Record<string, string> = {}): Response {
  return new Response(body, {
    status,
    headers: { ...HEADERS, "content-type": type, ...headers },
  });
}

/**
 * Answers what could not be done. Of an error that is not mq's own nothing is told.
 *
 * @param error Why.
 * @param headers More headers.
 * @returns `{"error":CODE,"message":TEXT}`, with the status that fits.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ProtocolError } from "../protocol/errors.ts";
 *
 * assertEquals(refusal(new ProtocolError("unrecognized", "Dropped")).status, 404);
 * assertEquals(refusal(new Error("oops")).status, 500);
 * ```
 */
export function refusal(error: unknown, headers: Record<string, string> = {}): Response {
  const { code, message } = error instanceof MqError
    ? error
    : new MqError("internal-error", "The gateway failed; this is a bug in mq");
  const [status, own] = STATUSES.get(code) ?? [500];
  return json(status, { error: code, message }, { ...own, ...headers });
}
