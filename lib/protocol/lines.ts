/**
 * The lines of the protocol: how each is read and written. docs/protocol.md is the contract. Everything here is pure.
 *
 * @module
 */
import { ProtocolError, quote } from "./errors.ts";
import { isName, isReserved } from "./event.ts";
import { Pattern } from "./pattern.ts";
import { MAX_CLIENT_NAME_CHARACTERS, MAX_HOPS, MAX_OBSERVED } from "./limits.ts";
import { takeWord, words } from "./text.ts";

/** The version of the line protocol that this library speaks. */
export const PROTOCOL_VERSION = 1;

/** The name under which the broker sends its own events. No client may take it. */
export const BROKER_NAME = "mq";

const HTTP_SENTENCE = "This is an mq broker: it speaks lines such as 'create {\"id\":1}' over TCP, not HTTP.\n";
/** What an HTTP request on the broker's port gets. */
export const HTTP_REFUSAL: string = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n" +
  `Content-Length: ${HTTP_SENTENCE.length}\r\nConnection: close\r\n\r\n${HTTP_SENTENCE}`;

/** The answer to `/help`. */
export const HELP: string = [
  'NAME [DATA]               publish an event, such as: create {"id":1}',
  "/hello [JSON]             introduce yourself: name, meta, hops, reply, echo, observe, token",
  "/sub PATTERN...           hear these, the first time instead of everything: /sub order.* user.>",
  "/unsub PATTERN...         stop hearing these; /unsub > hears nothing",
  "/pub REF NAME [DATA]      publish, and be told how many it reached",
  "/why NAME                 who would hear an event of that name, and why",
  "/events                   which events are recognized, and what data they carry",
  "/clients   /stats         who is connected, and what has happened",
  "/ping [TEXT]   /quit      ask for an answer; leave",
].map((line) => `/# ${line}`).join("\n");

