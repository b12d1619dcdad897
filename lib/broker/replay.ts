/**
 * Replays: a connection is sent what the store has, and then, if it asks for that, what is published from there on.
 *
 * @module
 */
import { ProtocolError, quote } from "../protocol/errors.ts";
import { formatHeaders, parseJsonObject, parsePatterns } from "../protocol/lines.ts";
import type { Pattern } from "../protocol/pattern.ts";
import { parseReplayStart } from "../protocol/replay_start.ts";
import { encodeText, takeWord } from "../protocol/text.ts";
import { parseRecord } from "../store/record.ts";
import { lastId } from "../store/records.ts";
import type { EventFormat } from "../net/codec.ts";
import type { Page, Store } from "../store/store.ts";
import { asProtocolError } from "./commands.ts";
import type { Connection } from "./connection.ts";
import type { FanOut } from "./fan_out.ts";
import type { Journal } from "./journal.ts";
import { Publication } from "./publication.ts";
import type { Subscriptions } from "./subscriptions.ts";
import type { SystemEvents } from "./system_events.ts";

/** How many UTF-16 code units are sent at once: the next are made when these are written. */
const SENT_CHARACTERS = 64 * 1024;

/** With a limit, a replay also ends when it has sent about so many UTF-16 code units: whoever asks for more has room for it. */
const PAGE_CHARACTERS = 1024 * 1024;

/** What a {@linkcode Replays} works with. */
export interface ReplayOptions {
  /** The store. */
  store: Store;
  /** What is not on disk yet. */
  journal: Journal;
  /** Sends to connections. */
  fanOut: FanOut;
  /** Subscribes them. */
  subscriptions: Subscriptions;
  /** Tells what cannot be read. */
  systemEvents: SystemEvents;
  /** How many patterns a connection may have. */
  maxPatterns: number;
}

/** What is replayed. */
export interface ReplayRequest {
  /** The id behind which it begins; empty for the beginning. */
  readonly after: string;
  /** What events are sent. */
  readonly patterns: readonly Pattern[];
  /** Whether the connection is subscribed to the patterns behind the last event. */
  readonly isLive: boolean;
  /** How many events are sent at most; undefined for all. */
  readonly limit?: number;
}

/** The replays of a broker. */
export class Replays {
  readonly #options: ReplayOptions;

  /**
   * Makes the replays of one broker.
   *
   * @param options What they work with.
   */
  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  /**
   * Reads the arguments of `/replay FROM [OPTIONS] PATTERN...`.
   *
   * @param connection The connection that sent it.
   * @param rest What follows the verb.
   * @returns What is to be replayed.
   * @throws {ProtocolError} With the code `forbidden`, `busy`, `bad-arguments`, `bad-pattern` or `too-many-patterns`.
   */
  parse(connection: Connection, rest: string): ReplayRequest {
    const [from, tail] = takeWord(rest);
    const after = parseReplayStart(from, Date.now());
    const [options, texts] = takeOptions(tail);
    const { subscriptions, maxPatterns } = this.#options;
    const patterns = parsePatterns("replay", texts, maxPatterns, "FROM PATTERN...");
    subscriptions.checkNew(connection.scope!, patterns);
    connection.subscribed.checkAdd(patterns, maxPatterns);
    if (connection.replaying !== undefined) {
      throw new ProtocolError("busy", "Cannot replay: this connection waits for the /replayed of another replay");
    }
    return { after, patterns, ...options };
  }

  /**
   * Begins a replay, in which nothing is sent before `start` is called. If the store fails, the connection is told.
   *
   * @param connection The connection, which is to have no other until this one has ended.
   * @param request What is sent.
   * @returns Starts it; the promise that this returns never rejects, and resolves to why it has ended early, if it has.
   */
  begin(connection: Connection, request: ReplayRequest): () => Promise<ProtocolError | undefined> {
    const started = Promise.withResolvers<void>();
    const running = started.promise.then(() => this.#run(connection, request))
      .finally(() => connection.replaying = undefined);
    connection.replaying = running;
    return () => {
      started.resolve();
      return running;
    };
  }

  async #run(connection: Connection, request: ReplayRequest): Promise<ProtocolError | undefined> {
    const progress: Progress = { last: request.after, events: 0, characters: 0, hasGap: false };
    try {
      const isWhole = await this.#sendStored(connection, request, progress);
      if (connection.ended) return undefined;
      if (isWhole) this.#sendTail(connection, request, progress);
      this.#end(connection, progress, isWhole ? {} : { more: true });
      return undefined;
    } catch (error) {
      const refusal = asProtocolError(error);
      this.#end(connection, progress, { error: refusal.code, text: refusal.message });
      if (refusal.code === "store-failed") this.#options.systemEvents.storeUnreadable(refusal);
      return refusal;
    }
  }

