/**
 * Classic clients, which know nothing of lines: each `socket.write` is a message, and no end is marked. What such clients
 * at one port send and are sent; how a message is read stands in classic/message.ts. docs/protocol.md has the rules, in
 * section 12.
 *
 * @module
 */
import { monotonicUlid } from "@std/ulid";
import {
  type ClassicForm,
  type ClassicKeys,
  type ClassicMessage,
  onOneLine,
  type Reading,
  readMessage,
} from "./classic/message.ts";
import { modernName } from "./classic/names.ts";
import { decodeData, isJson } from "./data.ts";
import { MqError, quote } from "./errors.ts";
import { isName } from "./event.ts";
import { MAX_NAME_BYTES } from "./limits.ts";
import { takeWord } from "./text.ts";

export { modernName, modernPattern } from "./classic/names.ts";
export type { ClassicForm, ClassicKeys, ClassicMessage } from "./classic/message.ts";

/** The longest message, in bytes without its line end: a longer one comes in two pieces, and is taken for two. */
export const MAX_MESSAGE_BYTES: number = 60 * 1024 - 1;

/**
 * The least time between two writes to a classic client, in milliseconds: what it reads together it takes for one. 5 are
 * enough on an idle machine; with 20, no client broke on one that had twice as much to do as it could.
 */
export const MESSAGE_PACE_MS = 20;

/** The keys of objects that are sent until a client has sent one with others. */
const FIRST_KEYS: ClassicKeys = { name: "event", data: "payload" };

/**
 * What classic clients at one port are like.
 *
 * @example
 * ```ts
 * const options: ClassicOptions = { form: "json", keys: { name: "type", data: "message" }, defaultName: "chat" };
 * ```
 */
export interface ClassicOptions {
  /** How events are written to them. */
  form: ClassicForm;
  /**
   * The keys under which their objects have an event's name and its data. They are looked for before all others, and
   * with the form `json` every event goes out under them. Without this they are found out.
   */
  keys?: ClassicKeys;
  /** The name of the event that a message is which has none; without it, such messages are refused. */
  defaultName?: string;
}

/** The router, to a codec. */
export interface Recognizer {
  /** The names that are recognized, but for those that a pattern stands for. */
  readonly names: readonly string[];
  /**
   * What recognizes a name.
   *
   * @param name The name.
   * @returns The pattern; undefined if none does.
   */
  recognizedBy(name: string): string | undefined;
}

/**
 * Reads what classic clients at one port send, and writes what they are sent.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const recognizer = { names: ["save"], recognizedBy: (name: string) => name === "save" ? "save" : undefined };
 * const codec = new ClassicCodec({ form: "json" }, recognizer);
 * const message = codec.read('{"type":"save","message":"a"}');
 * assertEquals(lineOf(message), "save a");
 * assertEquals(codec.write(messageOf("save b")), '{"type":"save","message":"b"}');
 * ```
 */
export class ClassicCodec {
  /** Identifies it among all codecs: what one writes is not what another does. */
  readonly id: string = monotonicUlid();
  /** How events are written. */
  readonly form: ClassicForm;
  /** The keys under which the objects that are sent have an event's name and its data. */
  keys: ClassicKeys;
  readonly #options: ClassicOptions;
  readonly #reading: Reading;

  /**
   * Makes the codec of a port.
   *
   * @param options What its clients are like.
   * @param recognizer What the broker recognizes.
   * @throws {MqError} With the code `classic`, if the default name is none, or is not recognized.
   */
  constructor(options: ClassicOptions, recognizer: Recognizer) {
    const { form, keys, defaultName } = options;
    checkDefault(defaultName, recognizer);
    this.form = form;
    this.keys = keys ?? FIRST_KEYS;
    this.#options = options;
    const names = new Set(recognizer.names);
    const recognizes = (name: string) => names.has(name) || recognizer.recognizedBy(name) !== undefined;
    this.#reading = { names, recognizes, keys, defaultName };
  }

