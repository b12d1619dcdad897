/**
 * The limits of a broker, with the unit in each name. docs/protocol.md has the same figures.
 *
 * @module
 */

/** The default port of a broker. */
export const DEFAULT_PORT = 3001;

/** The longest event name, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 255;

/** The longest name of a client, in UTF-16 code units. */
export const MAX_CLIENT_NAME_CHARACTERS = 64;

/** The largest sample that an observer may ask for, in events a second. */
export const MAX_SAMPLE_RATE = 1000;

/** The largest number of hops in the headers of an event. */
export const MAX_HOPS = 255;

/** The longest line that is read from a connection before it is authorized, in bytes without its LF. */
export const MAX_GREETING_BYTES = 4096;

/**
 * If more bytes of responses than that wait for a connection, no more of its lines are read before they are written. A
 * response that is no longer than that always has room, also in a queue that has none for events.
 */
export const RESPONSE_BYTES: number = 64 * 1024;

/** How many connections a response to `/clients` lists at most. */
export const CLIENTS_PER_PAGE = 100;

/** How many bytes may wait for a classic client, which gets at most 50 messages a second. */
export const CLASSIC_OUTBOX_BYTES: number = 1024 * 1024;

/** The memory of a broker without connections and what works on events: the program and its garbage, in bytes. */
export const PROGRAM_BYTES: number = 128 * 1024 * 1024;

/** How much more is held for a long line than the line, while it is read: its buffer grows in such steps, in bytes. */
const READ_AHEAD_BYTES = 128 * 1024;

/** How much of the rest connections may hold: as much again goes into copies and garbage. */
const HELD_SHARE = 1 / 2;

/** How many bytes may be added to an event line when it is delivered: id, sender, headers and LF. */
export const EVENT_HEAD_BYTES = 512;

/** How long a connection that is closed for an error has to read the close message, in milliseconds. */
export const FAULT_GRACE_MS = 1000;

/**
 * How long the broker waits for a plain connection to close its side, after all has been written to it, in milliseconds.
 * Until then it reads: to close a socket with unread input can discard output that the peer has not read yet.
 */
export const LINGER_MS = 500;

/**
 * The limits of a broker.
 *
 * @example
 * ```ts
 * const limits: Partial<Limits> = { connections: 100, eventsPerSecond: 1000 };
 * ```
 */
export interface Limits {
  /** The longest line, in bytes without its LF. A longer one is discarded up to its end, and answered with an error. */
  lineBytes: number;
  /**
   * How many bytes may wait in the write queue of a connection. A connection that exceeds it is a slow consumer. The
   * longest line must fit: see {@linkcode minOutboxBytes}.
   */
  outboxBytes: number;
  /**
   * How much memory the process should take at most, in bytes. What all connections together hold is kept to half of that
   * which the program itself does not need: see {@linkcode heldBytesLimit}.
   */
  memoryBytes: number;
  /** How many connections may be open at the same time. */
  connections: number;
  /** How many HTTP connections may be open at the same time, besides those that have become one of `connections`. */
  httpConnections: number;
  /** How many patterns one connection may subscribe to. */
  patterns: number;
  /**
   * How many events a second are read from one connection; faster ones wait unread. POSTs of one token or IP address that
   * are faster are refused. Null for no limit.
   */
  eventsPerSecond: number | null;
  /** How long a connection has for the TLS handshake, and to send a token if one is required, in milliseconds. */
  helloMs: number;
  /** How long a connection that uses control lines may be silent before it is sent a `/ping`, in milliseconds. */
  silenceMs: number;
  /** How long it may be silent after the `/ping` before it is closed, in milliseconds. */
  answerMs: number;
  /** How long {@linkcode Broker.close} waits for write queues to be written, in milliseconds. */
  drainMs: number;
}

/** The default limits. */
export const DEFAULT_LIMITS: Readonly<Limits> = Object.freeze({
  lineBytes: 1024 * 1024,
  outboxBytes: 16 * 1024 * 1024,
  memoryBytes: 512 * 1024 * 1024,
  connections: 10_000,
  httpConnections: 1000,
  patterns: 1000,
  eventsPerSecond: null,
  helloMs: 5000,
  silenceMs: 30_000,
  answerMs: 10_000,
  drainMs: 10_000,
});

/**
 * The smallest value of {@linkcode Limits.outboxBytes}: every event must fit into an empty write queue.
 *
 * @param lineBytes The longest line, in bytes.
 * @returns The smallest value, in bytes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(minOutboxBytes(1000), 1512);
 * ```
 */
export function minOutboxBytes(lineBytes: number): number {
  return lineBytes + EVENT_HEAD_BYTES;
}

/**
 * How much all connections together may hold: what waits in their queues, unfinished lines, patterns.
 *
 * @param memoryBytes {@linkcode Limits.memoryBytes}.
 * @returns How much, in bytes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const MIB = 1024 * 1024;
 * assertEquals(heldBytesLimit(256 * MIB), 64 * MIB);
 * ```
 */
export function heldBytesLimit(memoryBytes: number): number {
  return Math.floor((memoryBytes - PROGRAM_BYTES) * HELD_SHARE);
}

/**
 * The smallest value of {@linkcode Limits.memoryBytes}: the longest event must fit.
 *
 * @param lineBytes The longest line, in bytes.
 * @returns The smallest value, in bytes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(minMemoryBytes(1024 * 1024 - 512), 130.25 * 1024 * 1024);
 * ```
 */
export function minMemoryBytes(lineBytes: number): number {
  return PROGRAM_BYTES + (minOutboxBytes(lineBytes) + READ_AHEAD_BYTES) / HELD_SHARE;
}

/**
 * Checks limits.
 *
 * @param limits The limits.
 * @throws {RangeError} If one is not a positive whole number (`eventsPerSecond` may also be null), or if `outboxBytes` or
 * `memoryBytes` is too small for `lineBytes`.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => checkLimits({ ...DEFAULT_LIMITS, lineBytes: 0 }), RangeError);
 * assertThrows(() => checkLimits({ ...DEFAULT_LIMITS, lineBytes: 2000, outboxBytes: 2000 }), RangeError);
 * ```
 */
export function checkLimits(limits: Limits): void {
  for (const [name, value] of Object.entries({ ...limits, eventsPerSecond: limits.eventsPerSecond ?? 1 })) {
    if (Number.isSafeInteger(value) && value > 0) continue;
    throw new RangeError(`Cannot set the limit ${name} to ${value}: it takes a positive whole number`);
  }
  const { lineBytes } = limits;
  const least = { outboxBytes: minOutboxBytes(lineBytes), memoryBytes: minMemoryBytes(lineBytes) };
  for (const name of ["outboxBytes", "memoryBytes"] as const) {
    if (limits[name] >= least[name]) continue;
    const why = `with lineBytes at ${lineBytes} it takes ${least[name]} or more, so that every event fits into it`;
    throw new RangeError(`Cannot set the limit ${name} to ${limits[name]}: ${why}`);
  }
}
