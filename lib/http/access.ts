/**
 * Who may ask the gateway. A browser sends requests on behalf of whatever page is open in it: so what comes from another
 * page is told apart by its `Origin`, and what only pretends to be this machine's own page by its `Host`. Everything here
 * is pure.
 *
 * @module
 */
import { MqError, quote } from "../protocol/errors.ts";

/** What a gateway takes for its own. */
export interface Policy {
  /** Whether it speaks TLS. */
  readonly isSecure: boolean;
  /** The host it was told to listen on. */
  readonly hostname: string;
  /** The origins of other pages that may ask, each as {@linkcode parseOrigin} writes it. */
  readonly origins: readonly string[];
}

/** What is looked at of a request. */
export type Asked = Pick<Request, "headers" | "url">;

/** How long an origin may be that is shown in full. */
const MAX_SHOWN_CHARACTERS = 100;

const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;
const BEARER = /^Bearer\s(.*)$/i;

/**
 * Reads an origin that is to be allowed.
 *
 * @param text Such as `https://example.org`.
 * @returns It, as browsers write it.
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
 * Checks where a request comes from, and whom it was meant for.
 *
 * @param request The request.
 * @param policy What the gateway takes for its own.
 * @returns The origin of another page, which is allowed; undefined for its own page and for what is no browser.
 * @throws {MqError} With the code `bad-host` or `bad-origin`.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const policy = { isSecure: false, hostname: "localhost", origins: ["https://example.org"] };
 * const url = "http://localhost:8080/";
 * const from = (origin: string) => new Request(url, { headers: { origin } });
 * assertEquals(checkAccess(from("http://localhost:8080"), policy), undefined);
 * assertEquals(checkAccess(from("https://example.org"), policy), "https://example.org");
 * assertThrows(() => checkAccess(from("http://localhost:3000"), policy));
 * ```
 */
export function checkAccess({ headers, url }: Asked, policy: Policy): string | undefined {
  const host = headers.get("host") ?? new URL(url).host; // HTTP/2 has no such header.
  const own = urlOf(`${policy.isSecure ? "https" : "http"}://${host}`);
  if (own === undefined || !isKnownAs(own.hostname, policy)) {
    const message = `Refused: this gateway is not known as ${quote(host)}, but by an IP address, as localhost, ` +
      `by the host that it listens on, and by those of the origins that it allows${toAllow(own?.origin)}`;
    throw new MqError("bad-host", message);
  }
  const origin = headers.get("origin");
  if (origin === null) checkSite(headers);
  else if (origin !== own.origin) {
    if (policy.origins.includes(origin)) return origin;
    const message = `Refused: the page at ${quote(origin)} is not of an origin that this gateway allows`;
    throw new MqError("bad-origin", message + toAllow(originOf(origin)));
  }
}

/** An origin that a shell leaves as it is: whoever asks has chosen it. */
const PASTABLE = /^https?:\/\/(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?$/;

/** How an origin is allowed, as the rest of a sentence; nothing where it is none that could be pasted, or too long. */
function toAllow(origin: string | undefined): string {
  if (origin === undefined || origin.length > MAX_SHOWN_CHARACTERS || !PASTABLE.test(origin)) return "";
  return `; to allow it, start the broker with --web-origin ${origin}`;
}

/** An origin, if a text is one. */
function originOf(text: string): string | undefined {
  const url = urlOf(text);
  const isOrigin = url !== undefined && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`;
  return isOrigin ? url.origin : undefined;
}

/** A name of this machine's own cannot be made to lead here by somebody who has a name of their own to give away. */
function isKnownAs(hostname: string, policy: Policy): boolean {
  const isAddress = hostname.startsWith("[") || IPV4.test(hostname);
  const isLocal = hostname === "localhost" || hostname.endsWith(".localhost");
  const isGiven = hostname === policy.hostname.toLowerCase();
  return isAddress || isLocal || isGiven || policy.origins.some((origin) => urlOf(origin)?.hostname === hostname);
}

/** Pictures and the like of other pages come without an `Origin`; a browser says that they do. A link may lead here. */
function checkSite(headers: Headers): void {
  const isOfOther = ["cross-site", "same-site"].includes(headers.get("sec-fetch-site") ?? "");
  if (!isOfOther || headers.get("sec-fetch-mode") === "navigate") return;
  throw new MqError("bad-origin", "Refused: another page asks, and does not say which");
}

/**
 * The token of a request.
 *
 * @param headers The headers of the request.
 * @returns What stands behind `Authorization: Bearer`; undefined without that.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(bearerToken(new Headers({ authorization: "Bearer s3cret" })), "s3cret");
 * ```
 */
export function bearerToken(headers: Headers): string | undefined {
  return BEARER.exec(headers.get("authorization") ?? "")?.[1].trim() || undefined;
}

function urlOf(text: string): URL | undefined {
  return URL.parse(text) ?? undefined;
}
