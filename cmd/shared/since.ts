/**
 * Where reading a log begins and ends: `--since FROM` and `--until FROM`.
 *
 * @module
 */
import { ProtocolError } from "../../lib/protocol/errors.ts";
import { parseReplayStart } from "../../lib/protocol/replay_start.ts";
import { type Flag, option } from "../command.ts";
import { InvalidValueError } from "./errors.ts";
import { suggestDuration } from "./flag_values.ts";

/** The word for the beginning of a log, and what it is on the wire. */
const [ALL, FIRST] = ["all", "first"];

const MOMENT = "the id of an event, a time such as 2026-11-28T10:00, or a duration such as 1h";

/** A date, or a date and time, with or without a zone. */
const TIME = /^((\d{4})-(\d\d)-(\d\d))(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:\d\d)?)?$/;

/** `--since FROM`; what it parses to is the form of the wire. */
export function sinceFlag<D>(help: string, defaultValue: [text: string, value: D]): Flag<string | D> {
  const parse = Object.assign((text: string) => since(text), { offered: [ALL] });
  return option("FROM", help, parse, { defaultValue, suggestFor: ["from", "after", "start", "begin", "history"] });
}

/** `--until FROM`: see {@linkcode untilId}. */
export const untilFlag: Flag<string | undefined> = option(
  "FROM",
  "End there: an id, a time, or a duration for events that are older.",
  until,
  { suggestFor: ["before", "end", "stop"] },
);

/**
 * Parses where to begin: `all`, or as {@linkcode until}.
 *
 * @param text The text.
 * @returns The form of the wire, in which times have their zone.
 */
export function since(text: string): string {
  return [ALL, FIRST].includes(text) ? FIRST : moment(text, `${ALL}, ${MOMENT}`);
}

/**
 * The value of `--since` as a command line has it.
 *
 * @param since What the flag was parsed to.
 * @returns A value that {@linkcode since} parses to the same.
 */
export function sinceText(since: string): string {
  return since === FIRST ? ALL : since;
}

/**
 * Parses a moment: an id, a duration, or a time, which is the local time if it has no zone.
 *
 * @param text The text.
 * @returns The form of the wire.
 */
export function until(text: string): string {
  return moment(text, MOMENT);
}

/**
 * The id of the last event that is wanted: that of `--until` itself, or the least id of its time, since what begins at that
 * time is behind it.
 *
 * @param until What the flag was parsed to.
 * @returns The id; undefined without the flag.
 */
export function untilId(until: string | undefined): string | undefined {
  return until === undefined ? undefined : parseReplayStart(until, Date.now());
}

function moment(text: string, forms: string): string {
  const form = TIME.test(text) ? timeOf(text) : text;
  if (form === undefined || form === FIRST) throw new InvalidValueError(forms);
  try {
    parseReplayStart(form, Date.now());
    return form;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new InvalidValueError(forms, suggestMoment(text));
  }
}

/** A time in ISO 8601 with its zone; undefined if there is no such day or time. */
function timeOf(text: string): string | undefined {
  const [, date, year, month, day, clock = "00:00", zone = ""] = TIME.exec(text)!;
  const isDay = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).toISOString().startsWith(date);
  const time = new Date(`${date}T${clock}${zone}`);
  return isDay && time.getTime() >= 0 ? time.toISOString() : undefined;
}

/** What is probably meant: an id in lower case, or a duration in other words. */
function suggestMoment(text: string): string | undefined {
  return /^[0-7][0-9a-hjkmnp-tv-z]{25}$/i.test(text) ? text.toUpperCase() : suggestDuration(text);
}
