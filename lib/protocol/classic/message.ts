/**
 * Parses the messages of classic clients, in each of the forms that such clients write, and the names in them. Everything
 * here is pure.
 *
 * @module
 */
import { isJson } from "../data.ts";
import { ProtocolError, quote, visible } from "../errors.ts";
import { isName } from "../event.ts";
import { dataOf, membersOf, onOneLine, partsOf } from "./json_text.ts";

/**
 * How events are written to classic clients: as `NAME DATA`, or as a JSON object such as `{"event":...,"payload":...}`.
 *
 * @example
 * ```ts
 * const form: ClassicForm = "json";
 * ```
 */
export type ClassicForm = "text" | "json";

/**
 * The keys under which an object has an event's name and its data.
 *
 * @example
 * ```ts
 * const keys: ClassicKeys = { name: "type", data: "message" };
 * ```
 */
export interface ClassicKeys {
  /** The key of the name. */
  readonly name: string;
  /** The key of the data. */
  readonly data: string;
}

/** A message, and the event that it is. */
export interface ClassicMessage {
  /** The name as it was written. */
  readonly written: string;
  /** The name in the line protocol. */
  readonly name: string;
  /** The data in the line protocol; may be empty. */
  readonly text: string;
  /** The spaces and tabs between name and data, if it was received as text. */
  readonly gap?: string;
  /** The message on one line; undefined if it was not received from a classic client. */
  readonly source?: string;
  /** The form of the source; undefined if it was not received from a classic client. */
  readonly form?: ClassicForm;
  /** The keys of the object that was received, if both are among the known ones. */
  readonly keys?: ClassicKeys;
  /** Whether the name is a guess: it stands where a name usually stands, but nothing recognizes it. */
  readonly isGuess?: boolean;
}

/** What is needed to parse a message. */
export interface Reading {
  /** The names that the broker recognizes, without those that only a wildcard matches. */
  readonly names: ReadonlySet<string>;
  /**
   * Whether the broker recognizes a name.
   *
   * @param name The name in the line protocol; it need not be well formed.
   * @returns True if it does.
   */
  recognizes(name: string): boolean;
  /** The keys that are tried before all others. */
  keys?: ClassicKeys;
  /** The name, as it is written, of events whose message has no name. */
  defaultName?: string;
}

/**
 * The keys of an event's name: the first one counts, unless the value of another is a name that is recognized. Keys are
 * compared without case, `_` and `-`.
 */
const SURE_NAME_KEYS: readonly string[] = ["event", "eventtype", "eventname"];

/** The keys that are tried if there is none of those. Their value may be something else, if nothing recognizes it. */
const NAME_KEYS: readonly string[] = [
  "type",
  "action",
  "act",
  "command",
  "cmd",
  "topic",
  "kind",
  "op",
  "method",
  "name",
];

/** The keys of the data, whatever else is in the object. */
const DATA_KEYS: readonly string[] = ["payload", "data", "eventpayload", "eventdata", "eventmessage"];

/** The keys of the data if the object has no other key; only these are learned from such an object. */
const OTHER_DATA_KEYS: readonly string[] = ["message", "msg", "content", "body", "text", "value"];

/** The most words of a name that is written with spaces. */
const MAX_NAME_WORDS = 3;

/** The longest part of a message that an error shows, in characters. */
const MAX_SHOWN = 60;

/** The text of an object that was not converted to JSON. */
const NO_OBJECT = "[object Object]";

/**
 * Parses a message: `NAME DATA`, `NAME`, `NAME:DATA`, or a JSON object, array or string.
 *
 * @param message The message, without white space around it.
 * @param reading Which names are recognized: of several ways to parse a message, the one that gives a recognized name is
 * taken; and the name of events without one.
 * @returns The event. Its name need not be recognized or well formed.
 * @throws {ProtocolError} With the code `bad-message`, if it begins like an object and is not JSON; with `no-name`, if it
 * has no name.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const names = new Set(["create", "in-transit"]);
 * const read = (message: string) => {
 *   const { name, text } = readMessage(message, { names, recognizes: (name) => names.has(name) });
 *   return [name, text];
 * };
 * assertEquals(read("create a record"), ["create", "a record"]);
 * assertEquals(read("create:a record"), ["create", "a record"]);
 * assertEquals(read('{"eventType":"in transit","payload":{"id":1}}'), ["in-transit", '{"id":1}']);
 * ```
 */
