/**
 * What a broker can be told, and the functions that it calls.
 *
 * @module
 */
import type { Catalog } from "../catalog/catalog.ts";
import type { Json } from "../protocol/data.ts";
import type { Limits } from "../protocol/limits.ts";
import type { Store } from "../store/store.ts";
import type { Scope, Token } from "../protocol/tokens.ts";

/**
 * The data of a system event, `mq.*`.
 *
 * @example
 * ```ts
 * const data: SystemEvent = { id: "01ARYZ6S41TSV4RRFFQ69G5FAV", name: "client-1", address: "127.0.0.1:54321" };
 * ```
 */
export type SystemEvent = { [key: string]: Json };

/**
 * What happens to a connection that reads too slowly.
 *
 * @example
 * ```ts
 * const policy: SlowPolicy = "drop";
 * ```
 */
export type SlowPolicy = "disconnect" | "drop";

/**
 * Options of {@linkcode Broker}.
 *
 * @example
 * ```ts
 * const options: BrokerOptions = { events: ["order.>"], limits: { connections: 100 }, slow: "drop" };
 * ```
 */
export interface BrokerOptions {
  /**
   * The patterns of the events that are recognized. All others are dropped and counted.
   *
   * @default {["create", "read", "update", "delete", "error"]}
   */
  events?: readonly string[];
  /** What events there are, in place of `events`: the broker recognizes those, and refuses data that does not fit. */
  catalog?: Catalog;
  /** Limits other than the default ones. */
  limits?: Partial<Limits>;
  /**
   * The tokens of clients. Without tokens, every client may connect, publish and subscribe.
   *
   * @default {[]}
   */
  tokens?: readonly Token[];
  /**
   * What happens to a connection that reads too slowly: `disconnect` closes it, `drop` drops the newest events and counts
   * them.
   *
   * @default {"disconnect"}
   */
  slow?: SlowPolicy;
  /**
   * Where events are kept, and jobs and delayed events: see {@linkcode openStore}. The broker closes it. Default: nothing is
   * kept.
   */
  store?: Store;
  /**
   * The patterns of the events that are stored. Replies to requests never are.
   *
   * @default {[">"]}
   */
  keep?: readonly string[];
  /**
   * Called with each system event, whether a client is subscribed to it or not. As all of these functions, it may close
   * the broker and call whatever else that has; the system events that this causes come after the one it was called with.
   */
  onSystemEvent?: (name: string, data: SystemEvent) => void;
  /**
   * Called with each recognized event: its name, its whole line, the name of its publisher and for how many subscribers it
   * is queued.
   */
  onPublish?: (name: string, line: string, from: string, receivers: number) => void;
  /**
   * Called with errors of the broker itself, each of which ends one connection, and with what one of the functions above
   * throws, be it async, which ends nothing. Both are counted: `errors` of {@linkcode Broker.stats}. Without it, what those
   * functions throw is an uncaught error of the program.
   */
  onError?: (error: unknown) => void;
}

/**
 * Options of {@linkcode Broker.publish}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 *
 * await using broker = new Broker();
 * const options: DirectPublishOptions = { from: "importer", raw: true };
 * assertEquals(broker.publish("create", "42", options).receivers, 0);
 * ```
 */
export interface DirectPublishOptions {
  /**
   * The name of the publisher, which subscribers are told: one word of at most 64 characters.
   *
   * @default {"broker"}
   */
  from?: string;
  /**
   * What the publisher may do: with `listen`, nothing is published.
   *
   * @default {"all"}
   */
  scope?: Scope;
  /**
   * Whether the data is a string that goes onto the line as it is, without being encoded.
   *
   * @default {false}
   */
  raw?: boolean;
  /**
   * How many hops are behind the event, from 0 to 255: see {@linkcode MqEvent.hops}.
   *
   * @default {0}
   */
  hops?: number;
  /** The name of the event that replies to this one. */
  reply?: string;
  /**
   * What the limit `eventsPerSecond` is counted by, such as the IP address for which the program publishes. Without it,
   * the limit does not hold.
   */
  limitBy?: string;
  /** The address for which the program publishes, as `HOST:PORT`: then the event is told as `mq.http`. */
  address?: string;
}

/** Calls the functions of the program around a broker: what they throw does not end the broker, and is not lost. */
export class Callbacks {
  /** How many errors there were, of the functions and of the broker itself. */
  errors = 0;
  readonly #onError: ((error: unknown) => void) | undefined;

  /**
   * Makes the callbacks of one broker.
   *
   * @param onError Called with each error. Without it, what the program's own functions throw goes to `reportError`.
   */
  constructor(onError?: (error: unknown) => void) {
    this.#onError = onError;
  }

  /**
   * Counts an error, and tells the program.
   *
   * @param error The error.
   */
  fail(error: unknown): void {
    this.errors++;
    attempt(() => this.#onError?.(error), reportError);
  }

  /**
   * Calls a function of the program.
   *
   * @param call Calls it. It may be async.
   */
  call(call: () => unknown): void {
    attempt(call, (error) => {
      this.fail(error);
      if (this.#onError === undefined) reportError(error);
    });
  }
}

/** Calls a function, and another one with what it throws, be it later. */
function attempt(call: () => unknown, onThrow: (error: unknown) => void): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch(onThrow);
  } catch (error) {
    onThrow(error);
  }
}
