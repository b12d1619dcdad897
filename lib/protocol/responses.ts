/**
 * The types of the responses of a broker: the JSON behind `/ok`.
 *
 * @module
 */
import type { ClassicForm } from "./classic.ts";
import type { Json } from "./data.ts";
import type { Limits } from "./limits.ts";

/**
 * The response to `/hello`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 * import { connect } from "../client.ts";
 *
 * await using broker = new Broker();
 * const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
 * await using client = await connect({ hostname: "127.0.0.1", port, name: "shop" });
 *
 * const hello: Hello = client.hello;
 * assertEquals([hello.version, hello.events.includes("create")], [1, true]);
 * ```
 */
export interface Hello {
  /** The ULID of this connection. */
  id: string;
  /** The program and its version, such as `mq/0.1.0`. */
  server: string;
  /** The version of the protocol. */
  version: number;
  /** The limits of the broker. */
  limits: Limits;
  /** The patterns of the events that the broker recognizes. */
  events: string[];
  /** The largest number of hops; undefined for a broker before 0.6, which does not support hops. */
  hops?: number;
  /**
   * The first token of the names of replies, which the broker always recognizes; undefined for a broker before 0.7, which
   * does not support requests.
   */
  inbox?: string;
  /** What the broker stores; undefined for a broker that stores nothing. */
  store?: StoreInfo;
}

/**
 * What a broker with a store says of it in the response to `/hello`.
 *
 * @example
 * ```ts
 * const info: StoreInfo = { keep: [">"], syncMs: 0 };
 * ```
 */
export interface StoreInfo {
  /** The patterns of the events that are stored. */
  keep: string[];
  /** How long a receipt may be ahead of the disk, in milliseconds; 0 if what has a receipt is on disk. */
  syncMs: number;
}

/**
 * One connection in the response to `/clients`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 * import { connect } from "../client.ts";
 *
 * await using broker = new Broker();
 * const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
 * await using client = await connect({ hostname: "127.0.0.1", port, name: "shop" });
 *
 * const clients: ClientInfo[] = await client.clients();
 * assertEquals(clients.map(({ name, patterns }) => [name, patterns]), [["shop", []]]);
 * ```
 */
export interface ClientInfo {
  /** The connection's ULID. */
  id: string;
  /** The name that the client has given itself, or `client-N`. */
  name: string;
  /** The address of the client, as `HOST:PORT`. */
  address: string;
  /** When it connected, in ISO 8601. */
  connectedAt: string;
  /** How long ago that was, in milliseconds, whatever clock was set since; brokers before 0.8 leave it out. */
  connectedMs?: number;
  /** The patterns it is subscribed to: all of them from {@linkcode Broker.clients}, the first few from `/clients`. */
  patterns: string[];
  /** How many patterns it is subscribed to. */
  patternCount: number;
  /** How many of its events were recognized. */
  published: number;
  /** How many events were queued for it, jobs and those of replays included. */
  delivered: number;
  /** How many bytes wait in its write queue. */
  queuedBytes: number;
  /** How many events were dropped because its write queue was full. */
  dropped: number;
  /** How events are written to it, if it is a classic client; null if it speaks lines. */
  classic: ClassicForm | null;
  /** The sample rate of an observer, in events a second; null if it is not an observer. */
  observe: number | null;
}

/**
 * The receipt of an event that the broker has accepted.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 *
 * await using broker = new Broker();
 * const receipt: Receipt = broker.publish("create");
 * assertEquals([receipt.id.length, receipt.receivers], [26, 0]);
 * ```
 */
export interface Receipt {
  /** The event's ULID. */
  id: string;
  /** The number of connections for which it was queued. */
  receivers: number;
  /** Whether it is in the broker's store; left out if it is not. */
  stored?: true;
  /** Whether it is the receipt of an event with the same key that was published before. */
  duplicate?: true;
}

/**
 * The response to `/stats`: counts since the broker was created.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 * import { connect } from "../client.ts";
 *
 * await using broker = new Broker();
 * const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
 * await using client = await connect({ hostname: "127.0.0.1", port, name: "shop" });
 *
 * const { connections, published }: BrokerStats = await client.stats();
 * assertEquals([connections, published], [1, 0]);
 * ```
 */
export interface BrokerStats {
  /** The time since then, in milliseconds. */
  uptimeMs: number;
  /** How many connections are open. */
  connections: number;
  /** Events that were published and recognized. */
  published: number;
  /** Deliveries, of jobs and in replays, too: an event for three listeners counts three. Observers do not count. */
  delivered: number;
  /** Events that no pattern recognizes. */
  unrecognized: number;
  /** Lines refused because they break a rule of the protocol. */
  refused: number;
  /** How often a connection became a slow consumer. */
  slow: number;
  /** Events that were dropped because a write queue was full. */
  dropped: number;
  /** Bytes that were queued for a connection and not written. */
  droppedBytes: number;
  /** Errors of the broker itself, and of the callbacks that it calls. */
  errors: number;
  /** The processor time of its process, in milliseconds. */
  cpuMs: number;
  /** The resident memory of its process, in bytes. */
  rssBytes: number;
}

