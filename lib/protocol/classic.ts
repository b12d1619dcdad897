/**
 * The codec of classic clients: programs that do not speak the line protocol, send one message with each `socket.write`,
 * and mark no end. A message is parsed in classic/message.ts. The rules are in docs/protocol.md, section 12.
 *
 * @module
 */
import { monotonicUlid } from "@std/ulid";
import { onOneLine } from "./classic/json_text.ts";
import {
  type ClassicForm,
  type ClassicKeys,
  type ClassicMessage,
  modernName,
  type Reading,
  readMessage,
} from "./classic/message.ts";
import { decodeData, isJson } from "./data.ts";
import { MqError, quote } from "./errors.ts";
import { isName } from "./event.ts";
import { MAX_NAME_BYTES } from "./limits.ts";
import { takeWord } from "./text.ts";

export {
  type ClassicForm,
  type ClassicKeys,
  type ClassicMessage,
  modernName,
  modernPattern,
} from "./classic/message.ts";

/** The longest message, in bytes without its line end: a client reads a longer one in two pieces, as two messages. */
export const MAX_MESSAGE_BYTES: number = 60 * 1024 - 1;

/**
 * The minimum time between two writes to a classic client, in milliseconds: a client takes what it reads at once for one
 * message. 5 are enough on an idle machine; with 20, no client failed on a machine with twice the load that it can bear.
 */
export const MESSAGE_PACE_MS = 20;

/** The keys of the objects that are written, until a client has sent an object with other keys. */
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
   * The keys of the name and of the data in the clients' objects. They are tried before all others, and with the form
   * `json` every event is written with them. Default: the keys of the last object that was received.
   */
  keys?: ClassicKeys;
  /** The name of events whose message has no name. Default: such messages are refused. */
  defaultName?: string;
}

/** What a codec has to know of the broker. */
export interface Recognizer {
  /** The names that the broker recognizes, without those that only a wildcard matches. */
  readonly names: readonly string[];
  /**
   * Which pattern recognizes a name.
   *
   * @param name The name.
   * @returns The pattern; undefined if none does.
   */
  recognizedBy(name: string): string | undefined;
}

/**
 * Reads the messages of the classic clients at one port, and writes events as messages.
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
  /** Identifies the codec: two codecs write the same event in different ways. */
  readonly id: string = monotonicUlid();
  /** How events are written. */
  readonly form: ClassicForm;
  /** The keys of the name and of the data in the objects that are written. */
  keys: ClassicKeys;
  readonly #options: ClassicOptions;
  readonly #reading: Reading;

  /**
   * Makes the codec of a port.
   *
   * @param options The form of the messages, or more.
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
   * Reads a message. If it is an object and its event is recognized, objects are written with its keys from then on.
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
   * @returns The message on one line, without a line end: unchanged, if it was received in the form and with the keys that
   * are written.
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
   * Finds out whether a message is likely to be two messages that were read at once.
   *
   * @param message The message.
   * @returns The name of the second message; undefined if it is one message.
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
 * @returns The line, without its LF.
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
 * The message of an event that was received as a line.
 *
 * @param line The event's line.
 * @returns The message, as if a classic client had sent it.
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

/** A string that the line protocol writes in quotation marks is written without them: classic clients do not parse it. */
function bareText(text: string): string {
  const value = text.startsWith('"') ? decodeData(text) : text;
  return typeof value === "string" ? value : text;
}

function payloadOf(text: string): string {
  return text !== "" && isJson(text) ? text : JSON.stringify(text);
}

/** What ends a word: a digit, a closing bracket or quotation mark, the end of a sentence, a pictograph. */
const END = /(?:[\p{Nd}}\])!?\p{So}]|[^\s([{]["'])$/u;

/** Where the same name may begin again after letters: not in short words such as `bread`, `thread`, `recreate`. */
const WORD = /\S\S\p{L}$/u;

/** What can be a name. */
const NAME = /[\p{L}\p{M}\p{Nd}_.-]+/gu;

/** Where a number ends within a word. */
const BEHIND_DIGIT = /(?<=\p{Nd})(?=\P{Nd})/gu;

/** What follows a name with data, by the separator of the message, and what that begins with. */
const BEFORE_DATA = new Map([
  [" ", { first: [" ", "\t"], form: /^[ \t]+\S/ }],
  [":", { first: [":"], form: /^:[ \t]*\S/ }],
]);

/** The longest message, in characters, that may be nothing but names. */
const MAX_NAMES = 1000;

/**
 * Finds a second message in a text: a name followed by data, with the same separator, that begins without a space where a
 * word has ended; after a letter, only the message's own name is looked for. A message without data is several messages
 * if it consists of names only.
 *
 * @param message The message.
 * @param names The names to look for, besides the message's own.
 * @returns The name of the second message; undefined if there is none.
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

/** The data of a message: where it begins in the text, and what would follow the name of a second message. */
interface Data {
  readonly source: string;
  readonly start: number;
  readonly beforeData: { readonly first: readonly string[]; readonly form: RegExp };
}

/** Whether data follows a name that ends at an index. The first character is looked at first: it is cheap, and mostly tells. */
function hasData({ source, beforeData: { first, form } }: Data, end: number): boolean {
  return first.includes(source[end]) && form.test(source.slice(end));
}

/** Whether a message with the same name begins in the data. */
function again(data: Data, name: string): boolean {
  const { source, start } = data;
  for (let at = source.indexOf(name, start); at !== -1; at = source.indexOf(name, at + 1)) {
    if (!hasData(data, at + name.length)) continue;
    const before = source.slice(Math.max(0, at - 4), at);
    if (END.test(before) || WORD.test(before)) return true;
  }
  return false;
}

/** The first of some names with which a message begins in the data. Each word is looked up once, however many names there are. */
function listedIn(data: Data, names: ReadonlySet<string>): string | undefined {
  const { source, start } = data;
  for (const { 0: word, index } of source.slice(start).matchAll(NAME)) {
    const [from, to] = [start + index, start + index + word.length];
    if (!hasData(data, to)) continue;
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
