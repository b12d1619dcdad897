/**
 * A load generator: publishers and listeners on bare sockets, in one thread. What it sends is made beforehand, and what
 * comes back is counted by its bytes, so that the broker has more to do than it has.
 *
 * @module
 */
import { dial } from "../../lib/net/dial.ts";
import type { Address } from "../../lib/protocol/address.ts";
import { ConnectionError, TimeoutError } from "../../lib/protocol/errors.ts";

/** How much is written at once, in bytes, or one event where that is more. */
const CHUNK_BYTES = 32 * 1024;

/** How much a listener reads at once, in bytes. */
const READ_BYTES = 256 * 1024;

/** How many bytes may be on their way to a listener before the publishers wait for it. */
const WINDOW_BYTES = 4 * 1024 * 1024;

/** How long nothing may arrive before a load is given up, in milliseconds. */
const STALL_MS = 10_000;

/** How long a connection may take, in milliseconds. */
const DIAL_MS = 5000;

/** How often progress is told, in milliseconds. */
const PROGRESS_MS = 100;

/** Where the load goes, and whom to trust there. */
export type Target = Address & { readonly caCerts?: string[] };

/** What is sent on a connection, and what the answer ends with when it was taken in. */
export interface Exchange {
  readonly send: Uint8Array;
  readonly reply: Uint8Array;
}

/** How events travel to and from a broker: as much of its protocol as a load needs. */
export interface Wire {
  /** What a connection that is to publish begins with. */
  readonly publisher: Exchange;
  /** What has a connection hear a name. */
  listener(name: string): Exchange;
  /** Asks for an answer behind all that was published on the connection. */
  readonly sync: Exchange;
  /** An event as it is published. */
  publish(name: string, data: string): Uint8Array;
  /** The same event as a listener gets it. */
  deliver(name: string, data: string): Uint8Array;
}

/** Who publishes what, and who listens. */
export interface Load {
  /** How many connections publish. */
  readonly pubs: number;
  /** How many connections listen, each to one of the names. */
  readonly subs: number;
  /** How many names the publishers cycle through. */
  readonly topics: number;
  /** How much data each event has, in bytes. */
  readonly size: number;
}

/** How long a load goes on. Give at least one. */
export interface Extent {
  /** How many events all publishers send together, at least: each sends whole cycles of names. */
  readonly msgs?: number;
  /** For how long they send, in milliseconds. */
  readonly forMs?: number;
}

/** What came of a load. */
export interface LoadResult {
  /** How many events were published. */
  readonly published: number;
  /** How many were delivered; one that went to three listeners counts three. */
  readonly delivered: number;
  /** From the sending of the first to the arrival of the last, in milliseconds. */
  readonly ms: number;
}

/** Who is told how far a load is, and ends it early. */
export interface Watch {
  readonly signal?: AbortSignal;
  /** How long nothing may arrive before the load is given up, in milliseconds. Default 10 s. */
  readonly stallMs?: number;
  /** Called now and then with how many events have been published. */
  onProgress?(published: number): void;
}

/** The name of a topic. All brokers take it. */
export function topicName(index: number): string {
  return `bench.${index}`;
}

/**
 * Puts a load on a broker until its last event has arrived everywhere.
 *
 * @throws {ConnectionError} If the broker cannot be reached, or closes a connection.
 * @throws {TimeoutError} If nothing arrives any more.
 */
export async function runLoad(
  target: Target,
  wire: Wire,
  load: Load,
  extent: Extent,
  watch: Watch = {},
): Promise<LoadResult> {
  using run = new Run(target, wire, load);
  await run.connect();
  return await run.publish(extent, watch);
}

/** One who hears a name. */
interface Hearer {
  readonly conn: Deno.Conn;
  /** The size of each event that it gets, in bytes. */
  readonly eventBytes: number;
  receivedBytes: number;
}

class Run implements Disposable {
  readonly #target: Target;
  readonly #wire: Wire;
  readonly #load: Load;
  readonly #names: string[];
  readonly #data: string;
  readonly #publishers: Deno.Conn[] = [];
  readonly #hearers: Hearer[] = [];
  /** How often all names have been published once. */
  #cycles = 0;
  #allPublished = false;
  #progress = Promise.withResolvers<void>();
  /** Settled when all has been published and has arrived, or a connection is lost. */
  readonly #finished = Promise.withResolvers<void>();

  constructor(target: Target, wire: Wire, load: Load) {
    this.#target = target;
    this.#wire = wire;
    this.#load = load;
    this.#names = Array.from({ length: load.topics }, (_, index) => topicName(index));
    this.#data = "x".repeat(load.size);
  }

