/**
 * The broker's own events, `mq.*`, and what is counted of them. docs/protocol.md lists their data in section 9.
 *
 * @module
 */
import type { Notice } from "../net/codec.ts";
import type { MqError, ProtocolError } from "../protocol/errors.ts";
import { isName } from "../protocol/event.ts";
import { BROKER_NAME } from "../protocol/lines.ts";
import { copySubstring } from "../protocol/text.ts";
import type { Connection } from "./connection.ts";
import type { SlowPolicy, SystemEvent } from "./options.ts";
import type { PatternChange } from "./pattern_change.ts";
import type { Publisher } from "./publication.ts";
import { listPatterns } from "./reports.ts";

/** How many different causes are counted apart; all others share one count. */
const MAX_CAUSES = 1000;

/**
 * Counts how often each cause has occurred, in bounded memory.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const counter = new BoundedCounter();
 * assertEquals([counter.count("bad-name"), counter.count("bad-name"), counter.count("http")], [1, 2, 1]);
 * ```
 */
export class BoundedCounter {
  readonly #times = new Map<string, number>();

  /**
   * Counts one occurrence.
   *
   * @param cause The cause.
   * @returns How often it has occurred, this time included.
   */
  count(cause: string): number {
    const isKnown = this.#times.has(cause) || this.#times.size < MAX_CAUSES;
    const key = isKnown ? copySubstring(cause) : "";
    const times = (this.#times.get(key) ?? 0) + 1;
    this.#times.set(key, times);
    return times;
  }
}

/** Makes the system events of a broker. */
export class SystemEvents {
  /** Events that nothing recognizes. */
  unrecognized = 0;
  /** Lines that were refused because they break a rule. */
  refused = 0;
  /** How often a connection became a slow consumer. */
  slow = 0;
  /** Bytes that were meant for a connection and were not written to it. */
  droppedBytes = 0;
  /** Why parts of the store cannot be read. */
  readonly #unreadable = new BoundedCounter();
  readonly #publish: (name: string, data: SystemEvent) => void;
  readonly #waiting: [name: string, data: SystemEvent][] = [];
  #isPublishing = false;

  /**
   * Makes the system events of one broker.
   *
   * @param publish Publishes a system event. It is called with one after another: what a call leads to is published after
   * it.
   */
  constructor(publish: (name: string, data: SystemEvent) => void) {
    this.#publish = publish;
  }

  /** A connection was accepted. */
  connected(connection: Connection): void {
    const { address, codec } = connection;
    this.#add(connection, "mq.connect", codec.decode ? { address, ...codec.info } : { address });
  }

  /** A client has introduced itself. `was` is its name before. */
  introduced(connection: Connection, was: string): void {
    const { observe } = connection;
    this.#add(connection, "mq.hello", observe === undefined ? { was } : { was, observe });
  }

  /** A connection has changed its patterns. */
  subscribed(connection: Connection, { added, removed }: PatternChange): void {
    const total = connection.patterns.size;
    this.#add(connection, "mq.subscribe", { added: [...added], removed: [...removed], total });
  }

  /** An event was published without a connection, by somebody at an address. */
  publishedDirectly(
    { name }: Publisher,
    address: string,
    event: { name: string; id: string; receivers: number },
  ): void {
    this.#enqueue("mq.http", { name, address, event: event.name, id: event.id, receivers: event.receivers });
  }

  /** An event was dropped because nothing recognizes it. */
  unrecognizedEvent(publisher: Publisher, event: string, isGuess = false): void {
    this.unrecognized++;
    const times = publisher.causes.count(event);
    this.#add(publisher, "mq.unrecognized", isGuess ? { event, times, guess: true } : { event, times });
  }

  /** The codec of a connection has something to tell of it, once for each key. */
  noticed(connection: Connection, { name, data, key }: Notice): void {
    if (connection.causes.count(key) === 1) this.#add(connection, name, data);
  }

  /** A line was refused. Data that does not fit is counted for each event by itself. `event` is the name of the event in it. */
  refusedLine(publisher: Publisher, { code, message }: Pick<ProtocolError, "code" | "message">, event = ""): void {
    this.refused++;
    const isInvalid = code === "invalid-data";
    const name = isInvalid ? publisher.route!.name : event;
    const times = publisher.causes.count(isInvalid ? `${code} ${name}` : code);
    this.#add(publisher, "mq.refused", { code, text: message, ...(isName(name) && { event: name }), times });
  }

  /** A connection was not accepted. */
  rejected({ code, message }: ProtocolError, times: number): void {
    this.#enqueue("mq.refused", { id: "", name: BROKER_NAME, code, text: message, times });
  }

  /** A publisher is faster than its rate. Told once. */
  throttled(publisher: Publisher, eventsPerSecond: number | null): void {
    if (publisher.causes.count("too fast") === 1) this.#add(publisher, "mq.throttled", { eventsPerSecond });
  }

  /** A connection has become a slow consumer, when so many bytes found no room. */
  becameSlow(connection: Connection, bytes: number, policy: SlowPolicy): void {
    this.slow++;
    const { patterns, queue } = connection;
    const queuedBytes = queue.queuedBytes + bytes;
    this.#add(connection, "mq.slow", { ...listPatterns(patterns), queuedBytes, policy });
  }

  /** What was meant for a connection was dropped; `events` is 0 where they were not counted. Told even after it has left. */
  dropped({ id, name }: Connection, bytes: number, events: number): void {
    this.droppedBytes += bytes;
    this.#enqueue("mq.dropped", events === 0 ? { id, name, bytes } : { id, name, bytes, events });
  }

  /** A connection has left the pool. */
  disconnected(connection: Connection, reason: string): void {
    const { connectedMs, published, delivered } = connection;
    this.#add(connection, "mq.disconnect", { reason, connectedMs, published, delivered });
    connection.isGone = true;
  }

  /** The store cannot be written. */
  storeFailed(text: string): void {
    this.#enqueue("mq.store", { state: "failed", text });
  }

  /** A part of the store cannot be read. Told once. */
  storeUnreadable({ message: text }: MqError): void {
    if (this.#unreadable.count(text) === 1) this.#enqueue("mq.store", { state: "unreadable", text });
  }

  /** The store can be written again. So many events were published meanwhile and are not in it. */
  storeMended(unstored: number): void {
    this.#enqueue("mq.store", { state: "mended", unstored });
  }

  /** A job of a group is dead. */
  jobDied(data: SystemEvent): void {
    this.#enqueue("mq.dead", data);
  }

  /** So many events of the log were deleted before a group looked at them. */
  eventsExpired(group: string, events: number): void {
    this.#enqueue("mq.expired", { group, events });
  }

  /** The broker begins to drain. */
  draining(connections: number, deadlineMs: number): void {
    this.#enqueue("mq.drain", { connections, deadlineMs });
  }

  /** Adds an event about a publisher, unless it is a connection that has left. */
  #add(publisher: Publisher, name: string, data: SystemEvent): void {
    if (!publisher.isGone) this.#enqueue(name, { id: publisher.id, name: publisher.name, ...data });
  }

  #enqueue(name: string, data: SystemEvent): void {
    this.#waiting.push([name, data]);
    if (this.#isPublishing) return;
    this.#isPublishing = true;
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) this.#publish(...next);
    } finally {
      this.#isPublishing = false;
    }
  }
}
