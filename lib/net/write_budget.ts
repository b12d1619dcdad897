/**
 * How much all write queues together hand to the system in one tick.
 *
 * @module
 */
import { afterCurrentTick } from "./ticks.ts";

/** How many bytes long queues write in one tick: to copy them takes the system a few milliseconds. */
const TICK_WRITE_BYTES = 4 * 1024 * 1024;

/**
 * A number of bytes that may be written in each tick. To hand very much to the system takes long, and others wait meanwhile:
 * what is beyond it follows in the next tick, in the order in which it came.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const budget = new WriteBudget(100);
 * assertEquals(budget.take(150), undefined); // The last that is written in a tick may exceed it.
 * await budget.take(150); // In the next tick.
 * ```
 */
export class WriteBudget {
  readonly #tickBytes: number;
  #leftBytes: number;
  readonly #waiting: { bytes: number; resolve: () => void }[] = [];
  #isTickScheduled = false;

  /**
   * Makes a budget.
   *
   * @param tickBytes How many bytes may be written in a tick.
   */
  constructor(tickBytes: number) {
    this.#tickBytes = this.#leftBytes = tickBytes;
  }

  /**
   * Waits until there is some of the budget left, and takes from it.
   *
   * @param bytes How many bytes are to be written.
   * @returns Undefined if they can be written at once.
   */
  take(bytes: number): Promise<void> | undefined {
    if (!this.#isTickScheduled) this.#scheduleTick();
    if (this.#leftBytes <= 0) return new Promise((resolve) => void this.#waiting.push({ bytes, resolve }));
    this.#leftBytes -= bytes;
  }

  #scheduleTick(): void {
    this.#isTickScheduled = true;
    afterCurrentTick(() => this.#tick());
  }

  #tick(): void {
    this.#isTickScheduled = false;
    this.#leftBytes = this.#tickBytes;
    if (this.#waiting.length > 0) this.#scheduleTick();
    while (this.#leftBytes > 0 && this.#waiting.length > 0) {
      const { bytes, resolve } = this.#waiting.shift()!;
      this.#leftBytes -= bytes;
      resolve();
    }
  }
}

/** The budget of this thread. */
export const writeBudget: WriteBudget = new WriteBudget(TICK_WRITE_BYTES);
