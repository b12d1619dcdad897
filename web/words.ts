/**
 * Numbers, times, patterns and reasons in words that a student grasps. Everything here is pure.
 *
 * @module
 */
import { decodeTime } from "@std/ulid";

const MAX_LISTED = 3;
const COMPACT = new Intl.NumberFormat("en-US", { notation: "compact" });

const REASONS = new Map([
  ["closed", "left"],
  ["quit", "left"],
  ["reset", "broke off"],
  ["draining", "was sent away: the broker goes down"],
  ["slow", "was closed: it reads too slowly"],
  ["slow-consumer", "was closed: it reads too slowly"],
  ["silent", "was closed: it did not answer"],
  ["unauthorized", "was not let in: it has no valid token"],
  ["http", "was closed: it spoke HTTP"],
  ["invalid-utf8", "was closed: it sent something that is not text"],
]);

/** A count and its noun: `1 event`, `2,000 events`. */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
}

/** So many a second: a decimal where there are few. */
export function formatRate(perSecond: number): string {
  if (perSecond === 0) return "0";
  return perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond).toLocaleString("en-US");
}

/** The same where there is little room: `200K`. */
export function formatCompactRate(perSecond: number): string {
  return perSecond < 10_000 ? formatRate(perSecond) : COMPACT.format(perSecond);
}

/** A number of bytes: `12 bytes`, `3.4 kB`, `16 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return count(bytes, "byte");
  const [divisor, unit] = bytes < 999_500 ? [1e3, "kB"] : [1e6, "MB"];
  const value = bytes / divisor;
  return `${value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en-US")} ${unit}`;
}

/** When the broker took an event in, as the time of day here. */
export function timeOf(id: string): string {
  return new Date(decodeTime(id)).toLocaleTimeString("en-GB");
}

/** What a connection hears: `everything`, `order.*, user.> and 3 more`, `nothing`. */
export function hearing(patterns: readonly string[], most = MAX_LISTED): string {
  if (patterns.length === 0) return "nothing";
  const named = patterns.map((pattern) => pattern === ">" ? "everything" : pattern);
  const more = patterns.length - most;
  return named.slice(0, most).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** How a connection came to its end, as the rest of a sentence about it. */
export function leaving(reason: string): string {
  return REASONS.get(reason) ?? `was closed: ${reason}`;
}

/** JSON, a line for each value. It works on the text: to go through the value would round its numbers. */
export function laidOut(json: string): string {
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

/** What has happened lately, in one sentence: each thing if it is one, else how many of each. */
export function summary(news: readonly { kind: "joined" | "left" | "other"; id: string; text: string }[]): string {
  const [joined, left] = ["joined", "left"].map((kind) => news.filter((one) => one.kind === kind));
  const others = news.filter(({ kind, id }) => kind === "other" && left.every((one) => one.id !== id));
  const some = (list: readonly { text: string }[], what: string) =>
    list.length > 2 ? [`${count(list.length, "program")} ${what}`] : list.map(({ text }) => text);
  const last = others.at(-1);
  return [...some(joined, "connected"), ...some(left, "left"), ...last === undefined ? [] : [last.text]].join(". ");
}
