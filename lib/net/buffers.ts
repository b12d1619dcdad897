/**
 * Buffers: a pool of large ones, and how their memory is given back. The garbage collector would do so much later, and until
 * then it is in no budget, and yet is taken; to give it back at once also costs a fraction of the time.
 *
 * @module
 */

import { TICK_BYTES } from "./read_scheduler.ts";

/** The size of a buffer of the pool, in bytes: what a reader may process in one tick. */
export const LARGE_BYTES: number = TICK_BYTES;

/** Buffers of fewer bytes are not freed: the garbage collector has little to do with them. */
const MIN_FREED_BYTES = 4096;

/** How many buffers the pool has. When all are borrowed, others are made. */
const POOLED_BUFFERS = 320;

/** How many of them may have been used when the pool is kept while nobody uses any. */
const MAX_KEPT_BUFFERS = 64;

/**
 * A pool of buffers in one piece of memory. Single buffers would be scattered over the heap, and the allocator could not
 * return the memory between them to the system; a piece as large as this one comes from the system and goes back to it (glibc:
 * above 32 MiB, `mmap`), and its pages take no memory before they are used.
 */
class Pool {
  readonly #memory = new ArrayBuffer(POOLED_BUFFERS * LARGE_BYTES);
  readonly #free: Uint8Array[] = [];
  /** How many buffers have ever been lent, from the beginning of the memory. */
  #used = 0;

  borrow(): Uint8Array | undefined {
    if (this.#free.length > 0) return this.#free.pop();
    if (this.#used === POOLED_BUFFERS) return undefined;
    return new Uint8Array(this.#memory, this.#used++ * LARGE_BYTES, LARGE_BYTES);
  }

  owns({ buffer }: Uint8Array): boolean {
    return buffer === this.#memory;
  }

  /** Takes a buffer back. */
  return(buffer: Uint8Array): void {
    this.#free.push(buffer);
  }

  /** Whether nobody uses it, and it takes more memory than is worth keeping. */
  get isIdle(): boolean {
    return this.#free.length === this.#used && this.#used > MAX_KEPT_BUFFERS;
  }

  /** Gives its memory back to the system. */
  free(): void {
    this.#memory.transfer(0);
  }
}

let pool = new Pool();

/** The buffers that nobody uses but the queues in which they wait. */
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
  return pool.borrow() ?? new Uint8Array(LARGE_BYTES);
}

/**
 * Makes a buffer longer. One that is large grows in place, page by page, and its memory comes from the system and goes back to
 * it, whatever the allocator has beside it.
 *
 * @param buffer The buffer, which is used up.
 * @param length How long it is to be, in bytes.
 * @param maxLength How long it may have to be in the end, in bytes.
 * @returns A buffer of that length that begins with the same bytes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const buffer = growBuffer(new Uint8Array([1, 2]), 200_000, 1_000_000);
 * assertEquals([buffer.length, buffer[1]], [200_000, 2]);
 * freeBuffer(growBuffer(buffer, 300_000, 1_000_000));
 * ```
 */
export function growBuffer(buffer: Uint8Array, length: number, maxLength: number): Uint8Array {
  const memory = buffer.buffer as ArrayBuffer;
  if (memory.resizable && length <= memory.maxByteLength) {
    memory.resize(length);
    return new Uint8Array(memory, 0, length);
  }
  const options = length < LARGE_BYTES ? undefined : { maxByteLength: Math.max(length, maxLength) };
  const grown = new Uint8Array(new ArrayBuffer(length, options), 0, length);
  grown.set(buffer);
  freeBuffer(buffer);
  return grown;
}

/**
 * Gives the memory of a buffer back at once: to the pool, if it was borrowed from it, or else to the system.
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
  if (length < MIN_FREED_BYTES || !(memory instanceof ArrayBuffer)) return;
  if (pool.owns(buffer)) giveBack(buffer);
  else if (memory.resizable) memory.resize(0);
  else if (length === memory.byteLength) memory.transfer(0);
}

function giveBack(buffer: Uint8Array): void {
  pool.return(buffer);
  if (!pool.isIdle) return;
  pool.free();
  pool = new Pool();
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
  if (buffer.length >= MIN_FREED_BYTES) givenAway.add(buffer);
  return buffer;
}

/**
 * Takes back what {@linkcode giveAway} has said, because parts of the buffer are used by themselves from now on.
 *
 * @param buffer The buffer.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const buffer = giveAway(new Uint8Array(1_000_000));
 * keepBuffer(buffer);
 * freeIfGivenAway(buffer);
 * assertEquals(buffer.length, 1_000_000);
 * ```
 */
export function keepBuffer(buffer: Uint8Array): void {
  givenAway.delete(buffer);
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
