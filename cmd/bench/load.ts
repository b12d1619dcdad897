/**
 * A load generator: publishers and listeners on plain sockets, in one thread. It sends prepared bytes and only counts the
 * bytes it receives, so that the broker has more work than it.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { dial } from "../../lib/net/dial.ts";
import type { Address } from "../../lib/protocol/address.ts";
import { ConnectionError, TimeoutError } from "../../lib/protocol/errors.ts";

/** The size of one write, in bytes; at least one event. */
const CHUNK_BYTES = 32 * 1024;

/** The size of one read, in bytes. */
const READ_BYTES = 256 * 1024;

/** How many bytes may be in flight to a listener before the publishers wait for it. */
const WINDOW_BYTES = 4 * 1024 * 1024;

/** A load fails if nothing arrives for this time, in milliseconds. */
const STALL_MS = 10_000;

/** The time limit for connecting, in milliseconds. */
const DIAL_MS = 5000;

/** The interval of progress reports, in milliseconds. */
const PROGRESS_MS = 100;

/** The address of the broker under load. */
export type Target = Address & { readonly caCerts?: string[] };

/** Bytes to send on a connection, and the end of the response to wait for. */
export interface Exchange {
  readonly send: Uint8Array;
  readonly reply: Uint8Array;
}

/** The part of a broker's protocol that a load needs. */
export interface Wire {
  /** The beginning of a publisher's connection. */
  readonly publisher: Exchange;
  /** The beginning of a connection that subscribes to a name. */
  listener(name: string): Exchange;
  /** Requests a response after all that was published on the connection. */
  readonly sync: Exchange;
  /** The bytes that publish an event. */
  publish(name: string, data: string): Uint8Array;
  /** The bytes that a listener receives for the same event. */
  deliver(name: string, data: string): Uint8Array;
}

/** The publishers, listeners and events of a load. */
export interface Load {
  /** The number of connections that publish. */
  readonly pubs: number;
  /** The number of connections that subscribe, each to one of the names. */
  readonly subs: number;
  /** The number of event names, which the publishers use in turn. */
  readonly topics: number;
  /** The size of each event's data, in bytes. */
  readonly size: number;
}

/** When a load ends. At least one is required. */
export interface Extent {
  /** The total number of events, rounded up, since each publisher sends all names equally often. */
  readonly msgs?: number;
  /** The duration, in milliseconds. */
  readonly forMs?: number;
}

/** The result of a load. */
export interface LoadResult {
  /** The number of published events. */
  readonly published: number;
  /** The number of deliveries: an event that three listeners received counts three. */
  readonly delivered: number;
  /** The time from sending the first event to receiving the last, in milliseconds. */
  readonly ms: number;
}

/** Cancellation and progress of a load. */
export interface Watch {
  readonly signal?: AbortSignal;
  /** The load fails if nothing arrives for this time, in milliseconds. Default: 10 s. */
  readonly stallMs?: number;
  /** Called every 100 ms with the number of published events. */
  onProgress?(published: number): void;
}

/** An event name that is valid for all brokers. */
export function topicName(index: number): string {
  return `bench.${index}`;
}

