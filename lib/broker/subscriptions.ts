/**
 * Which patterns each connection of a broker hears: `/sub` and `/unsub`, and what is told of them.
 *
 * @module
 */
import type { Connection } from "./connection.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { SystemEvents } from "./system_events.ts";
import { formatOk, parsePatterns } from "../protocol/lines.ts";
import type { Router } from "./router.ts";
import { afterCurrentTick } from "../net/read_scheduler.ts";

/** How many changes of patterns are told one by one in a turn of the event loop. */
const MAX_TOLD_IN_TURN = 100;

/** Puts connections into a broker's router by what they hear. */
export class Subscriptions {
  readonly #router: Router;
  readonly #systemEvents: SystemEvents;
  readonly #maxPatterns: number;
  /** How many changes of patterns this turn has told, and those connections of which it is still to be told. */
  #toldInTurn = 0;
  readonly #untold = new Set<Connection>();

  /**
   * Makes the enrolment of one broker.
   *
   * @param router Where connections are put.
   * @param systemEvents Who tells of it.
   * @param maxPatterns How many patterns one connection may have.
   */
  constructor(router: Router, systemEvents: SystemEvents, maxPatterns: number) {
    this.#router = router;
    this.#systemEvents = systemEvents;
    this.#maxPatterns = maxPatterns;
  }

  /**
   * Carries out `/sub`.
   *
   * @param connection Who sent it.
   * @param rest What stands behind the verb.
   * @returns The answer.
   * @throws {ProtocolError} If it cannot be carried out; then nothing has changed.
   */
  subscribe(connection: Connection, rest: string): string {
    if (connection.scope === "publish") {
      throw new ProtocolError("forbidden", "Cannot subscribe: this connection's token is for publishing only");
    }
    const patterns = parsePatterns("sub", rest, this.#maxPatterns);
    if (connection.checkSubscribe(patterns, this.#maxPatterns)) {
      this.change(connection, () => {
        connection.subscribe(patterns);
        this.#tell(connection);
      });
    }
    return formatOk("sub");
  }

  /**
   * Carries out `/unsub`.
   *
   * @param connection Who sent it.
   * @param rest What stands behind the verb.
   * @returns The answer.
   * @throws {ProtocolError} If it cannot be carried out; then nothing has changed.
   */
  unsubscribe(connection: Connection, rest: string): string {
    const patterns = parsePatterns("unsub", rest, this.#maxPatterns);
    connection.checkUnsubscribe(patterns);
    this.change(connection, () => {
      connection.unsubscribe(patterns);
      this.#tell(connection);
    });
    return formatOk("unsub");
  }

  /**
   * Changes what a connection hears, or how. It is out of the router meanwhile, and so does not hear of it itself.
   *
   * @param connection The connection.
   * @param change Changes it.
   */
  change(connection: Connection, change: () => void): void {
    this.#router.leave(connection);
    try {
      change();
    } finally {
      const isStillThere = !connection.ended; // What waited for it may have been too much.
      if (isStillThere) this.#router.join(connection);
    }
  }

  /**
   * Takes a connection out that has ended.
   *
   * @param connection The connection.
   */
  leave(connection: Connection): void {
    this.#router.leave(connection);
    if (this.#untold.delete(connection)) this.#systemEvents.subscribed(connection);
  }

  /** Told at once; but of the connections that change their patterns all the time, once for all that a turn brings. */
  #tell(connection: Connection): void {
    if (this.#toldInTurn === 0) afterCurrentTick(() => this.#tellRest());
    if (++this.#toldInTurn > MAX_TOLD_IN_TURN) this.#untold.add(connection);
    else this.#systemEvents.subscribed(connection);
  }

  #tellRest(): void {
    this.#toldInTurn = 0;
    const connections = [...this.#untold];
    this.#untold.clear();
    for (const connection of connections) this.change(connection, () => this.#systemEvents.subscribed(connection));
  }
}