export function readMessage(message: string, reading: Reading): ClassicMessage {
  if (message.startsWith("{")) return readObject(message, reading);
  if (message.startsWith("[") && isJson(message)) return readArray(message, reading);
  if (message.startsWith('"') && isJson(message)) return readMessage(JSON.parse(message).trim(), reading);
  return readText(message, reading);
}

/** A member of an object. */
interface Member {
  readonly key: string;
  /** The key without case, `_` and `-`. */
  readonly plainKey: string;
  /** The value as JSON. */
  readonly json: string;
}

/** A member whose value may be the event's name. */
interface NameMember extends Member {
  readonly written: string;
  readonly name: string;
  readonly isRecognized: boolean;
  /** Whether its key is one of those that only a name has. */
  readonly isSure: boolean;
}

function readObject(message: string, reading: Reading): ClassicMessage {
  checkObject(message);
  const members = [...membersOf(message)].map(([key, json]) => ({ key, plainKey: plain(key), json }));
  const source = onOneLine(message);
  const candidates = namesIn(members, reading);
  const recognized = candidates.find(({ isRecognized }) => isRecognized);
  if (recognized === undefined && isOnlyKey(members, reading)) {
    const [{ key, json }] = members;
    return { written: key, name: modernName(key), text: dataOf(json), source, form: "json" };
  }
  const found = recognized ?? candidates.find(({ isSure }) => isSure || reading.defaultName === undefined);
  if (found === undefined) return nameless(message, dataOf(source), "json", reading);
  const { written, name, isSure } = found;
  const isGuess = recognized === undefined && !isSure;
  return { written, name, ...dataIn(members, found, reading), source, form: "json", isGuess };
}

function checkObject(message: string): void {
  try {
    JSON.parse(message);
  } catch (cause) {
    const reason = (cause as Error).message.replace(/^.* JSON at/, "something is wrong at");
    throw new ProtocolError(
      "bad-message",
      `Cannot read ${excerpt(message)} as a JSON object: ${reason}; JSON.stringify writes one`,
      { cause },
    );
  }
}

/** The members whose value may be the event's name, the likeliest first. */
function namesIn(members: readonly Member[], { keys, recognizes }: Reading): NameMember[] {
  const own = keys === undefined ? [] : [plain(keys.name)];
  const sure = [...own, ...SURE_NAME_KEYS];
  return [...sure, ...NAME_KEYS].flatMap((wanted) => members.filter(({ plainKey }) => plainKey === wanted))
    .filter(({ json }) => json.startsWith('"'))
    .map((member) => {
      const written = onOneLine(JSON.parse(member.json)).trim();
      const name = modernName(written);
      const isRecognized = recognizes(name);
      return { ...member, written, name, isRecognized, isSure: sure.includes(member.plainKey) };
    })
    .filter(({ written }) => written !== "");
}

/** Whether the only key of an object is the event's name itself: one that the broker lists. */
function isOnlyKey(members: readonly Member[], { names }: Reading): boolean {
  return members.length === 1 && names.has(modernName(members[0].key));
}

/** The value of a key for data; else of the only other key, or an object of all others. */
function dataIn(
  members: readonly Member[],
  { key: nameKey }: Member,
  { keys }: Reading,
): Pick<ClassicMessage, "text" | "keys"> {
  const others = members.filter(({ key }) => key !== nameKey);
  const own = keys === undefined ? [] : [plain(keys.data)];
  const [found] = [...own, ...DATA_KEYS].flatMap((wanted) => others.filter(({ plainKey }) => plainKey === wanted));
  if (found !== undefined) return { text: dataOf(found.json), keys: { name: nameKey, data: found.key } };
  if (others.length === 0) return { text: "" };
  if (others.length > 1) {
    return { text: dataOf(`{${others.map(({ key, json }) => `${JSON.stringify(key)}:${json}`)}}`) };
  }
  const [{ key, plainKey, json }] = others;
  const isKnown = OTHER_DATA_KEYS.includes(plainKey);
  return { text: dataOf(json), keys: isKnown ? { name: nameKey, data: key } : undefined };
}

function plain(key: string): string {
  return key.toLowerCase().replace(/[_-]/g, "");
}

/** An array may begin with the event's name, as the arguments of `emit` do. */
function readArray(message: string, reading: Reading): ClassicMessage {
  const [first = "", ...rest] = partsOf(message);
  const source = onOneLine(message);
  const written = first.startsWith('"') ? JSON.parse(first) : "";
  const name = modernName(written);
  if (!isName(name) || !reading.recognizes(name)) {
    return nameless(message, dataOf(source), "json", reading);
  }
  const data = rest.length > 1 ? `[${rest}]` : rest[0];
  return { written: onOneLine(written), name, text: data === undefined ? "" : dataOf(data), source, form: "json" };
}

