/**
 * Parsers for the values of flags: numbers, durations, sizes, words, lists, files.
 *
 * @module
 */
import { parseDuration } from "../../lib/protocol/duration.ts";
import { systemReason } from "../../lib/protocol/system_reason.ts";
import { InvalidValueError, UnusableValueError } from "./errors.ts";
import { quoteIfNeeded, suggest } from "./suggestions.ts";

/** Parses the value of a flag. Throws an {@linkcode InvalidValueError}, an {@linkcode UnusableValueError} or a UsageError. */
export interface ValueParser<T> {
  (text: string): T;
  /** All valid values, if it takes only these. */
  readonly words?: readonly string[];
  /** Valid values that a shell offers, if it takes others as well. */
  readonly offered?: readonly string[];
}

/** `a, b or c`. */
export function joinWithOr(words: readonly string[]): string {
  return [words.slice(0, -1).join(", "), ...words.slice(-1)].filter((part) => part !== "").join(" or ");
}

/** Parses one of the given words. */
export function choice<T extends string>(...words: T[]): ValueParser<T> {
  const parse = (text: string) => {
    if ((words as string[]).includes(text)) return text as T;
    throw new InvalidValueError(joinWithOr(words), suggest(text, words));
  };
  return Object.assign(parse, { words });
}

/** Parses an integer within a range. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
  return (text) => {
    const value = Number(text);
    if (/^-?\d+$/.test(text) && value >= min && value <= max) return value;
    const number = suggestNumber(text);
    const isInRange = Number(number) >= min && Number(number) <= max;
    throw new InvalidValueError(`a whole number, ${range}`, isInRange ? number : undefined);
  };
}

/** The digits of a number in another notation: `1,000`, `1_000`, `1e6`, `10k`. */
function suggestNumber(text: string): string | undefined {
  const digits = text.replaceAll(/[,_' ]/g, "");
  const [, amount, letter] = /^(\d{1,9})([kKM])$/.exec(digits) ?? [];
  if (amount !== undefined) return String(Number(amount) * (letter === "M" ? 1e6 : 1000));
  return /^\d+(?:e\d)?$/i.test(digits) && digits !== text || /^\d+e\d$/i.test(text)
    ? String(Number(digits))
    : undefined;
}

const UNITS_MS = new Map([["ms", 1], ["s", 1000], ["m", 60_000], ["h", 3_600_000]]);

/** A number without a unit is more likely in milliseconds from this one on: `--every 100`, but `--wait 5`. */
const FEWEST_MS = 100;

/** The form of durations. */
export const DURATION = /^\d+(?:\.\d+)?(?:ms|s|m|h)$/;

/** Parses a duration to milliseconds: `500ms`, `2s`, `1m`, `1h`. */
export function duration(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * UNITS_MS.get(unit)!);
  if (unit !== undefined && ms >= 1 && ms <= 2 ** 31 - 1) return ms;
  const [, amount, wrong] = /^([1-9]\d*) ?(|ms|s|m|h)(?:ec|in|ours?|inutes?|econds?|ecs|ins)?$/i.exec(text) ?? [];
  const likely = Number(amount) < FEWEST_MS ? "s" : "ms";
  const suggestion = amount === undefined || unit !== undefined
    ? undefined
    : `${amount}${wrong.toLowerCase() || likely}`;
  throw new InvalidValueError("a duration such as 500ms, 2s or 1m", suggestion);
}

/** Parses an age to milliseconds: `30s`, `12h`, `7d`. */
export function age(text: string): number {
  return longDuration(text, "an age of at most 3650d, such as 30m, 12h or 7d", suggestDuration(text));
}

/** Parses how long something is to wait, to milliseconds: `10s`, `15m`, `7d`. */
export function delay(text: string): number {
  const likely = /^[1-9]\d{0,8}$/.test(text) ? `${text}s` : suggestDuration(text);
  return longDuration(text, "a duration of at most 3650d, such as 10s, 15m, 1h or 7d", likely);
}

/** Parses a duration of at most ten years, to milliseconds. */
function longDuration(text: string, what: string, suggestion: string | undefined): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new InvalidValueError(what, suggestion);
}

/** The duration that is probably meant by `5 min` or `2hours`. */
export function suggestDuration(text: string): string | undefined {
  const [, amount, unit] = /^([1-9]\d{0,8}) ?(s|m|h|d)(?:ecs?|ins?|ours?|ays?|inutes?|econds?)?$/i.exec(text) ?? [];
  const likely = amount && `${amount}${unit.toLowerCase()}`;
  return likely && parseDuration(likely) !== undefined ? likely : undefined;
}

/** Formats a duration for {@linkcode duration}: `2s`. */
export function durationText(ms: number): string {
  return inUnits(ms, UNITS_MS);
}

const UNITS_BYTES = new Map([["B", 1], ["", 1], ["KiB", 1024], ["MiB", 1024 ** 2], ["GiB", 1024 ** 3]]);

/** Parses a size to bytes: `1000`, `64KiB`, `1MiB`. */
export function size(text: string): number {
  const [, number, unit] = /^(\d+)(B|KiB|MiB|GiB|)$/.exec(text) ?? [];
  const bytes = Number(number) * UNITS_BYTES.get(unit)!;
  if (unit !== undefined && bytes >= 1 && Number.isSafeInteger(bytes)) return bytes;
  const [, amount, letter] = /^([1-9]\d*) ?([kmg])(?:i?b)?$/i.exec(text) ?? [];
  if (unit !== undefined) throw new InvalidValueError(`a size of 1 to ${Number.MAX_SAFE_INTEGER} bytes`);
  const suggestion = letter === undefined ? undefined : `${amount}${letter.toUpperCase()}iB`;
  throw new InvalidValueError("a size in bytes such as 1000, 64KiB or 1MiB", suggestion);
}

/** Formats a size for {@linkcode size}: `64KiB`. */
export function sizeText(bytes: number): string {
  return inUnits(bytes, UNITS_BYTES);
}

/** An amount as an integer in the largest unit that divides it. */
function inUnits(amount: number, units: ReadonlyMap<string, number>): string {
  const [name, unit] = [...units].findLast(([, unit]) => amount % unit === 0)!;
  return `${amount / unit}${name}`;
}

/** Parses a path, and returns the text of the file: a command drops the permission to read files before it runs. */
export function textFile(path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Deno.readFileSync(path));
  } catch (error) {
    throw new UnusableValueError(describeReadError(path, error as Error), { cause: error });
  }
}

function describeReadError(path: string, error: Error): string {
  const file = quoteIfNeeded(path);
  if (error instanceof TypeError) return `cannot read ${file}: it is not UTF-8`;
  if (error instanceof Deno.errors.NotFound) return `no such file: ${file}`;
  if (error instanceof Deno.errors.PermissionDenied) return `cannot read ${file}: permission denied`;
  if (error instanceof Deno.errors.IsADirectory) return `cannot read ${file}: it is a directory`;
  return `cannot read ${file}: ${systemReason(error)}`;
}

/** Parses the path of a folder, which need not exist. */
export function folder(text: string): string {
  if (text !== "") return text;
  throw new InvalidValueError("the path of a folder");
}

/** Parses a list: `create,delete`. */
export function list(text: string): string[] {
  const items = text.split(",").map((item) => item.trim()).filter((item) => item !== "");
  if (items.length === 0) throw new InvalidValueError("a list separated by commas");
  return items;
}
