/**
 * `POST /pub/NAME`: a request as an event. What is not understood of a request is refused: to ignore it could publish
 * something else than was meant.
 *
 * @module
 */
import { formatAddress } from "../protocol/address.ts";
import type { Broker } from "../broker.ts";
import { dataFromText } from "../protocol/data.ts";
import { MqError, ProtocolError, quote } from "../protocol/errors.ts";
import { authorize, type HttpPeer } from "./access.ts";
import type { HttpRequest } from "./connection.ts";
import { type HttpResponse, json } from "./responses.ts";

/** UTF-8 and its subset. */
const CHARSETS: readonly string[] = ["utf-8", "utf8", "us-ascii", "ascii"];

/** It ignores a byte order mark at the beginning, which is not part of the text (WHATWG Encoding, section 6). */
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Publishes the body of a request.
 *
 * @param broker The broker.
 * @param request The request.
 * @param name The name of the event, percent-encoded as it stands in the path.
 * @param peer Who sent the request.
 * @returns 202 and the receipt, `{"id":ULID,"receivers":N}`. With an `Idempotency-Key`, it is that of the first request.
 * @throws {MqError} If the request is refused, with one of the codes in `STATUSES`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 *
 * await using broker = new Broker();
 * const request = { headers: new Headers(), body: () => Promise.resolve(new TextEncoder().encode('{"id":1}')) };
 * const remoteAddr: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 50_000 };
 * const { status, body } = await publishRequest(broker, request, "create", { remoteAddr, token: undefined });
 * assertEquals([status, JSON.parse(body).receivers], [202, 0]);
 * ```
 */
export async function publishRequest(
  broker: Broker,
  request: Pick<HttpRequest, "headers" | "body">,
  name: string,
  { remoteAddr, token }: HttpPeer,
): Promise<HttpResponse> {
  checkMedia(request.headers);
  const key = keyOf(request.headers);
  const data = dataFromText(decodeBody(await request.body(broker.limits.lineBytes)));
  const receipt = await broker.publishConfirmed(decodeName(name), data, {
    raw: true,
    key,
    from: "http",
    scope: authorize(broker, token),
    address: formatAddress(remoteAddr),
    limitBy: token ?? remoteAddr.hostname,
  });
  return json(202, receipt);
}

/**
 * Checks whether a body is the data of an event as it stands: not compressed, not parts of a form, and in UTF-8. Any
 * other media type is accepted, because data may be any text.
 *
 * @param headers The headers of the request.
 * @throws {MqError} With the code `unsupported-encoding` or `unsupported-type`.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * checkMedia(new Headers({ "content-type": "application/x-www-form-urlencoded" })); // The default of curl.
 * assertThrows(() => checkMedia(new Headers({ "content-encoding": "gzip" })), Error, 'Cannot read a body in "gzip"');
 * ```
 */
export function checkMedia(headers: Pick<Headers, "get">): void {
  const encoding = headers.get("content-encoding")?.trim().toLowerCase() || "identity";
  if (encoding !== "identity") {
    throw new MqError("unsupported-encoding", `Cannot read a body in ${quote(encoding)}: send it without an encoding`);
  }
  const [type, ...parameters] = (headers.get("content-type") ?? "").toLowerCase().split(";").map((part) => part.trim());
  if (type.startsWith("multipart/")) {
    const message = `Cannot take ${quote(type)}: the body is the data of the event, not a form (curl -d, not curl -F)`;
    throw new MqError("unsupported-type", message);
  }
  const charset = parameters.find((parameter) => parameter.startsWith("charset="))?.slice("charset=".length);
  if (charset === undefined || CHARSETS.includes(charset.replaceAll('"', ""))) return;
  throw new MqError("unsupported-type", `Cannot read a body in the character set ${quote(charset)}: it takes UTF-8`);
}

/**
 * Reads a body as text.
 *
 * @param bytes The body.
 * @returns The text, without a byte order mark at its beginning and one line end at its end.
 * @throws {ProtocolError} With the code `invalid-utf8`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(decodeBody(new TextEncoder().encode('{"id":1}\n')), '{"id":1}');
 * ```
 */
export function decodeBody(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes).replace(/\r?\n$/, "");
  } catch (cause) {
    throw new ProtocolError("invalid-utf8", "Cannot read the body: it is not UTF-8", { cause });
  }
}

/**
 * The key of a request: a string of HTTP's structured fields, as draft-ietf-httpapi-idempotency-key-header has it, or the
 * bare word.
 */
function keyOf(headers: Pick<Headers, "get">): string | undefined {
  const value = headers.get("idempotency-key")?.trim();
  const [, quoted] = /^"((?:[^"\\]|\\["\\])*)"$/.exec(value ?? "") ?? [];
  if (quoted === undefined && value?.startsWith('"')) {
    throw new ProtocolError("bad-arguments", `Cannot read ${quote(value)} as an Idempotency-Key: it takes "KEY"`);
  }
  return quoted?.replace(/\\(.)/g, "$1") ?? value;
}

/** Text that is not percent-encoded in UTF-8 stays as it is: the broker refuses it as no name. */
function decodeName(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}
