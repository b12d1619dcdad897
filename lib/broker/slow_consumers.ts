/**
 * What happens to a connection that reads too slowly: it is disconnected, or events are dropped for it. docs/protocol.md
 * has the rules, in 4.7, 4.8 and 12.9.
 *
 * @module
 */
import { FatalProtocolError } from "../protocol/errors.ts";
import { formatDropped, formatErr } from "../protocol/lines.ts";
import type { Connection, OverflowHandler } from "./connection.ts";
import type { FanOut } from "./fan_out.ts";
import type { SlowPolicy } from "./options.ts";
import type { SystemEvents } from "./system_events.ts";

/** Options of {@linkcode SlowConsumers}. */
export interface SlowConsumerOptions {
  /** What happens to slow consumers. */
  policy: SlowPolicy;
  /** The most bytes that may wait for a connection, which it is told. */
  outboxBytes: number;
  /** Publishes what happens to them. */
  systemEvents: SystemEvents;
  /** Sends them what they have missed. */
  fanOut: FanOut;
  /** Disconnects one, when so many bytes were dropped. */
  disconnect: (connection: Connection, ending: { reason: string; closeMessage: string; droppedBytes: number }) => void;
}

/** The slow-consumer policy of a broker. */
export class SlowConsumers implements OverflowHandler {
  /** How many events were dropped. */
  dropped = 0;
  readonly #options: SlowConsumerOptions;

  /**
   * Makes the policy of one broker.
   *
   * @param options What it does, and how.
   */
  constructor(options: SlowConsumerOptions) {
    this.#options = options;
  }

  /**
   * Decides what happens to a connection whose write queue was full: this is where it becomes a slow consumer. A response is
   * never dropped, and a connection whose codec knows no control lines is never disconnected: its client would break.
   *
   * @param connection The connection.
   * @param bytes How much found no room, at least.
   * @param events How many events found no room; 0 if it was a response.
   */
  overflow(connection: Connection, bytes: number, events: number): void {
    if (connection.ended) return;
    const { policy, outboxBytes, systemEvents, disconnect } = this.#options;
    const isResponse = events === 0;
    const mayDrop = policy === "drop" || connection.codec.decode !== undefined;
    if (mayDrop && !isResponse) return this.#drop(connection, bytes, events);
    systemEvents.becameSlow(connection, bytes, "disconnect");
    const message = `Closed: more than ${outboxBytes} bytes waited to be read`;
    const closeMessage = formatErr("-", new FatalProtocolError("slow-consumer", message)) + "\n";
    const droppedBytes = bytes + connection.queue.discard();
    disconnect(connection, { reason: "slow", closeMessage, droppedBytes });
  }

  #drop(connection: Connection, bytes: number, events: number): void {
    const { droppedSinceNotice } = connection;
    droppedSinceNotice.events += events;
    droppedSinceNotice.bytes += bytes;
    this.dropped += events;
    connection.dropped += events;
    const isNew = !connection.isSlow;
    connection.isSlow = true;
    if (isNew) this.#options.systemEvents.becameSlow(connection, bytes, "drop");
  }

  /**
   * The queue of a slow consumer has room again: what comes next in its stream is how many events it has missed.
   *
   * @param connection The connection.
   */
  hasRoom(connection: Connection): void {
    if (connection.ended) return;
    const { fanOut } = this.#options;
    fanOut.settle(connection); // Some of what waits for it may be dropped, too.
    const { events } = connection.droppedSinceNotice;
    connection.isSlow = false;
    if (events > 0 && connection.speaksControl) fanOut.send(connection, formatDropped(events) + "\n");
    this.notify(connection);
  }

  /**
   * All connections together hold too much memory, and this one the most: it is disconnected, and if it has been already, its
   * socket is closed.
   *
   * @param connection The connection.
   */
  outOfMemory(connection: Connection): void {
    if (connection.ended) return connection.close();
    const message =
      `Closed: it held ${connection.heldBytes} bytes, the most of all, and the broker's memory is used up`;
    const error = new FatalProtocolError("out-of-memory", message);
    this.#options.systemEvents.refusedLine(connection, error);
    const closeMessage = formatErr("-", error) + "\n";
    this.#options.disconnect(connection, {
      reason: error.code,
      closeMessage,
      droppedBytes: connection.queue.discard(),
    });
    connection.subscribed.clear();
  }

  /**
   * An event is longer than the format of a connection allows: it is left out.
   *
   * @param connection The connection.
   * @param bytes How long the event is, at least.
   */
  tooLong(connection: Connection, bytes: number): void {
    this.dropped++;
    this.#options.systemEvents.dropped(connection, bytes, 1);
  }

  /**
   * Publishes what was dropped for a connection since that was last done.
   *
   * @param connection The connection.
   */
  notify(connection: Connection): void {
    const { events, bytes } = connection.takeDropped();
    if (events > 0) this.#options.systemEvents.dropped(connection, bytes, events);
  }
}
