/**
 * Readers of the values of flags: numbers, durations, sizes, words, lists, files.
 *
 * @module
 */
import { shown, suggest } from "./mistakes.ts";

/** Why the value of a flag cannot be used, where that is not its form. */
export class ValueError extends Error {}

/** What the value of a flag must be like. `meant` is one that is, where it is plain which. */
export class FormError extends Error {
  readonly meant?: string;

  constructor(takes: string, meant?: string) {
    super(takes);
    this.meant = meant;
  }
}

/** Reads the value of a flag; throws a {@linkcode FormError} or {@linkcode ValueError}, or an error that is told as it is. */
export interface Reader<T> {
  (text: string): T;
  /** All that it takes, where that is a few words. */
  readonly words?: readonly string[];
}

/** Words of which one is to be taken: `a, b or c`. */
export function either(words: readonly string[]): string {
  return [words.slice(0, -1).join(", "), ...words.slice(-1)].filter((part) => part !== "").join(" or ");
}

/** A reader of one of some words for a flag. */
export function choice<T extends string>(...words: T[]): Reader<T> {
  const read = (text: string) => {
    if ((words as string[]).includes(text)) return text as T;
    throw new FormError(either(words), suggest(text, words));
  };
  return Object.assign(read, { words });
}

/** A reader of whole numbers for a flag. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
  return (text) => {
    const value = Number(text);
    if (/^-?\d+$/.test(text) && value >= min && value <= max) return value;
    const meant = numberMeant(text);
    throw new FormError(`a whole number, ${range}`, Number(meant) >= min && Number(meant) <= max ? meant : undefined);
  };
}

/** A number that is written as people do: `1,000`, `1_000`, `1e6`, `10k`. */
function numberMeant(text: string): string | undefined {
  const digits = text.replaceAll(/[,_' ]/g, "");
  const [, amount, letter] = /^(\d{1,9})([kKM])$/.exec(digits) ?? [];
  if (amount !== undefined) return String(Number(amount) * (letter === "M" ? 1e6 : 1000));
  return /^\d+(?:e\d)?$/i.test(digits) && digits !== text || /^\d+e\d$/i.test(text)
    ? String(Number(digits))
    : undefined;
}

const UNITS_MS = new Map([["ms", 1], ["s", 1000], ["m", 60_000], ["h", 3_600_000]]);

/** How durations look. */
export const DURATION = /^\d+(?:\.\d+)?(?:ms|s|m|h)$/;

/** A reader of durations for a flag: `500ms`, `2s`, `1m`, `1h`. Returns milliseconds. */
export function duration(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * UNITS_MS.get(unit)!);
  if (unit !== undefined && ms >= 1 && ms <= 2 ** 31 - 1) return ms;
  const [, amount, wrong] = /^([1-9]\d*) ?(|ms|s|m|h)(?:ec|in|ours?|inutes?|econds?|ecs|ins)?$/i.exec(text) ?? [];
  const meant = amount === undefined || unit !== undefined ? undefined : `${amount}${wrong.toLowerCase() || "s"}`;
  throw new FormError("a duration such as 500ms, 2s or 1m", meant);
}

/** A duration as {@linkcode duration} reads it: `2s`. */
export function durationText(ms: number): string {
  return inUnits(ms, UNITS_MS);
}

const UNITS_BYTES = new Map([["B", 1], ["", 1], ["KiB", 1024], ["MiB", 1024 ** 2], ["GiB", 1024 ** 3]]);

/** A reader of sizes for a flag: `1000`, `64KiB`, `1MiB`. Returns bytes. */
export function size(text: string): number {
  const [, number, unit] = /^(\d+)(B|KiB|MiB|GiB|)$/.exec(text) ?? [];
  const bytes = Number(number) * UNITS_BYTES.get(unit)!;
  if (unit !== undefined && bytes >= 1 && Number.isSafeInteger(bytes)) return bytes;
  const [, amount, letter] = /^([1-9]\d*) ?([kmg])(?:i?b)?$/i.exec(text) ?? [];
  const meant = letter === undefined || unit !== undefined ? undefined : `${amount}${letter.toUpperCase()}iB`;
  throw new FormError("a size in bytes such as 1000, 64KiB or 1MiB", meant);
}

/** A size as {@linkcode size} reads it: `64KiB`. */
export function sizeText(bytes: number): string {
  return inUnits(bytes, UNITS_BYTES);
}

/** A whole number of the greatest unit that divides an amount. */
function inUnits(amount: number, units: ReadonlyMap<string, number>): string {
  const [name, unit] = [...units].findLast(([, unit]) => amount % unit === 0)!;
  return `${amount / unit}${name}`;
}

/** A reader of files for a flag. Returns their text: before a command runs, it loses the right to read. */
export function textFile(path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Deno.readFileSync(path));
  } catch (error) {
    throw new ValueError(whyNoText(path, error as Error), { cause: error });
  }
}

/** Whatever keeps the system from reading it, its own words will tell. */
function whyNoText(path: string, error: Error): string {
  const file = shown(path);
  if (error instanceof TypeError) return `cannot read ${file}: it is not UTF-8`;
  if (error instanceof Deno.errors.NotFound) return `no such file: ${file}`;
  if (error instanceof Deno.errors.PermissionDenied) return `cannot read ${file}: permission denied`;
  if (error instanceof Deno.errors.IsADirectory) return `cannot read ${file}: it is a directory`;
  return `cannot read ${file}: ${error.message}`;
}

/** A reader of lists for a flag: `create,delete`. */
export function list(text: string): string[] {
  const items = text.split(",").map((item) => item.trim()).filter((item) => item !== "");
  if (items.length === 0) throw new FormError("names with commas between them");
  return items;
}
