/**
 * The limits of a broker, each with its unit in its name. docs/protocol.md lists the same figures.
 *
 * @module
 */

/** The port a broker listens on, and a client dials, unless told otherwise. */
export const DEFAULT_PORT = 3001;

/** The longest event name, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 255;

/** The longest name a client may give itself, in UTF-16 code units. */
export const MAX_CLIENT_NAME_CHARACTERS = 64;

/** The most events a second that an observer may ask for a sample of. */
export const MAX_OBSERVED = 1000;

/** The most hops that an event can be said to have behind it. */
export const MAX_HOPS = 255;

/** The longest line that is read of a connection that has not shown a token yet, in bytes without its LF. */
export const MAX_GREETING_BYTES = 4096;

/** The bytes of answers that may wait for a connection on top of {@linkcode Limits.outboxBytes}. */
export const ANSWER_BYTES: number = 64 * 1024;

/** The bytes that may wait for a classic client, which gets no more than 50 messages a second. */
export const CLASSIC_OUTBOX_BYTES: number = 1024 * 1024;

/** The most bytes that are written around a line when it is sent on: its id, sender, hops, and LF. */
export const EVENT_HEAD_BYTES = 512;

/** How long a connection that is closed for a fault gets to read why, in milliseconds. */
export const FAULT_GRACE_MS = 1000;

/**
 * How long a plain connection to which all has been written may leave its side open, in milliseconds. What it sends
 * meanwhile is read: a socket that is closed with something unread can destroy what the other side has not read yet.
 */
export const LINGER_MS = 500;

/** What a broker allows. */
export interface Limits {
  /** The longest line, in bytes without its LF. A longer one is discarded up to its end, and answered. */
  lineBytes: number;
  /**
   * The bytes that may wait for one connection to read them. One that lets more pile up is a slow consumer. It must have
   * room for the longest line: see {@linkcode minOutboxBytes}.
   */
  outboxBytes: number;
  /** The connections there may be at the same time. */
  connections: number;
  /** The patterns one connection may be subscribed to. */
  patterns: number;
  /** The events a second that are taken from one connection; what comes faster waits. Null for no limit. */
  eventsPerSecond: number | null;
  /** How long a connection has to show a token, where one is asked for, or to agree on TLS, in milliseconds. */
  helloMs: number;
  /** How long a connection that speaks control lines may be silent before it is sent a `/ping`, in milliseconds. */
  silenceMs: number;
  /** How long it may be silent after that before it is closed, in milliseconds. */
  answerMs: number;
  /** How long {@linkcode Broker.close} waits for connections to read what is queued for them, in milliseconds. */
  drainMs: number;
}

/** The limits of a broker that was given none. */
export const DEFAULT_LIMITS: Readonly<Limits> = Object.freeze({
  lineBytes: 1024 * 1024,
  outboxBytes: 16 * 1024 * 1024,
  connections: 10_000,
  patterns: 1000,
  eventsPerSecond: null,
  helloMs: 5000,
  silenceMs: 30_000,
  answerMs: 10_000,
  drainMs: 10_000,
});

/**
 * The least that {@linkcode Limits.outboxBytes} may be, so that every event fits into an empty queue.
 *
 * @param lineBytes The longest line, in bytes.
 * @returns That, in bytes.
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
 * Checks limits that somebody set.
 *
 * @param limits The limits.
 * @throws {RangeError} If one is not a positive whole number (`eventsPerSecond` may also be null), or if two contradict
 * each other.
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
  const { lineBytes, outboxBytes } = limits;
  const least = minOutboxBytes(lineBytes);
  if (outboxBytes >= least) return;
  const why = `with lineBytes at ${lineBytes} it takes ${least} or more, so that every event fits into it`;
  throw new RangeError(`Cannot set the limit outboxBytes to ${outboxBytes}: ${why}`);
}
