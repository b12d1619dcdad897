/**
 * What a broker tells of its own systemEvents: its `mq.*` events and their data, as docs/protocol.md lists them in section 9, and
 * what it counts of them.
 *
 * @module
 */
import type { SlowPolicy, SystemEvent } from "./options.ts";
import type { ClassicKeys } from "../protocol/classic.ts";
import type { Connection } from "./connection.ts";
import type { ProtocolError } from "../protocol/errors.ts";
import { BROKER_NAME } from "../protocol/lines.ts";

/** Makes the broker's own events. */
export class SystemEvents {
  /** Events that were dropped because nothing recognizes them. */
  unrecognized = 0;
  /** Lines that were refused because they break a rule. */
  refused = 0;
  /** How often a connection became a slow consumer. */
  slow = 0;
  /** Bytes that were meant for a connection and were not written to it. */
  droppedBytes = 0;
  readonly #announce: (name: string, data: SystemEvent) => void;
  /** What is still to be told. */
  readonly #untold: [name: string, data: SystemEvent][] = [];
  #isTelling = false;

  /**
   * Makes the events of one broker.
   *
   * @param announce Called with each event: with one after another, whatever that sets off.
   */
  constructor(announce: (name: string, data: SystemEvent) => void) {
    this.#announce = announce;
  }

  /** A connection has come into the pool. */
  connected(connection: Connection): void {
    const { address, classic } = connection;
    this.#tellOf(connection, "mq.connect", classic === undefined ? { address } : { address, classic: classic.form });
  }

  /** A client has introduced itself; what it was called before. */
  introduced(connection: Connection, was: string): void {
    const { observe } = connection;
    this.#tellOf(connection, "mq.hello", observe === undefined ? { was } : { was, observe });
  }

  /** A connection hears other patterns. */
  subscribed(connection: Connection): void {
    this.#tellOf(connection, "mq.subscribe", { patterns: [...connection.patterns.keys()] });
  }

  /** An event was dropped, since nothing recognizes it; whether its name is a guess, as a classic message may have none. */
  dropsUnrecognized(connection: Connection, event: string, isGuess = false): void {
    this.unrecognized++;
    const times = connection.causes.count(event);
    this.#tellOf(connection, "mq.unrecognized", isGuess ? { event, times, guess: true } : { event, times });
  }

  /** Events go out to classic clients under other keys now, as this one uses them. Told once of each connection and keys. */
  learnsKeys(connection: Connection, { name: nameKey, data: dataKey }: ClassicKeys): void {
    const isNew = connection.causes.count(`keys ${nameKey} ${dataKey}`) === 1;
    if (isNew) this.#tellOf(connection, "mq.keys", { keys: [nameKey, dataKey] });
  }

  /** A message goes on as another one would begin. Told once. */
  findsGlued(connection: Connection, event: string): void {
    if (connection.causes.count("glued") === 1) this.#tellOf(connection, "mq.glued", { event });
  }

  /** A line was refused. Data that does not fit is counted for each event by itself. */
  refuses(connection: Connection, { code, message }: Pick<ProtocolError, "code" | "message">): void {
    this.refused++;
    const cause = code === "invalid-data" ? `${code} ${connection.route!.name}` : code;
    this.#tellOf(connection, "mq.refused", { code, text: message, times: connection.causes.count(cause) });
  }

  /** A connection was refused, before it was in the pool. */
  turnsAway({ code, message }: ProtocolError, times: number): void {
    this.#tell("mq.refused", { id: "", name: BROKER_NAME, code, text: message, times });
  }

  /** A connection publishes faster than it may. Told once. */
  throttles(connection: Connection, eventsPerSecond: number | null): void {
    if (connection.causes.count("too fast") === 1) this.#tellOf(connection, "mq.throttled", { eventsPerSecond });
  }

  /** A connection has become a slow consumer, when so many bytes found no room. */
  findsSlow(connection: Connection, bytes: number, policy: SlowPolicy): void {
    this.slow++;
    const { patterns, queue } = connection;
    const queuedBytes = queue.queuedBytes + bytes;
    this.#tellOf(connection, "mq.slow", { patterns: [...patterns.keys()], queuedBytes, policy });
  }

  /** What was meant for a connection was lost; how many events that were, where they were counted. Told of any. */
  loses({ id, name }: Connection, bytes: number, events: number): void {
    this.droppedBytes += bytes;
    this.#tell("mq.dropped", events === 0 ? { id, name, bytes } : { id, name, bytes, events });
  }

  /** A connection has left the pool. */
  disconnected(connection: Connection, reason: string): void {
    const { connectedAt, published, delivered } = connection;
    const connectedMs = Date.now() - connectedAt;
    this.#tellOf(connection, "mq.disconnect", { reason, connectedMs, published, delivered });
    connection.isGone = true;
  }

  /** The broker goes down. */
  drains(connections: number, deadlineMs: number): void {
    this.#tell("mq.drain", { connections, deadlineMs });
  }

  #tellOf(connection: Connection, name: string, more: SystemEvent): void {
    if (!connection.isGone) this.#tell(name, { id: connection.id, name: connection.name, ...more });
  }

  #tell(name: string, data: SystemEvent): void {
    this.#untold.push([name, data]);
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      for (let next = this.#untold.shift(); next !== undefined; next = this.#untold.shift()) this.#announce(...next);
    } finally {
      this.#isTelling = false;
    }
  }
}
