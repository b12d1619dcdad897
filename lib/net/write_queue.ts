/**
 * The bounded write queue of one connection.
 *
 * The fan-out never waits for a consumer: it pushes bytes to the queue and goes on. All that is pushed during a write
 * leaves in the next one.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { concat } from "@std/bytes/concat";
import { freeIfGivenAway, giveAway, keepBuffer } from "./buffers.ts";
import type { MemoryBudget } from "./memory.ts";
import type { Sink } from "./transport.ts";
import { writeBudget } from "./write_budget.ts";

/** Chunks are joined for one write up to this many bytes. Larger ones are written alone, without a copy. */
const MAX_JOINED_BYTES = 64 * 1024;

/** How much is written at once: so much is taken from the budget of all queues. */
const MAX_WRITE_BYTES = 128 * 1024;

/** A queue with no more than this is written at once, whatever others write. */
const LITTLE_BYTES = 64 * 1024;

/** Chunks up to this many bytes are copied into a shared buffer when they are pushed. Larger ones are kept by reference. */
const SMALL_BYTES = 128;

/** The size of that buffer, in bytes: of the first one of a write, and of those after it. */
const [FIRST_SMALL_BUFFER_BYTES, SMALL_BUFFER_BYTES] = [512, 4096];

const NOTHING = new Uint8Array(0);

const LF = 0x0a;

/** How long a burst may last, in milliseconds: how long more than half of the limit may wait before the limit holds. */
export const BURST_MS = 20;

/** Options of {@linkcode WriteQueue}. */
export interface WriteQueueOptions {
  /**
   * How many bytes may wait, including those being written. A burst may exceed it: no consumer could have read that much
   * yet.
   */
  limitBytes: number;
  /**
   * How long a burst may last, in milliseconds. It begins when more than half of the limit waits, and ends when a quarter
   * or less does.
   *
   * @default {BURST_MS}
   */
  burstMs?: number;
  /** Called when half of the limit is free again, after bytes were refused. What it pushes is the next in the queue. */
  onRoom?: () => void;
  /**
   * If it is set, each line is written alone, and this is the pause behind it, in milliseconds. Then only whole lines may
   * be pushed.
   */
  paceMs?: number;
  /** The budget for what waits. Default: none. */
  memory?: MemoryBudget;
}

/**
 * A bounded queue in front of a writable stream.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const written: Uint8Array[] = [];
 * const writable = new WritableStream({ write: (chunk) => void written.push(chunk) });
 * const queue = new WriteQueue({ writable }, { limitBytes: 4 });
 * assertEquals(queue.push(new Uint8Array(4)), true);
 * assertEquals(queue.isBurst, true); // It accepts more, but the publisher should wait until this is written.
 * assertEquals(await queue.drained(), true);
 * assertEquals([written.length, queue.isBurst], [1, false]);
 * ```
 */
export class WriteQueue {
  readonly #sink: Sink;
  #writer: WritableStreamDefaultWriter<Uint8Array> | undefined;
  readonly #limitBytes: number;
  readonly #burstMs: number;
  readonly #onRoom: () => void;
  readonly #paceMs: number | undefined;
  readonly #memory: MemoryBudget | undefined;
  #isFull = false;
  #chunks: Uint8Array[] = [];
  /** The buffer that small chunks are copied into; what is in it belongs behind the chunks. */
  #smallBuffer = NOTHING;
  #smallLength = 0;
  #queuedBytes = 0;
  /** How many urgent bytes were queued since all of them were written, and how many bytes wait up to the last of them. */
  #urgentBytes = 0;
  #bytesToUrgentEnd = 0;
  #onUrgentWritten: PromiseWithResolvers<void> | undefined;
  /** When the current burst began; undefined if there is none. */
  #burstAt: number | undefined;
  /** Whether the burst had lasted too long at the last flush, so that the limit holds. */
  #isBurstOver = false;
  /** The writing of all that is queued, if it is under way. */
  #writing: Promise<void> | undefined;
  #failed = false;

  /**
   * Makes an empty queue.
   *
   * @param sink The sink that it writes to.
   * @param options The options.
   */
  constructor(sink: Sink, options: WriteQueueOptions) {
    this.#sink = sink;
    this.#limitBytes = options.limitBytes;
    this.#burstMs = options.burstMs ?? BURST_MS;
    this.#onRoom = options.onRoom ?? (() => {});
    this.#paceMs = options.paceMs;
    this.#memory = options.memory;
  }

  /** Whether it has refused bytes, and refuses all others until half of the limit is free. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** How many bytes wait, including those being written. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** How many bytes may wait, but for bursts. */
  get limitBytes(): number {
    return this.#limitBytes;
  }

