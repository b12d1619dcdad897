/**
 * How publishers are held back for a moment when what they send at once fills the queues of those who keep up.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { scheduler } from "../net/read_scheduler.ts";
import { BURST_MS, type WriteQueue } from "../net/write_queue.ts";

/** A client that may have to wait before its next line. */
export interface Client {
  /** Its own write queue. */
  readonly queue: WriteQueue;
  /** Whether it publishes little: then it is not what fills the queues of others. */
  readonly hasCredit: boolean;
}

/** How often it is checked whether the queues have been written, in milliseconds. */
const CHECK_MS = 1;

/**
 * Makes publishers wait for a moment when what they send at once fills the write queue of a subscriber that keeps up:
 * nothing of it can be read before it is written, and it may not be written before they pause. The wait is short, whether
 * the subscriber reads or not; for one that does not, publishers wait once, and again only after it has read most of what
 * was queued. One that publishes little is not held back: others have filled the queue.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { WriteQueue } from "../net/write_queue.ts";
 *
 * const [queue, other] = [1, 2].map(() => new WriteQueue({ writable: new WritableStream() }, { limitBytes: 8 }));
 * const publisher = { queue, hasCredit: false };
 * const backpressure = new Backpressure(() => other.flush());
 * assertEquals(backpressure.wait(publisher), undefined);
 * other.push(new Uint8Array(6));
 * if (other.isBurst) backpressure.add(other);
 * await backpressure.wait(publisher);
 * assertEquals(other.queuedBytes, 0);
 * ```
 */
export class Backpressure {
  readonly #flush: () => void;
  readonly #filled = new Set<WriteQueue>();
  #waiting: Promise<void> | undefined;
  /** Whether a queue has been filled, and not been written yet. */
  isOn = false;

  /**
   * Makes backpressure that holds nobody back.
   *
   * @param flush Queues all that was published, and has the queues written.
   */
  constructor(flush: () => void) {
    this.#flush = flush;
  }

  /**
   * Makes all publishers wait until a queue has been written.
   *
   * @param queue The queue, which was filled at once.
   */
  add(queue: WriteQueue): void {
    this.#filled.add(queue);
    this.isOn = true;
  }

  /**
   * What a client should wait for before its next line.
   *
   * @param client The client. One that fills its own queue, with answers say, holds only itself back.
   * @returns Undefined if there is nothing to wait for.
   */
  wait(client: Client): Promise<void> | undefined {
    if (client.queue.isBurst) return this.#written(new Set([client.queue]));
    if (!this.isOn) return undefined;
    this.#waiting ??= this.#written(this.#filled).then(() => this.#end());
    return client.hasCredit ? undefined : this.#waiting;
  }

  #end(): void {
    this.#waiting = undefined;
    this.isOn = this.#filled.size > 0;
  }

  /** Waits until queues have been written, or for the time that a burst may last. */
  async #written(filled: Set<WriteQueue>): Promise<void> {
    for (let checks = 0; checks < BURST_MS / CHECK_MS && filled.size > 0; checks++) {
      this.#flush();
      await (checks === 0 ? scheduler.nextTick() : delay(CHECK_MS));
      for (const queue of filled) {
        if (queue.isLow) filled.delete(queue);
      }
    }
    filled.clear();
  }
}
