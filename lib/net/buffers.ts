/**
 * Large buffers: a pool of them, and how their memory is given back. The garbage collector would do so much later, and until
 * then it is in no budget, and yet is taken.
 *
 * @module
 */

import { TICK_BYTES } from "./read_scheduler.ts";

/** The size of a buffer of the pool, in bytes: what a reader may process in one tick. Smaller ones are not freed. */
export const LARGE_BYTES: number = TICK_BYTES;

/** How many buffers the pool has. When all are borrowed, others are made. */
const POOLED_BUFFERS = 64;

/**
 * The memory of the pool's buffers, in one piece: single buffers would be scattered over the heap, and the allocator could
 * not return the memory between them to the system. Pages that are never used take no memory.
 */
const poolMemory = new ArrayBuffer(POOLED_BUFFERS * LARGE_BYTES);
const pool: Uint8Array[] = Array.from(
  { length: POOLED_BUFFERS },
  (_, index) => new Uint8Array(poolMemory, index * LARGE_BYTES, LARGE_BYTES),
).reverse();

/** The large buffers that nobody uses but the queues in which they wait. */
const givenAway = new WeakSet<Uint8Array>();

/**
 * Borrows a large buffer. It is not empty. Give it back with {@linkcode freeBuffer}.
 *
 * @returns A buffer of {@linkcode LARGE_BYTES}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const buffer = borrowBuffer();
 * assertEquals(buffer.length, LARGE_BYTES);
 * freeBuffer(buffer);
 * ```
 */
export function borrowBuffer(): Uint8Array {
  return pool.pop() ?? new Uint8Array(LARGE_BYTES);
}

/**
 * Gives the memory of a large buffer back at once: to the pool, if it was borrowed from it, or else to the system.
 *
 * @param buffer The buffer, which nobody uses any more; it may be empty afterwards. One that is small, or a part of another,
 * stays as it is.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const buffer = new Uint8Array(1_000_000);
 * freeBuffer(buffer);
 * assertEquals(buffer.length, 0);
 * ```
 */
export function freeBuffer(buffer: Uint8Array): void {
  const { buffer: memory, length } = buffer;
  if (length < LARGE_BYTES || !(memory instanceof ArrayBuffer)) return;
  if (memory === poolMemory) pool.push(buffer);
  else if (length === memory.byteLength) memory.transfer(0);
}

/**
 * Says of a buffer that whoever made it does not use it any more, so that the last who does may free it.
 *
 * @param buffer The buffer.
 * @returns The same buffer.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const buffer = giveAway(new Uint8Array(1_000_000));
 * freeIfGivenAway(buffer);
 * assertEquals(buffer.length, 0);
 * ```
 */
export function giveAway(buffer: Uint8Array): Uint8Array {
  if (buffer.length >= LARGE_BYTES) givenAway.add(buffer);
  return buffer;
}

/**
 * Frees a buffer with {@linkcode freeBuffer}, if it was given away. Others may be used again, such as a response that is the same
 * for everybody.
 *
 * @param buffer The buffer.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const buffer = new Uint8Array(1_000_000);
 * freeIfGivenAway(buffer);
 * assertEquals(buffer.length, 1_000_000);
 * ```
 */
export function freeIfGivenAway(buffer: Uint8Array): void {
  if (givenAway.has(buffer)) freeBuffer(buffer);
}
