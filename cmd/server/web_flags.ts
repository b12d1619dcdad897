/**
 * `--web` and `--web-origin`: the page, and what else is served over HTTP.
 *
 * @module
 */
import { parseOrigin } from "../../lib/http/access.ts";
import type { WebOptions } from "../../lib/http/gateway.ts";
import type { Page } from "../../lib/http/responses.ts";
import { MqError } from "../../lib/protocol/errors.ts";
import { type Flag, list, option, UsageError } from "../command.ts";
import { FormError } from "../shared/readers.ts";

/** Where `deno task page` puts the page; `deno compile` takes it into the executable. */
const PAGE = new URL("../../dist/page/", import.meta.url);

/** Where the page is shown, and the page. */
export type WebPlace = Required<Pick<WebOptions, "hostname" | "port" | "page">>;

const WEB_ALIASES: readonly string[] = ["http", "page", "ui", "browser", "ws", "websocket"];

/** `--web [HOST:]PORT`. */
export const webFlag: Flag<WebPlace | undefined> = option(
  "[HOST:]PORT",
  "Show who talks to whom on a page there, and serve HTTP.",
  webPlace,
  { aliases: WEB_ALIASES },
);

/** The same where there is a page in any case. */
export const webFlagOrFree: Flag<WebPlace> = {
  ...option("[HOST:]PORT", "Where the page is shown.", webPlace, {
    aliases: [...WEB_ALIASES, "port"],
    looks: /^\d{4,5}$/,
  }),
  fallbackText: "localhost and a free port",
  /** The page is read while the flags are: then files still may be. */
  get fallback() {
    return webPlace("0");
  },
};

/** `--web-origin LIST`. */
export const webOriginFlag: Flag<string[] | undefined> = option(
  "LIST",
  "Origins of other pages that may use that, as https://a.org.",
  (text) => list(text).map(origin),
);

function webPlace(text: string): WebPlace {
  const [, ipv6, host, digits] = /^(?:(?:\[([\da-fA-F:.]+)\]|([^\s:/@[\]]+)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65535) throw new FormError("a port, or HOST:PORT", portMeant(text));
  return { hostname: ipv6 ?? host ?? "localhost", port, page: readPage() };
}

/** The place in a URL, or behind a colon. */
function portMeant(text: string): string | undefined {
  return /^(?:https?:\/\/|:)((?:[\w.-]+:)?\d{1,5})\/?$/.exec(text)?.[1];
}

function readPage(): Page {
  const [html, script, style, icon] = ["index.html", "page.js", "page.css", "favicon.svg"].map(readPart);
  return { html, script, style, icon };
}

function readPart(file: string): string {
  try {
    return Deno.readTextFileSync(new URL(file, PAGE));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new UsageError(`there is no dist/page/${file} to show yet`, "deno task page, which makes it");
  }
}

function origin(text: string): string {
  try {
    return parseOrigin(text);
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    const meant = URL.canParse(text) && /^https?:/.test(text) ? new URL(text).origin : `http://${text}`;
    throw new FormError("origins such as https://example.org", /^https?:\/\/[\w.-]+(?::\d+)?$/.exec(meant)?.[0]);
  }
}
