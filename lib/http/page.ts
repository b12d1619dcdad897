/**
 * The page that a gateway shows, and what a browser is told of it: it loads nothing from elsewhere, runs nothing that stands
 * in its own text, and is shown within no other page.
 *
 * @module
 */
import { text } from "./responses.ts";

/** The texts of a page. */
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

const HEADERS = {
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
 * What is answered for each part of a page.
 *
 * @param page The page.
 * @returns Each path, and what makes the answer.
 */
export function pageResponses({ html, script, style, icon }: Page): [path: string, respond: () => Response][] {
  const parts: [path: string, type: string, body: string][] = [
    ["/", "text/html; charset=utf-8", html],
    ["/page.js", "text/javascript; charset=utf-8", script],
    ["/page.css", "text/css; charset=utf-8", style],
    ["/favicon.svg", "image/svg+xml", icon],
  ];
  return parts.map(([path, type, body]) => [path, () => text(200, type, body, HEADERS)]);
}
