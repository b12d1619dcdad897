/**
 * Messages of classic clients, which know nothing of lines: each `socket.write` is a message, and no end is marked. What a
 * message says, in each of the dialects that such clients speak; and an event as such clients take it. Everything here is
 * pure. docs/protocol.md has the rules, in section 12.
 *
 * @module
 */
import { decodeData, encodeData, isJson, type Json } from "./data.ts";
import { ProtocolError, quote } from "./errors.ts";
import { isName } from "./event.ts";
import { takeWord } from "./protocol.ts";

/** How events are written to classic clients: as `NAME DATA`, or as the JSON object `{"event":NAME,"payload":DATA}`. */
export type ClassicForm = "text" | "json";

/** The longest message, in bytes without its line end: a longer one comes in two pieces, and is taken for two. */
export const MAX_MESSAGE_BYTES: number = 60 * 1024 - 1;

/**
 * The least time between two writes to a classic client, in milliseconds: what it reads together it takes for one. 5 are
 * enough on an idle machine; with 20, no client broke on one that had twice as much to do as it could.
 */
export const MESSAGE_PACE_MS = 20;

/** The keys under which the objects of classic clients have an event's name, and those for its data. */
const NAME_KEYS: readonly string[] = ["event", "eventType", "name"];
const DATA_KEYS: readonly string[] = ["payload", "data", "eventPayload"];

/** How many words a name may have that is written with spaces. */
const MAX_NAME_WORDS = 3;

/** An event that a classic client sent. */
export interface ClassicMessage {
  /** Its name as it was written. */
  readonly written: string;
  /** Its name as modern clients have it. */
  readonly name: string;
  /** Its data as modern clients have it; may be empty. */
  readonly text: string;
  /** The spaces and tabs between the two, if it came as text. */
  readonly gap?: string;
  /** The JSON object that it came as, on one line; undefined if it came as text. */
  readonly object?: string;
}

/**
 * Reads a message in whatever dialect it is written: `NAME DATA`, `NAME`, `NAME:DATA`, or a JSON object.
 *
 * @param message The message, without white space around it.
 * @param recognizes Tells which names the broker recognizes: what could be read in several ways is read in that way in
 * which it has a name that is recognized.
 * @returns The event. Its name need not be well formed.
 * @throws {ProtocolError} With the code `bad-message`, if it begins like an object and is none, or has no name.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const recognizes = (name: string) => ["create", "in-transit"].includes(name);
 * const read = (message: string) => {
 *   const { name, text } = readMessage(message, recognizes);
 *   return [name, text];
 * };
 * assertEquals(read("create a record"), ["create", "a record"]);
 * assertEquals(read("create:a record"), ["create", "a record"]);
 * assertEquals(read('{"eventType":"in transit","payload":{"id":1}}'), ["in-transit", '{"id":1}']);
 * ```
 */
export function readMessage(message: string, recognizes: (name: string) => boolean): ClassicMessage {
  return message.startsWith("{") ? readObject(message, recognizes) : readText(message, recognizes);
}

/**
 * Writes an event as classic clients take it.
 *
 * @param message The event.
 * @param form How.
 * @returns The message on one line, without a line end.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const message = { written: "in transit", name: "in-transit", text: '{"id":1}' };
 * assertEquals(formatMessage(message, "text"), 'in transit {"id":1}');
 * assertEquals(formatMessage(message, "json"), '{"event":"in transit","payload":{"id":1}}');
 * ```
 */
export function formatMessage({ written, text, gap = " ", object }: ClassicMessage, form: ClassicForm): string {
  if (form === "json") return object ?? `{"event":${JSON.stringify(written)},"payload":${payloadOf(text)}}`;
  const bare = onOneLine(bareText(text));
  return bare === "" ? written : written + gap + bare;
}

/**
 * Writes an event as a line.
 *
 * @param message The event.
 * @returns The line, without its LF: a text as it came, if its name was written so.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(lineOf(readMessage("create   two  words", () => true)), "create   two  words");
 * assertEquals(lineOf(readMessage("create:two  words", () => true)), "create two  words");
 * ```
 */
export function lineOf({ name, text, gap = " " }: ClassicMessage): string {
  return text === "" ? name : name + gap + text;
}

