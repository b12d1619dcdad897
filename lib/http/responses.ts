/**
 * The responses of the gateway: JSON, text, the status of each error, what browsers ask before a request, and the page.
 *
 * @module
 */
import { MqError } from "../protocol/errors.ts";

/** Responses are not to be stored, nor read as another media type, and their URL is not to be sent to other pages. */
const HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" };

/** How long a browser may keep the answer to a preflight request, in seconds. */
const PREFLIGHT_AGE_S = 600;

/** After how long a client may publish again that publishes too fast, in seconds. */
const RETRY_AFTER_S = 1;

/** The status of each code, and the headers that belong to it. Any other code has the status 500. */
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
  ["rate-limited", [429, { "retry-after": String(RETRY_AFTER_S) }]],
  ["too-many-connections", [503]],
  ["draining", [503]],
]);

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
 * assertEquals(await json(202, { receivers: 2 }).text(), '{"receivers":2}\n');
 * ```
 */
export function json(status: number, value: unknown, headers: Record<string, string> = {}): Response {
  return text(status, "application/json", JSON.stringify(value) + "\n", headers);
}

/**
 * Makes a response of text.
 *
 * @param status The status.
 * @param type The media type.
 * @param body The text, or a stream of it.
 * @param headers Headers besides those of every response.
 * @returns The response.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(text(200, "text/plain", "ok\n").headers.get("x-content-type-options"), "nosniff");
 * ```
 */
export function text(status: number, type: string, body: BodyInit, headers: Record<string, string> = {}): Response {
  return new Response(body, { status, headers: { ...HEADERS, "content-type": type, ...headers } });
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
export function refusal(error: unknown, headers: Record<string, string> = {}): Response {
  const { code, message } = error instanceof MqError
    ? error
    : new MqError("internal-error", "The gateway failed; this is a bug in mq");
  const [status, own] = STATUSES.get(code) ?? [500];
  return json(status, { error: code, message }, { ...own, ...headers });
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
 * assertEquals(options("GET, OPTIONS", new Headers(), undefined).headers.get("allow"), "GET, OPTIONS");
 * ```
 */
export function options(allow: string, asked: Headers, origin: string | undefined): Response {
  const isPreflight = origin !== undefined && asked.has("access-control-request-method");
  const preflight = {
    "access-control-allow-methods": allow,
    "access-control-allow-headers": asked.get("access-control-request-headers") ?? "",
    "access-control-max-age": String(PREFLIGHT_AGE_S),
    vary: "access-control-request-headers",
  };
  return new Response(null, { status: 204, headers: { allow, ...isPreflight ? preflight : {} } });
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
 * assertEquals(headers.get("access-control-allow-origin"), "https://example.org");
 * ```
 */
export function shareWith(origin: string, headers: Headers): void {
  headers.set("access-control-allow-origin", origin);
  headers.append("vary", "origin");
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
export function pageResponses({ html, script, style, icon }: Page): [path: string, respond: () => Response][] {
  const parts: [path: string, type: string, body: string][] = [
    ["/", "text/html; charset=utf-8", html],
    ["/page.js", "text/javascript; charset=utf-8", script],
    ["/page.css", "text/css; charset=utf-8", style],
    ["/favicon.svg", "image/svg+xml", icon],
  ];
  return parts.map(([path, type, body]) => [path, () => text(200, type, body, PAGE_HEADERS)]);
}
