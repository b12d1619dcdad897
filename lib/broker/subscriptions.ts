/**
 * The subscription commands: `/sub` and `/unsub`, and the system events about them.
 *
 * @module
 */
import { afterCurrentTick } from "../net/ticks.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { formatOk, parsePatterns } from "../protocol/lines.ts";
import type { Pattern } from "../protocol/pattern.ts";
import type { Scope } from "../protocol/tokens.ts";
import type { Connection } from "./connection.ts";
import type { PatternChange } from "./pattern_change.ts";
import { tooManyPatterns } from "./pattern_set.ts";
import type { Router } from "./router.ts";
import type { SystemEvents } from "./system_events.ts";

/** How many changes of patterns are told one by one in a tick. */
const MAX_TOLD_IN_TICK = 100;

/** The subscriptions of a broker's connections. */
export class Subscriptions {
  readonly #router: Router;
  readonly #systemEvents: SystemEvents;
  readonly #maxPatterns: number;
  /** How many changes of patterns this tick has told, and the connections whose changes are still to be told. */
  #toldInTick = 0;
  readonly #untold = new Map<Connection, PatternChange>();

  /**
   * Makes the subscriptions of one broker.
   *
   * @param router Routes events to the connections.
   * @param systemEvents Publishes the changes.
   * @param maxPatterns How many patterns one connection may have.
   */
  constructor(router: Router, systemEvents: SystemEvents, maxPatterns: number) {
    this.#router = router;
    this.#systemEvents = systemEvents;
    this.#maxPatterns = maxPatterns;
  }

  /**
   * Carries out `/sub PATTERN...`.
   *
   * @param connection The connection that sent it.
   * @param rest What follows the verb.
   * @returns The response.
   * @throws {ProtocolError} If it is refused; then nothing has changed.
   */
  subscribe(connection: Connection, rest: string): string {
    checkScope(connection.scope);
    this.add(connection, parsePatterns("sub", rest, this.#maxPatterns));
    return formatOk("sub");
  }

  /**
   * Subscribes a connection to patterns, from the next event on.
   *
   * @param connection The connection.
   * @param patterns The patterns.
   * @throws {ProtocolError} With the code `too-many-patterns`; then nothing has changed.
   */
  add(connection: Connection, patterns: readonly Pattern[]): void {
    const changes = connection.subscribed.checkAdd(patterns, this.#maxPatterns);
    if (changes) this.#change(connection, () => connection.subscribed.add(patterns));
  }

  /**
   * Checks whether a connection that has no patterns yet may subscribe.
   *
   * @param scope What its token allows.
   * @param patterns The patterns.
   * @throws {ProtocolError} With the code `forbidden` or `too-many-patterns`.
   */
  checkNew(scope: Scope, patterns: readonly Pattern[]): void {
    checkScope(scope);
    if (patterns.length > this.#maxPatterns) throw tooManyPatterns(this.#maxPatterns);
  }

  /**
   * Carries out `/unsub PATTERN...`.
   *
   * @param connection The connection that sent it.
   * @param rest What follows the verb.
   * @returns The response.
   * @throws {ProtocolError} If it is refused; then nothing has changed.
   */
  unsubscribe(connection: Connection, rest: string): string {
    const patterns = parsePatterns("unsub", rest, this.#maxPatterns);
    connection.subscribed.checkRemove(patterns);
    this.#change(connection, () => connection.subscribed.remove(patterns));
    return formatOk("unsub");
  }

  /**
   * Changes the patterns or the format of a connection. It is out of the router meanwhile, and so does not get system
   * events about the change.
   *
   * @param connection The connection.
   * @param change Changes it.
   */
  change(connection: Connection, change: () => void): void {
    this.#router.leave(connection);
    try {
      change();
    } finally {
      const isOpen = !connection.ended; // The events that waited for it may have been too many.
      if (isOpen) this.#router.join(connection);
    }
  }

  /**
   * Adds a connection, with the patterns that it begins with.
   *
   * @param connection The connection.
   */
  join(connection: Connection): void {
    this.#router.join(connection);
  }

  /**
   * Removes a connection that has ended.
   *
   * @param connection The connection.
   */
  leave(connection: Connection): void {
    this.#router.leave(connection);
    const change = this.#untold.get(connection);
    this.#untold.delete(connection);
    if (change !== undefined) this.#systemEvents.subscribed(connection, change);
  }

  #change(connection: Connection, change: () => PatternChange): void {
    this.change(connection, () => this.#tell(connection, change()));
  }

  /** Told at once; but where very many change their patterns, once for all the changes of a tick. */
  #tell(connection: Connection, change: PatternChange): void {
    if (this.#toldInTick === 0) afterCurrentTick(() => this.#tellRest());
    if (++this.#toldInTick <= MAX_TOLD_IN_TICK) return this.#systemEvents.subscribed(connection, change);
    const untold = this.#untold.get(connection);
    if (untold === undefined) this.#untold.set(connection, change);
    else untold.merge(change);
  }

  #tellRest(): void {
    this.#toldInTick = 0;
    const untold = [...this.#untold];
    this.#untold.clear();
    for (const [connection, change] of untold) {
      this.change(connection, () => this.#systemEvents.subscribed(connection, change));
    }
  }
}

function checkScope(scope: Scope | undefined): void {
  if (scope !== "publish") return;
  throw new ProtocolError("forbidden", "Cannot subscribe: this connection's token is for publishing only");
}
