/**
 * A subscription: a bounded buffer of events, which are taken by a loop or handled by a function.
 *
 * @module
 */
import { ConnectionError, type MqError, type ProtocolError } from "../protocol/errors.ts";
import type { MqEvent } from "../protocol/event.ts";
import { Pattern } from "../protocol/pattern.ts";
import { onAbort } from "../net/time.ts";
import type { Receiver } from "./dispatcher.ts";
import { Queue } from "./queue.ts";

/** The default of {@linkcode SubscribeOptions.maxWaiting}. */
const MAX_WAITING_EVENTS = 100_000;

/** The default of {@linkcode SubscribeOptions.maxWaitingBytes}. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/** The bytes that count for an event besides its name and data. */
const EVENT_BYTES = 100;

const DONE: IteratorReturnResult<undefined> = Object.freeze({ value: undefined, done: true });

/**
 * Options of {@linkcode Client.subscribe}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 * import { connect } from "../client.ts";
 *
 * await using broker = new Broker();
 * const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
 * await using client = await connect({ hostname: "127.0.0.1", port });
 *
 * const { promise, resolve } = Promise.withResolvers<unknown>();
 * const options: SubscribeOptions = { handler: (event) => resolve(event.data), maxWaiting: 1000 };
 * client.subscribe("create", options);
 * client.publish("create", { id: 1 });
 * assertEquals(await promise, { id: 1 });
 * ```
 */
export interface SubscribeOptions {
  /**
   * Called with each event, in the order of their arrival. What it throws or rejects with is an event `error` of the
   * client. Without a handler, the events are taken by a loop over the subscription.
   */
  handler?: (event: MqEvent) => unknown;
  /**
   * How many events are handled at the same time. With 1, the handler is called with the next event when the promise that
   * it returned for the one before has settled.
   *
   * @default {1}
   */
  concurrency?: number;
  /** Ends the subscription. Events that wait can still be taken, or are still handled. */
  signal?: AbortSignal;
  /**
   * Where the subscription begins, if the broker has a store: `first`, for all that it has; the id of an event, for what
   * follows it; a time; or a duration such as `1h`, for what is not older. The events come in their order, each once, and
   * are followed by those that are published from then on. After a reconnect, or where too many wait, the subscription goes
   * on behind the last event that it has: none is dropped. Default: it begins with the next event.
   */
  since?: string | Date;
  /**
   * The most events that may wait to be taken or handled. More are dropped and counted.
   *
   * @default {100000}
   */
  maxWaiting?: number;
  /**
   * The most bytes of events that may wait to be taken or handled: a byte for each UTF-16 code unit of name and data, and
   * 100 for each event. More are dropped and counted. An event always has room if no other waits.
   *
   * @default {67108864}
   */
  maxWaitingBytes?: number;
}

/**
 * A subscription, as {@linkcode Client.subscribe} returns it. Without a handler, its events are taken by a loop; leaving
 * the loop ends the subscription.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 * import { connect } from "../client.ts";
 *
 * await using broker = new Broker();
 * const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
 * await using client = await connect({ hostname: "127.0.0.1", port });
 *
 * const subscription = client.subscribe("create");
 * client.publish("create", 1);
 * client.publish("create", 2);
 * for await (const event of subscription) {
 *   assertEquals(event.data, 1);
 *   break;
 * }
 * assertEquals(subscription.ended, true);
 * ```
 */
