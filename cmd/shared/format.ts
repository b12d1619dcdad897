/**
 * How events are shown: for people, for other programs, as JSON. Everything here is pure.
 *
 * @module
 */
import { blue, bold, cyan, dim, green, magenta, red, yellow } from "@std/fmt/colors";
import { isJson } from "../../lib/protocol/data.ts";
import { formatPatterns } from "../../lib/protocol/pattern.ts";
import type { MqEvent } from "../../lib/protocol/event.ts";
import { formatEvent } from "../../lib/protocol/lines.ts";
import type { EventInfo } from "../../lib/protocol/responses.ts";

const PALETTE = [green, blue, magenta, cyan, yellow];

/** How many patterns of a connection are shown. */
const MAX_SHOWN_PATTERNS = 5;

/** How long a flag may be that is told to be pasted. */
const MAX_FLAG_CHARACTERS = 300;

/**
 * An event as it is printed with `--json`: the same keys on every command. Data that is JSON stays as it came, to the
 * last digit.
 *
 * @param event The event. Of what is not known of it, the value is null.
 * @param more Its time, where it has none of its own, and what else the command knows of it.
 */
export function formatJson(event: MqEvent, { at, ...more }: { at?: Date } & Record<string, unknown> = {}): string {
  const { id = null, at: ownTime = at, from = null, name, text } = event;
  const head = JSON.stringify({ id, at: ownTime?.toISOString() ?? null, from, event: name });
  const data = text === "" ? "null" : isJson(text) ? text : JSON.stringify(text);
  const tail = Object.entries(more).map(([key, value]) => `,${JSON.stringify(key)}:${JSON.stringify(value)}`).join("");
  return `${head.slice(0, -1)},"data":${data}${tail}}`;
}

/** An event as it came: what a pipe gets. */
export function formatPlain({ name, text }: MqEvent): string {
  return formatEvent(name, text);
}

/** An event for people: local time, sender where it is known, name in its colour, data. */
export function formatForPeople(event: MqEvent): string {
  const time = dim(localTime(event.at ?? new Date()));
  const sender = event.from === undefined ? "" : `${event.from}  `;
  return `${time}  ${sender}${colorOf(event.name)(event.name)} ${layOut(event.text)}`.trimEnd();
}

/** The time of day, in the zone of this machine. */
export function localTime(date: Date): string {
  const [hours, minutes, seconds] = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) =>
    String(part).padStart(2, "0")
  );
  return `${hours}:${minutes}:${seconds}`;
}

/** The colour of a name: always the same, and red for what speaks of an error. */
export function colorOf(name: string): (text: string) => string {
  if (name.split(".").includes("error")) return (text) => bold(red(text));
  const sum = [...name].reduce((hash, character) => (hash * 31 + character.codePointAt(0)!) % 65521, 7);
  return PALETTE[sum % PALETTE.length];
}

/**
 * Data on one line, JSON with room to breathe and otherwise as it came, but for what a terminal would obey: control
 * characters, and those that turn the direction of writing.
 */
export function layOut(text: string): string {
  return (isJson(text) ? spaced(text) : text).replace(/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, escapeCharacter);
}

/** Works on the text: to go through the value could run out of stack, and would round its numbers. */
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

/** A length of time for people: `0.21 ms`, `4.2 s`, `3 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${ms < 10 && !Number.isInteger(ms) ? ms.toFixed(2) : Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

/** A count and its noun: `1 event`, `2 events`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** The patterns of a connection, or the first of them: `create order.* and 3 more`. */
export function formatSome(patterns: readonly string[]): string {
  return layOut(formatPatterns(patterns, MAX_SHOWN_PATTERNS, " "));
}

/** What has a broker recognize more events, as the rest of a sentence: a list would take the place of its catalog. */
export function howToAdmit(events: readonly EventInfo[], names: readonly string[], server = "mq server"): string {
  const hasCatalog = events.some((info) => Object.keys(info).length > 1);
  if (hasCatalog) return `add ${names.map(layOut).join(" and ")} to its catalog`;
  return `${server} ${admittingFlag(events.map(({ pattern }) => pattern), ...names)}`;
}

/** The flag that has a broker recognize more events; what it has already is left out where that would be long. */
export function admittingFlag(events: readonly string[], ...names: readonly string[]): string {
  const flag = `--events '${layOut([...events, ...names].join(","))}'`;
  if (flag.length <= MAX_FLAG_CHARACTERS) return flag;
  if (names.length === 0) return "--events '…'";
  return `--events '…,${layOut(names.join(","))}' (… for the ${events.length.toLocaleString("en-US")} that it has)`;
}