/**
 * Puts a broker under load until all listeners have received the last event.
 *
 * @throws {ConnectionError} If the broker cannot be reached, or closes a connection.
 * @throws {TimeoutError} If nothing arrives for `stallMs`.
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

/** A connection that subscribes to a name. */
interface Listener {
  readonly conn: Deno.Conn;
  /** The size of each event that it receives, in bytes. */
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
  readonly #listeners: Listener[] = [];
  /** How many times all names have been published. */
  #cycles = 0;
  #allPublished = false;
  #progress = Promise.withResolvers<void>();
  /** Resolved when all events have been published and received, rejected when a connection is lost. */
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
      this.#listeners.push({ conn, eventBytes: this.#wire.deliver(name, this.#data).length, receivedBytes: 0 });
    }
    while (this.#publishers.length < this.#load.pubs) {
      this.#publishers.push(await open(this.#target, this.#wire.publisher));
    }
  }

  async publish({ msgs = Infinity, forMs = Infinity }: Extent, watch: Watch): Promise<LoadResult> {
    const start = performance.now();
    const share = Math.ceil(msgs / this.#publishers.length / this.#names.length);
    const { promise, reject } = this.#finished;
    for (const listener of this.#listeners) this.#receive(listener).catch(reject);
    Promise.all(this.#publishers.map((conn) => this.#publish(conn, share, start + forMs)))
      .then(() => {
        this.#allPublished = true;
        this.#finishIfAllArrived();
      }, reject);
    await untilDone(
      promise,
      () => this.#progressCount(),
      () => this.#missing(),
      { ...watch, onTick: () => watch.onProgress?.(this.#published) },
    );
    const ms = performance.now() - start;
    const delivered = this.#listeners.reduce(
      (sum, listener) => sum + Math.floor(listener.receivedBytes / listener.eventBytes),
      0,
    );
    return { published: this.#published, delivered, ms };
  }

  [Symbol.dispose](): void {
    for (const conn of [...this.#publishers, ...this.#listeners.map(({ conn }) => conn)]) conn.close();
  }

  get #published(): number {
    return this.#cycles * this.#names.length;
  }

  /** Sends all names in turn, as many rounds as fit one write. */
  async #publish(conn: Deno.Conn, cycles: number, deadline: number): Promise<void> {
    const cycle = concat(this.#names.map((name) => this.#wire.publish(name, this.#data)));
    const perChunk = Math.max(1, Math.floor(CHUNK_BYTES / cycle.length));
    const chunk = concat(Array<Uint8Array>(perChunk).fill(cycle));
    for (let left = cycles; left > 0 && performance.now() < deadline;) {
      while (this.#mostBytesInFlight() > WINDOW_BYTES) await this.#progress.promise;
      const count = Math.min(left, perChunk);
      left -= count;
      this.#cycles += count;
      await writeAll(conn, chunk.subarray(0, count * cycle.length));
    }
    if (this.#listeners.length === 0) await exchangeBytes(conn, this.#wire.sync);
  }

  /** The bytes in flight to the slowest listener. */
  #mostBytesInFlight(): number {
    let most = 0;
    for (const { eventBytes, receivedBytes } of this.#listeners) {
      most = Math.max(most, this.#cycles * eventBytes - receivedBytes);
    }
    return most;
  }

  /** Reads until the connection is closed. */
  async #receive(listener: Listener): Promise<never> {
    const buffer = new Uint8Array(READ_BYTES);
    for (;;) {
      listener.receivedBytes += await read(listener.conn, buffer);
      this.#progress.resolve();
      this.#progress = Promise.withResolvers();
      this.#finishIfAllArrived();
    }
  }

  #finishIfAllArrived(): void {
    if (this.#allPublished && this.#listeners.every((listener) => this.#hasAll(listener))) this.#finished.resolve();
  }

  #hasAll({ receivedBytes, eventBytes }: Listener): boolean {
    return receivedBytes >= this.#cycles * eventBytes;
  }

  /** A number that grows as long as there is progress. */
  #progressCount(): number {
    return this.#cycles + this.#listeners.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0);
  }

  #missing(): string {
    const missing = this.#listeners.filter((listener) => !this.#hasAll(listener)).length;
    return `${missing} of ${this.#listeners.length} listeners have not received everything`;
  }
}

/**
 * Waits for the end of a load while it makes progress.
 *
 * @param work The load.
 * @param progress A number that grows as long as there is progress.
 * @param missing The end of the error message for a load that stalls.
 * @param watch Cancellation, and a callback that is called every 100 ms.
 * @throws {TimeoutError} If there is no progress for `stallMs`.
 */
export async function untilDone(
  work: Promise<unknown>,
  progress: () => number,
  missing: () => string,
  { signal, stallMs = STALL_MS, onTick }: { signal?: AbortSignal; stallMs?: number; onTick?: () => void },
): Promise<void> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal!.reason);
  signal?.addEventListener("abort", onAbort);
  if (signal?.aborted) onAbort();
  let [seen, seenAt] = [progress(), performance.now()];
  const timer = setInterval(() => {
    onTick?.();
    if (progress() !== seen) [seen, seenAt] = [progress(), performance.now()];
    else if (performance.now() - seenAt > stallMs) {
      reject(new TimeoutError("timeout", `The broker sent nothing for ${stallMs / 1000} s: ${missing()}`));
    }
  }, PROGRESS_MS);
  try {
    await Promise.race([work, stopped]);
  } finally {
    clearInterval(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/**
 * Connects, and completes the first exchange.
 *
 * @throws {ConnectionError} If the broker cannot be reached, or closes the connection.
 */
export async function open(target: Target, exchange: Exchange): Promise<Deno.Conn> {
  const conn = await dial(target, { timeoutMs: DIAL_MS, caCerts: target.caCerts });
  try {
    await exchangeBytes(conn, exchange);
    return conn;
  } catch (error) {
    conn.close();
    throw error;
  }
}

/** Sends bytes, and reads until the response has arrived. */
export async function exchangeBytes(conn: Deno.Conn, { send, reply }: Exchange): Promise<void> {
  await writeAll(conn, send);
  const buffer = new Uint8Array(READ_BYTES);
  for (let tail = new Uint8Array(0); !endsWith(tail, reply);) {
    const count = await read(conn, buffer);
    tail = concat([tail, buffer.subarray(0, count)]).slice(-reply.length);
  }
}

export async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await conn.write(bytes.subarray(written)).catch(lost);
  }
}

/** Reads at least one byte; resolves to the number of bytes. */
export async function read(conn: Deno.Conn, buffer: Uint8Array): Promise<number> {
  return await conn.read(buffer).catch(lost) ?? lost();
}

function lost(cause?: unknown): never {
  throw new ConnectionError("disconnected", "The broker closed a connection of the load", { cause });
}

function endsWith(bytes: Uint8Array, end: Uint8Array): boolean {
  return bytes.length >= end.length && bytes.subarray(-end.length).every((byte, index) => byte === end[index]);
}
