/**
 * What a request may say beside its path: parameters, and what its body is in. What is not understood is refused, since
 * passing over it would do something else than was asked for. Everything here is pure.
 *
 * @module
 */
import { MqError, quote } from "../protocol/errors.ts";

/** UTF-8, and what is the same in it. */
const CHARSETS: readonly string[] = ["utf-8", "utf8", "us-ascii", "ascii"];

/**
 * Checks the parameters of a request.
 *
 * @param url Its URL.
 * @param known The parameters that its path takes.
 * @throws {MqError} With the code `bad-parameter`, if there is another one.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * const url = new URL("http://localhost:8080/events?patterns=create");
 * assertThrows(() => checkParameters(url, ["pattern"]), Error, 'Cannot take the parameter "patterns"');
 * ```
 */
export function checkParameters({ pathname, searchParams }: URL, known: readonly string[]): void {
  const unknown = searchParams.keys().find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const taken = known.join(", ") || "none";
  throw new MqError("bad-parameter", `Cannot take the parameter ${quote(unknown)}: ${quote(pathname)} takes ${taken}`);
}

/**
 * Checks whether a body is the data of an event as it stands: it must not be compressed, be parts of a form, or have
 * another character set than UTF-8. Any other type will do, for data may be any text.
 *
 * @param headers The headers of the request.
 * @throws {MqError} With the code `unsupported-encoding` or `unsupported-type`.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * checkMedia(new Headers({ "content-type": "application/x-www-form-urlencoded" })); // Which curl says unless told otherwise.
 * assertThrows(() => checkMedia(new Headers({ "content-encoding": "gzip" })), Error, 'Cannot read a body in "gzip"');
 * ```
 */
export function checkMedia(headers: Headers): void {
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
