/**
 * Formats events, counts and durations for the terminal, for pipes and as JSON. Everything here is pure.
 *
 * @module
 */
import { blue, bold, cyan, dim, green, magenta, red, yellow } from "@std/fmt/colors";
import { isJson } from "../../lib/protocol/data.ts";
import type { MqEvent } from "../../lib/protocol/event.ts";
import { formatEvent } from "../../lib/protocol/lines.ts";
import type { EventInfo } from "../../lib/protocol/responses.ts";

export { reasonLine, reasonLines } from "../../lib/protocol/reason.ts";

const PALETTE = [green, blue, magenta, cyan, yellow];

/** How many patterns {@linkcode formatPatternList} shows. */
const MAX_SHOWN_PATTERNS = 5;

/** The longest `--events` flag that is shown in full. */
const MAX_FLAG_CHARACTERS = 300;

/**
 * An event as `--json` prints it, with the same keys for every command. JSON data is copied unchanged, so that no digit of a
 * number is lost.
 *
 * @param event The event. Unknown fields are null.
 * @param more The time, if the event has none, and further keys of the command.
 */
export function formatJson(event: MqEvent, { at, ...more }: { at?: Date } & Record<string, unknown> = {}): string {
  const { id = null, at: ownTime = at, from = null, name, text } = event;
  const head = JSON.stringify({ id, at: ownTime?.toISOString() ?? null, from, event: name });
  const data = text === "" ? "null" : isJson(text) ? text : JSON.stringify(text);
  const tail = Object.entries(more).map(([key, value]) => `,${JSON.stringify(key)}:${JSON.stringify(value)}`).join("");
  return `${head.slice(0, -1)},"data":${data}${tail}}`;
}

/** An event as it was on the wire: the format for pipes. */
export function formatPlain({ name, text }: MqEvent): string {
  return formatEvent(name, text);
}

/** An event for the terminal: local time, with the date if it is not of today, sender if it is known, coloured name, data. */
export function formatForPeople(event: MqEvent): string {
  const time = dim(formatWhen(event.at ?? new Date()));
  const sender = event.from === undefined ? "" : `${event.from}  `;
  return `${time}  ${sender}${colorOf(event.name)(event.name)} ${printable(event.text)}`.trimEnd();
}

/** The local time of day: `13:05:59`. */
export function formatTime(date: Date): string {
  const [hours, minutes, seconds] = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) =>
    String(part).padStart(2, "0")
  );
  return `${hours}:${minutes}:${seconds}`;
}

/** The local date and time: `2026-11-28 13:05:59`. */
export function formatDateTime(date: Date): string {
  const [month, day] = [date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, "0"));
  return `${date.getFullYear()}-${month}-${day} ${formatTime(date)}`;
}

/** The local time, with the date if that is not today. */
export function formatWhen(date: Date, now: Date = new Date()): string {
  return date.toDateString() === now.toDateString() ? formatTime(date) : formatDateTime(date);
}

/** The colour of a name: always the same for one name, and red if one of its tokens is `error`. */
export function colorOf(name: string): (text: string) => string {
  if (name.split(".").includes("error")) return (text) => bold(red(text));
  const sum = [...name].reduce((hash, character) => (hash * 31 + character.codePointAt(0)!) % 65521, 7);
  return PALETTE[sum % PALETTE.length];
}

/**
 * Text that is safe to print, on one line. JSON gets spaces after commas and colons; control characters and those that change
 * the writing direction are escaped.
 */
export function printable(text: string): string {
  return (isJson(text) ? spaced(text) : text).replace(/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, escapeCharacter);
}

/** Works on the text, since parsing could overflow the stack and would round numbers. */
function spaced(json: string): string {
  return json.replace(/"(?:[^"\\]|\\.)*"|\{\s*\}|\[\s*\]|[{},:]|\s+/g, (token) => {
    if (token.startsWith('"')) return token;
    if (token.length > 1 && /^[{[]/.test(token)) return token[0] + token.at(-1);
    return SPACED.get(token) ?? "";
  });
}

const SPACED = new Map([["{", "{ "], ["}", " }"], [",", ", "], [":", ": "]]);

function escapeCharacter(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

/** A duration in one unit: `0.21 ms`, `4.2 s`, `3 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${ms < 10 && !Number.isInteger(ms) ? ms.toFixed(2) : Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

/** A number with three significant digits: `1,930,000`, `0.213`. */
export function formatNumber(value: number): string {
  return value.toLocaleString("en-US", { maximumSignificantDigits: 3 });
}

/** A number and its noun: `1 event`, `2 events`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Patterns, at most the first few: `create order.* and 3 more`. `others` is how many there are besides those given. */
export function formatPatternList(patterns: readonly string[], others = 0): string {
  if (patterns.length === 0) return others === 0 ? "nothing" : count(others, "pattern");
  const more = Math.max(0, patterns.length - MAX_SHOWN_PATTERNS) + others;
  const shown = printable(patterns.slice(0, MAX_SHOWN_PATTERNS).join(" "));
  return more === 0 ? shown : `${shown} and ${more.toLocaleString("en-US")} more`;
}

/** How to make a broker recognize more events, as the end of a sentence: its flag, or its catalog if it has one. */
export function admitHint(events: readonly EventInfo[], names: readonly string[], server = "mq server"): string {
  const hasCatalog = events.some((info) => Object.keys(info).length > 1);
  if (hasCatalog) return `add ${names.map(printable).join(" and ")} to its catalog`;
  return `${server} ${eventsFlagText(events.map(({ pattern }) => pattern), ...names)}`;
}

/** The `--events` flag for a broker that is to recognize more events; a long list of the present ones is shortened. */
export function eventsFlagText(events: readonly string[], ...names: readonly string[]): string {
  const flag = `--events '${printable([...events, ...names].join(","))}'`;
  if (flag.length <= MAX_FLAG_CHARACTERS) return flag;
  if (names.length === 0) return "--events '…'";
  return `--events '…,${printable(names.join(","))}' (… stands for its present ${
    events.length.toLocaleString("en-US")
  })`;
}
