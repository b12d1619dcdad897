/**
 * One connection in a broker's pool: its socket, what is known of its client, and how it is closed.
 *
 * @module
 */
import { monotonicUlid } from "@std/ulid";
import type { Codec, EventFormat, Reader } from "../net/codec.ts";
import type { Heartbeat } from "../net/heartbeat.ts";
import type { Holder, MemoryBudget } from "../net/memory.ts";
import { delay } from "@std/async/delay";
import { atMost } from "../net/time.ts";
import { type Flow, scheduler } from "../net/read_scheduler.ts";
import type { Transport } from "../net/transport.ts";
import { WriteQueue } from "../net/write_queue.ts";
import { formatAddress } from "../protocol/address.ts";
import { type Limits, LINGER_MS, RESPONSE_BYTES } from "../protocol/limits.ts";
import type { HelloArguments } from "../protocol/lines.ts";
import type { Pattern } from "../protocol/pattern.ts";
import type { ClientInfo } from "../protocol/responses.ts";
import type { Scope } from "../protocol/tokens.ts";
import { PatternSet } from "./pattern_set.ts";
import { lineFormat, type Publication, type Publisher } from "./publication.ts";
import { RateLimiter } from "./rate_limiter.ts";
import { ResponseQueue } from "./response_queue.ts";
import type { Route } from "./router.ts";
import type { Delivery } from "./work_group.ts";
import { encodeControl, type Subscriber, type SubscriberGroup } from "./subscriber_group.ts";
import { BoundedCounter } from "./system_events.ts";

/** Decides what happens where a connection has no room for events: see {@linkcode Subscriber}. */
export interface OverflowHandler {
  /** Something could not be queued because the write queue is full. */
  overflow(connection: Connection, bytes: number, events: number): void;
  /** The write queue has room again. */
  hasRoom(connection: Connection): void;
  /** Of all connections this one holds the most, and together they hold too much. */
  outOfMemory(connection: Connection): void;
  /** An event was left out, since the connection's format does not allow one so long. */
  tooLong(connection: Connection, bytes: number): void;
}

/** Options of {@linkcode Connection}. */
export interface ConnectionOptions {
  /** Its name until its client gives itself another. */
  name: string;
  /** The limits of its lines, its write queue and its rate. */
  limits: Limits;
  /** How it is read and written. */
  codec: Codec;
  /** Decides what happens where it has no room for events. */
  overflow: OverflowHandler;
  /** What the time is charged to that its first lines take. */
  flow: Flow;
  /** The budget for what it holds. */
  memory: MemoryBudget;
  /** Sends whole lines to it, each with its LF. */
  send: (connection: Connection, text: string | Uint8Array) => void;
}

/** One connection in a broker's pool. */
export class Connection implements Publisher, Subscriber, Holder {
  /** Its ULID. */
  readonly id: string = monotonicUlid();
  /** The name of its client, or `client-N`. */
  name: string;
  /** The client's end of it, as `HOST:PORT`. */
  readonly address: string;
  readonly #connectedAt = Date.now();
  readonly #connectedSince = performance.now();
  /** How it is read and written. */
  readonly codec: Codec;
  /** Reads what its client sends. */
  readonly reader: Reader;
  /** What waits to be written to it. */
  readonly queue: WriteQueue;
  /** The responses to its lines. */
  readonly responses: ResponseQueue;
  /** What it is subscribed to. */
  readonly subscribed: PatternSet;
  /** How events are written to it. */
  format: EventFormat<Publication>;
  /** Whether it gets the events it publishes itself. */
  echo = true;
  /** If it is an observer: of how many events a second it gets a sample. */
  observe: number | undefined;
  /** The group of subscribers it belongs to. The router sets it. */
  group: SubscriberGroup | undefined;
  /** Whether it has sent a control line: only then it is sent any. */
  speaksControl = false;
  /** What its token allows; undefined until it has authenticated. */
  scope: Scope | undefined;
  /** Whether it may publish. */
  mayPublish = false;
  /** Finds out whether its client is still there, once it speaks control lines. */
  heartbeat: Heartbeat | undefined;
  /** The route of the last event it published. */
  route: Route | undefined;
  /** How many of its events were recognized. */
  published = 0;
  /** How many events were queued for it, jobs and those of replays included. */
  delivered = 0;
  /** How many events were dropped because it had no room for them. */
  dropped = 0;
  /** Set once it is out of the pool: nothing it sends counts any more. */
  ended = false;
  /** Set once its last line was read: it is ended when all lines before are answered. */
  hasQuit = false;
  /** Settles when it is sent all of a replay; undefined if there is none. */
  replaying: Promise<unknown> | undefined;
  /** Set once `mq.disconnect` has been published: no system event about it follows, but for what was dropped. */
  isGone = false;
  /** Counts the codes it was refused with, and the names that were not recognized. */
  readonly causes: BoundedCounter = new BoundedCounter();
  /** Whether it has no room for events, so that they are dropped. */
  isSlow = false;
  /** What was dropped since its client was last told. */
  droppedSinceNotice: { events: number; bytes: number } = { events: 0, bytes: 0 };
  /** What carries its bytes. */
  readonly transport: Transport;
  readonly #lineBytes: number;
  readonly #limiter: RateLimiter | undefined;
  readonly #overflow: OverflowHandler;
  #wanted: Required<Pick<HelloArguments, "meta" | "hops" | "reply">> = { meta: false, hops: false, reply: false };
  #pauseMs = 0;
  readonly #memory: MemoryBudget;
  #storedBytes = 0;
  #jobs: Map<number, Delivery> | undefined;
  #jobCount = 0;
  #heldBackUntil: Promise<void> | undefined;
  readonly #inputEnd = Promise.withResolvers<void>();

