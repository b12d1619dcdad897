/**
 * A sample of what comes, evenly spread over it: for who wants to see what is going on, and not all of it.
 *
 * @module
 */

/** For how long the share of a sample is reckoned, in milliseconds. */
const WINDOW_MS = 250;

/**
 * Decides which events are in a sample.
 *
 * The mean distance between two that are taken follows from how many came in the window before. Where a window brings
 * more than its share, it doubles. The distances are random: at even ones it might always be the same of some publishers
 * that take turns.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const sampler = new Sampler(60);
 * assertEquals(sampler.take(), 0); // taken, and nothing was skipped before it
 * ```
 */
export class Sampler {
  /** How many events a window has room for. */
  readonly #share: number;
  /** The mean distance between two events that are taken. */
  #stride = 1;
  /** How many more events there are up to the next that is taken, itself included. */
  #ahead = 1;
  #skipped = 0;
  /** How many events have come in this window, and how many of them were taken. */
  #came = 0;
  #taken = 0;
  #begunAt = 0;

  /**
   * Makes a sampler that takes the first event.
   *
   * @param perSecond About how many events it takes a second. When many come all at once it may be a few times as many.
   */
  constructor(perSecond: number) {
    this.#share = Math.max(1, Math.round(perSecond * WINDOW_MS / 1000));
  }

  /**
   * Looks at the next event.
   *
   * @returns How many events were left out before it since the one before that was taken; undefined if this one is left
   * out, too.
   */
  take(): number | undefined {
    this.#came++;
    if (--this.#ahead > 0) {
      this.#skipped++;
      return undefined;
    }
    const skipped = this.#skipped;
    this.#skipped = 0;
    if (++this.#taken % this.#share === 0) this.#stride *= 2;
    this.#ahead = this.#distance();
    return skipped;
  }

  /**
   * To be called now and then, such as at the end of each turn in which there were events.
   *
   * @param now The time, in milliseconds.
   */
  tick(now: number): void {
    const elapsedMs = now - this.#begunAt;
    if (elapsedMs < WINDOW_MS) return;
    this.#stride = Math.max(1, this.#came * WINDOW_MS / elapsedMs / this.#share);
    this.#ahead = Math.min(this.#ahead, this.#distance());
    this.#came = this.#taken = 0;
    this.#begunAt = now;
  }

  #distance(): number {
    return Math.round(1 + Math.random() * 2 * (this.#stride - 1));
  }
}
