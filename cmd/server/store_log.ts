/**
 * What the log of `mq server` says of the store. Everything here is pure.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { green, red, yellow } from "@std/fmt/colors";
import { decodeTime } from "@std/ulid";
import type { SystemEvent } from "../../lib/broker/options.ts";
import type { LogInfo } from "../../lib/store/store.ts";
import { count, formatDateTime, formatDuration, formatPatternList, printable, reasonLine } from "../shared/format.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** A store, and how much of what is kept in it. */
export interface StoreSettings {
  /** Its folder. */
  readonly folder: string;
  /** The patterns of the events that are kept; undefined for all. */
  readonly keep: readonly string[] | undefined;
  /** How long events are kept, in milliseconds. */
  readonly keepMs: number;
  /** How many bytes of events are kept. */
  readonly keepBytes: number;
  /** How long a receipt may be ahead of the disk, in milliseconds; 0 if it is not. */
  readonly syncMs: number;
  /** What the log had at the start. */
  readonly log: LogInfo;
  /** How many groups there were at the start. */
  readonly groups: number;
}

/** What there is to tell of a store at the start, in one line. */
export function describeStore({ folder, keep, keepMs, keepBytes, syncMs, log, groups }: StoreSettings): string {
  const { events, bytes, first } = log;
  const since = first === undefined ? "" : ` since ${formatDateTime(new Date(decodeTime(first)))}`;
  const has = `${formatCount(events, "event")}${since} (${formatBytes(bytes)}), ${formatCount(groups, "group")}`;
  const what = keep === undefined ? "all events" : formatPatternList(keep);
  const kept = `It keeps ${what} for ${formatAge(keepMs)}, up to ${formatBytes(keepBytes, { binary: true })}`;
  const risk = syncMs === 0 ? "" : `; receipts may be ${formatDuration(syncMs)} ahead of the disk`;
  return `Store: ${printable(folder)}, with ${has}. ${kept}${risk}.`;
}

/** The same for `--json`. */
export function storeJson({ folder, keep = [">"], log, ...settings }: StoreSettings): SystemEvent {
  const { keepMs, keepBytes, syncMs, groups } = settings;
  const { events, bytes, first = null } = log;
  return { folder, events, bytes, first, groups, keep: [...keep], keepMs, keepBytes, syncMs };
}

/** The line for a system event about the store; undefined if it is about something else. */
export function describeStoreEvent(name: string, data: SystemEvent): string | undefined {
  switch (name) {
    case "mq.store":
      return storeState(data);
    case "mq.dead":
      return dead(data);
    case "mq.expired":
      return expired(String(data.group), Number(data.events));
  }
}

function storeState({ state, text, unstored }: SystemEvent): string {
  if (state === "mended") return mended(Number(unstored));
  const consequence = state === "unreadable"
    ? "What needs that waits; mq store export prints what can be read"
    : "Until it works again no event is stored, and none gets a receipt";
  return `${red("!")} ${printable(String(text))}. ${consequence}`;
}

function mended(unstored: number): string {
  const lost = unstored === 0 ? "" : `; ${eventsWere(unstored)} not stored`;
  return `${green("=")} The store works again${lost}`;
}

function dead({ group, id, event, tries, why }: SystemEvent): string {
  const reason = why ? `: ${printable(reasonLine(String(why)))}` : "";
  const [name, job] = [printable(String(group)), printable(String(event))];
  return `${red("!")} ${name} gave up ${job} after ${Number(tries) === 1 ? "1 try" : `${tries} tries`}${reason}` +
    ` (mq dead show ${name} ${id})`;
}

function expired(group: string, events: number): string {
  const lost = `${eventsWere(events)} deleted before the group had looked at ${events === 1 ? "it" : "them"}`;
  return `${yellow("!")} ${printable(group)}: ${lost}; --keep-for and --keep-bytes keep more`;
}

function eventsWere(events: number): string {
  return `${formatCount(events, "event")} ${events === 1 ? "was" : "were"}`;
}

/** A number and its noun, with separators: `1,234 events`. */
function formatCount(number: number, noun: string): string {
  return count(number, noun).replace(/^\d+/, (digits) => Number(digits).toLocaleString("en-US"));
}

/** An age in days, hours or less: `7 days`. */
function formatAge(ms: number): string {
  if (ms >= DAY_MS && ms % DAY_MS === 0) return count(ms / DAY_MS, "day");
  const hours = ms / 3_600_000;
  return ms >= 3_600_000 && Number.isInteger(hours) ? count(hours, "hour") : formatDuration(ms);
}