function readText(message: string, reading: Reading): ClassicMessage {
  const readings = [...readingsOf(message)];
  const found = readings.find(({ name, mustBeListed }) =>
    mustBeListed ? reading.names.has(name) : isName(name) && reading.recognizes(name)
  );
  if (found === undefined && (reading.defaultName !== undefined || !isName(readings[0].name))) {
    return nameless(message, lineData(message), "text", reading);
  }
  const { written, name, text, gap } = found ?? readings[0];
  const isGuess = found === undefined;
  return { written, name, text: lineData(text), gap, source: onOneLine(message), form: "text", isGuess };
}

/** A text has line ends only if it was a JSON string: they are kept, as JSON. */
function lineData(text: string): string {
  return /[\r\n]/.test(text) ? JSON.stringify(text) : text;
}

/** One way to parse a text. */
interface TextReading {
  readonly written: string;
  readonly name: string;
  readonly text: string;
  readonly gap: string | undefined;
  /** Whether its separator also occurs in sentences: then the name must be one that the broker lists. */
  readonly mustBeListed: boolean;
}

/** The ways to parse a text, the likeliest first. The name ends at a space or a colon, but may contain these, too. */
function* readingsOf(message: string): Generator<TextReading> {
  const ends = [/[\s:]/, /\s/, /:/].map((end) => message.search(end));
  const words = message.matchAll(/\S+/g).take(MAX_NAME_WORDS).drop(1);
  ends.push(...words.map(({ index, 0: word }) => index + word.replace(/:$/, "").length));
  for (const end of new Set(ends)) yield textReading(message, end, false);
  const end = message.search(/[|,;=]/);
  if (end !== -1) yield textReading(message, end, true);
}

function textReading(message: string, end: number, mustBeListed: boolean): TextReading {
  const written = end === -1 ? message : message.slice(0, end);
  const [, gap, text] = /^(?:[:|,;=]\s*|([ \t]+)|\s+)?([^]*)$/.exec(end === -1 ? "" : message.slice(end))!;
  return { written, name: written.trim().replace(/[\s:]+/g, "-"), text, gap, mustBeListed };
}

/** The event of a message without a name. */
function nameless(message: string, text: string, form: ClassicForm, { defaultName }: Reading): ClassicMessage {
  if (message === NO_OBJECT) {
    throw new ProtocolError(
      "bad-message",
      `Cannot read "${NO_OBJECT}": an object was written without JSON.stringify`,
    );
  }
  if (defaultName === undefined) {
    const shown = form === "json" ? excerpt(message) : quote(message);
    throw new ProtocolError("no-name", `Cannot find an event's name in ${shown}: ${EXPECTED[form]}`);
  }
  return { written: defaultName, name: modernName(defaultName), text, source: onOneLine(message), form };
}

/** JSON as an error shows it: without quotation marks, since it has brackets. */
function excerpt(message: string): string {
  return visible(message.length > MAX_SHOWN ? message.slice(0, MAX_SHOWN) + "…" : message);
}

const EXPECTED: Record<ClassicForm, string> = {
  text: "a text begins with it",
  json: 'an object has it under "event", "type" or a key like these',
};

/**
 * Converts a name to the line protocol.
 *
 * @param written The name as it was written.
 * @returns The name, with `-` for each run of characters that are not allowed in names.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(modernName("in transit"), "in-transit");
 * assertEquals(modernName("order/paid"), "order-paid");
 * ```
 */
export function modernName(written: string): string {
  return written.trim().replace(/[^\p{L}\p{M}\p{Nd}_.-]+/gu, "-");
}

/**
 * Converts a pattern with names of classic clients to the line protocol. A token with `*` or `>` is not changed, so that
 * it is a wildcard, or makes the pattern malformed; it never becomes a name.
 *
 * @param written The pattern as it was written.
 * @returns The pattern. It need not be well formed: {@linkcode Pattern} tells.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(modernPattern("in transit"), "in-transit");
 * assertEquals(modernPattern("order placed.*"), "order-placed.*");
 * assertEquals(modernPattern(">"), ">");
 * assertEquals(modernPattern("order*"), "order*");
 * ```
 */
export function modernPattern(written: string): string {
  return written.split(".").map((token) => /[*>]/.test(token) ? token : modernName(token)).join(".");
}
