/**
 * Holds publishers back for a moment when what they send fills the queue of a listener that keeps up: nothing of it can be
 * read before it is written, and it may not be written before they pause.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { BURST_MS, type WriteQueue } from "../net/write_queue.ts";
import { scheduler } from "../net/read_scheduler.ts";

/** How long it is waited between two looks whether the queues have been written, in milliseconds. */
const LOOK_MS = 1;

/**
 * What publishers wait for. It does not take long, whether a listener reads or not; and one that does not is waited for
 * once, and again only after it has read most of what there was.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { WriteQueue } from "../net/write_queue.ts";
 *
 * const [own, other] = [1, 2].map(() => new WriteQueue({ writable: new WritableStream() }, { limitBytes: 8 }));
 * const backpressure = new Backpressure(() => other.flush());
 * assertEquals(backpressure.wait(own), undefined);
 * other.push(new Uint8Array(6));
 * if (other.isBurst) backpressure.add(other);
 * await backpressure.wait(own);
 * assertEquals(other.queuedBytes, 0);
 * ```
 */
export class Backpressure {
  readonly #flush: () => void;
  readonly #filled = new Set<WriteQueue>();
  #relief: Promise<void> | undefined;

  /**
   * Makes one that holds nobody back.
   *
   * @param flush Has all that was published be queued, and what is queued be written.
   */
  constructor(flush: () => void) {
    this.#flush = flush;
  }

  /**
   * Holds all publishers back until a queue has been written.
   *
   * @param queue The queue. It was filled at once.
   */
  add(queue: WriteQueue): void {
    this.#filled.add(queue);
  }

  /**
   * What a client should wait for before its next line.
   *
   * @param own Its own queue: whoever fills that, with answers say, holds nobody back but itself.
   * @returns Nothing if there is nothing to wait for.
   */
  wait(own: WriteQueue): Promise<void> | undefined {
    if (own.isBurst) return this.#relieve(new Set([own]));
    if (this.#filled.size > 0) this.#relief ??= this.#relieve(this.#filled).then(() => this.#relief = undefined);
    return this.#relief;
  }

  async #relieve(filled: Set<WriteQueue>): Promise<void> {
    for (let looks = 0; looks < BURST_MS / LOOK_MS && filled.size > 0; looks++) {
      this.#flush();
      await (looks === 0 ? scheduler.nextTick() : delay(LOOK_MS));
      for (const queue of filled) {
        if (queue.isLow) filled.delete(queue);
      }
    }
    filled.clear();
  }
}
