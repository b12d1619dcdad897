/**
 * What a broker can be told, and what it tells.
 *
 * @module
 */
import type { Catalog } from "../catalog/catalog.ts";
import type { Json } from "../protocol/data.ts";
import type { Limits } from "../protocol/limits.ts";
import type { Token } from "../protocol/tokens.ts";

/** The data of a `mq.*` event. */
export type SystemEvent = { [key: string]: Json };

/** What becomes of a connection for which too much waits. */
export type SlowPolicy = "disconnect" | "drop";

/** Options of {@linkcode Broker}. */
export interface BrokerOptions {
  /**
   * The patterns of the events that are recognized. All others are dropped and counted.
   *
   * @default {["create", "read", "update", "delete", "error"]}
   */
  events?: readonly string[];
  /** What is known of events, in place of `events`: it recognizes those, and refuses data that does not fit. */
  catalog?: Catalog;
  /** Limits other than the default ones. */
  limits?: Partial<Limits>;
  /**
   * What lets a client in. Without tokens anybody may come in, and do everything.
   *
   * @default {[]}
   */
  tokens?: readonly Token[];
  /**
   * What becomes of a connection that reads too slowly: `disconnect` closes it, `drop` drops the newest events and counts
   * them.
   *
   * @default {"disconnect"}
   */
  slow?: SlowPolicy;
  /**
   * Called with each `mq.*` event, whether somebody hears it or not. As all of these functions, it may close the broker
   * and call whatever else that has; what it sets off is told after the event that it was called with.
   */
  onSystemEvent?: (name: string, data: SystemEvent) => void;
  /** Called with each recognized event: its name, the whole line, who sent it and for how many it is queued. */
  onPublish?: (name: string, line: string, from: string, receivers: number) => void;
  /**
   * Called with what went wrong and is nobody else's doing: a fault of the broker itself, which ends one connection, and
   * what one of the functions above throws, be it async, which ends nothing. Both are counted: `errors` of {@linkcode Broker.stats}.
   * Without it, what those throw is an uncaught error of the program.
   */
  onError?: (error: unknown) => void;
}
