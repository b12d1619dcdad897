/**
 * Reads and writes the lines of the protocol, as specified in docs/protocol.md.
 *
 * @module
 */
import { ProtocolError, quote } from "./errors.ts";
import { type EventHeaders, isName, isReserved } from "./event.ts";
import { Pattern } from "./pattern.ts";
import { MAX_CLIENT_NAME_CHARACTERS, MAX_GREETING_BYTES, MAX_HOPS, MAX_SAMPLE_RATE } from "./limits.ts";
import { takeWord } from "./text.ts";

export type { EventHeaders } from "./event.ts";

/** The version of the line protocol. */
export const PROTOCOL_VERSION = 1;

/** The sender of system events. No client can have this name. */
export const BROKER_NAME = "mq";

const HTTP_SENTENCE = "This is an mq broker: it speaks lines such as 'create {\"id\":1}' over TCP, not HTTP.\n";

/** The response to an HTTP request on the port of the line protocol. */
export const HTTP_REFUSAL: string = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n" +
  `Content-Length: ${HTTP_SENTENCE.length}\r\nConnection: close\r\n\r\n${HTTP_SENTENCE}`;

/** The response to `/help`. */
export const HELP: string = [
  'NAME [DATA]               publish an event, such as: create {"id":1}',
  "/hello [JSON]             set options: name, meta, hops, reply, echo, observe, token",
  "/sub PATTERN...           subscribe; the first time instead of to everything: /sub order.* user.>",
  "/unsub PATTERN...         unsubscribe; /unsub > from everything",
  "/pub REF NAME [DATA]      publish, and get a receipt with the number of receivers",
  "/why NAME                 who would receive an event of that name, and why",
  "/events                   which events are recognized, and what data they carry",
  "/clients [ID]   /stats    who is connected (100, then those after an ID), and what has happened",
  "/ping [TEXT]   /quit      get a /pong; close the connection",
].map((line) => `/# ${line}`).join("\n");

/** What the response to `/help` has more for a broker with a store. */
export const STORE_HELP: string = [
  "/replay FROM PATTERN...   what is stored: /replay 1h order.*; FROM may be first, an id or a time",
  "/once REF KEY NAME [DATA] publish once, however often it is sent with that key",
  "/delay REF 10s NAME [DATA]    publish later; /cancel ID discards it",
  "/join GROUP PATTERN...    get jobs; /ack N, /nack N [DELAY] [WHY], /bury N, /touch N; /leave GROUP",
  "/groups   /log            what groups there are, and what is stored",
  "/peek GROUP dead          what could not be done; /kick GROUP all, /purge GROUP dead, /forget GROUP",
].map((line) => `/# ${line}`).join("\n");

