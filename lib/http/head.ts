/**
 * Parses the head of an HTTP/1.1 request: its first line and headers (RFC 9112). What is malformed is refused, and what two
 * readers could understand differently: a request must not be smuggled past a proxy. Everything here is pure.
 *
 * @module
 */
import { MqError, quote } from "../protocol/errors.ts";

/** The longest head, in bytes. */
export const MAX_HEAD_BYTES: number = 16 * 1024;

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;
const TARGET = /^(?:\/|https?:\/\/|\*$)[\x21-\x7e]*$/i;
const CONTROL = /[^\t\P{Cc}]/u;
const DIGITS = /^\d{1,15}$/;

const NO_REQUEST = "its first line is no request of HTTP/1.1";

/** The headers of a request, by their names in lower case. */
export class RequestHeaders {
  readonly #values = new Map<string, string>();

  /**
   * Reads a header.
   *
   * @param name Its name, in lower case.
   * @returns Its value, without white space around it; several values are joined by ", ". Null if there is none.
   */
  get(name: string): string | null {
    return this.#values.get(name) ?? null;
  }

  /**
   * Adds a value.
   *
   * @param name The header's name, in lower case.
   * @param value The value.
   */
  append(name: string, value: string): void {
    const before = this.#values.get(name);
    this.#values.set(name, before === undefined ? value : `${before}, ${value}`);
  }
}

/** The head of a request. */
export interface RequestHead {
  /** The method, such as `GET`. */
  readonly method: string;
  /** What is requested, as `/path?query` or a whole URL. */
  readonly target: string;
  /** The headers. */
  readonly headers: RequestHeaders;
  /** How long the body is, in bytes; undefined if it comes in chunks, whose lengths are not known yet. */
  readonly bodyBytes: number | undefined;
  /** Whether the connection may be used for another request. */
  readonly keepAlive: boolean;
  /** Whether the client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
}

/**
 * Parses a head.
 *
 * @param text The head with the empty line at its end, one character a byte. Lines end with CR LF or LF.
 * @returns The head.
 * @throws {MqError} With the code `bad-request`, `not-implemented` or `bad-version`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const { method, target, headers, bodyBytes } = parseHead("POST /pub/create HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n");
 * assertEquals([method, target, headers.get("host"), bodyBytes], ["POST", "/pub/create", "localhost", 2]);
 * ```
 */
export function parseHead(text: string): RequestHead {
  const [first, ...lines] = text.split("\n").map(withoutCr).filter((line) => line !== "");
  const { method, target, isOld } = parseRequestLine(first);
  const headers = new RequestHeaders();
  for (const line of lines) addHeader(headers, line);
  if (headers.get("host") === null && !isOld) throw bad("it has no Host");
  const connection = (headers.get("connection") ?? "").toLowerCase();
  return {
    method,
    target,
    headers,
    bodyBytes: bodyBytesOf(headers, isOld),
    keepAlive: isOld ? /\bkeep-alive\b/.test(connection) : !/\bclose\b/.test(connection),
    expectsContinue: !isOld && headers.get("expect")?.toLowerCase() === "100-continue",
  };
}

/**
 * Checks the first line of a head that has not come as a whole yet, so that other protocols are refused at once.
 *
 * @param text The line with its end, or its first character.
 * @throws {MqError} With the code `bad-request` or `bad-version`.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * checkRequestLine("P");
 * assertThrows(() => checkRequestLine("/hello {}\n"), Error, "its first line is no request");
 * ```
 */
export function checkRequestLine(text: string): void {
  if (text.endsWith("\n")) parseRequestLine(withoutCr(text.slice(0, -1)));
  else if (!TOKEN.test(text)) throw bad(NO_REQUEST);
}

function withoutCr(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

function parseRequestLine(line: string): { method: string; target: string; isOld: boolean } {
  const [method, target, version, ...more] = line.split(" ");
  const isRequest = TOKEN.test(method) && version !== undefined && more.length === 0 && version.startsWith("HTTP/");
  if (!isRequest) throw bad(NO_REQUEST);
  if (version !== "HTTP/1.1" && version !== "HTTP/1.0") {
    throw new MqError("bad-version", `Cannot speak ${quote(version)}: this is HTTP/1.1`);
  }
  if (!TARGET.test(target)) throw bad(`it asks for ${quote(target)}, which is neither a path nor a URL`);
  return { method, target, isOld: version === "HTTP/1.0" };
}

function addHeader(headers: RequestHeaders, line: string): void {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0));
  const value = line.slice(colon + 1);
  if (!TOKEN.test(name)) throw bad(`the header ${quote(line.slice(0, 100))} has no name`);
  if (CONTROL.test(value)) throw bad(`the value of ${quote(name)} has a control character`);
  const key = name.toLowerCase();
  if (key === "host" && headers.get(key) !== null) throw bad("it has two Hosts");
  headers.append(key, value.trim());
}

/** The length of the body. Two lengths, or one and chunks, could be understood differently by a proxy. */
function bodyBytesOf(headers: RequestHeaders, isOld: boolean): number | undefined {
  const encoding = headers.get("transfer-encoding")?.toLowerCase();
  const length = headers.get("content-length");
  if (encoding !== undefined) {
    if (length !== null || isOld) throw bad("it has a Transfer-Encoding and a Content-Length, or is of HTTP/1.0");
    if (encoding === "chunked") return undefined;
    throw new MqError("not-implemented", `Cannot read the Transfer-Encoding ${quote(encoding)}: it takes chunked`);
  }
  if (length === null) return 0;
  if (DIGITS.test(length)) return Number(length);
  throw bad(`its Content-Length is ${quote(length)}`);
}

/**
 * The error for a request that is malformed.
 *
 * @param why What is wrong with it, as the rest of the sentence.
 * @returns The error, with the code `bad-request`.
 */
export function bad(why: string): MqError {
  return new MqError("bad-request", `Cannot read the request: ${why}`);
}
