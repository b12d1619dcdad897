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

/** What a broker allows one connection. */
export interface Limits {
  /** The longest line, in bytes without its LF. A longer one is discarded up to its end, and answered. */
  lineBytes: number;
  /** The bytes that may wait for one connection to read them. A connection that lets more pile up is closed. */
  outboxBytes: number;
  /** The patterns one connection may be subscribed to. */
  patterns: number;
  /** How long {@linkcode Broker.close} waits for connections to read what is queued for them, in milliseconds. */
  drainMs: number;
}

/** The limits of a broker that was given none. */
export const DEFAULT_LIMITS: Readonly<Limits> = Object.freeze({
  lineBytes: 1024 * 1024,
  outboxBytes: 16 * 1024 * 1024,
  patterns: 1000,
  drainMs: 10_000,
});

/**
 * Checks limits that somebody set.
 *
 * @param limits The limits.
 * @throws {RangeError} If one is not a positive whole number.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => checkLimits({ ...DEFAULT_LIMITS, lineBytes: 0 }), RangeError);
 * ```
 */
export function checkLimits(limits: Limits): void {
  for (const [name, value] of Object.entries(limits)) {
    if (Number.isSafeInteger(value) && value > 0) continue;
    throw new RangeError(`Cannot set the limit ${name} to ${value}: it takes a positive whole number`);
  }
}
