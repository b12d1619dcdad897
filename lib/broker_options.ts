/**
 * What a broker can be told, and what it tells.
 *
 * @module
 */
import type { Catalog } from "./catalog.ts";
import type { Json } from "./data.ts";
import type { Limits } from "./limits.ts";
import type { Token } from "./tokens.ts";

/** The data of a `mq.*` event. */
export type Activity = { [key: string]: Json };

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
  /** Called with each `mq.*` event, whether somebody hears it or not. */
  onActivity?: (name: string, data: Activity) => void;
  /** Called with each recognized event: its name, the whole line, who sent it and to how many it goes. */
  onPublish?: (name: string, line: string, from: string, receivers: number) => void;
}
