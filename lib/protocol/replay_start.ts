/**
 * Where a replay, or a group, begins.
 *
 * @module
 */
import { ulid } from "@std/ulid";
import { parseDuration } from "./duration.ts";
import { ProtocolError, quote } from "./errors.ts";

/** The form of ids. */
export const ULID: RegExp = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** ISO 8601 with a time zone, or a date. */
const TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/;

/** The length of a ULID, and of the time in it. */
const [ID_CHARACTERS, TIME_CHARACTERS] = [26, 10];

/**
 * Reads where a replay begins.
 *
 * @param text `first`, for the beginning; a ULID, for what follows that event; a time in ISO 8601 with its zone, or a date; or
 * a duration, for what is not older.
 * @param now The time, in milliseconds since 1970.
 * @returns The id behind which it begins; empty for the beginning.
 * @throws {ProtocolError} With the code `bad-arguments`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseReplayStart("first", 0), "");
 * assertEquals(parseReplayStart("1s", 1001), "00000000010000000000000000");
 * assertEquals(parseReplayStart("1970-01-01T00:00:00.001Z", 0), "00000000010000000000000000");
 * ```
 */
export function parseReplayStart(text: string, now: number): string {
  if (text === "first") return "";
  if (ULID.test(text)) return text;
  const duration = parseDuration(text);
  if (duration !== undefined) return firstIdOf(now - duration);
  const time = TIME.test(text) ? Date.parse(text) : NaN;
  if (time >= 0) return firstIdOf(time);
  const forms = "first, the id of an event, a time such as 2026-01-31T12:00:00Z, or a duration such as 1h";
  throw new ProtocolError("bad-arguments", `Cannot begin at ${quote(text)}: it is ${forms}`);
}

/**
 * The least id of a time.
 *
 * @param time The time, in milliseconds since 1970.
 * @returns A ULID: that of an event at that time or later is not less.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(firstIdOf(Date.UTC(2026, 0, 1)), "01KDVDNA000000000000000000");
 * ```
 */
export function firstIdOf(time: number): string {
  return ulid(Math.max(0, time)).slice(0, TIME_CHARACTERS).padEnd(ID_CHARACTERS, "0");
}