  async connect(): Promise<void> {
    for (let index = 0; index < this.#load.subs; index++) {
      const name = this.#names[index % this.#names.length];
      const conn = await open(this.#target, this.#wire.listener(name));
      this.#hearers.push({ conn, eventBytes: this.#wire.deliver(name, this.#data).length, receivedBytes: 0 });
    }
    while (this.#publishers.length < this.#load.pubs) {
      this.#publishers.push(await open(this.#target, this.#wire.publisher));
    }
  }

  async publish({ msgs = Infinity, forMs = Infinity }: Extent, watch: Watch): Promise<LoadResult> {
    const start = performance.now();
    const share = Math.ceil(msgs / this.#publishers.length / this.#names.length);
    const { promise, reject } = this.#finished;
    for (const hearer of this.#hearers) this.#hear(hearer).catch(reject);
    Promise.all(this.#publishers.map((conn) => this.#publish(conn, share, start + forMs)))
      .then(() => {
        this.#allPublished = true;
        this.#finishIfAllArrived();
      }, reject);
    await untilDone(
      promise,
      () => this.#moved(),
      () => this.#missing(),
      { ...watch, onTick: () => watch.onProgress?.(this.#published) },
    );
    const ms = performance.now() - start;
    const delivered = this.#hearers.reduce(
      (sum, hearer) => sum + Math.floor(hearer.receivedBytes / hearer.eventBytes),
      0,
    );
    return { published: this.#published, delivered, ms };
  }

  [Symbol.dispose](): void {
    for (const conn of [...this.#publishers, ...this.#hearers.map(({ conn }) => conn)]) conn.close();
  }

  get #published(): number {
    return this.#cycles * this.#names.length;
  }

  /** Sends whole cycles of names, as many as fit a chunk at once. */
  async #publish(conn: Deno.Conn, cycles: number, deadline: number): Promise<void> {
    const cycle = concat(this.#names.map((name) => this.#wire.publish(name, this.#data)));
    const perChunk = Math.max(1, Math.floor(CHUNK_BYTES / cycle.length));
    const chunk = concat(Array<Uint8Array>(perChunk).fill(cycle));
    for (let left = cycles; left > 0 && performance.now() < deadline;) {
      while (this.#mostOnTheWay() > WINDOW_BYTES) await this.#progress.promise;
      const count = Math.min(left, perChunk);
      left -= count;
      this.#cycles += count;
      await writeAll(conn, chunk.subarray(0, count * cycle.length));
    }
    if (this.#hearers.length === 0) await converse(conn, this.#wire.sync);
  }

  /** How many bytes are on their way to the listener that is the furthest behind. */
  #mostOnTheWay(): number {
    let most = 0;
    for (const { eventBytes, receivedBytes } of this.#hearers) {
      most = Math.max(most, this.#cycles * eventBytes - receivedBytes);
    }
    return most;
  }

  /** Reads until its connection is closed. */
  async #hear(hearer: Hearer): Promise<never> {
    const buffer = new Uint8Array(READ_BYTES);
    for (;;) {
      hearer.receivedBytes += await read(hearer.conn, buffer);
      this.#progress.resolve();
      this.#progress = Promise.withResolvers();
      this.#finishIfAllArrived();
    }
  }

  #finishIfAllArrived(): void {
    if (this.#allPublished && this.#hearers.every((hearer) => this.#hasAll(hearer))) this.#finished.resolve();
  }

  #hasAll({ receivedBytes, eventBytes }: Hearer): boolean {
    return receivedBytes >= this.#cycles * eventBytes;
  }

  /** What grows as long as something moves. */
  #moved(): number {
    return this.#cycles + this.#hearers.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0);
  }

  #missing(): string {
    const missing = this.#hearers.filter((hearer) => !this.#hasAll(hearer)).length;
    return `${missing} of ${this.#hearers.length} listeners still wait`;
  }
}

/**
 * Waits for the end of a load, but not if nothing moves any more.
 *
 * @param work The load.
 * @param moved What grows as long as something moves.
 * @param missing What to say of a load that does not end.
 * @param watch Who is told, now and then, and ends it early.
 * @throws {TimeoutError} If nothing moves any more.
 */
export async function untilDone(
  work: Promise<unknown>,
  moved: () => number,
  missing: () => string,
  { signal, stallMs = STALL_MS, onTick }: { signal?: AbortSignal; stallMs?: number; onTick?: () => void },
): Promise<void> {
  const { promise: given, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal!.reason);
  signal?.addEventListener("abort", onAbort);
  if (signal?.aborted) onAbort();
  let [seen, seenAt] = [moved(), performance.now()];
  const timer = setInterval(() => {
    onTick?.();
    if (moved() !== seen) [seen, seenAt] = [moved(), performance.now()];
    else if (performance.now() - seenAt > stallMs) {
      reject(new TimeoutError("timeout", `The broker sent nothing for ${stallMs / 1000} s: ${missing()}`));
    }
  }, PROGRESS_MS);
  try {
    await Promise.race([work, given]);
  } finally {
    clearInterval(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/**
 * Connects, and says what is to be said first.
 *
 * @throws {ConnectionError} If the broker cannot be reached, or closes the connection.
 */
export async function open(target: Target, exchange: Exchange): Promise<Deno.Conn> {
  const conn = await dial(target, { timeoutMs: DIAL_MS, caCerts: target.caCerts });
  try {
    await converse(conn, exchange);
    return conn;
  } catch (error) {
    conn.close();
    throw error;
  }
}

/** Sends something, and reads until its answer has come. */
export async function converse(conn: Deno.Conn, { send, reply }: Exchange): Promise<void> {
  await writeAll(conn, send);
  const buffer = new Uint8Array(READ_BYTES);
  for (let tail = new Uint8Array(0); !endsWith(tail, reply);) {
    const count = await read(conn, buffer);
    tail = concat([tail, buffer.subarray(0, count)]).slice(-reply.length);
  }
}

/** Writes all of it. */
export async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await conn.write(bytes.subarray(written)).catch(lost);
  }
}

/** Reads at least one byte, and says how many came. */
export async function read(conn: Deno.Conn, buffer: Uint8Array): Promise<number> {
  return await conn.read(buffer).catch(lost) ?? lost();
}

function lost(cause?: unknown): never {
  throw new ConnectionError("disconnected", "The broker closed a connection of the load", { cause });
}

function endsWith(bytes: Uint8Array, end: Uint8Array): boolean {
  return bytes.length >= end.length && bytes.subarray(-end.length).every((byte, index) => byte === end[index]);
}

function concat(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