  /**
   * How many bytes can be pushed, at once or one after the other, without being refused. Before the next flush or push it
   * can only grow.
   */
  get roomBytes(): number {
    if (this.#failed) return Infinity;
    if (this.#isFull) return 0;
    return this.#acceptsAll() ? this.#limitBytes : this.#limitBytes - this.#queuedBytes;
  }

  /**
   * How many bytes {@linkcode WriteQueue.pushUrgent} has queued. Those that were written count until all of them are.
   */
  get urgentBytes(): number {
    return this.#urgentBytes;
  }

  /** Whether a quarter of the limit or less waits, or nothing can be written any more. */
  get isLow(): boolean {
    return this.#failed || this.#queuedBytes <= this.#limitBytes / 4;
  }

  /** Whether there is a burst that has not lasted too long: publishers should be held back until it is written. */
  get isBurst(): boolean {
    return this.#isHalfFull() && this.#acceptsAll() && !this.#isBurstTooLong();
  }

  /**
   * Queues bytes. They are written at the next {@linkcode WriteQueue.flush}, or after the current write.
   *
   * @param bytes The bytes. They may be kept by reference: do not change them afterwards.
   * @returns False if the queue is full. Then none of the bytes is queued, and all others are refused until half of the
   * limit is free again.
   */
  push(bytes: Uint8Array): boolean {
    if (this.#failed) return true;
    if (this.#isFull) return false;
    if (!this.#fits(bytes, this.#limitBytes)) {
      this.#isFull = true; // It ends after a write: something waits, since an empty queue refuses nothing.
      return false;
    }
    this.#add(bytes);
    return true;
  }

  /**
   * Queues bytes with a higher limit, such as the response to a command.
   *
   * @param bytes The bytes. They may be kept by reference: do not change them afterwards.
   * @param extraBytes How many bytes may wait beyond the limit.
   * @returns False if there is no room; then none of the bytes is queued.
   */
  pushUrgent(bytes: Uint8Array, extraBytes: number): boolean {
    if (this.#failed) return true;
    if (!this.#fits(bytes, this.#limitBytes + extraBytes)) return false;
    this.#add(bytes);
    this.#urgentBytes += bytes.length;
    this.#bytesToUrgentEnd = this.#queuedBytes;
    return true;
  }

  #fits(bytes: Uint8Array, limitBytes: number): boolean {
    return this.#queuedBytes + bytes.length <= limitBytes || this.#acceptsAll();
  }

  #isHalfFull(): boolean {
    return this.#queuedBytes > this.#limitBytes / 2;
  }

  /** Whether the limit does not hold, as in a burst. A paced queue has no bursts. */
  #acceptsAll(): boolean {
    return this.#paceMs === undefined && !this.#isBurstOver;
  }

  #isBurstTooLong(): boolean {
    return this.#burstAt !== undefined && performance.now() - this.#burstAt >= this.#burstMs;
  }

  #endBurst(): void {
    this.#burstAt = undefined;
    this.#isBurstOver = false;
  }

  #add(bytes: Uint8Array): void {
    this.#queuedBytes += bytes.length;
    if (this.#burstAt === undefined && this.#isHalfFull()) this.#burstAt = performance.now();
    const isFirst = this.#chunks.length === 0 && this.#smallLength === 0;
    if (bytes.length <= SMALL_BYTES && !isFirst) this.#copySmall(bytes);
    else {
      this.#queueSmall();
      this.#queueChunk(bytes);
    }
  }

  #queueChunk(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#memory?.hold(chunk);
  }

  /** A chunk is not needed here any more. Who has it last frees it, if it was given away. */
  #release(chunk: Uint8Array): void {
    if (this.#memory?.release(chunk)) freeIfGivenAway(chunk);
  }

  /** Starts to write what is queued, unless a write is under way. */
  flush(): void {
    this.#isBurstOver = this.#isBurstTooLong();
    this.#startWriting();
  }

