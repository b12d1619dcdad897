/**
 * How much memory all connections together may hold: what waits to be written, what has been read and is not whole yet, and
 * patterns. The limits of one connection bound one; this bounds their number times that.
 *
 * @module
 */
import { afterCurrentTick } from "./ticks.ts";

/** What holds memory that it can be made to give up, such as a connection. */
export interface Holder {
  /** How much it holds, in bytes. */
  readonly heldBytes: number;
  /** Makes it give up what it holds, now or soon. */
  evict(): void;
}

/**
 * A budget of bytes. When more is taken than there is, the holders that hold the most are evicted, until what is left is
 * within the budget.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const memory = new MemoryBudget(1000);
 * const evicted = Promise.withResolvers<void>();
 * memory.add({ heldBytes: 1200, evict: () => evicted.resolve() });
 * memory.take(1200);
 * await evicted.promise; // At the end of the tick.
 * memory.give(1200);
 * assertEquals(memory.usedBytes, 0);
 * ```
 */
export class MemoryBudget {
  /** How much may be taken, in bytes. */
  readonly limitBytes: number;
  readonly #holders = new Set<Holder>();
  /** How many queues hold each buffer: it counts once. */
  readonly #shared = new Map<Uint8Array, number>();
  #usedBytes = 0;
  #isScheduled = false;

  /**
   * Makes a budget.
   *
   * @param limitBytes How much may be taken, in bytes. Default: no limit.
   */
  constructor(limitBytes: number = Infinity) {
    this.limitBytes = limitBytes;
  }

  /** How much is taken, in bytes. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /**
   * Whether something can be taken without evicting anybody.
   *
   * @param bytes How much.
   * @returns True if it can.
   */
  fits(bytes: number): boolean {
    return this.#usedBytes + bytes <= this.limitBytes;
  }

  /**
   * Takes some of the budget. If that is more than there is, holders are evicted at the end of the tick.
   *
   * @param bytes How much.
   */
  take(bytes: number): void {
    this.#usedBytes += bytes;
    if (this.#usedBytes > this.limitBytes) this.#schedule();
  }

  /**
   * Gives back what was taken.
   *
   * @param bytes How much.
   */
  give(bytes: number): void {
    this.#usedBytes -= bytes;
  }

  /**
   * Takes what a buffer has, unless somebody holds it already.
   *
   * @param buffer The buffer.
   */
  hold(buffer: Uint8Array): void {
    const holds = this.#shared.get(buffer) ?? 0;
    this.#shared.set(buffer, holds + 1);
    if (holds === 0) this.take(buffer.length);
  }

  /**
   * Gives back what a buffer has, unless somebody else holds it.
   *
   * @param buffer The buffer.
   * @returns Whether nobody holds it any more.
   */
  release(buffer: Uint8Array): boolean {
    const holds = this.#shared.get(buffer)!;
    if (holds > 1) {
      this.#shared.set(buffer, holds - 1);
      return false;
    }
    this.#shared.delete(buffer);
    this.give(buffer.length);
    return true;
  }

  /**
   * Adds a holder.
   *
   * @param holder The holder.
   */
  add(holder: Holder): void {
    this.#holders.add(holder);
  }

  /**
   * Removes a holder, which has given back all that it has taken.
   *
   * @param holder The holder.
   */
  delete(holder: Holder): void {
    this.#holders.delete(holder);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    afterCurrentTick(() => this.#evict());
  }

  /** What is evicted may be given back later, and may be shared with others: so it is estimated here, and looked at again. */
  #evict(): void {
    this.#isScheduled = false;
    const holders = Array.from(this.#holders, (holder) => ({ holder, heldBytes: holder.heldBytes }));
    let excess = this.#usedBytes - this.limitBytes;
    for (const { holder, heldBytes } of holders.sort((a, b) => b.heldBytes - a.heldBytes)) {
      if (excess <= 0 || heldBytes === 0) return;
      excess -= heldBytes;
      holder.evict();
    }
  }
}