export interface Subscription extends AsyncIterableIterator<MqEvent>, AsyncDisposable {
  /**
   * Resolves when the broker has subscribed the connection: all events that are published from then on are received. Some
   * events that were published shortly before may be received, too. Rejects with a {@linkcode ProtocolError} if the broker
   * refuses, and with a {@linkcode ConnectionError} of the code `closed` if the subscription or the client ends before.
   */
  readonly ready: Promise<void>;
  /** Whether it has ended. Events may still wait to be taken or handled. */
  readonly ended: boolean;
  /** The number of events that wait to be taken or handled. */
  readonly waiting: number;
  /** The number of events that were dropped because too many waited. The event `slow` of the client reports the first. */
  readonly dropped: number;
  /**
   * Waits for the next event.
   *
   * @returns The event, or `done` if the subscription has ended and no event waits.
   * @throws {ProtocolError} If the broker refused the subscription.
   * @throws {ConnectionError} With the code `closed`, if the client no longer tries to reconnect and no event waits.
   * @throws {TypeError} If the subscription has a handler.
   */
  next(): Promise<IteratorResult<MqEvent>>;
  /**
   * The same as {@linkcode Subscription.unsubscribe}. Leaving a loop calls it.
   *
   * @returns `done`.
   */
  return(): Promise<IteratorResult<MqEvent>>;
  /** Ends the subscription at once. Events that wait are discarded. */
  unsubscribe(): void;
  /**
   * Ends the subscription without losing events: unsubscribes at the broker, and receives all events that it had sent
   * before. With a handler, the promise resolves when all of them have been handled, so the handler must not wait for it.
   * Without one, they can still be taken.
   */
  drain(): Promise<void>;
  /** The same as {@linkcode Subscription.drain} with a handler, otherwise as {@linkcode Subscription.unsubscribe}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Is told what happens to a subscription. */
export interface SubscriptionObserver {
  /** Called once, when the subscription has ended. */
  onEnd(subscription: BufferedSubscription): void;
  /** Called when it has ended, and no event waits or is being handled. */
  onIdle(subscription: BufferedSubscription): void;
  /** Called if the broker refuses a subscription with a handler. Without one, the loop throws the error. */
  onRefused(error: ProtocolError): void;
  /** Called when there is no room for an event of a subscription with `since`: it has to be fetched again. */
  onMissed(subscription: BufferedSubscription): void;
  /** Called when an event is dropped, but not again before half of what may wait has been taken. */
  onSlow(subscription: BufferedSubscription): void;
  /** Called with what the handler threw. */
  onError(error: unknown): void;
  /** Called once by `drain`: unsubscribes at the broker, and waits until all events that it had sent before have arrived. */
  onDrain(subscription: BufferedSubscription): Promise<void>;
}

/** The implementation of {@linkcode Subscription}, with the methods by which the client puts events in. */
export class BufferedSubscription implements Subscription, Receiver {
  readonly patterns: readonly Pattern[];
  /** The most events that may wait. */
  readonly maxWaiting: number;
  /** Where it is in the store: what `/replay` begins with; undefined for a subscription without `since`. */
  position: string | undefined;
  readonly #observer: SubscriptionObserver;
  readonly #handler: ((event: MqEvent) => unknown) | undefined;
  readonly #concurrency: number;
  readonly #maxWaitingBytes: number;
  readonly #ready = Promise.withResolvers<void>();
  readonly #waiting = new Queue<MqEvent>();
  #waitingBytes = 0;
  /** The calls of `next` that wait for an event. */
  readonly #takers = new Queue<PromiseWithResolvers<IteratorResult<MqEvent>>>();
  /** The number of events that are being handled. */
  #handling = 0;
  readonly #idle = Promise.withResolvers<void>();
  /** Settles when half of what may wait has been taken. */
  #room: PromiseWithResolvers<void> | undefined;
  #drained: Promise<void> | undefined;
  #stopListening = () => {};
  #dropped = 0;
  #isSlow = false;
  #ended = false;
  /** The error that the loop over the subscription throws. */
  #failure: MqError | undefined;