/** The headers of an event: hops, reply, or both in that order. A comma stands only between the two. */
const HEADERS = /^\{(?:"hops":([1-9]\d{0,2})(?:,(?=")|(?=\})))?(?:"reply":"([^"]+)")?\}$/;

/**
 * Whether the first line of a connection is the request line of HTTP (RFC 9112, section 3).
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
 * Writes the answer to a control line that was carried out.
 *
 * @param what What is answered: the verb, or the REF of a `/pub`.
 * @param value The answer's value, where there is one.
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
 * Writes that events are missing at this place of the stream.
 *
 * @param events How many.
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
 * Writes the answer to a line that was refused.
 *
 * @param what What is answered: the verb, the REF of a `/pub`, or `-` for a line that asked for no answer.
 * @param error Why.
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

/** What can be said of an event besides its name and its data. */
export interface EventHeaders {
  /** How many hops are behind the event, from 1 to 255. Left out, and 0 when it is written: none. */
  hops?: number;
  /** The name of the event that answers this one. Left out: no answer is asked for. */
  reply?: string;
}

const NO_HEADERS: EventHeaders = Object.freeze({});

/**
 * Writes the headers of an event, as they stand before the NAME of a `/pub` or an `/event`.
 *
 * @param headers The headers.
 * @returns One word of JSON and the space behind it; an empty string if there are no headers.
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
 * Takes the headers of an event off a text. No event's name begins with `{`, so a text that does begins with headers.
 *
 * @param text What stands behind the REF of a `/pub`, or behind the FROM of an `/event`.
 * @returns The headers, none of them set where there are none, and the rest.
 * @throws {ProtocolError} With the code `bad-arguments`, if the first word begins with `{` and is not one that
 * {@linkcode formatHeaders} writes: `hops` from 1 to 255, `reply` a name that clients may publish, in that order.
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
  const [, hops, reply] = HEADERS.exec(word) ?? [];
  const isGood = Number(hops ?? 0) <= MAX_HOPS && (reply === undefined || (isName(reply) && !isReserved(reply)));
  if (!isGood || (hops === undefined && reply === undefined)) throw badHeaders(word);
  return { ...(hops !== undefined && { hops: Number(hops) }), ...(reply !== undefined && { reply }) };
}

function badHeaders(word: string): ProtocolError {
  const form = `{"hops":3,"reply":"NAME"} or a part of that, without spaces, with 1 to ${MAX_HOPS} hops`;
  return new ProtocolError("bad-arguments", `Cannot read ${quote(word)}: before the event's name may stand ${form}`);
}

/** A line as a client receives it, taken apart. */
export type BrokerLine =
  | { type: "event"; name: string; text: string; id?: string; from?: string; hops?: number; reply?: string }
  | { type: "ok"; what: string; json: string }
  | { type: "err"; what: string; code: string; text: string }
  | { type: "ping"; text: string }
  | { type: "pong"; text: string }
  | { type: "bye"; text: string }
  | { type: "dropped" | "skipped"; events: number }
  | { type: "help"; text: string };

/**
 * Reads a line that a broker sent.
 *
 * @param line The line, without its LF.
 * @returns What it says.
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
  if (!first.startsWith("/")) return complete(line, { type: "event", name: first, text: rest });
  const [what, tail] = takeWord(rest);
  switch (first) {
    case "/event":
      return parseMetaEvent(line, what, tail);
    case "/ok":
      return complete(line, { type: "ok", what, json: tail });
    case "/err": {
      const [code, text] = takeWord(tail);
      return complete(line, { type: "err", what, code, text });
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

function parseMetaEvent(line: string, id: string, tail: string): BrokerLine {
  const [from, event] = takeWord(tail);
  if (event.startsWith("{")) return parseEventWithHeaders(line, { id, from }, event);
  const [name, text] = takeWord(event);
  return complete(line, { type: "event", name, text, id, from });
}

function parseEventWithHeaders(line: string, meta: { id: string; from: string }, tail: string): BrokerLine {
  const [headers, event] = readReply(line, () => takeHeaders(tail));
  const [name, text] = takeWord(event);
  return complete(line, { type: "event", name, text, ...meta, ...headers });
}

function readReply<T>(line: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ProtocolError) throw badReply(line);
    throw error;
  }
}

/** Refuses a line in which a word is missing. The last word of each form may be empty, and those before it not. */
function complete(line: string, parsed: BrokerLine): BrokerLine {
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

/** What a client says of itself in `/hello`. What it leaves out stays as it is. */
export interface Introduction {
  /** What it calls itself: one word of at most 64 characters. */
  name?: string;
  /** Whether it wants events with their id and sender. */
  meta?: boolean;
  /** Whether it wants to know how many hops are behind each event, if it wants meta. */
  hops?: boolean;
  /** Whether it wants to know where an answer to an event is to go, if it wants meta. */
  reply?: boolean;
  /** Whether it wants the events it publishes itself. */
  echo?: boolean;
  /** Of how many events a second it wants a sample, as an observer; null for all of them. */
  observe?: number | null;
  /** What lets it in. */
  token?: string;
}

/**
 * Reads what a client says of itself.
 *
 * @param text What follows `/hello`: a JSON object or nothing. Keys it does not know are ignored.
 * @returns What it says.
 * @throws {ProtocolError} With the code `bad-arguments`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseHello('{"name":"shop"}').name, "shop");
 * ```
 */
export function parseHello(text: string): Introduction {
  if (text.trim() === "") return {};
  const hello = parseObject(text);
  for (const key of ["meta", "hops", "reply", "echo"]) {
    if (hello[key] !== undefined && typeof hello[key] !== "boolean") throw badHello(`"${key}" takes true or false`);
  }
  if (!isRate(hello.observe ?? 1)) throw badHello(`"observe" takes a whole number, 1 to ${MAX_OBSERVED}, or null`);
  if (hello.name !== undefined) checkClientName(hello.name);
  if (hello.token !== undefined && typeof hello.token !== "string") throw badHello('"token" takes a string');
  return hello;
}

/**
 * Reads the patterns that a verb takes.
 *
 * @param verb The verb, for the error.
 * @param text What follows it.
 * @param limit How many different ones there may be.
 * @returns One pattern or more, each once.
 * @throws {ProtocolError} With the code `bad-pattern`, `too-many-patterns`, or `bad-arguments` if there is none.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parsePatterns("sub", "order.*  user.>", 1000).map(({ text }) => text), ["order.*", "user.>"]);
 * ```
 */
export function parsePatterns(verb: string, rest: string, limit: number): Pattern[] {
  const texts = [...new Set(words(rest))];
  if (texts.length === 0) {
    throw new ProtocolError(
      "bad-arguments",
      `Cannot carry out /${verb} without a pattern: it is "/${verb} PATTERN..."`,
    );
  }
  if (texts.length > limit) {
    throw new ProtocolError(
      "too-many-patterns",
      `Cannot carry out /${verb} with ${texts.length} patterns: ${limit} is the most`,
    );
  }
  return texts.map((text) => new Pattern(text));
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Answered below, as any other value that is not an object.
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw badHello("it takes a JSON object");
  return value as Record<string, unknown>;
}

function isRate(value: unknown): boolean {
  return Number.isInteger(value) && value as number >= 1 && value as number <= MAX_OBSERVED;
}

function checkClientName(name: unknown): void {
  const isWord = typeof name === "string" && /^[^\s\p{C}]+$/u.test(name) && name.length <= MAX_CLIENT_NAME_CHARACTERS;
  if (!isWord || name === BROKER_NAME) {
    throw badHello(`"name" takes one word of at most ${MAX_CLIENT_NAME_CHARACTERS} characters, other than "mq"`);
  }
}

function badHello(why: string): ProtocolError {
  return new ProtocolError("bad-arguments", `Cannot read /hello: ${why}`);
}
