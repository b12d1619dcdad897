/**
 * The shapes of what a broker answers: the JSON behind `/ok`.
 *
 * @module
 */
import type { ClassicForm } from "./classic.ts";
import type { Json } from "./data.ts";
import type { Limits } from "./limits.ts";

/** What a broker says of itself: the answer to `/hello`. */
export interface Hello {
  /** The ULID of this connection. */
  id: string;
  /** The program and its version, such as `mq/0.1.0`. */
  server: string;
  /** The version of the protocol. */
  version: number;
  /** What it allows. */
  limits: Limits;
  /** The patterns of the events it recognizes. */
  events: string[];
  /** The most hops that an event can have behind it; undefined for a broker before 0.6, which knows nothing of them. */
  hops?: number;
  /**
   * The first token of the names to which answers go, which the broker always recognizes; undefined for a broker before
   * 0.7, which knows nothing of requests.
   */
  inbox?: string;
}

/** What a broker tells of one connection, in answer to `/clients`. */
export interface ClientInfo {
  /** The connection's ULID. */
  id: string;
  /** What its client calls itself, or `client-N`. */
  name: string;
  /** The client's end of the connection, as `HOST:PORT`. */
  address: string;
  /** When it connected, as ISO 8601. */
  connectedAt: string;
  /** The patterns it hears. */
  patterns: string[];
  /** How many of its events were recognized. */
  published: number;
  /** How many events were queued for it. */
  delivered: number;
  /** The bytes that wait for it to read them. */
  queuedBytes: number;
  /** How many events were dropped because it had no room for them. */
  dropped: number;
  /** How events are written to it, if it is a classic client; null if it speaks lines. */
  classic: ClassicForm | null;
  /** Of how many events a second it gets a sample, if it is an observer; null if it is not. */
  observe: number | null;
}

/** What a broker has counted since it was made: the answer to `/stats`. */
export interface BrokerStats {
  /** How long ago it was made, in milliseconds. */
  uptimeMs: number;
  /** How many connections are in the pool. */
  connections: number;
  /** Recognized events that came in. */
  published: number;
  /** Events queued for listeners; one event heard by three counts three, and observers do not count. */
  delivered: number;
  /** Events dropped because no pattern recognizes them. */
  unrecognized: number;
  /** Lines refused because they break a rule of the protocol. */
  refused: number;
  /** How often too much waited for a connection. */
  slow: number;
  /** Events that were dropped because a connection had no room for them. */
  dropped: number;
  /** Bytes that were meant for a connection and were not written to it. */
  droppedBytes: number;
  /** Faults of the broker itself, and of the functions that it was given to call. */
  errors: number;
  /** The processor time that its process has used since it started, in milliseconds. */
  cpuMs: number;
  /** The memory that its process has resident, in bytes. */
  rssBytes: number;
}

/** The answer to `/why`: what becomes of an event of some name. */
export interface Why {
  /** The event's name. */
  name: string;
  /** Whether the broker recognizes it. If not, nobody gets it. */
  recognized: boolean;
  /** The pattern that recognizes it; `mq.>` for the broker's own events. */
  by: string | null;
  /** How many would get it now. */
  receivers: number;
  /**
   * The connections with a pattern that matches it, and which. One that is `full` has no room for it: too much waits for
   * it, and until half of that has been read it misses all events.
   */
  hears: { id: string; name: string; pattern: string; queuedBytes: number; full?: true }[];
  /** The connections without one, and their patterns. */
  ignores: { id: string; name: string; patterns: string[] }[];
}

/** What a broker knows of some events, in answer to `/events`. */
export interface EventInfo {
  /** The name or pattern by which it recognizes them. */
  pattern: string;
  /** What they are for. */
  description?: string;
  /** What their data has to fit: JSON Schema. */
  schema?: Json;
  /** Data that fits. */
  example?: Json;
}
