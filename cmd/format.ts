/**
 * How events are shown: for people, for other programs, as JSON. Everything here is pure.
 *
 * @module
 */
import { blue, bold, cyan, dim, green, magenta, red, yellow } from "@std/fmt/colors";
import { formatEvent, type Json, MqEvent } from "../mod.ts";

const PALETTE = [green, blue, magenta, cyan, yellow];

/** An event as it is printed with `--json`: the same keys on every command. */
export interface EventRecord {
  /** Its ULID; null for what has none. */
  id: string | null;
  /** When the broker took it in, as ISO 8601; null where that is not known. */
  at: string | null;
  /** Who published it; null where that is not known. */
  from: string | null;
  /** Its name. */
  event: string;
  /** Its data; null where it has none. */
  data: Json;
}

/** An event as it is printed with `--json`. */
export function toRecord({ id, at, from, name, data }: MqEvent): EventRecord {
  return { id: id ?? null, at: at?.toISOString() ?? null, from: from ?? null, event: name, data: data ?? null };
}

/** An event as it came: what a pipe gets. */
export function formatPlain({ name, text }: MqEvent): string {
  return formatEvent(name, text);
}

/** An event for people: local time, sender, name in its colour, data. */
export function formatForPeople(event: MqEvent): string {
  const time = dim(localTime(event.at ?? new Date()));
  return `${time}  ${event.from ?? "-"}  ${colorOf(event.name)(event.name)} ${layOut(event.text)}`.trimEnd();
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
 * Data on one line, with room to breathe. What is not JSON is shown as it is, but for control characters: a terminal
 * would obey them.
 */
export function layOut(text: string): string {
  const { data } = new MqEvent("data", text);
  const isBare = data === undefined || data === text;
  return (isBare ? text : spaced(data)).replace(/\p{Cc}/gu, escapeControl);
}

function spaced(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${spaced(item)}`);
  return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
}

function escapeControl(character: string): string {
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