/**
 * The response to `/why`: how an event of a name would be routed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 * import { connect } from "../client.ts";
 *
 * await using broker = new Broker();
 * const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
 * await using client = await connect({ hostname: "127.0.0.1", port, name: "shop" });
 *
 * const { recognized, receivers, ignores }: Why = await client.why("create");
 * assertEquals([recognized, receivers, ignores[0].name], [true, 0, "shop"]);
 * ```
 */
export interface Why {
  /** The event's name. */
  name: string;
  /** Whether the broker recognizes it. If not, it is not delivered. */
  recognized: boolean;
  /** The pattern that recognizes it; `mq.>` for system events. */
  by: string | null;
  /** How many connections would receive it now. */
  receivers: number;
  /**
   * The connections with a pattern that matches it, the oldest first, at most 100. A connection is `full` while its write
   * queue refuses events: after it has overflowed, until half of it is free again.
   */
  hears: { id: string; name: string; pattern: string; queuedBytes: number; full?: true }[];
  /** How many connections have a pattern that matches it. */
  hearsCount: number;
  /** The other connections, the oldest first, at most 100, each with the first few of its patterns. */
  ignores: { id: string; name: string; patterns: string[]; patternCount: number }[];
  /** How many other connections there are. */
  ignoresCount: number;
}

/**
 * The events of one pattern in the response to `/events`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 * import { connect } from "../client.ts";
 *
 * await using broker = new Broker();
 * const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
 * await using client = await connect({ hostname: "127.0.0.1", port, name: "shop" });
 *
 * const events: EventInfo[] = await client.events();
 * assertEquals(events[0], { pattern: "create" });
 * ```
 */
export interface EventInfo {
  /** The name or pattern. */
  pattern: string;
  /** What the events are for. */
  description?: string;
  /** The JSON Schema of their data. */
  schema?: Json;
  /** An example of their data. */
  example?: Json;
}

/**
 * The response to `/log`: what the broker's store has.
 *
 * @example
 * ```ts
 * const report: LogReport = { events: 0, deleted: 0, bytes: 0, syncMs: 0 };
 * ```
 */
export interface LogReport {
  /** The id of the oldest event; undefined if there is none. */
  first?: string;
  /** The id of the newest event; undefined if there was none yet. */
  last?: string;
  /** How many events there are. */
  events: number;
  /** How many events were deleted because of their age, or for the size of the log. */
  deleted: number;
  /** The size of the events, in bytes. */
  bytes: number;
  /** How long a receipt may be ahead of the disk, in milliseconds. */
  syncMs: number;
  /** Why the store cannot be written, so that no event is stored now; undefined if it can. */
  failed?: string;
}

/**
 * One group in the response to `/groups`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const hasWork = ({ lag, ready }: GroupReport) => lag + ready > 0;
 * const options = { ackMs: 30_000, tries: 5, dead: null };
 * const counts = { lag: 3, ready: 0, inFlight: 1, delayed: 0, dead: 0 };
 * assertEquals(hasWork({ group: "mail", patterns: ["order.*"], options, ...counts, members: [] }), true);
 * ```
 */
export interface GroupReport {
  /** Its name. */
  group: string;
  /** The patterns of the events that are its jobs. */
  patterns: string[];
  /** How long a member has for a job, in milliseconds; how often a job is delivered; the event for a dead one. */
  options: { ackMs: number; tries: number; dead: string | null };
  /** How many events of the log it has not looked at, whether they match or not. */
  lag: number;
  /** How many jobs are to be delivered now. */
  ready: number;
  /** How many jobs members have. */
  inFlight: number;
  /** How many jobs are to be delivered later. */
  delayed: number;
  /** How many jobs are dead. */
  dead: number;
  /** The id of the last event that it has looked at. */
  last?: string;
  /** The names of its members. */
  members: string[];
}

/**
 * A job in the response to `/peek`.
 *
 * @example
 * ```ts
 * const job: PeekedJob = { id: "01JD3K5E8Q5V1M4S3R6T7W8X9Y", from: "shop", event: "create", data: '{"id":1}', tries: 0 };
 * ```
 */
export interface PeekedJob {
  /** The id of its event. */
  id: string;
  /** The name of the sender. */
  from: string;
  /** The name of the event. */
  event: string;
  /** Its data, as it stands on a line. */
  data: string;
  /** Whether that is only the beginning of it. */
  cut?: true;
  /** How often the job was delivered. */
  tries: number;
  /** When it is due, or died, in ISO 8601; undefined for a job that was never delivered. */
  at?: string;
  /** Why it was not done. */
  why?: string;
}

/**
 * The receipt of an event that is published later.
 *
 * @example
 * ```ts
 * const receipt: DelayReceipt = { id: "01JD3K5E8Q5V1M4S3R6T7W8X9Y", due: "2026-12-24T18:00:00.000Z" };
 * ```
 */
export interface DelayReceipt {
  /** The id by which it can be cancelled. The event gets another one when it is published. */
  id: string;
  /** When it is published, in ISO 8601. */
  due: string;
}
