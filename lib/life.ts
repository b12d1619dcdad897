/**
 * What a broker tells of its own life: its `mq.*` events and their data, as docs/protocol.md lists them in section 9, and
 * what it counts of them.
 *
 * @module
 */
import type { Activity, SlowPolicy } from "./broker_options.ts";
import type { ClassicKeys } from "./classic.ts";
import type { Connection } from "./connection.ts";
import type { ProtocolError } from "./errors.ts";
import { BROKER_NAME } from "./protocol.ts";

/** Makes the broker's own events. */
export class Life {
  /** Events that were dropped because nothing recognizes them. */
  unrecognized = 0;
  /** Lines that were refused because they break a rule. */
  refused = 0;
  /** How often a connection became a slow consumer. */
  slow = 0;
  /** Bytes that were meant for a connection and were not written to it. */
  droppedBytes = 0;
  readonly #tell: (name: string, data: Activity) => void;

  /**
   * Makes the events of one broker.
   *
   * @param tell Called with each event.
   */
  constructor(tell: (name: string, data: Activity) => void) {
    this.#tell = tell;
  }

  /** A connection has come into the pool. */
  connected({ id, name, address, classic }: Connection): void {
    this.#tell(
      "mq.connect",
      classic === undefined ? { id, name, address } : { id, name, address, classic: classic.form },
    );
  }

  /** A client has introduced itself; what it was called before. */
  introduced({ id, name, observe }: Connection, was: string): void {
    this.#tell("mq.hello", observe === undefined ? { id, name, was } : { id, name, was, observe });
  }

  /** A connection hears other patterns. */
  subscribed({ id, name, patterns }: Connection): void {
    this.#tell("mq.subscribe", { id, name, patterns: [...patterns.keys()] });
  }

  /** An event was dropped, since nothing recognizes it; whether its name is a guess, as a classic message may have none. */
  dropsUnrecognized(connection: Connection, event: string, isGuess = false): void {
    this.unrecognized++;
    const { id, name } = connection;
    const times = connection.causes.count(event);
    this.#tell("mq.unrecognized", isGuess ? { id, name, event, times, guess: true } : { id, name, event, times });
  }

  /** Events go out to classic clients under other keys now, as this one uses them. Told once of each connection and keys. */
  learnsKeys(connection: Connection, { name: nameKey, data: dataKey }: ClassicKeys): void {
    const { id, name } = connection;
    const isNew = connection.causes.count(`keys ${nameKey} ${dataKey}`) === 1;
    if (isNew) this.#tell("mq.keys", { id, name, keys: [nameKey, dataKey] });
  }

  /** A message goes on as another one would begin. Told once. */
  findsGlued(connection: Connection, event: string): void {
    const { id, name } = connection;
    if (connection.causes.count("glued") === 1) this.#tell("mq.glued", { id, name, event });
  }

  /** A line was refused. Data that does not fit is counted for each event by itself. */
  refuses(connection: Connection, { code, message }: Pick<ProtocolError, "code" | "message">): void {
    this.refused++;
    const { id, name, route } = connection;
    const cause = code === "invalid-data" ? `${code} ${route!.name}` : code;
    this.#tell("mq.refused", { id, name, code, text: message, times: connection.causes.count(cause) });
  }

  /** A connection was refused, before it was in the pool. */
  turnsAway({ code, message }: ProtocolError, times: number): void {
    this.#tell("mq.refused", { id: "", name: BROKER_NAME, code, text: message, times });
  }

  /** A connection publishes faster than it may. Told once. */
  throttles(connection: Connection, eventsPerSecond: number | null): void {
    const { id, name } = connection;
    if (connection.causes.count("too fast") === 1) this.#tell("mq.throttled", { id, name, eventsPerSecond });
  }

  /** A connection has become a slow consumer, when so many bytes found no room. */
  findsSlow({ id, name, patterns, outbox }: Connection, bytes: number, policy: SlowPolicy): void {
    this.slow++;
    const queuedBytes = outbox.queuedBytes + bytes;
    this.#tell("mq.slow", { id, name, patterns: [...patterns.keys()], queuedBytes, policy });
  }

  /** What was meant for a connection was lost; how many events that were, where they were counted. */
  loses({ id, name }: Connection, bytes: number, events: number): void {
    this.droppedBytes += bytes;
    this.#tell("mq.dropped", events === 0 ? { id, name, bytes } : { id, name, bytes, events });
  }

  /** A connection has left the pool. */
  disconnected({ id, name, connectedAt, published, delivered }: Connection, reason: string): void {
    this.#tell("mq.disconnect", { id, name, reason, connectedMs: Date.now() - connectedAt, published, delivered });
  }

  /** The broker goes down. */
  drains(connections: number, deadlineMs: number): void {
    this.#tell("mq.drain", { connections, deadlineMs });
  }
}
