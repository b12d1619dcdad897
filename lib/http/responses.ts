/**
 * The responses of the gateway: JSON, text, the status of each error, what browsers ask before a request, and the page.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { MqError } from "../protocol/errors.ts";
import { encodeText } from "../protocol/text.ts";
import type { Upgraded } from "./connection.ts";

/**
 * Responses are not to be stored, nor read as another media type, nor shown in a frame, and their URL is not to be sent to
 * other pages.
 */
const HEADERS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "content-security-policy": "frame-ancestors 'none'",
};

/** How long a browser may keep the answer to a preflight request, in seconds. */
const PREFLIGHT_AGE_S = 600;

/** After how long a client may publish again that publishes too fast, in seconds. */
const RETRY_AFTER_S = 1;

/** The codes of requests after which the connection is closed: what follows could not be understood, or is a guess. */
const CLOSING: readonly string[] = ["bad-request", "head-too-long", "bad-version", "not-implemented", "unauthorized"];

/** The status of each code, and the headers that belong to it. Any other code has the status 500. */
export const STATUSES: ReadonlyMap<string, [status: number, headers?: Record<string, string>]> = new Map([
  ["bad-request", [400]],
  ["bad-name", [400]],
  ["reserved-name", [400]],
  ["bad-pattern", [400]],
  ["too-many-patterns", [400]],
  ["invalid-utf8", [400]],
  ["bad-parameter", [400]],
  ["bad-arguments", [400]],
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
  ["head-too-long", [431]],
  ["not-implemented", [501]],
  ["no-store", [501]],
  ["bad-version", [505]],
  ["rate-limited", [429, { "retry-after": String(RETRY_AFTER_S) }]],
  ["too-many-connections", [503]],
  ["store-failed", [503]],
  ["too-many-keys", [503]],
  ["draining", [503]],
]);

/** A response. */
export interface HttpResponse {
  /** The status, such as 200. */
  readonly status: number;
  /** The headers, by their names in lower case. */
  readonly headers: Record<string, string>;
  /** The body. */
  readonly body: string;
  /** Whether the connection is closed after it. Default: only if the request or HTTP requires that. */
  readonly closes?: boolean;
  /** Takes the connection over in place of a body. An error that it throws is responded with in place of this response. */
  readonly upgrade?: (connection: Upgraded) => void;
}

