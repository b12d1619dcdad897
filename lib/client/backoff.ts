/**
 * How long a client waits before it connects again.
 *
 * @module
 */
import { type ConnectionError, ProtocolError } from "../protocol/errors.ts";
import type { ReconnectOptions } from "./options.ts";

/** How long a client waits at most after a broker has refused it, in milliseconds. */
const MAX_REFUSED_DELAY_MS = 30_000;

/** How far a delay may be from its middle, as a share of it: clients that lost a broker together come back apart. */
const JITTER = 1 / 4;

/**
 * Delays that double from one to the next. They begin anew when a connection has lasted longer than the last one. Where the
 * broker has refused the client, the limit is 30 s: to come again at once would not help.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 *
 * const backoff = new Backoff({ minDelayMs: 100, maxDelayMs: 1000 });
 * assert(backoff.nextMs() <= 125);
 * assert(backoff.nextMs() >= 150);
 * ```
 */
export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  /** The middle of the next delay. */
  #delayMs: number;
  #isRefused = false;

  /**
   * Starts with the shortest delay.
   *
   * @param options The shortest and the longest delay.
   */
  constructor({ minDelayMs = 250, maxDelayMs = 1000 }: Pick<ReconnectOptions, "minDelayMs" | "maxDelayMs"> = {}) {
    this.#minMs = this.#delayMs = minDelayMs;
    this.#maxMs = maxDelayMs;
  }

  /**
   * The next delay.
   *
   * @returns It, in milliseconds.
   */
  nextMs(): number {
    const maxMs = this.#isRefused ? Math.max(MAX_REFUSED_DELAY_MS, this.#maxMs) : this.#maxMs;
    const delayMs = Math.min(this.#delayMs, maxMs);
    this.#delayMs = 2 * delayMs;
    return delayMs * (1 - JITTER + Math.random() * 2 * JITTER);
  }

  /**
   * An attempt has failed.
   *
   * @param error Why.
   */
  failed(error: ConnectionError): void {
    this.#isRefused = error.code === "refused";
  }

  /**
   * A connection has ended.
   *
   * @param reason Why.
   * @param lastedMs How long it lasted, in milliseconds.
   */
  ended({ cause }: ConnectionError, lastedMs: number): void {
    this.#isRefused = cause instanceof ProtocolError && cause.code !== "bye";
    if (lastedMs > this.#delayMs) this.#delayMs = this.#minMs;
  }
}
