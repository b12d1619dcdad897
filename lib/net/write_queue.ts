/**
 * One connection's bounded queue of what is still to be written to it.
 *
 * Whoever fans out never waits for a listener: it pushes bytes here and goes on. Everything that gathers while a write
 * is under way leaves in the next one.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { concat } from "@std/bytes/concat";
import type { Sink } from "./transport.ts";

/** Chunks are joined up to this many bytes; larger ones are worth a write, and are not copied for each outbox. */
const MAX_JOINED_BYTES = 64 * 1024;

/** Chunks up to this many bytes are copied together as they come. Larger ones may be shared by many outboxes. */
const SMALL_BYTES = 128;

/** How many bytes of small chunks are gathered in one piece of memory: in the first of a write, and in the others. */
const [FIRST_GATHERED_BYTES, GATHERED_BYTES] = [512, 4096];

const NOTHING = new Uint8Array(0);

const LF = 0x0a;

/** How long more than half of an outbox may be taken before what waits there counts as not read, in milliseconds. */
export const BURST_MS = 20;

/** Options of {@linkcode WriteQueue}. */
export interface WriteQueueOptions {
  /**
   * The most bytes that may wait here, those being written included. What comes in a burst may go beyond it: nobody could
   * have read that yet.
   */
  limitBytes: number;
  /**
   * How long a burst may last, in milliseconds. It begins when more than half of the limit waits, and ends when no more
   * than a quarter does.
   *
   * @default {BURST_MS}
   */
  burstMs?: number;
  /** Called when half of that is free again, after something was refused. What it pushes comes next. */
  onRoom?: () => void;
  /**
   * If it is set, each line is a write of its own, which begins so long after the one before, in milliseconds. What is
   * pushed must be whole lines then.
   */
  paceMs?: number;
}

/**
 * A bounded queue in front of a web stream.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const written: Uint8Array[] = [];
 * const writable = new WritableStream({ write: (chunk) => void written.push(chunk) });
 * const outbox = new WriteQueue({ writable }, { limitBytes: 4 });
 * assertEquals(outbox.push(new Uint8Array(4)), true);
 * assertEquals(outbox.isBurst, true); // There is room for more, but whoever goes on should wait for it to be written.
 * assertEquals(await outbox.drained(), true);
 * assertEquals([written.length, outbox.isBurst], [1, false]);
 * ```
 */
export class WriteQueue {
  readonly #sink: Sink;
  #writer: WritableStreamDefaultWriter<Uint8Array> | undefined;
  readonly #limitBytes: number;
  readonly #burstMs: number;
  readonly #onRoom: () => void;
  readonly #paceMs: number | undefined;
  /** Whether it has refused something, and has not got room again since. */
  #isFull = false;
  #chunks: Uint8Array[] = [];
  /** The last chunk, where it is one that small ones are copied into; it is not among the chunks yet. */
  #gathered = NOTHING;
  #gatheredLength = 0;
  #queuedBytes = 0;
  /** When the burst began that has not ended. */
  #burstAt: number | undefined;
  /** Whether it had lasted too long at the last flush. */
  #isLate = false;
  #pump: Promise<void> | undefined;
  #failed = false;

  /**
   * Makes an empty queue.
   *
   * @param sink What it writes to.
   * @param options The bound.
   */
  constructor(sink: Sink, options: WriteQueueOptions) {
    this.#sink = sink;
    this.#limitBytes = options.limitBytes;
    this.#burstMs = options.burstMs ?? BURST_MS;
    this.#onRoom = options.onRoom ?? (() => {});
    this.#paceMs = options.paceMs;
  }

