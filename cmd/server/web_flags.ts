/**
 * `--web` and `--web-origin`: the address of the HTTP gateway, its page and who may use it.
 *
 * @module
 */
import { parseOrigin } from "../../lib/http/access.ts";
import type { WebOptions } from "../../lib/http/gateway.ts";
import type { Page } from "../../lib/http/responses.ts";
import { MqError } from "../../lib/protocol/errors.ts";
import { type Flag, list, option, UsageError } from "../command.ts";
import { InvalidValueError } from "../shared/errors.ts";

/** The output of `deno task page`, which `deno compile` embeds in the executable. */
const PAGE = new URL("../../dist/page/", import.meta.url);

/** The address of the gateway, and the page that it serves. */
export type WebPlace = Required<Pick<WebOptions, "hostname" | "port" | "page">>;

const WEB_NAMES: readonly string[] = ["http", "page", "ui", "browser", "ws", "websocket"];

/** `--web [HOST:]PORT`. */
export const webFlag: Flag<WebPlace | undefined> = option(
  "[HOST:]PORT",
  "Serve HTTP there: a web page of connections and events, POST, WebSocket and SSE.",
  webPlace,
  { suggestFor: WEB_NAMES },
);

/** `--web` of a command that always serves the page. */
export const webFlagOrFree: Flag<WebPlace> = {
  ...option("[HOST:]PORT", "The address of the web page.", webPlace, {
    suggestFor: [...WEB_NAMES, "port"],
    suggestForValue: /^\d{4,5}$/,
  }),
  defaultText: "localhost and a free port",
  /** The page is read while flags are parsed: afterwards the command drops the permission to read files. */
  get defaultValue() {
    return webPlace("0");
  },
};

/** `--web-origin LIST`. */
export const webOriginFlag: Flag<string[] | undefined> = option(
  "LIST",
  "Origins whose pages may use it, too, such as https://a.org.",
  (text) => list(text).map(origin),
);

function webPlace(text: string): WebPlace {
  const [, ipv6, host, digits] = /^(?:(?:\[([\da-fA-F:.]+)\]|([^\s:/@[\]]+)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65535) throw new InvalidValueError("a port, or HOST:PORT", suggestPort(text));
  return { hostname: ipv6 ?? host ?? "localhost", port, page: readPage() };
}

/** The value within a URL or after a colon. */
function suggestPort(text: string): string | undefined {
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
    throw new UsageError(`dist/page/${file} does not exist`, "deno task page, which creates it");
  }
}

function origin(text: string): string {
  try {
    return parseOrigin(text);
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    const meant = URL.canParse(text) && /^https?:/.test(text) ? new URL(text).origin : `http://${text}`;
    throw new InvalidValueError(
      "origins such as https://example.org",
      /^https?:\/\/[\w.-]+(?::\d+)?$/.exec(meant)?.[0],
    );
  }
}