  /**
   * Reads a message. If it is an object that is recognized, its keys are from now on those of the objects that are sent.
   *
   * @param text The message, without white space around it.
   * @returns The event. Its name need not be recognized or well formed.
   * @throws {ProtocolError} With the code `bad-message` or `no-name`.
   */
  read(text: string): ClassicMessage {
    const message = readMessage(text, this.#reading);
    if (message.keys !== undefined && this.#reading.recognizes(message.name)) this.#learn(message.keys);
    return message;
  }

  /**
   * Writes an event.
   *
   * @param message The event.
   * @returns The message on one line, without a line end: as it came, if it came in the form and with the keys that its
   * clients get.
   */
  write(message: ClassicMessage): string {
    const { form, source = "", written, text } = message;
    if (form === this.form && this.#fits(message)) return source;
    if (this.form === "json") {
      return `{${JSON.stringify(this.keys.name)}:${JSON.stringify(written)},` +
        `${JSON.stringify(this.keys.data)}:${payloadOf(text)}}`;
    }
    const bare = onOneLine(bareText(text));
    return bare === "" ? written : `${written} ${bare}`;
  }

  /**
   * Finds out whether a message may be two that were read as one.
   *
   * @param message The message.
   * @returns The name that the second begins with; undefined if it is one.
   */
  findGlued(message: ClassicMessage): string | undefined {
    return findGlued(message, this.#reading.names);
  }

  #fits({ keys }: ClassicMessage): boolean {
    const { form, keys: wanted } = this.#options;
    return form === "text" || wanted === undefined || (keys?.name === wanted.name && keys.data === wanted.data);
  }

  #learn(keys: ClassicKeys): void {
    if (this.form === "text" || this.#options.keys !== undefined) return;
    if (keys.name !== this.keys.name || keys.data !== this.keys.data) this.keys = keys;
  }
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
 * assertEquals(lineOf({ written: "create", name: "create", text: "two  words", gap: "   " }), "create   two  words");
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

function checkDefault(written: string | undefined, recognizer: Recognizer): void {
  if (written === undefined) return;
  const name = modernName(written);
  const isPattern = /[*>]/.test(written);
  if (isPattern || !isName(name)) {
    throw new MqError("classic", `Cannot take ${quote(written)} as the name of messages without one: it is no name`);
  }
  if (recognizer.recognizedBy(name) !== undefined) return;
  throw new MqError(
    "classic",
    `Cannot take ${quote(written)} as the name of messages without one: it is not recognized`,
  );
}

/** A string that the line protocol has to put in quotes goes without them: nobody reads them off. */
function bareText(text: string): string {
  const value = text.startsWith('"') ? decodeData(text) : text;
  return typeof value === "string" ? value : text;
}

function payloadOf(text: string): string {
  return text !== "" && isJson(text) ? text : JSON.stringify(text);
}

/** Behind this no word goes on: a digit, what closes brackets and quotation marks, the end of a sentence, a pictograph. */
const END = /(?:[\p{Nd}}\])!?\p{So}]|[^\s([{]["'])$/u;

/** Behind a letter the same name again may begin, but for the end of a short word: `bread`, `thread`, `recreate`. */
const WORD = /\S\S\p{L}$/u;

/** What may be a name. */
const NAME = /[\p{L}\p{M}\p{Nd}_.-]+/gu;

/** Where in a word a number ends. */
const BEHIND_DIGIT = /(?<=\p{Nd})(?=\P{Nd})/gu;

/** What follows a name that has data, as the message's own name has it. */
const BEFORE_DATA = new Map([[" ", /^[ \t]+\S/], [":", /^:[ \t]*\S/]]);

/** The longest message, in characters, that may be nothing but names. */
const MAX_NAMES = 1000;

/**
 * Finds where a message that came as text goes on as another: a name with data behind it, in the same dialect, that
 * begins without a space where no word can go on; behind a letter that is the message's own name only. A message without
 * data is several if it is nothing but names.
 *
 * @param message The message.
 * @param names The names to look for, besides its own.
 * @returns The name that the second message begins with; undefined if there is none.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readMessage } from "./classic/message.ts";
 *
 * const names = new Set(["create", "update"]);
 * const find = (text: string) => findGlued(readMessage(text, { names, recognizes: (name) => names.has(name) }), names);
 * assertEquals(find("create onecreate two"), "create");
 * assertEquals(find("create 1update 2"), "update");
 * assertEquals(find("create an event (create) just happened!"), undefined);
 * ```
 */
export function findGlued(message: ClassicMessage, names: ReadonlySet<string>): string | undefined {
  const { form, source, written, text } = message;
  if (form !== "text" || source === undefined || isJson(text)) return undefined;
  if (text === "") return secondOf(source, names);
  if (!source.startsWith(written)) return undefined; // It has no name of its own.
  const beforeData = BEFORE_DATA.get(source.startsWith(":", written.length) ? ":" : " ")!;
  const data = { source, start: written.length + 1, beforeData };
  return again(data, written) ? written : listedIn(data, names);
}

/** The data of a message that has a name: where it begins in the text, and what would follow the name of a second one. */
interface Data {
  readonly source: string;
  readonly start: number;
  readonly beforeData: RegExp;
}

/** Whether a message with the same name begins in the data. */
function again({ source, start, beforeData }: Data, name: string): boolean {
  for (let at = source.indexOf(name, start); at !== -1; at = source.indexOf(name, at + 1)) {
    const before = source.slice(Math.max(0, at - 4), at);
    if ((END.test(before) || WORD.test(before)) && beforeData.test(source.slice(at + name.length))) return true;
  }
  return false;
}

/** The first of some names with which a message begins in the data. Each word is looked at once, however many there are. */
function listedIn({ source, start, beforeData }: Data, names: ReadonlySet<string>): string | undefined {
  for (const { 0: word, index } of source.slice(start).matchAll(NAME)) {
    const [from, to] = [start + index, start + index + word.length];
    if (!beforeData.test(source.slice(to))) continue;
    if (names.has(word) && END.test(source.slice(from - 2, from))) return word;
    const end = word.slice(-MAX_NAME_BYTES);
    for (const { index } of end.matchAll(BEHIND_DIGIT)) {
      if (names.has(end.slice(index))) return end.slice(index);
    }
  }
}

/** The second of the names that a text consists of, if it consists of names. */
function secondOf(source: string, names: ReadonlySet<string>): string | undefined {
  if (source.length > MAX_NAMES || names.has(source)) return undefined;
  const found: string[] = [];
  for (let at = 0; at < source.length;) {
    const name = [...names].find((name) => source.startsWith(name, at));
    if (name === undefined) return undefined;
    found.push(name);
    at += name.length;
  }
  return found[1];
}
