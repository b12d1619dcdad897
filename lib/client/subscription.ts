/**
 * The events of a subscription, as an async iterable.
 *
 * @module
 */
import type { MqEvent } from "../protocol/event.ts";
import { onAbort } from "../net/time.ts";

/** How many events wait to be taken from a subscription. */
export const MAX_WAITING_EVENTS = 100_000;

/** How many bytes of events wait to be taken from a subscription. */
export const MAX_WAITING_BYTES: number = 64 * 1024 * 1024;

/** About how many bytes an event takes besides its name and its data. */
const EVENT_BYTES = 100;

/** Options of {@linkcode Client.subscribe}. */
export interface SubscribeOptions {
  /** Ends the subscription when it is aborted: the iteration is done. */
  signal?: AbortSignal;
  /**
   * How many events may wait to be taken. What comes on top is dropped and counted.
   *
   * @default {100000}
   */
  maxWaiting?: number;
  /**
   * About how many bytes of events may wait to be taken: a character of name and data counts as one, and each event as a
   * hundred more. What comes on top is dropped and counted, unless nothing waits.
   *
   * @default {67108864}
   */
  maxWaitingBytes?: number;
}

/**
 * Events that a client hears, one after another. Leaving the loop ends the subscription.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { MqEvent } from "../protocol/event.ts";
 *
 * const subscription = new Subscription(Promise.resolve(), () => {});
 * subscription.push(new MqEvent("create", "1"));
 * subscription.push(new MqEvent("create", "2"));
 * for await (const event of subscription) {
 *   assertEquals(event.data, 1);
 *   break;
 * }
 * ```
 */
export class Subscription implements AsyncIterableIterator<MqEvent>, AsyncDisposable {
  /**
   * Resolves when the broker has taken the subscription in: whatever is published from then on is heard. Some events that
   * were published shortly before are heard, too: those that the broker read behind the subscription, and those that the
   * client was hearing already. It rejects with a {@linkcode ProtocolError} if the broker refuses, and with a
   * {@linkcode ConnectionError} of the code `closed` if the subscription or the client ends before.
   */
  readonly ready: Promise<void>;
  readonly #events: AsyncIterator<MqEvent>;
  readonly #onEnd: () => void;
  #controller!: ReadableStreamDefaultController<MqEvent>;
  #ended = false;
  #failure: Error | undefined;
  readonly #maxWaitingBytes: number;
  #waitingBytes = 0;
  #dropped = 0;

  /**
   * Makes a subscription. {@linkcode Client.subscribe} does it.
   *
   * @param ready Resolves when the broker has taken the subscription in.
   * @param onEnd Called once, when it ends.
   * @param options How many events may wait, and a signal that ends it.
   * @throws {RangeError} If `maxWaiting` or `maxWaitingBytes` is less than 1.
   */
  constructor(ready: Promise<void>, onEnd: () => void, options: SubscribeOptions = {}) {
    const { signal, maxWaiting = MAX_WAITING_EVENTS, maxWaitingBytes = MAX_WAITING_BYTES } = options;
    for (const [name, limit] of Object.entries({ maxWaiting, maxWaitingBytes })) {
      if (!(limit >= 1)) throw new RangeError(`Cannot have ${name} of ${limit}: it takes 1 or more`);
    }
    this.#maxWaitingBytes = maxWaitingBytes;
    this.ready = ready;
    const source = {
      start: (controller: ReadableStreamDefaultController<MqEvent>) => void (this.#controller = controller),
      cancel: () => this.finish(),
    };
    this.#events = new ReadableStream(source, { highWaterMark: maxWaiting })[Symbol.asyncIterator]();
    let forget = () => {};
    this.#onEnd = () => {
      forget();
      onEnd();
    };
    forget = onAbort(signal, () => this.finish());
  }

  /** Whether it has ended. Events may still wait to be taken. */
  get ended(): boolean {
    return this.#ended;
  }

  /** How many events were dropped because too many waited to be taken. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Adds an event behind those that wait.
   *
   * @param event The event.
   */
  push(event: MqEvent): void {
    if (this.#ended) return;
    const bytes = sizeOf(event);
    const isRoom = this.#waitingBytes === 0 || this.#waitingBytes + bytes <= this.#maxWaitingBytes;
    if (isRoom && this.#controller.desiredSize! > 0) {
      this.#waitingBytes += bytes;
      this.#controller.enqueue(event);
    } else this.#dropped++;
  }

  /**
   * The next event.
   *
   * @returns It, or `done` once the subscription has ended and nothing waits any more.
   * @throws {ProtocolError} If the broker refuses the subscription.
   * @throws {ConnectionError} With the code `closed`, if the client has given up coming back; after what waits.
   */
  async next(): Promise<IteratorResult<MqEvent>> {
    const result = await this.#events.next();
    if (!result.done) this.#waitingBytes -= sizeOf(result.value);
    const failure = this.#failure;
    if (!result.done || failure === undefined) return result;
    this.#failure = undefined;
    throw failure;
  }

  /**
   * Ends the subscription. What waits is thrown away.
   *
   * @returns `done`.
   */
  async return(): Promise<IteratorResult<MqEvent>> {
    this.finish();
    this.#failure = undefined;
    return await this.#events.return!();
  }

  /** Itself: a subscription can be iterated once. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The same as {@linkcode Subscription.return}. Why the broker refused it, the loop or `ready` has told. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return().catch(() => {}); // It has been told, as above.
  }

  /** Ends the subscription, but lets what waits be taken. */
  finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#controller.close();
    this.#onEnd();
  }

  /**
   * Ends the subscription: the loop over it throws once it has taken what waits.
   *
   * @param error What it throws.
   */
  fail(error: Error): void {
    if (this.#ended) return;
    this.#failure = error;
    this.finish();
  }
}

function sizeOf({ name, text }: MqEvent): number {
  return EVENT_BYTES + name.length + text.length;
}