  /**
   * Takes a socket, or what does for one. It gets no events until it has authenticated.
   *
   * @param conn The socket.
   * @param options Its name, limits and codec.
   */
  constructor(conn: Transport, { name, limits, codec, overflow, flow, memory, send }: ConnectionOptions) {
    this.transport = conn;
    this.name = name;
    this.address = formatAddress(conn.remoteAddr as Deno.NetAddr);
    this.#lineBytes = limits.lineBytes;
    this.codec = codec;
    this.format = codec.format ?? lineFormat(this.#wanted);
    this.#memory = memory;
    this.subscribed = new PatternSet(memory);
    this.reader = codec.reader(conn, limits, memory);
    this.reader.flow = flow;
    this.#overflow = overflow;
    this.queue = new WriteQueue(conn, {
      ...codec.queueOptions(limits),
      memory,
      onRoom: () => overflow.hasRoom(this),
    });
    this.responses = new ResponseQueue((text) => this.ended || send(this, text));
    if (limits.eventsPerSecond !== null) this.#limiter = new RateLimiter(limits.eventsPerSecond);
  }

  /**
   * Its client has authenticated.
   *
   * @param scope What its token allows.
   */
  authenticated(scope: Scope): void {
    this.scope = scope;
    this.mayPublish = scope !== "listen";
    if (scope !== "publish") this.subscribed.begin();
    this.reader.raiseLimit(this.#lineBytes);
  }

  /**
   * Its client has introduced itself. What it leaves out stays as it is.
   *
   * @param introduction What it says of itself.
   */
  introduce({ name = this.name, echo = this.echo, observe, ...wanted }: HelloArguments): void {
    this.name = name;
    this.echo = echo;
    if (observe !== undefined) this.observe = observe ?? undefined;
    const { meta = this.#wanted.meta, hops = this.#wanted.hops, reply = this.#wanted.reply } = wanted;
    this.#wanted = { meta, hops, reply };
    this.format = this.codec.format ?? lineFormat(this.#wanted);
  }

  /** The jobs that were delivered to it and are not settled, by their numbers. */
  get jobs(): Map<number, Delivery> {
    return this.#jobs ??= new Map();
  }

  /**
   * Numbers the next jobs that are delivered to it.
   *
   * @param count How many there are.
   * @returns The number of the first.
   */
  numberJobs(count: number): number {
    this.#jobCount += count;
    return this.#jobCount - count + 1;
  }

  /** Which headers of events are written to it. */
  get wanted(): { readonly hops: boolean; readonly reply: boolean } {
    return this.#wanted;
  }

  /**
   * Takes an event from its rate. After one that is too many {@linkcode Connection.pause} waits.
   *
   * @returns Whether it is too many.
   */
  takeEvent(): boolean {
    if (this.#limiter === undefined) return false;
    this.#pauseMs = this.#limiter.take();
    return this.#pauseMs > 0;
  }

  /**
   * What is to be waited for before its next line is read.
   *
   * @returns Undefined if it is not too fast, and reads what it is answered.
   */
  pause(): Promise<void> | undefined {
    if (!this.isPausing) return undefined;
    if (this.#heldBackUntil !== undefined) return this.#heldBackUntil.then(() => this.pause());
    if (this.#hasUnreadResponses) return this.queue.urgentWritten().then(() => this.pause());
    return delay(this.#pauseMs).then(() => void (this.#pauseMs = 0));
  }

  /**
   * Has it wait before its next line.
   *
   * @param until What it waits for; never rejects.
   */
  holdBack(until: Promise<void>): void {
    const both = this.#heldBackUntil === undefined ? until : Promise.all([this.#heldBackUntil, until]);
    const held = this.#heldBackUntil = both.then(() => {
      if (this.#heldBackUntil === held) this.#heldBackUntil = undefined;
    });
  }

  /** Whether {@linkcode Connection.pause} may have a reason: where nothing waits to be written, only a rate can be one. */
  get mayPause(): boolean {
    return this.#pauseMs > 0 || this.queue.queuedBytes > 0 || this.#heldBackUntil !== undefined;
  }

  /** Whether what it sends waits to be read: then nobody can tell whether it is silent. */
  get isPausing(): boolean {
    return this.#pauseMs > 0 || this.#hasUnreadResponses || this.#heldBackUntil !== undefined;
  }

  /** Whether so many responses wait for it that no more of its lines are carried out before they are written. */
  get #hasUnreadResponses(): boolean {
    return this.queue.urgentBytes > RESPONSE_BYTES;
  }

  /** Writes control lines as its codec does: see {@linkcode Subscriber.formatControl}. */
  formatControl(lines: string): string {
    return this.codec.decode === undefined ? this.codec.formatControl?.(lines) ?? lines : lines;
  }

  /** Makes the bytes that are queued of those of lines: see {@linkcode Transport.frame}. */
  get frame(): Transport["frame"] {
    return this.transport.frame;
  }

  /** How long ago it was accepted, in milliseconds. */
  get connectedMs(): number {
    return Math.round(performance.now() - this.#connectedSince);
  }

  /** Whether nothing is expected from its client. */
  get isOneWay(): boolean {
    return this.codec.decode === undefined && this.codec.isOneWay === true;
  }

  /** Whether its lines take less than its share of the time. */
  get hasCredit(): boolean {
    return scheduler.hasCredit(this.reader.flow);
  }

  /** Something could not be queued: see {@linkcode Subscriber.overflow}. */
  overflow(bytes: number, events: number): void {
    this.#overflow.overflow(this, bytes, events);
  }

  /** An event was left out: see {@linkcode Subscriber.onTooLong}. */
  onTooLong(bytes: number): void {
    this.#overflow.tooLong(this, bytes);
  }

  /**
   * Takes what was dropped since its client was last told.
   *
   * @returns How many events, and their bytes; from now on they count as told.
   */
  takeDropped(): { events: number; bytes: number } {
    const { droppedSinceNotice } = this;
    this.droppedSinceNotice = { events: 0, bytes: 0 };
    return droppedSinceNotice;
  }

  /** The patterns it is subscribed to, by their text. */
  get patterns(): ReadonlyMap<string, Pattern> {
    return this.subscribed.patterns;
  }

  /** How much it holds of the budget, in bytes: what waits to be written, an unfinished line, its patterns, and its jobs. */
  get heldBytes(): number {
    return this.queue.queuedBytes + this.reader.heldBytes + this.subscribed.heldBytes + this.#storedBytes;
  }

  /**
   * Takes from the budget for what was read from the store for it, or gives back.
   *
   * @param bytes How much; less than 0 to give it back.
   */
  hold(bytes: number): void {
    this.#storedBytes += bytes;
    this.#memory.take(bytes);
  }

  /** See {@linkcode Holder}. */
  evict(): void {
    this.#overflow.outOfMemory(this);
  }

  /** What there is to tell of it. */
  get info(): ClientInfo {
    return this.describe([...this.patterns.keys()]);
  }

  /**
   * What `/clients` tells of it.
   *
   * @param patterns Some of its patterns, or all.
   * @returns Its name, its counts and these patterns.
   */
  describe(patterns: string[]): ClientInfo {
    return {
      id: this.id,
      name: this.name,
      address: this.address,
      connectedAt: new Date(this.#connectedAt).toISOString(),
      connectedMs: this.connectedMs,
      patterns,
      patternCount: this.patterns.size,
      published: this.published,
      delivered: this.delivered,
      queuedBytes: this.queue.queuedBytes,
      dropped: this.dropped,
      ...this.codec.info,
      observe: this.observe ?? null,
    };
  }

  /** To be called when nothing more can be read from it. */
  inputEnded(): void {
    this.#inputEnd.resolve();
  }

  /**
   * Writes what is queued and a close message, closes the connection for writing, waits for the client to do the same, and
   * closes the socket. To close it at once while the client still sends could destroy what the client has not read yet.
   * But only a client that speaks control lines knows that it is to close its side, too: for others it waits a moment.
   *
   * @param closeMessage Whole lines, each with its LF; may be empty.
   * @param deadlineMs After how many milliseconds the socket is closed in any case.
   * @returns How many bytes could not be written.
   */
  async finish(closeMessage: string, deadlineMs: number): Promise<number> {
    if (closeMessage !== "") {
      this.queue.pushUrgent(encodeControl(this, closeMessage), RESPONSE_BYTES);
    }
    const endsAt = performance.now() + deadlineMs;
    const isWritten = await atMost(deadlineMs, this.#writeAndEnd());
    const knowsToClose = this.speaksControl && !this.isOneWay;
    const graceMs = Math.min(knowsToClose ? deadlineMs : LINGER_MS, Math.max(endsAt - performance.now(), 0));
    if (isWritten) await atMost(graceMs, this.#inputEnd.promise);
    const unwritten = this.queue.queuedBytes;
    this.close();
    return unwritten;
  }

  async #writeAndEnd(): Promise<boolean> {
    if (!await this.queue.drained()) return false;
    try {
      await this.transport.closeWrite();
      return true;
    } catch {
      return false; // The client has gone: there is nobody to wait for.
    }
  }

  /** Closes the socket at once, and gives up what it holds. */
  close(): void {
    this.queue.fail();
    this.responses.clear();
    this.subscribed.clear();
    try {
      this.transport.close();
    } catch {
      // A write that failed has closed it already.
    }
  }
}