  #startWriting(): void {
    if (this.#writing !== undefined) return;
    this.#queueSmall();
    if (this.#chunks.length > 0) this.#writing = this.#writeAll();
  }

  /**
   * Discards what is queued and not being written.
   *
   * @returns How many bytes were discarded.
   */
  discard(): number {
    this.#queueSmall();
    const bytes = this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#forgetChunks();
    this.#queuedBytes -= bytes;
    this.#bytesToUrgentEnd = Math.min(this.#bytesToUrgentEnd, this.#queuedBytes);
    this.#checkUrgent();
    return bytes;
  }

  #forgetChunks(): void {
    for (const chunk of this.#chunks) this.#release(chunk);
    this.#chunks = [];
  }

  /** Discards what is queued, and whatever is pushed from now on: nothing can be written any more. */
  fail(): void {
    this.#failed = true;
    this.#forgetChunks();
    this.#smallLength = this.#bytesToUrgentEnd = 0;
    this.#checkUrgent();
  }

  /** Writes what is queued, and waits until {@linkcode WriteQueue.urgentBytes} is 0. */
  urgentWritten(): Promise<void> {
    this.#startWriting(); // No flush: what others count on having room for must not be refused for it.
    if (this.#urgentBytes === 0) return Promise.resolve();
    this.#onUrgentWritten ??= Promise.withResolvers();
    return this.#onUrgentWritten.promise;
  }

  #checkUrgent(): void {
    if (this.#bytesToUrgentEnd > 0) return;
    this.#urgentBytes = 0;
    this.#onUrgentWritten?.resolve();
    this.#onUrgentWritten = undefined;
  }

  /**
   * Waits until all that is queued is written.
   *
   * @returns False if the sink has failed.
   */
  async drained(): Promise<boolean> {
    this.flush();
    await this.#writing;
    return !this.#failed;
  }

  /** A small chunk of its own, such as a response, would take more memory than its bytes. */
  #copySmall(bytes: Uint8Array): void {
    if (this.#smallLength + bytes.length > this.#smallBuffer.length) {
      this.#queueSmall();
      this.#smallBuffer = new Uint8Array(this.#chunks.length <= 1 ? FIRST_SMALL_BUFFER_BYTES : SMALL_BUFFER_BYTES);
    }
    this.#smallBuffer.set(bytes, this.#smallLength);
    this.#smallLength += bytes.length;
  }

  #queueSmall(): void {
    if (this.#smallLength === 0) return;
    this.#queueChunk(this.#smallBuffer.subarray(0, this.#smallLength));
    this.#smallBuffer = this.#smallBuffer.subarray(this.#smallLength);
    this.#smallLength = 0;
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#chunks.length > 0 && await this.#write(this.#takeNext())) this.#queueSmall();
    } finally {
      this.#writing = undefined;
      this.#smallBuffer = NOTHING;
    }
  }

  /** Writes bytes and calls `onRoom` if there is room again. False if the sink has failed. */
  async #write(bytes: Uint8Array): Promise<boolean> {
    const { length } = bytes;
    try {
      this.#writer ??= this.#sink.writable.getWriter();
      await this.#writeParts(this.#writer, bytes);
    } catch { // The connection broke. Its reader gets the error, too, and ends the connection.
      this.fail();
      return false;
    } finally {
      this.#release(bytes);
    }
    this.#queuedBytes -= length;
    this.#bytesToUrgentEnd -= length;
    this.#checkUrgent();
    if (this.isLow) this.#endBurst();
    if (this.#isFull && !this.#isHalfFull()) {
      this.#isFull = false;
      this.#onRoom();
    }
    if (this.#paceMs !== undefined) await delay(this.#paceMs);
    return true;
  }

  /** Writes bytes in parts. Where little waits, that does not wait for what others write. */
  async #writeParts(writer: WritableStreamDefaultWriter<Uint8Array>, bytes: Uint8Array): Promise<void> {
    const isCut = bytes.length > MAX_WRITE_BYTES;
    if (isCut) this.#sink.isCut = true;
    for (let start = 0; start < bytes.length; start += MAX_WRITE_BYTES) {
      const part = bytes.length <= MAX_WRITE_BYTES ? bytes : bytes.subarray(start, start + MAX_WRITE_BYTES);
      const turn = this.#queuedBytes > LITTLE_BYTES ? writeBudget.take(part.length) : undefined;
      if (turn !== undefined) await turn;
      await writer.write(part);
    }
    if (isCut) this.#sink.isCut = false;
  }

  /** Removes the bytes of the next write from the queue: one chunk, or several small ones joined. They stay in the budget. */
  #takeNext(): Uint8Array {
    if (this.#paceMs !== undefined) return this.#takeLine();
    let count = 1;
    let size = this.#chunks[0].length;
    while (count < this.#chunks.length && size + this.#chunks[count].length <= MAX_JOINED_BYTES) {
      size += this.#chunks[count++].length;
    }
    const taken = this.#chunks.splice(0, count);
    if (count === 1) return taken[0];
    const joined = giveAway(concat(taken));
    this.#memory?.hold(joined);
    for (const chunk of taken) this.#release(chunk);
    return joined;
  }

  #takeLine(): Uint8Array {
    const [chunk] = this.#chunks;
    const end = chunk.indexOf(LF) + 1;
    if (end === 0 || end === chunk.length) return this.#chunks.shift()!;
    const [line, rest] = [chunk.subarray(0, end), chunk.subarray(end)];
    keepBuffer(chunk); // Other queues may have it whole, and free it first.
    for (const part of [line, rest]) this.#memory?.hold(part);
    this.#memory?.release(chunk);
    this.#chunks[0] = rest;
    return line;
  }
}
