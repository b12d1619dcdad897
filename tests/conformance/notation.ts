/**
 * What stands in angle brackets in a conformance script: bytes that cannot be typed, long runs, and what is not known
 * beforehand. Everything here is pure.
 *
 * @module
 */

/** A value in JSON. */
type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const CONSTANTS = new Map([["SP", " "], ["TAB", "\t"], ["CR", "\r"], ["LF", "\n"]]);

/** What is not known beforehand, and what it must look like. */
const KINDS = new Map([
  ["ULID", "[0-7][0-9A-HJKMNP-TV-Z]{25}"],
  ["NEWER", "[0-7][0-9A-HJKMNP-TV-Z]{25}"],
  ["N", "\\d+"],
  ["TIME", "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?Z"],
  ["WORD", "[^ \\t]+"],
  ["TEXT", ".+"],
]);

const TOKEN = /<([^<>]*)>/g;
const REPEAT = /^(\d+) times ([^<>]+)$/;
const CHARACTER = /^U\+([0-9A-F]{4,5})$/;
const BYTE = /^0x[0-9A-F]{2}$/;
const VALUE = /^([a-z]+)(?:\+(\d+))?$/;
const OWN_NAME = /^[a-z]+$/;

/** A line of the broker's own making that ends in JSON, behind whatever stands before it. */
const WITH_JSON = /^((?:\/ok \S+|\/replayed|(?:\/event \S+ mq )?mq\.\S+) )([[{].*)$/s;

/** How much of a line is shown, in UTF-16 code units. */
const MAX_SHOWN_CHARACTERS = 300;

const encoder = new TextEncoder();

/**
 * Checks what stands in angle brackets.
 *
 * @param text What is sent or expected.
 * @param isSent Whether it is sent: then all of it must be known, and bytes that are no text may be in it.
 * @throws {SyntaxError} If something cannot be read.
 */
export function checkText(text: string, isSent: boolean): void {
  for (const [, inside] of text.matchAll(TOKEN)) {
    const isText = CONSTANTS.has(inside) || REPEAT.test(inside) || CHARACTER.test(inside) || inside === "I";
    const isPlaceholder = KINDS.has(inside) || VALUE.test(inside);
    if (isText || (isSent ? BYTE.test(inside) || OWN_NAME.test(inside) : isPlaceholder)) continue;
    throw new SyntaxError(`<${inside}> cannot be ${isSent ? "sent" : "expected"}`);
  }
  if (text.replaceAll(TOKEN, "").includes("<")) throw new SyntaxError('"<" needs its ">"; itself it is <U+003C>');
  const [, , json] = WITH_JSON.exec(expand(text, 1)) ?? [];
  const isMalformed = !isSent && json !== undefined && parseJson(quotePlaceholders(json)) === undefined;
  if (isMalformed) throw new SyntaxError("its JSON cannot be read");
}

/**
 * Writes out what is known.
 *
 * @param text What is sent or expected.
 * @param time What `<I>` stands for: 1 the first time.
 * @returns The text, in which only bytes that are no text and what is not known are left in angle brackets.
 */
export function expand(text: string, time: number): string {
  return text.replaceAll(TOKEN, (whole, inside: string) => {
    if (inside === "I") return String(time);
    const [, count, unit] = REPEAT.exec(inside) ?? [];
    if (count !== undefined) return unit.repeat(Number(count));
    const [, code] = CHARACTER.exec(inside) ?? [];
    if (code !== undefined) return String.fromCodePoint(parseInt(code, 16));
    return CONSTANTS.get(inside) ?? whole;
  });
}

/**
 * Writes out what is sent.
 *
 * @param text The text.
 * @param time What `<I>` stands for.
 * @returns Its bytes.
 */
export function toBytes(text: string, time: number): Uint8Array {
  const parts = expand(text, time).split(/<0x([0-9A-F]{2})>/);
  const pieces = parts.map((part, index) => index % 2 === 0 ? encoder.encode(part) : [parseInt(part, 16)]);
  if (pieces.length === 1) return pieces[0] as Uint8Array;
  return Uint8Array.from(pieces.flatMap((piece) => [...piece]));
}

/**
 * Shows a line as it would stand in a script.
 *
 * @param line The line.
 * @returns The line between backquotes, cut where it is long.
 */
export function show(line: string): string {
  const cut = line.length > MAX_SHOWN_CHARACTERS ? line.slice(0, MAX_SHOWN_CHARACTERS) + "…" : line;
  const hex = (character: string) => character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
  return "`" + cut.replaceAll(/[\p{Cc}\p{Cf}]| $/gu, (character) => `<U+${hex(character)}>`) + "`";
}

/** What the placeholders of a script have stood for so far. */
export class Values {
  readonly #values = new Map<string, string>();
  #newest = "";

  /**
   * Writes out what the placeholders of a script's own names stand for.
   *
   * @param text What is sent.
   * @returns The text.
   * @throws {RangeError} If one stands for nothing yet.
   */
  fill(text: string): string {
    return text.replaceAll(TOKEN, (whole, inside: string) => {
      if (!OWN_NAME.test(inside)) return whole;
      const value = this.#values.get(inside);
      if (value === undefined) throw new RangeError(`<${inside}> stands for nothing yet`);
      return value;
    });
  }

  /**
   * Whether a line is the one that a script expects.
   *
   * @param expected The line in the script, with what is known written out.
   * @param line The line that came.
   * @returns Whether it is.
   */
  match(expected: string, line: string): boolean {
    const [, before, json] = WITH_JSON.exec(expected) ?? [];
    if (json === undefined) return this.#matchText(expected, line);
    const [, head, tail] = WITH_JSON.exec(line) ?? [];
    const [value, actual] = [parseJson(quotePlaceholders(json)), parseJson(tail ?? "")];
    return actual !== undefined && this.#matchText(before, head) && this.#matchJson(value!, actual);
  }

  #matchText(expected: string, actual: string): boolean {
    const names: string[] = [];
    const source = expected.split(/<([A-Za-z]+(?:\+\d+)?)>/).map((part, index) => {
      if (index % 2 === 0) return part.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
      names.push(part);
      return `(${KINDS.get(part) ?? '[^ \\t"]+'})`;
    });
    if (names.length === 0) return expected === actual;
    const [whole, ...found] = new RegExp(`^${source.join("")}$`, "su").exec(actual) ?? [];
    return whole !== undefined && names.every((name, index) => this.#admit(name, found[index]));
  }

  /** Keys that are not expected may be there, too. */
  #matchJson(expected: Json, actual: Json | undefined): boolean {
    if (typeof expected === "string") return this.#matchScalar(expected, actual);
    if (typeof expected !== "object" || expected === null) return expected === actual;
    if (typeof actual !== "object" || actual === null || Array.isArray(expected) !== Array.isArray(actual)) {
      return false;
    }
    if (Array.isArray(expected) && expected.length !== (actual as Json[]).length) return false;
    const found = new Map(Object.entries(actual));
    return Object.entries(expected).every(([key, value]) => this.#matchJson(value, found.get(key)));
  }

  /** `<N>` stands for a number, a name of the script's own for either, and all else for a string. */
  #matchScalar(expected: string, actual: Json | undefined): boolean {
    const mayBeNumber = expected === "<N>" || VALUE.test(expected.slice(1, -1));
    const isRight = typeof actual === "string" ? expected !== "<N>" : typeof actual === "number" && mayBeNumber;
    return isRight && this.#matchText(expected, String(actual));
  }

  #admit(name: string, value: string): boolean {
    if (name === "NEWER" && value <= this.#newest) return false;
    if (name === "NEWER" || name === "ULID") this.#newest = value;
    const [, known, more] = VALUE.exec(name) ?? [];
    if (known === undefined) return true;
    if (more !== undefined) return Number(value) === Number(this.#values.get(known)) + Number(more);
    if (!this.#values.has(known)) this.#values.set(known, value);
    return this.#values.get(known) === value;
  }
}

/** In a script, `{"id":<ULID>}` needs no quotation marks. */
function quotePlaceholders(json: string): string {
  return json.replaceAll(/(?<=[[:,])<[A-Za-z]+(?:\+\d+)?>(?=[\],}])/g, '"$&"');
}

function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
