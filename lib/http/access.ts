/**
 * Which requests the gateway accepts. A browser sends requests on behalf of any page that is open in it. Those of pages
 * of other origins are known by their `Origin`, and those of pages that reach this machine under a host name of their own
 * (DNS rebinding) by their `Host`. Everything here is pure.
 *
 * @module
 */
import type { Broker } from "../broker.ts";
import { MqError, quote } from "../protocol/errors.ts";
import type { Scope } from "../protocol/tokens.ts";
import type { HttpRequest } from "./connection.ts";

/** What a gateway compares requests with. */
export interface AccessPolicy {
  /** Whether the gateway speaks TLS. */
  readonly isSecure: boolean;
  /** The host that the gateway was told to listen on. */
  readonly hostname: string;
  /** The allowed origins of other pages, each as {@linkcode parseOrigin} returns it. */
  readonly origins: readonly string[];
}

/** Who sent a request. */
export interface HttpPeer {
  /** The address of the other end of its connection. */
  readonly remoteAddr: Deno.NetAddr;
  /** The token that it showed, if the broker has tokens; undefined for none. */
  readonly token: string | undefined;
}

/** The longest origin that an error suggests to allow, in characters. */
const MAX_SUGGESTED_CHARACTERS = 100;

/** An origin that means the same to a shell: the text comes from the request. */
const PASTABLE = /^https?:\/\/(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?$/;

const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;
const BEARER = /^Bearer\s(.*)$/i;

/**
 * Reads an origin that is to be allowed.
 *
 * @param text An origin such as `https://example.org`.
 * @returns The origin as browsers write it.
 * @throws {MqError} With the code `bad-origin`.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(parseOrigin("https://Example.org:443/"), "https://example.org");
 * assertThrows(() => parseOrigin("example.org"));
 * ```
 */
export function parseOrigin(text: string): string {
  const origin = originOf(text);
  if (origin !== undefined) return origin;
  throw new MqError("bad-origin", `Cannot read ${quote(text)} as an origin: it takes one such as https://example.org`);
}

/**
 * Checks the `Host` and the `Origin` of a request.
 *
 * @param request The request.
 * @param policy What to compare it with.
 * @returns The origin of the page that sent it, if that is another origin and allowed. Undefined for a page of the
 * gateway's own origin, and for a request that no page sent.
 * @throws {MqError} With the code `bad-host` or `bad-origin`.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const policy = { isSecure: false, hostname: "localhost", origins: ["https://example.org"] };
 * const from = (origin: string) => ({ method: "GET", headers: new Headers({ host: "localhost:8080", origin }) });
 * assertEquals(checkAccess(from("http://localhost:8080"), policy), undefined);
 * assertEquals(checkAccess(from("https://example.org"), policy), "https://example.org");
 * assertThrows(() => checkAccess(from("http://localhost:3000"), policy));
 * ```
 */
export function checkAccess(
  { method, headers }: Pick<HttpRequest, "method" | "headers">,
  policy: AccessPolicy,
): string | undefined {
  const host = headers.get("host") ?? "";
  const own = urlOf(`${policy.isSecure ? "https" : "http"}://${host}`);
  if (own === undefined || !isOwnHost(own.hostname, policy)) {
    const message =
      `Refused: the Host ${quote(host)} is none of this gateway's, which are IP addresses, localhost, the ` +
      `host that it listens on, and the hosts of the origins that it allows${suggestion(own?.origin)}`;
    throw new MqError("bad-host", message);
  }
  const origin = headers.get("origin");
  if (origin === null) checkSite(method, headers);
  else if (origin !== own.origin) {
    if (policy.origins.includes(origin)) return origin;
    const message = `Refused: this gateway does not allow pages of the origin ${quote(origin)}`;
    throw new MqError("bad-origin", message + suggestion(originOf(origin)));
  }
}

/** How to allow an origin, as the end of a sentence; empty if the origin is none, too long, or not safe to paste. */
function suggestion(origin: string | undefined): string {
  if (origin === undefined || origin.length > MAX_SUGGESTED_CHARACTERS || !PASTABLE.test(origin)) return "";
  return `; to allow it, start the broker with --web-origin ${origin}`;
}

/** The origin that a text is; undefined if the text is anything else. */
function originOf(text: string): string | undefined {
  const url = urlOf(text);
  const isOrigin = url !== undefined && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`;
  return isOrigin ? url.origin : undefined;
}

/** Whether a request for this host is meant for the gateway. Nobody else can make one of these names lead to it. */
function isOwnHost(hostname: string, policy: AccessPolicy): boolean {
  const isAddress = hostname.startsWith("[") || IPV4.test(hostname);
  const isLocal = hostname === "localhost" || hostname.endsWith(".localhost");
  const isGiven = hostname === policy.hostname.toLowerCase();
  return isAddress || isLocal || isGiven || policy.origins.some((origin) => urlOf(origin)?.hostname === hostname);
}

/**
 * Refuses what a page of another site loads without an `Origin`, such as an image, or sends as a form: `Sec-Fetch-Site` tells
 * where the page is from. A link from another site may be followed.
 */
function checkSite(method: string, headers: Pick<Headers, "get">): void {
  const isCrossOrigin = ["cross-site", "same-site"].includes(headers.get("sec-fetch-site") ?? "");
  if (!isCrossOrigin || (method === "GET" && headers.get("sec-fetch-mode") === "navigate")) return;
  throw new MqError("bad-origin", "Refused: the request comes from a page of another origin, and does not name it");
}

/**
 * Reads the token of a request.
 *
 * @param headers The headers of the request.
 * @returns What follows `Authorization: Bearer`; undefined without that.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(bearerToken(new Headers({ authorization: "Bearer s3cret" })), "s3cret");
 * ```
 */
export function bearerToken(headers: Pick<Headers, "get">): string | undefined {
  return BEARER.exec(headers.get("authorization") ?? "")?.[1].trim() || undefined;
}

/**
 * Looks up what a token allows.
 *
 * @param broker The broker.
 * @param token The token of a request; undefined for none.
 * @returns What it allows.
 * @throws {MqError} With the code `unauthorized`, if the broker has tokens and this is none of them.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { Broker } from "../broker.ts";
 *
 * const broker = new Broker({ tokens: [{ token: "s3cret", scope: "publish" }] });
 * assertEquals(authorize(broker, "s3cret"), "publish");
 * assertThrows(() => authorize(broker, undefined), Error, "this broker requires a token");
 * ```
 */
export function authorize(broker: Broker, token: string | undefined): Scope {
  const scope = broker.authorize(token);
  if (scope !== undefined) return scope;
  const why = token === undefined
    ? "this broker requires a token: Authorization: Bearer TOKEN"
    : "the token is none of this broker's";
  throw new MqError("unauthorized", `Not authorized: ${why}`);
}

function urlOf(text: string): URL | undefined {
  return URL.parse(text) ?? undefined;
}
