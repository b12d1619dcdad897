/**
 * One connection's bounded queue of what is still to be written to it.
 *
 * Whoever fans out never waits for a listener: it pushes bytes here and goes on. Everything that gathers while a write
 * is under way leaves in the next one.
 *
 * @module
 */
import { sleep } from "./time.ts";

/** Chunks are joined up to this many bytes; larger ones are worth a write, and are not copied for each outbox. */
const MAX_JOINED_BYTES = 64 * 1024;

/** Chunks up to this many bytes are copied together as they come. Larger ones may be shared by many outboxes. */
const SMALL_BYTES = 128;

/** How many bytes of small chunks are gathered in one piece of memory: in the first of a write, and in the others. */
const [FIRST_GATHERED_BYTES, GATHERED_BYTES] = [512, 4096];

const NOTHING = new Uint8Array(0);

const LF = 0x0a;

/** What an outbox writes to, such as a `Deno.Conn`. */
export interface Sink {
  /** Where the bytes go. It is not asked for before there is something to write. */
  readonly writable: WritableStream<Uint8Array>;
}

/** Options of {@linkcode Outbox}. */
export interface OutboxOptions {
  /** The most bytes that may wait here, those being written included. */
  limitBytes: number;
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
 * const outbox = new Outbox({ writable }, { limitBytes: 4 });
 * assertEquals(outbox.push(new Uint8Array(2)), true);
 * assertEquals(outbox.push(new Uint8Array(2)), true);
 * assertEquals(outbox.push(new Uint8Array(1)), false); // full: refused, nothing is queued
 * outbox.flush();
 * assertEquals(await outbox.drained(), true);
 * assertEquals(written.length, 1);
 * ```
 */
export class Outbox {
  readonly #sink: Sink;
  #writer: WritableStreamDefaultWriter<Uint8Array> | undefined;
  readonly #limitBytes: number;
  readonly #onRoom: () => void;
  readonly #paceMs: number | undefined;
  /** Whether it has refused something, and has not got room again since. */
  #isFull = false;
  #chunks: Uint8Array[] = [];
  /** The last chunk, where it is one that small ones are copied into; it is not among the chunks yet. */
  #gathered = NOTHING;
  #gatheredLength = 0;
  #queuedBytes = 0;
  #pump: Promise<void> | undefined;
  #failed = false;

  /**
   * Makes an empty queue.
   *
   * @param sink What it writes to.
   * @param options The bound.
   */
  constructor(sink: Sink, options: OutboxOptions) {
    this.#sink = sink;
    this.#limitBytes = options.limitBytes;
    this.#onRoom = options.onRoom ?? (() => {});
    this.#paceMs = options.paceMs;
  }

  /** Whether it refuses everything until half of its room is free. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** The bytes that wait here, those being written included. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * Queues bytes. They leave at the next {@linkcode Outbox.flush}, or when the write under way is done.
   *
   * @param bytes What to write. It may be kept: leave it as it is.
   * @returns False if there was no room; then nothing of it is queued. Unless half of the room is free, and it was just
   * too large, nothing that comes later is either until then: see {@linkcode Outbox.isFull}.
   */
  push(bytes: Uint8Array): boolean {
    if (this.#failed) return true;
    if (this.#isFull) this.#checkRoom();
    if (this.#isFull) return false;
    if (this.#queuedBytes + bytes.length > this.#limitBytes) {
      this.#isFull = this.#queuedBytes > this.#limitBytes / 2;
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
    if (this.#queuedBytes + bytes.length > this.#limitBytes + extraBytes) return false;
    this.#add(bytes);
    return true;
  }

  #add(bytes: Uint8Array): void {
    this.#queuedBytes += bytes.length;
    const isAlone = this.#chunks.length === 0 && this.#gatheredLength === 0;
    if (bytes.length <= SMALL_BYTES && !isAlone) this.#gather(bytes);
    else {
      this.#closeGathered();
      this.#chunks.push(bytes);
    }
  }

  /** Begins to write what is queued, unless a write is under way already. */
  flush(): void {
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
      const writer = this.#writer ??= this.#sink.writable.getWriter();
      while (this.#chunks.length > 0) {
        const bytes = this.#takeNext();
        await writer.write(bytes);
        this.#queuedBytes -= bytes.length;
        if (this.#isFull) this.#checkRoom();
        if (this.#paceMs !== undefined) await sleep(this.#paceMs);
        this.#closeGathered();
      }
    } catch {
      this.#failed = true; // The reader of the same connection learns why, and ends it.
      this.#chunks = [];
      this.#gatheredLength = 0;
    } finally {
      this.#pump = undefined;
      this.#gathered = NOTHING;
    }
  }

  #checkRoom(): void {
    if (this.#queuedBytes > this.#limitBytes / 2) return;
    this.#isFull = false;
    this.#onRoom();
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
    return count === 1 ? taken[0] : join(taken, size);
  }

  #takeLine(): Uint8Array {
    const [chunk] = this.#chunks;
    const end = chunk.indexOf(LF) + 1;
    if (end === 0 || end === chunk.length) return this.#chunks.shift()!;
    this.#chunks[0] = chunk.subarray(end);
    return chunk.subarray(0, end);
  }
}

function join(chunks: Uint8Array[], size: number): Uint8Array {
  const joined = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    joined.set(chunk, offset);
    offset += chunk.length;
  }
  return joined;
}
