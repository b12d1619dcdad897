/**
 * What becomes of a connection for which too much waits: it is closed, or it misses events. docs/protocol.md has the rules,
 * in 4.7, 4.8 and 12.9.
 *
 * @module
 */
import type { SlowPolicy } from "./options.ts";
import type { Connection } from "./connection.ts";
import { FatalProtocolError } from "../protocol/errors.ts";
import type { SystemEvents } from "./system_events.ts";
import { formatDropped, formatErr } from "../protocol/lines.ts";
import type { Router } from "./router.ts";

/** Options of {@linkcode SlowConsumers}. */
export interface SlowConsumersOptions {
  /** What becomes of a connection that reads too slowly. */
  policy: SlowPolicy;
  /** What may wait for a connection, in bytes, to say so. */
  outboxBytes: number;
  /** Who tells of it. */
  systemEvents: SystemEvents;
  /** What connections hear by. */
  router: Router;
  /** Closes a connection with some last words, when so many bytes were lost. */
  end: (connection: Connection, closeMessage: string, bytes: number) => void;
}

/** A broker's patience with those who read too slowly. */
export class SlowConsumers {
  /** How many events were dropped. */
  dropped = 0;
  readonly #options: SlowConsumersOptions;

  /**
   * Makes the patience of one broker.
   *
   * @param options What it does, and how.
   */
  constructor(options: SlowConsumersOptions) {
    this.#options = options;
  }

  /**
   * Sees to what finds no room in a connection's queue from now on.
   *
   * @param connection The connection.
   */
  watch(connection: Connection): void {
    connection.overflow = (bytes, events) => this.#overflow(connection, bytes, events);
    connection.onRoom = () => this.#tellMissed(connection);
    connection.onTooLong = (bytes) => this.#leaveOut(connection, bytes);
  }

  /**
   * Tells what a connection has missed since that was last told.
   *
   * @param connection The connection.
   */
  tellLost(connection: Connection): void {
    const { events, bytes } = connection.takeMissed();
    if (events > 0) this.#options.systemEvents.loses(connection, bytes, events);
  }

  #overflow(connection: Connection, bytes: number, events: number): void {
    if (connection.ended) return;
    const { policy, outboxBytes, systemEvents, end } = this.#options;
    const isAnswer = events === 0; // An answer is never dropped.
    const mayDrop = policy === "drop" || connection.classic !== undefined; // These break when they are closed.
    if (mayDrop && !isAnswer) return this.#drop(connection, bytes, events);
    systemEvents.findsSlow(connection, bytes, "disconnect");
    const message = `Closed: more than ${outboxBytes} bytes waited to be read`;
    const answer = formatErr("-", new FatalProtocolError("slow-consumer", message));
    end(connection, answer + "\n", bytes + connection.queue.discard());
  }

  /** An event is longer than a message to a classic client may be. */
  #leaveOut(connection: Connection, bytes: number): void {
    this.dropped++;
    this.#options.systemEvents.loses(connection, bytes, 1);
  }

  #drop(connection: Connection, bytes: number, events: number): void {
    const { missed } = connection;
    missed.events += events;
    missed.bytes += bytes;
    this.dropped += events;
    connection.dropped += events;
    const isNew = !connection.isSlow;
    connection.isSlow = true;
    if (isNew) this.#options.systemEvents.findsSlow(connection, bytes, "drop");
  }

  /** There is room again: what comes next in the stream is what is missing. */
  #tellMissed(connection: Connection): void {
    if (connection.ended) return;
    const { router } = this.#options;
    router.settle(connection); // Some of that it may miss, too.
    const { events } = connection.missed;
    connection.isSlow = false;
    if (events > 0 && connection.speaksControl) router.send(connection, formatDropped(events) + "\n");
    this.tellLost(connection);
  }
}