/**
 * An event that came as a line, to be written as a message.
 *
 * @param line The event's line.
 * @returns It, as if a classic client had sent it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(messageOf("create hello"), { written: "create", name: "create", text: "hello" });
 * ```
 */
export function messageOf(line: string): ClassicMessage {
  const [name, text] = takeWord(line);
  return { written: name, name, text };
}

/**
 * Finds a name in the middle of a message that came as text: then the message may be two, stuck together.
 *
 * @param message The message.
 * @param names The names to look for.
 * @returns The first of them that stands there; undefined if none does.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(findGlued("create onecreate two", ["create"]), "create");
 * assertEquals(findGlued("create a creature", ["create"]), undefined);
 * ```
 */
export function findGlued(message: string, names: Iterable<string>): string | undefined {
  for (const name of names) {
    let at = message.indexOf(name, 1);
    while (at !== -1 && NAME_CHARACTER.test(message.charAt(at + name.length))) at = message.indexOf(name, at + 1);
    if (at !== -1) return name;
  }
}

const NAME_CHARACTER = /^[\p{L}\p{M}\p{Nd}_-]$/u;

function readObject(message: string, recognizes: (name: string) => boolean): ClassicMessage {
  const object = parseObject(message);
  const keys = NAME_KEYS.filter((key) => typeof object[key] === "string" && object[key].trim() !== "");
  const key = keys.find((key) => recognizes(modernName(object[key] as string))) ?? keys[0];
  if (key === undefined) {
    throw new ProtocolError("bad-message", `Cannot find an event's name in ${quote(message)}: it stands under "event"`);
  }
  const written = onOneLine(object[key] as string).trim();
  const text = encodeData(dataOf(object, key));
  return { written, name: modernName(written), text, object: onOneLine(message) };
}

function parseObject(message: string): { [key: string]: Json } {
  try {
    return JSON.parse(message);
  } catch (cause) {
    const reason = (cause as Error).message.replace(/^.* JSON at/, "something is wrong at");
    throw new ProtocolError("bad-message", `Cannot read ${quote(message)} as a JSON object: ${reason}`, { cause });
  }
}

/** What stands under a key for data; else under the only other key, or all of them. */
function dataOf(object: { [key: string]: Json }, nameKey: string): Json | undefined {
  const key = DATA_KEYS.find((key) => Object.hasOwn(object, key));
  if (key !== undefined) return object[key];
  const { [nameKey]: _name, ...others } = object;
  const values = Object.values(others);
  return values.length > 1 ? others : values[0];
}

function readText(message: string, recognizes: (name: string) => boolean): ClassicMessage {
  const readings = [...readingsOf(message)];
  return readings.find(({ name }) => isName(name) && recognizes(name)) ?? readings[0];
}

/** Where the name of a text may end, the likeliest first: at a space or a colon; and it may have spaces or colons in it. */
function* readingsOf(message: string): Generator<ClassicMessage> {
  const ends = [/[\s:]/, /\s/, /:/].map((end) => message.search(end));
  const words = message.matchAll(/\S+/g).take(MAX_NAME_WORDS).drop(1);
  ends.push(...words.map(({ index, 0: word }) => index + word.replace(/:$/, "").length));
  for (const end of new Set(ends)) {
    const written = end === -1 ? message : message.slice(0, end);
    const [, gap, text] = /^(?::\s*|([ \t]+)|\s+)?([^]*)$/.exec(end === -1 ? "" : message.slice(end))!;
    yield { written, name: written.trim().replace(/[\s:]+/g, "-"), text, gap };
  }
}

/**
 * A name of a classic client, which may hold any character, as a name of the line protocol.
 *
 * @param written The name as it was written.
 * @returns It, with `-` for each run of characters that no name can hold.
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

/** JSON may be written on several lines only between its tokens: there any white space will do. */
function onOneLine(text: string): string {
  return text.replace(/[\r\n]+/g, " ");
}

/** A string that the line protocol has to put in quotes goes without them: nobody reads them off. */
function bareText(text: string): string {
  const value = text.startsWith('"') ? decodeData(text) : text;
  return typeof value === "string" ? value : text;
}

function payloadOf(text: string): string {
  return text !== "" && isJson(text) ? text : JSON.stringify(text);
}