  /**
   * Makes a subscription.
   *
   * @param patterns The texts of its patterns.
   * @param options Its handler, its limits, and a signal that ends it.
   * @param observer Is told what happens to it.
   * @throws {ProtocolError} With the code `bad-pattern`.
   * @throws {RangeError} If `maxWaiting`, `maxWaitingBytes` or `concurrency` is less than 1.
   */
  constructor(patterns: readonly string[], options: SubscribeOptions, observer: SubscriptionObserver) {
    const { handler, signal, since, concurrency = 1 } = options;
    const { maxWaiting = MAX_WAITING_EVENTS, maxWaitingBytes = MAX_WAITING_BYTES } = options;
    for (const [name, value] of Object.entries({ maxWaiting, maxWaitingBytes, concurrency })) {
      if (!(value >= 1)) throw new RangeError(`Cannot have ${name} of ${value}: it takes 1 or more`);
    }
    this.patterns = patterns.map((text) => new Pattern(text));
    this.#observer = observer;
    this.#handler = handler;
    this.#concurrency = concurrency;
    this.maxWaiting = maxWaiting;
    this.position = since instanceof Date ? since.toISOString() : since;
    this.#maxWaitingBytes = maxWaitingBytes;
    this.#ready.promise.catch(() => {}); // The program need not wait for it.
    this.#stopListening = onAbort(signal, () => this.finish());
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get dropped(): number {
    return this.#dropped;
  }

  async next(): Promise<IteratorResult<MqEvent>> {
    if (this.#handler) throw new TypeError("Cannot iterate over a subscription that has a handler");
    const event = this.#take();
    if (event !== undefined) return { value: event, done: false };
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
    if (this.#ended) return DONE;
    const taker = Promise.withResolvers<IteratorResult<MqEvent>>();
    this.#takers.push(taker);
    return await taker.promise;
  }

  // deno-lint-ignore require-await -- an iterator's methods return promises
  async return(): Promise<IteratorResult<MqEvent>> {
    this.unsubscribe();
    return DONE;
  }

  /** Itself: a subscription can be iterated once. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#handler) await this.drain();
    else this.unsubscribe();
  }

  unsubscribe(): void {
    while (this.#take() !== undefined);
    this.#failure = undefined;
    this.finish();
  }

  drain(): Promise<void> {
    return this.#drained ??= this.#drain();
  }

  async #drain(): Promise<void> {
    if (!this.#ended) await this.#observer.onDrain(this);
    this.finish();
    if (this.#handler) await this.#idle.promise;
  }

  onEvent(event: MqEvent): void {
    if (this.#ended) return;
    if (this.#passOn(event)) return this.#keepPosition(event);
    const bytes = sizeOf(event);
    if (!this.#hasRoomFor(bytes)) return this.position === undefined ? this.#drop() : this.#observer.onMissed(this);
    this.#add(event, bytes);
    this.#keepPosition(event);
  }

  #keepPosition({ id }: MqEvent): void {
    if (this.position !== undefined) this.position = id;
  }

  /**
   * Takes an event of the store, which always finds room.
   *
   * @param event The event.
   */
  onPast(event: MqEvent): void {
    if (this.#ended) return;
    this.#keepPosition(event);
    if (!this.#passOn(event)) this.#add(event, sizeOf(event));
  }

  /** Whether somebody takes an event at once. */
  #passOn(event: MqEvent): boolean {
    const taker = this.#takers.shift();
    if (taker !== undefined) taker.resolve({ value: event, done: false });
    else if (this.#handler && this.#waiting.length === 0 && this.#handling < this.#concurrency) this.#handle(event);
    else return false;
    return true;
  }

  #add(event: MqEvent, bytes: number): void {
    this.#waiting.push(event);
    this.#waitingBytes += bytes;
  }

  /** Waits until half of what may wait has been taken, or it has ended. */
  async room(): Promise<void> {
    if (this.#ended || this.#isHalfEmpty) return;
    this.#room ??= Promise.withResolvers();
    await this.#room.promise;
  }

  get #isHalfEmpty(): boolean {
    return this.#waiting.length <= this.maxWaiting / 2 && this.#waitingBytes <= this.#maxWaitingBytes / 2;
  }

  onReady(): void {
    this.#ready.resolve();
  }

  onRefused(error: ProtocolError): void {
    this.finish(error, error);
    if (this.#handler) this.#observer.onRefused(error);
  }

  onClosed(reason: ConnectionError, failure?: MqError): void {
    if (this.#handler && failure === undefined) { while (this.#take() !== undefined); }
    this.finish(reason, failure);
    this.#tellIdle();
  }

  /**
   * Ends the subscription. Events that wait can still be taken, or are still handled.
   *
   * @param reason The error with which `ready` rejects, if it has not resolved.
   * @param failure The error that the loop throws when no event waits.
   */
  finish(reason: MqError = new ConnectionError("closed", "The subscription has ended"), failure?: MqError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#stopListening();
    this.#endRoom();
    this.#ready.reject(reason);
    for (let taker = this.#takers.shift(); taker; taker = this.#takers.shift()) taker.resolve(this.next());
    this.#tellIdle();
    this.#observer.onEnd(this);
  }

  #hasRoomFor(bytes: number): boolean {
    if (this.#waiting.length === 0) return true;
    return this.#waiting.length < this.maxWaiting && this.#waitingBytes + bytes <= this.#maxWaitingBytes;
  }

  #drop(): void {
    this.#dropped++;
    if (this.#isSlow) return;
    this.#isSlow = true;
    this.#observer.onSlow(this);
  }

  #take(): MqEvent | undefined {
    const event = this.#waiting.shift();
    if (event === undefined) return undefined;
    this.#waitingBytes -= sizeOf(event);
    if (!this.#isHalfEmpty) return event;
    this.#isSlow = false;
    this.#endRoom();
    return event;
  }

  #endRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  #handle(event: MqEvent): void {
    try {
      const result = this.#handler!(event);
      if (typeof (result as PromiseLike<unknown> | undefined)?.then !== "function") return;
      this.#handling++;
      Promise.resolve(result).catch((error) => this.#observer.onError(error)).then(() => this.#handled());
    } catch (error) {
      this.#observer.onError(error);
    }
  }

  #handled(): void {
    this.#handling--;
    while (this.#handling < this.#concurrency) {
      const event = this.#take();
      if (event === undefined) break;
      this.#handle(event);
    }
    this.#tellIdle();
  }

  #tellIdle(): void {
    if (!this.#ended || this.#handling > 0 || this.#waiting.length > 0) return;
    this.#idle.resolve();
    this.#observer.onIdle(this);
  }
}

function sizeOf({ name, text }: MqEvent): number {
  return EVENT_BYTES + name.length + text.length;
}