  /** Whether it has refused something, and refuses everything until half of its room is free. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** The bytes that wait here, those being written included. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * How many bytes are sure to find room, pushed at once or one after the other. Until the next flush or push that can only
   * become more.
   */
  get roomBytes(): number {
    if (this.#failed) return Infinity;
    if (this.#isFull) return 0;
    return this.#takesAll() ? this.#limitBytes : this.#limitBytes - this.#queuedBytes;
  }

  /** Whether no more than a quarter of its room is taken. */
  get isLow(): boolean {
    return this.#queuedBytes <= this.#limitBytes / 4;
  }

  /** Whether there is a burst, which should be given the time to be written before more comes. */
  get isBurst(): boolean {
    return this.#isHalfFull() && this.#takesAll() && !this.#lasts();
  }

  /**
   * Queues bytes. They leave at the next {@linkcode WriteQueue.flush}, or when the write under way is done.
   *
   * @param bytes What to write. It may be kept: leave it as it is.
   * @returns False if there was no room; then nothing of it is queued, and nothing that comes later until half of the room
   * is free and something was written.
   */
  push(bytes: Uint8Array): boolean {
    if (this.#failed) return true;
    if (this.#isFull) return false;
    if (!this.#fits(bytes, this.#limitBytes)) {
      this.#isFull = true; // There is something that waits, and will be written.
      return false;
    }
    this.#add(bytes);
    return true;
  }

  /**
   * Queues bytes that matter more than others: for these there is some room beyond the limit.
   *
   * @param bytes What to write. It may be kept: leave it as it is.
   * @param extraBytes How much may wait beyond the limit.
   * @returns False if there was no room; then nothing of it is queued.
   */
  pushUrgent(bytes: Uint8Array, extraBytes: number): boolean {
    if (this.#failed) return true;
    if (!this.#fits(bytes, this.#limitBytes + extraBytes)) return false;
    this.#add(bytes);
    return true;
  }

  #fits(bytes: Uint8Array, limitBytes: number): boolean {
    return this.#queuedBytes + bytes.length <= limitBytes || this.#takesAll();
  }

  #isHalfFull(): boolean {
    return this.#queuedBytes > this.#limitBytes / 2;
  }

  /** Whether all that comes finds room. A pace allows of no bursts. */
  #takesAll(): boolean {
    return this.#paceMs === undefined && !this.#isLate;
  }

  #lasts(): boolean {
    return this.#burstAt !== undefined && performance.now() - this.#burstAt >= this.#burstMs;
  }

  #endBurst(): void {
    this.#burstAt = undefined;
    this.#isLate = false;
  }

  #add(bytes: Uint8Array): void {
    this.#queuedBytes += bytes.length;
    if (this.#burstAt === undefined && this.#isHalfFull()) this.#burstAt = performance.now();
    const isAlone = this.#chunks.length === 0 && this.#gatheredLength === 0;
    if (bytes.length <= SMALL_BYTES && !isAlone) this.#gather(bytes);
    else {
      this.#closeGathered();
      this.#chunks.push(bytes);
    }
  }

  /** Begins to write what is queued, unless a write is under way already. */
  flush(): void {
    this.#isLate = this.#lasts();
    if (this.#pump !== undefined) return;
    this.#closeGathered();
    if (this.#chunks.length > 0) this.#pump = this.#writeAll();
  }

  /**
   * Throws away what is queued and not being written.
   *
   * @returns How many bytes that were.
   */
  discard(): number {
    this.#closeGathered();
    const bytes = this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#chunks = [];
    this.#queuedBytes -= bytes;
    return bytes;
  }

  /**
   * Waits until everything queued was written.
   *
   * @returns False if the sink failed before that.
   */
  async drained(): Promise<boolean> {
    this.flush();
    await this.#pump;
    return !this.#failed;
  }

  /** Many small chunks, such as answers, would each cost more memory than they hold. */
  #gather(bytes: Uint8Array): void {
    if (this.#gatheredLength + bytes.length > this.#gathered.length) {
      this.#closeGathered();
      this.#gathered = new Uint8Array(this.#chunks.length <= 1 ? FIRST_GATHERED_BYTES : GATHERED_BYTES);
    }
    this.#gathered.set(bytes, this.#gatheredLength);
    this.#gatheredLength += bytes.length;
  }

  #closeGathered(): void {
    if (this.#gatheredLength === 0) return;
    this.#chunks.push(this.#gathered.subarray(0, this.#gatheredLength));
    this.#gathered = this.#gathered.subarray(this.#gatheredLength);
    this.#gatheredLength = 0;
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#chunks.length > 0 && await this.#write(this.#takeNext())) this.#closeGathered();
    } finally {
      this.#pump = undefined;
      this.#gathered = NOTHING;
    }
  }

  /** Writes bytes, and tells whether there is room again; false if the sink has failed. */
  async #write(bytes: Uint8Array): Promise<boolean> {
    try {
      this.#writer ??= this.#sink.writable.getWriter();
      await this.#writer.write(bytes);
    } catch { // Whatever broke the connection: the one who reads it learns of that, too, and ends it.
      this.#failed = true;
      this.#chunks = [];
      this.#gatheredLength = 0;
      return false;
    }
    this.#queuedBytes -= bytes.length;
    if (this.isLow) this.#endBurst();
    if (this.#isFull && !this.#isHalfFull()) {
      this.#isFull = false;
      this.#onRoom();
    }
    if (this.#paceMs !== undefined) await delay(this.#paceMs);
    return true;
  }

  /** The next bytes to write: as many of the queued chunks as are worth joining. */
  #takeNext(): Uint8Array {
    if (this.#paceMs !== undefined) return this.#takeLine();
    let count = 1;
    let size = this.#chunks[0].length;
    while (count < this.#chunks.length && size + this.#chunks[count].length <= MAX_JOINED_BYTES) {
      size += this.#chunks[count++].length;
    }
    const taken = this.#chunks.splice(0, count);
    return count === 1 ? taken[0] : concat(taken);
  }

  #takeLine(): Uint8Array {
    const [chunk] = this.#chunks;
    const end = chunk.indexOf(LF) + 1;
    if (end === 0 || end === chunk.length) return this.#chunks.shift()!;
    this.#chunks[0] = chunk.subarray(end);
    return chunk.subarray(0, end);
  }
}