/** The text of each status that is used (RFC 9110, section 15). */
const REASONS: Readonly<Record<number, string>> = {
  101: "Switching Protocols",
  200: "OK",
  202: "Accepted",
  204: "No Content",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  426: "Upgrade Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

/** The statuses without a body and its length. */
const WITHOUT_BODY: readonly number[] = [101, 204];

/**
 * Writes a response as HTTP/1.1. Where the connection is taken over, only its head is written.
 *
 * @param response The response.
 * @param how Whether the connection is kept for another request, and whether the request was `HEAD`.
 * @returns The bytes to send.
 *
 * @example
 * ```ts
 * import { assertMatch } from "@std/assert";
 *
 * const bytes = formatResponse(text(200, "text/plain", "ok\n"), { keepAlive: true, isHead: false });
 * assertMatch(new TextDecoder().decode(bytes), /^HTTP\/1\.1 200 OK\r\n(?:.+\r\n)*content-length: 3\r\n\r\nok\n$/);
 * ```
 */
export function formatResponse(
  { status, headers, body, upgrade }: HttpResponse,
  { keepAlive, isHead }: { keepAlive: boolean; isHead: boolean },
): Uint8Array {
  const bytes = encodeText(body);
  const lines = [`HTTP/1.1 ${status} ${REASONS[status] ?? "Unknown"}`, `date: ${new Date().toUTCString()}`];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (upgrade !== undefined && status !== 101) lines.push("connection: close"); // The end of the body is that of the connection.
  else {
    if (!keepAlive) lines.push("connection: close");
    if (!WITHOUT_BODY.includes(status)) lines.push(`content-length: ${bytes.length}`);
  }
  const head = encodeText(lines.join("\r\n") + "\r\n\r\n");
  return isHead || bytes.length === 0 ? head : concat([head, bytes]);
}

/**
 * Makes a response of JSON.
 *
 * @param status The status.
 * @param value The value.
 * @param headers Headers besides those of every response.
 * @returns The response.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(json(202, { receivers: 2 }).body, '{"receivers":2}\n');
 * ```
 */
export function json(status: number, value: unknown, headers: Record<string, string> = {}): HttpResponse {
  return text(status, "application/json", JSON.stringify(value) + "\n", headers);
}

/**
 * Makes a response of text.
 *
 * @param status The status.
 * @param type The media type.
 * @param body The text.
 * @param headers Headers besides those of every response.
 * @returns The response.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(text(200, "text/plain", "ok\n").headers["x-content-type-options"], "nosniff");
 * ```
 */
export function text(status: number, type: string, body: string, headers: Record<string, string> = {}): HttpResponse {
  return { status, headers: { ...HEADERS, "content-type": type, ...headers }, body };
}

/**
 * Makes the response to a request that failed. The message of an error that is not mq's own is not told.
 *
 * @param error The error.
 * @param headers Headers besides those of the error's code.
 * @returns `{"error":CODE,"message":TEXT}`, with the status of the code.
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
export function refusal(error: unknown, headers: Record<string, string> = {}): HttpResponse {
  const { code, message } = error instanceof MqError
    ? error
    : new MqError("internal-error", "The gateway failed; this is a bug in mq");
  const [status, own] = STATUSES.get(code) ?? [500];
  return { ...json(status, { error: code, message }, { ...own, ...headers }), closes: CLOSING.includes(code) };
}

/**
 * Makes the response to `OPTIONS`. With it a browser asks whether a page of another origin may send a request (a preflight
 * request of CORS). Such a page may send any header: what the gateway trusts is nothing that a page can set.
 *
 * @param allow The methods that the path takes, for `Allow`.
 * @param asked The headers of the request.
 * @param origin The origin of another page that is allowed.
 * @returns The response.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(options("GET, OPTIONS", new Headers(), undefined).headers.allow, "GET, OPTIONS");
 * ```
 */
export function options(
  allow: string,
  asked: Pick<Headers, "get">,
  origin: string | undefined,
): HttpResponse {
  const isPreflight = origin !== undefined && asked.get("access-control-request-method") !== null;
  const preflight = {
    "access-control-allow-methods": allow,
    "access-control-allow-headers": asked.get("access-control-request-headers") ?? "",
    "access-control-max-age": String(PREFLIGHT_AGE_S),
    vary: "access-control-request-headers",
  };
  return { status: 204, headers: { ...HEADERS, allow, ...isPreflight ? preflight : {} }, body: "" };
}

/**
 * Lets the script of a page of another origin read a response (CORS).
 *
 * @param origin The origin of the page.
 * @param headers The headers of the response, to which those for it are added.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const { headers } = json(202, {});
 * shareWith("https://example.org", headers);
 * assertEquals(headers["access-control-allow-origin"], "https://example.org");
 * ```
 */
export function shareWith(origin: string, headers: Record<string, string>): void {
  headers["access-control-allow-origin"] = origin;
  headers.vary = headers.vary === undefined ? "origin" : `${headers.vary}, origin`;
}

/**
 * The texts of a page.
 *
 * @example
 * ```ts
 * const page: Page = {
 *   html: '<!doctype html><link rel="stylesheet" href="/page.css"><script type="module" src="/page.js"></script>',
 *   script: 'document.body.append("Hello");',
 *   style: "body { margin: 2em }",
 *   icon: '<svg xmlns="http://www.w3.org/2000/svg"/>',
 * };
 * ```
 */
export interface Page {
  /** The page itself, HTML. */
  readonly html: string;
  /** Its script, a module at `/page.js`. */
  readonly script: string;
  /** Its style, at `/page.css`. */
  readonly style: string;
  /** Its icon, SVG at `/favicon.svg`. */
  readonly icon: string;
}

/** The page loads nothing from other hosts, runs no script that is written into it, and cannot be put into a frame. */
const PAGE_HEADERS = {
  "cache-control": "no-cache",
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/**
 * The paths of a page.
 *
 * @param page The page.
 * @returns Each path, with a function that makes the response.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const paths = pageResponses({ html: "", script: "", style: "", icon: "" }).map(([path]) => path);
 * assertEquals(paths, ["/", "/page.js", "/page.css", "/favicon.svg"]);
 * ```
 */
export function pageResponses({ html, script, style, icon }: Page): [path: string, respond: () => HttpResponse][] {
  const parts: [path: string, type: string, body: string][] = [
    ["/", "text/html; charset=utf-8", html],
    ["/page.js", "text/javascript; charset=utf-8", script],
    ["/page.css", "text/css; charset=utf-8", style],
    ["/favicon.svg", "image/svg+xml", icon],
  ];
  return parts.map(([path, type, body]) => [path, () => text(200, type, body, PAGE_HEADERS)]);
}
