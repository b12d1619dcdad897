/**
 * Formats numbers, times, names, patterns and reasons for the page. Everything here is pure.
 *
 * @module
 */
import { decodeTime } from "@std/ulid";
import { INBOX } from "../lib/protocol/event.ts";
import type { LogReport } from "../lib/protocol/responses.ts";
import type { Notice } from "./model.ts";

const MAX_LISTED = 3;
const COMPACT = new Intl.NumberFormat("en-US", { notation: "compact" });

const SLOW = "was disconnected: it is a slow consumer";

const REASONS = new Map([
  ["closed", "left"],
  ["quit", "left"],
  ["reset", "lost its connection"],
  ["draining", "was disconnected: the broker is shutting down"],
  ["slow", SLOW],
  ["slow-consumer", SLOW],
  ["silent", "was disconnected: it did not answer a ping"],
  ["unauthorized", "was refused: it has no valid token"],
  ["http", "was disconnected: it sent an HTTP request"],
  ["invalid-utf8", "was disconnected: it sent data that is not UTF-8"],
]);

/** Formats a count with its noun: `1 event`, `2,000 events`. */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
}

/** Formats a rate, with one decimal below 10: `0`, `9.9`, `26`, `200,000`. */
export function formatRate(perSecond: number): string {
  if (perSecond === 0) return "0";
  return perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond).toLocaleString("en-US");
}

/** Formats a rate in little space: `200K`. */
export function formatCompactRate(perSecond: number): string {
  return perSecond < 10_000 ? formatRate(perSecond) : COMPACT.format(perSecond);
}

/** Formats a number of bytes: `12 bytes`, `3.4 kB`, `16 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return count(bytes, "byte");
  const [divisor, unit] = bytes < 999_500 ? [1e3, "kB"] : [1e6, "MB"];
  const value = bytes / divisor;
  return `${value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en-US")} ${unit}`;
}

/** Formats the time of an event's ULID as the local time of day. */
export function formatTime(id: string): string {
  return new Date(decodeTime(id)).toLocaleTimeString("en-GB");
}

/** Returns whether a name is that of a reply. */
export function isInboxName(name: string): boolean {
  return name.startsWith(`${INBOX}.`);
}

/** Returns the name under which an event is shown: `_INBOX` for all replies, else its own name; `a line` if it has none. */
export function groupName(name: string): string {
  if (name === "") return "a line";
  return isInboxName(name) ? INBOX : name;
}

/**
 * Formats patterns: `everything`, `order.*, user.> and 3 more`, `nothing`. `total` is how many there are, if only some of
 * them are known.
 */
export function describePatterns(patterns: Iterable<string>, most = MAX_LISTED, total = 0): string {
  const known = [...patterns];
  const unknown = Math.max(0, total - known.length);
  if (known.length === 0) return unknown === 0 ? "nothing" : count(unknown, "pattern");
  const names = [...new Set(known.map((pattern) => pattern === ">" ? "everything" : groupName(pattern)))];
  const more = Math.max(0, names.length - most) + unknown;
  return names.slice(0, most).join(", ") + (more > 0 ? ` and ${more.toLocaleString("en-US")} more` : "");
}

/** Describes why a connection ended, as the rest of a sentence that begins with its name. */
export function describeEnd(reason: string): string {
  return REASONS.get(reason) ?? `was disconnected: ${reason}`;
}

/** Describes why the store cannot be written; empty if it can. */
export function describeFailure({ failed }: LogReport): string {
  return failed === undefined ? "" : `${failed}. Until the store works again, no event is stored.`;
}

/** Breaks JSON into lines. It works on the text, since parsing would round large numbers. */
export function indentJson(json: string): string {
  let depth = 0;
  const line = () => "\n" + "  ".repeat(depth);
  return json.trim().replace(/"(?:[^"\\]|\\.)*"|\{\s*\}|\[\s*\]|[{}[\],:]|\s+/g, (token) => {
    if (token.startsWith('"')) return token;
    if (/^\s/.test(token)) return "";
    if (token.length > 1) return token[0] + token.at(-1);
    if (token === "{" || token === "[") return token + (depth++, line());
    if (token === "}" || token === "]") return (depth--, line()) + token;
    return token === "," ? token + line() : ": ";
  });
}

/** Summarizes notices: up to two of a kind by name, else their number; of the other kinds only the last. */
export function summarize(notices: readonly Notice[]): string {
  const [joined, left] = ["joined", "left"].map((kind) => notices.filter((notice) => notice.kind === kind));
  const others = notices.filter(({ kind, id }) => kind === "other" && left.every((notice) => notice.id !== id));
  const some = (list: readonly Notice[], what: string) =>
    list.length > 2 ? [`${count(list.length, "program")} ${what}`] : list.map(sentenceOf);
  return [...some(joined, "connected"), ...some(left, "left"), ...others.slice(-1).map(sentenceOf)].join(". ");
}

function sentenceOf({ name, what }: Notice): string {
  return `${name} ${what}`;
}
