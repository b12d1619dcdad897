/**
 * The body of a request while it is read.
 *
 * @module
 */
import { freeBuffer, growBuffer, LARGE_BYTES } from "../net/buffers.ts";
import type { MemoryBudget } from "../net/memory.ts";

/** The size of the buffer of a body of unknown length at first, in bytes. */
const FIRST_BYTES = 1024;

/**
 * A body, in one buffer that grows with it, however small the parts are in which it comes. A memory budget counts the buffer.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { MemoryBudget } from "../net/memory.ts";
 *
 * const memory = new MemoryBudget();
 * const body = new RequestBody(memory);
 * body.maxBytes = 10_000;
 * body.extend(2).set([1, 2]);
 * body.extend(1).set([3]);
 * assertEquals([body.bytes, memory.usedBytes], [new Uint8Array([1, 2, 3]), 1024]);
 * body.free();
 * assertEquals(memory.usedBytes, 0);
 * ```
 */
export class RequestBody {
  readonly #memory: MemoryBudget;
  /** How long it may become, in bytes: so much of the address space is reserved when it is large. */
  maxBytes = 0;
  #buffer: Uint8Array = new Uint8Array(0);
  #length = 0;

  /**
   * Makes an empty body.
   *
   * @param memory The budget.
   */
  constructor(memory: MemoryBudget) {
    this.#memory = memory;
  }

  /** How much of the budget it has taken, in bytes. */
  get heldBytes(): number {
    return this.#buffer.length;
  }

  /** What has come. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /**
   * Makes room for its next part, so that it has no more memory than for what has come and a little more.
   *
   * @param bytes How much is still to come.
   * @returns Where to put what comes next: so much, or a part of it.
   */
  extend(bytes: number): Uint8Array {
    const start = this.#length;
    this.#length += Math.min(bytes, LARGE_BYTES);
    if (this.#length > this.#buffer.length) {
      const least = start + Math.min(Math.max(start, FIRST_BYTES), LARGE_BYTES);
      this.#grow(Math.max(this.#length, Math.min(least, this.maxBytes)));
    }
    return this.#buffer.subarray(start, this.#length);
  }

  #grow(size: number): void {
    this.#memory.take(size - this.#buffer.length);
    this.#buffer = growBuffer(this.#buffer, size, this.maxBytes);
  }

  /** Gives up what it has: it is empty again. */
  free(): void {
    this.#memory.give(this.#buffer.length);
    freeBuffer(this.#buffer);
    this.#buffer = new Uint8Array(0);
    this.#length = 0;
  }
}
