/**
 * Keeps what one publisher sends to a rate.
 *
 * @module
 */

/** The shortest pause that is worth a timer, in milliseconds. */
const MIN_PAUSE_MS = 10;

/**
 * A token bucket: a second's worth may come at once, and no more than the rate in the long run.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * let now = 0;
 * const limiter = new RateLimiter(2, () => now);
 * assertEquals([limiter.take(), limiter.take(), limiter.take()], [0, 0, 500]);
 * now = 2000;
 * assertEquals(limiter.take(), 0);
 * assertEquals([limiter.tryTake(), limiter.tryTake()], [true, false]);
 * ```
 */
export class RateLimiter {
  /** How many a second. */
  readonly perSecond: number;
  readonly #now: () => number;
  #allowance: number;
  #filledAt: number;

  /**
   * Makes a limiter with a second's worth in hand.
   *
   * @param perSecond How many a second.
   * @param now The time, in milliseconds. Default: `performance.now()`.
   */
  constructor(perSecond: number, now: () => number = () => performance.now()) {
    this.perSecond = perSecond;
    this.#now = now;
    this.#allowance = perSecond;
    this.#filledAt = now();
  }

  /**
   * Takes one, be it too many.
   *
   * @returns How long to pause after it, in milliseconds: 0 if it was not too many.
   */
  take(): number {
    this.#fill();
    this.#allowance--;
    return this.#allowance >= 0 ? 0 : Math.max(-this.#allowance * 1000 / this.perSecond, MIN_PAUSE_MS);
  }

  /**
   * Takes one if that is not too many.
   *
   * @returns Whether one was taken.
   */
  tryTake(): boolean {
    this.#fill();
    if (this.#allowance < 1) return false;
    this.#allowance--;
    return true;
  }

  #fill(): void {
    const now = this.#now();
    this.#allowance = Math.min(this.perSecond, this.#allowance + (now - this.#filledAt) * this.perSecond / 1000);
    this.#filledAt = now;
  }
}