  /** Whether events may have been deleted behind an id from which a replay goes on. */
  #hasGap(after: string): boolean {
    const { first, deleted } = this.#options.store.log;
    return after.length > 0 && !after.endsWith("0".repeat(16)) && deleted > 0 && (first === undefined || after < first);
  }

  /** Sends what is on disk; returns whether that was all. */
  async #sendStored(connection: Connection, request: ReplayRequest, progress: Progress): Promise<boolean> {
    const { store } = this.#options;
    const { limit = Infinity } = request;
    const patterns = request.patterns.map(({ text }) => text);
    while (progress.events < limit && (limit === Infinity || progress.characters < PAGE_CHARACTERS)) {
      const page = await store.read(progress.last, patterns);
      progress.hasGap ||= this.#hasGap(progress.last); // Also within the replay: a client may read slowly.
      if (page.last === undefined) return true;
      const { text, count, last } = cutPage(page, page.last, limit - progress.events);
      connection.hold(text.length);
      const isSent = await this.#send(connection, formatPast(connection, text, page.hasHeaders));
      connection.hold(-text.length);
      if (!isSent) return false;
      progress.last = last;
      progress.events += count;
      progress.characters += text.length;
    }
    return false;
  }

  /** Sends text as fast as it is read; returns false if the connection has ended. */
  async #send(connection: Connection, parts: Iterable<Part>): Promise<boolean> {
    for (const { text, events } of parts) {
      if (!await connection.queue.drained() || connection.ended) return false;
      this.#options.fanOut.send(connection, text, events);
    }
    return true;
  }

  /** What is not on disk yet; in the same turn the connection is subscribed, so that nothing is sent twice or left out. */
  #sendTail(connection: Connection, { patterns, isLive }: ReplayRequest, progress: Progress): void {
    const { journal, fanOut, subscriptions } = this.#options;
    const { text, count } = journal.tail(progress.last, patterns.map(({ text }) => text));
    for (const part of formatPast(connection, text, true)) fanOut.send(connection, part.text, part.events);
    if (count > 0 || journal.lastId > progress.last) progress.last = journal.lastId;
    progress.events += count;
    if (isLive) subscriptions.add(connection, patterns);
  }

  #end(connection: Connection, { last, events, hasGap }: Progress, more: object): void {
    if (connection.ended) return;
    const gap = hasGap ? { gap: true } : {};
    const result = JSON.stringify({ last: last === "" ? null : last, events, ...gap, ...more });
    this.#options.fanOut.send(connection, `/replayed ${result}\n`); // Not as a response: what follows is live.
  }
}

/** How far a replay has come. */
interface Progress {
  last: string;
  events: number;
  characters: number;
  hasGap: boolean;
}

/** What is sent at once. */
interface Part {
  readonly text: string | Uint8Array;
  /** How many events it has. */
  readonly events: number;
}

/** Keeps the first records of a page. */
function cutPage({ text, count }: Page, last: string, most: number): { text: string; count: number; last: string } {
  if (count <= most) return { text, count, last };
  let end = 0;
  for (let index = 0; index < most; index++) end = text.indexOf("\n", end) + 1;
  const kept = text.slice(0, end);
  return { text: kept, count: most, last: lastId(kept) };
}

function takeOptions(tail: string): [options: Pick<ReplayRequest, "isLive" | "limit">, patterns: string] {
  if (!tail.startsWith("{")) return [{ isLive: false }, tail];
  const [word, patterns] = takeWord(tail);
  const { live = false, limit, ...others } = parseJsonObject(word) ?? { unknown: true };
  const isGood = typeof live === "boolean" && Object.keys(others).length === 0 &&
    (limit === undefined || (Number.isSafeInteger(limit) && limit as number >= 1));
  if (isGood) return [{ isLive: live, limit: limit as number | undefined }, patterns];
  const form = '{"live":true,"limit":1000} or a part of that, without spaces';
  throw new ProtocolError("bad-arguments", `Cannot read ${quote(word)}: before the patterns may stand ${form}`);
}

/** Writes records as a connection gets them: as `/past` lines, or as its codec writes events. */
function formatPast(connection: Connection, text: string, hasHeaders: boolean): Iterable<Part> {
  if (text === "") return [];
  const { codec: { format } } = connection;
  return format === undefined ? parts(formatLines(connection, text, hasHeaders)) : formatMessages(format, text);
}

/** Messages are no control lines, and so are sent as bytes. None is cut: a comment in its middle would end it. */
function* formatMessages(format: EventFormat<Publication>, text: string): Generator<Part> {
  let messages = "";
  let events = 0;
  for (const record of recordsOf(text)) {
    const message = format.write(Publication.of(parseRecord(record)));
    if (message === undefined) continue;
    messages += message + "\n";
    events++;
    if (messages.length < SENT_CHARACTERS) continue;
    yield { text: encodeText(messages), events };
    messages = "";
    events = 0;
  }
  if (messages !== "") yield { text: encodeText(messages), events };
}

function formatLines({ wanted }: Connection, text: string, hasHeaders: boolean): string {
  const isVerbatim = !hasHeaders || (wanted.hops && wanted.reply);
  if (isVerbatim) return `/past ${text.slice(0, -1).replaceAll("\n", "\n/past ")}\n`;
  return recordsOf(text).map((record) => {
    const { id, from, headers, line } = parseRecord(record);
    const { hops, reply } = headers ?? {};
    const known = formatHeaders({ hops: wanted.hops ? hops : undefined, reply: wanted.reply ? reply : undefined });
    return `/past ${id} ${from} ${known}${line}\n`;
  }).join("");
}

function recordsOf(text: string): string[] {
  return text.slice(0, -1).split("\n");
}

/** Cuts whole lines, each with an event, into parts that are sent one after another. */
function* parts(text: string): Generator<Part> {
  for (let start = 0; start < text.length;) {
    const cut = text.lastIndexOf("\n", start + SENT_CHARACTERS) + 1;
    const end = cut > start ? cut : text.indexOf("\n", start) + 1;
    const part = text.slice(start, end);
    yield { text: part, events: countLines(part) };
    start = end;
  }
}

function countLines(text: string): number {
  let lines = 0;
  for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", end + 1)) lines++;
  return lines;
}