/** The headers of an event: hops, reply, or both in that order. A comma stands only between the two. */
const HEADERS = /^\{(?:"hops":([1-9]\d{0,2})(?:,(?=")|(?=\})))?(?:"reply":"([^"]+)")?\}$/;

/** A first line of HTTP that is longer is taken for one that is not, in UTF-16 code units. */
const MAX_REQUEST_LINE_CHARACTERS = 8192;

/** Headers that are longer are malformed, in UTF-16 code units: the name of a reply has at most 255. */
const MAX_HEADERS_CHARACTERS = 512;

/**
 * Whether the first line of a connection is a request line of HTTP (RFC 9112, section 3).
 *
 * @param line The first line.
 * @returns True if it is.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(isHttpRequest("POST /create HTTP/1.1"), true);
 * assertEquals(isHttpRequest("create HTTP/1.1"), false);
 * ```
 */
export function isHttpRequest(line: string): boolean {
  if (line.length > MAX_REQUEST_LINE_CHARACTERS) return false;
  const [, target] = /^[\w!#$%&'*+.^`|~-]+ (\S+) HTTP\/\d(?:\.\d)?$/.exec(line) ?? [];
  return target !== undefined && (target.startsWith("/") || target === "*" || /.:./.test(target));
}

/**
 * Writes an event line.
 *
 * @param name The event's name.
 * @param text Its data as it stands on the line; may be empty.
 * @returns The line, without its LF.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatEvent("create", '{"id":1}'), 'create {"id":1}');
 * assertEquals(formatEvent("create", ""), "create");
 * ```
 */
export function formatEvent(name: string, text: string): string {
  return text === "" ? name : `${name} ${text}`;
}

/**
 * Writes the response to a control line that was carried out.
 *
 * @param what The verb, or the REF of a `/pub`.
 * @param value The JSON value of the response, if it has one.
 * @returns The line, without its LF.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatOk("7", { receivers: 2 }), '/ok 7 {"receivers":2}');
 * ```
 */
export function formatOk(what: string, value?: unknown): string {
  return value === undefined ? `/ok ${what}` : `/ok ${what} ${JSON.stringify(value)}`;
}

/**
 * Writes that events were dropped at this position of the stream.
 *
 * @param events How many events.
 * @returns The line, without its LF.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatDropped(3), "/dropped 3");
 * ```
 */
export function formatDropped(events: number): string {
  return `/dropped ${events}`;
}

/**
 * Writes the response to a line that was refused.
 *
 * @param what The verb, the REF of a `/pub`, or `-` for a line without a response.
 * @param error The error.
 * @returns The line, without its LF.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ProtocolError } from "./errors.ts";
 *
 * assertEquals(formatErr("-", new ProtocolError("bad-name", "No name")), "/err - bad-name No name");
 * ```
 */
export function formatErr(what: string, error: ProtocolError): string {
  return `/err ${what} ${error.code} ${error.message}`;
}

const NO_HEADERS: EventHeaders = Object.freeze({});

/**
 * Writes the headers of an event, which precede the NAME of a `/pub` or an `/event`.
 *
 * @param headers The headers.
 * @returns One word of JSON and a space; an empty string for no headers.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatHeaders({ hops: 3 }), '{"hops":3} ');
 * assertEquals(formatHeaders({ hops: 3, reply: "_INBOX.x.1" }), '{"hops":3,"reply":"_INBOX.x.1"} ');
 * assertEquals(formatHeaders({}), "");
 * ```
 */
export function formatHeaders({ hops = 0, reply }: EventHeaders): string {
  if (hops === 0 && reply === undefined) return "";
  const members = [hops > 0 && `"hops":${hops}`, reply !== undefined && `"reply":"${reply}"`];
  return `{${members.filter((member) => member !== false).join(",")}} `;
}

/**
 * Splits a text behind the headers of an event. A text that begins with `{` begins with headers, since no name does.
 *
 * @param text The text behind the REF of a `/pub`, or behind the FROM of an `/event`.
 * @returns The headers, which may be empty, and the rest.
 * @throws {ProtocolError} With the code `bad-arguments`, if the first word begins with `{` and is not of the form that
 * {@linkcode formatHeaders} writes: `hops` from 1 to 255, then `reply`, a name that clients may publish.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(takeHeaders('{"hops":3} create {"id":1}'), [{ hops: 3 }, 'create {"id":1}']);
 * assertEquals(takeHeaders('{"reply":"_INBOX.x.1"} create'), [{ reply: "_INBOX.x.1" }, "create"]);
 * assertEquals(takeHeaders('create {"id":1}'), [{}, 'create {"id":1}']);
 * ```
 */
export function takeHeaders(text: string): [headers: EventHeaders, rest: string] {
  if (!text.startsWith("{")) return [NO_HEADERS, text];
  const [word, rest] = takeWord(text);
  return [parseHeaders(word), rest];
}

function parseHeaders(word: string): EventHeaders {
  const [, hops, reply] = word.length > MAX_HEADERS_CHARACTERS ? [] : HEADERS.exec(word) ?? [];
  const isGood = Number(hops ?? 0) <= MAX_HOPS && (reply === undefined || (isName(reply) && !isReserved(reply)));
  if (!isGood || (hops === undefined && reply === undefined)) throw badHeaders(word);
  return { ...(hops !== undefined && { hops: Number(hops) }), ...(reply !== undefined && { reply }) };
}

function badHeaders(word: string): ProtocolError {
  const form = `{"hops":3,"reply":"NAME"} or a part of that, without spaces, with 1 to ${MAX_HOPS} hops`;
  return new ProtocolError("bad-arguments", `Cannot read ${quote(word)}: before the event's name may stand ${form}`);
}

/** An event as a line that a broker has sent. */
export interface BrokerEvent extends EventHeaders {
  /** Tells it from other lines. */
  type: "event";
  /** Its name. */
  name: string;
  /** Its data, as it stands on the line. */
  text: string;
  /** Its ULID, if the line has it. */
  id?: string;
  /** The name of its sender, if the line has it. */
  from?: string;
}

/** The parts of a line that a broker has sent. */
export type BrokerLine =
  | BrokerEvent
  | { type: "ok"; what: string; json: string }
  | { type: "err"; what: string; code: string; text: string }
  | { type: "ping"; text: string }
  | { type: "pong"; text: string }
  | { type: "bye"; text: string }
  | { type: "dropped" | "skipped"; events: number }
  | { type: "past"; event: BrokerEvent }
  | { type: "replayed"; json: string }
  | { type: "job"; number: number; attempt: number; group: string; event: BrokerEvent }
  | { type: "help"; text: string };

/**
 * Reads a line that a broker sent.
 *
 * @param line The line, without its LF.
 * @returns Its parts.
 * @throws {ProtocolError} With the code `bad-reply`, if no broker of this version sends such a line.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseBrokerLine("create hello"), { type: "event", name: "create", text: "hello" });
 * assertEquals(parseBrokerLine("/ok 7 {}"), { type: "ok", what: "7", json: "{}" });
 * ```
 */
export function parseBrokerLine(line: string): BrokerLine {
  const [first, rest] = takeWord(line);
  if (!first.startsWith("/")) return checkComplete(line, { type: "event", name: first, text: rest });
  const [what, tail] = takeWord(rest);
  switch (first) {
    case "/event":
      return parseMetaEvent(line, what, tail);
    case "/past":
      return { type: "past", event: parseMetaEvent(line, what, tail) };
    case "/job":
      return parseJob(line, what, tail);
    case "/replayed":
      return { type: "replayed", json: rest };
    case "/ok":
      return checkComplete(line, { type: "ok", what, json: tail });
    case "/err": {
      const [code, text] = takeWord(tail);
      return checkComplete(line, { type: "err", what, code, text });
    }
    case "/ping":
    case "/pong":
    case "/bye":
      return { type: first.slice(1) as "ping" | "pong" | "bye", text: rest };
    case "/dropped":
    case "/skipped":
      if (!/^\d+$/.test(rest)) throw badReply(line);
      return { type: first.slice(1) as "dropped" | "skipped", events: Number(rest) };
    case "/#":
      return { type: "help", text: rest };
    default:
      throw badReply(line);
  }
}

function parseJob(line: string, number: string, tail: string): BrokerLine {
  const [attempt, rest] = takeWord(tail);
  const [group, event] = takeWord(rest);
  const [id, more] = takeWord(event);
  if (!/^\d+$/.test(number) || !/^\d+$/.test(attempt)) throw badReply(line);
  return {
    type: "job",
    number: Number(number),
    attempt: Number(attempt),
    group,
    event: parseMetaEvent(line, id, more),
  };
}

function parseMetaEvent(line: string, id: string, tail: string): BrokerEvent {
  const [from, event] = takeWord(tail);
  if (event.startsWith("{")) return parseEventWithHeaders(line, { id, from }, event);
  const [name, text] = takeWord(event);
  return checkComplete(line, { type: "event", name, text, id, from });
}

function parseEventWithHeaders(line: string, meta: { id: string; from: string }, tail: string): BrokerEvent {
  const [headers, event] = readReply(line, () => takeHeaders(tail));
  const [name, text] = takeWord(event);
  return checkComplete(line, { type: "event", name, text, ...meta, ...headers });
}

function readReply<T>(line: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ProtocolError) throw badReply(line);
    throw error;
  }
}

/** Refuses a line in which a word is missing. Only the last part of a line may be empty. */
function checkComplete<T extends BrokerLine>(line: string, parsed: T): T {
  const last = parsed.type === "event"
    ? parsed.name
    : parsed.type === "err"
    ? parsed.code
    : "what" in parsed && parsed.what;
  if (last === "") throw badReply(line);
  return parsed;
}

function badReply(line: string): ProtocolError {
  return new ProtocolError("bad-reply", `Cannot read what the broker sent: ${quote(line)}`);
}

/** The arguments of `/hello`. What is left out is not changed. */
export interface HelloArguments {
  /** The name of the client: one word of at most 64 characters. */
  name?: string;
  /** Whether events come with their id and sender. */
  meta?: boolean;
  /** Whether events come with their hops; needs `meta`. */
  hops?: boolean;
  /** Whether events come with the name for a reply; needs `meta`. */
  reply?: boolean;
  /** Whether the client receives the events that it publishes itself. */
  echo?: boolean;
  /** The sample rate of an observer, in events a second; null for all events. */
  observe?: number | null;
  /** The token that authenticates the client. */
  token?: string;
}

/**
 * Reads the arguments of `/hello`.
 *
 * @param text A JSON object, or nothing. Unknown keys are ignored.
 * @returns The arguments.
 * @throws {ProtocolError} With the code `bad-arguments`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseHello('{"name":"shop"}').name, "shop");
 * ```
 */
export function parseHello(text: string): HelloArguments {
  if (text.length > MAX_GREETING_BYTES) throw badHello(`it is longer than ${MAX_GREETING_BYTES} bytes`);
  if (text.trim() === "") return {};
  const hello = parseJsonObject(text);
  if (hello === undefined) throw badHello("it takes a JSON object");
  for (const key of ["meta", "hops", "reply", "echo"]) {
    if (hello[key] !== undefined && typeof hello[key] !== "boolean") throw badHello(`"${key}" takes true or false`);
  }
  if (!isSampleRate(hello.observe ?? 1)) {
    throw badHello(`"observe" takes a whole number, 1 to ${MAX_SAMPLE_RATE}, or null`);
  }
  if (hello.name !== undefined && !isClientName(hello.name)) {
    throw badHello(`"name" takes one word of at most ${MAX_CLIENT_NAME_CHARACTERS} characters, other than "mq"`);
  }
  if (hello.token !== undefined && typeof hello.token !== "string") throw badHello('"token" takes a string');
  return hello;
}

/**
 * Reads the patterns that follow a verb.
 *
 * @param verb The verb, for the error.
 * @param rest The patterns.
 * @param limit How many different patterns are allowed.
 * @param form What stands behind the verb, for the error.
 * @returns The patterns, at least one, each once.
 * @throws {ProtocolError} With the code `bad-pattern`, `too-many-patterns`, or `bad-arguments` if there is none.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parsePatterns("sub", "order.*  user.>", 1000).map(({ text }) => text), ["order.*", "user.>"]);
 * ```
 */
export function parsePatterns(verb: string, rest: string, limit: number, form = "PATTERN..."): Pattern[] {
  const texts = new Set<string>();
  for (let [word, tail] = ["", rest]; tail !== "";) {
    [word, tail] = takeWord(tail);
    if (word !== "") texts.add(word);
    if (texts.size <= limit) continue;
    throw new ProtocolError("too-many-patterns", `Cannot carry out /${verb} with more than ${limit} patterns`);
  }
  if (texts.size === 0) {
    throw new ProtocolError(
      "bad-arguments",
      `Cannot carry out /${verb} without a pattern: it is "/${verb} ${form}"`,
    );
  }
  return Array.from(texts, (text) => new Pattern(text));
}

/**
 * Reads a JSON object.
 *
 * @param text The text.
 * @returns The object; undefined if it is none.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(['{"a":1}', "[1]", "{"].map(parseJsonObject), [{ a: 1 }, undefined, undefined]);
 * ```
 */
export function parseJsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? value as Record<string, unknown> : undefined;
  } catch {
    return undefined; // Whoever reads it says what it takes.
  }
}

function isSampleRate(value: unknown): boolean {
  return Number.isInteger(value) && value as number >= 1 && value as number <= MAX_SAMPLE_RATE;
}

/**
 * Whether a client may have a name: one word of at most 64 characters other than `mq`.
 *
 * @param name The name.
 * @returns True if it may.
 */
export function isClientName(name: unknown): boolean {
  const isWord = typeof name === "string" && name.length <= MAX_CLIENT_NAME_CHARACTERS && /^[^\s\p{C}]+$/u.test(name);
  return isWord && name !== BROKER_NAME;
}

function badHello(why: string): ProtocolError {
  return new ProtocolError("bad-arguments", `Cannot read /hello: ${why}`);
}
