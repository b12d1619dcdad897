/**
 * The subscriptions of a client that begin in the past: what the broker has stored is fetched page by page, as fast as it is
 * taken, and then the subscription goes on with what is published. After a reconnect, or where events found no room, it goes
 * on behind the last event that it has.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { ConnectionError, ProtocolError } from "../protocol/errors.ts";
import type { MqEvent } from "../protocol/event.ts";
import type { Dispatcher, Receiver } from "./dispatcher.ts";
import { parseResponse, type Session } from "./session.ts";
import type { BufferedSubscription } from "./subscription.ts";

/** How many events a page has at most. */
const PAGE_EVENTS = 10_000;

/** After how many milliseconds a broker whose store has failed is asked again. */
const RETRY_MS = 1000;

/** The JSON of `/replayed`. */
interface Replayed {
  readonly last: string | null;
  readonly more?: true;
  readonly gap?: true;
  readonly error?: string;
  readonly text?: string;
}

/** What {@linkcode Replays} work with. */
export interface ReplayObserver {
  /** Dispatches live events. */
  readonly dispatcher: Dispatcher<Receiver>;
  /** Subscribes the connection to the patterns of the dispatcher, and to no others. */
  updatePatterns(): void;
  /** Called with an error that no method reports. */
  onNotice(error: ProtocolError): void;
}

/** The subscriptions of one client that begin in the past. */
export class Replays {
  readonly #observer: ReplayObserver;
  readonly #subscriptions = new Set<BufferedSubscription>();
  /** Those that fetch pages, each with the session over which it does. */
  readonly #fetching = new Map<BufferedSubscription, Session>();
  /** The page that is under way. */
  #current: { subscription: BufferedSubscription; replayed: PromiseWithResolvers<Replayed> } | undefined;
  /** Settles when the last page that was asked for has come. */
  #turn: Promise<void> = Promise.resolve();

  /**
   * Makes the replays of one client.
   *
   * @param observer What they work with.
   */
  constructor(observer: ReplayObserver) {
    this.#observer = observer;
  }

  /** All subscriptions that have not ended. */
  get subscriptions(): Iterable<BufferedSubscription> {
    return this.#subscriptions;
  }

  /**
   * Adds a subscription.
   *
   * @param subscription The subscription.
   * @param session The current session; undefined if there is no connection.
   */
  add(subscription: BufferedSubscription, session: Session | undefined): void {
    this.#subscriptions.add(subscription);
    if (session !== undefined) this.#fetch(subscription, session);
  }

  /** Removes a subscription that has ended. */
  remove(subscription: BufferedSubscription): void {
    this.#subscriptions.delete(subscription);
  }

  /** There is a new connection: all go on. */
  resume(session: Session): void {
    for (const subscription of this.#subscriptions) this.#fetch(subscription, session);
  }

  /** The connection broke: none is live any more. */
  onDisconnect(reason: ConnectionError): void {
    for (const subscription of this.#subscriptions) this.#observer.dispatcher.remove(subscription);
    this.#current?.replayed.reject(reason);
    this.#fetching.clear();
  }

  /** The broker, or a subscription, had no room for live events: they are fetched later. */
  onMissed(session: Session, subscriptions: Iterable<BufferedSubscription> = this.#subscriptions): void {
    const { dispatcher } = this.#observer;
    const live = new Set(dispatcher.handlers);
    for (const subscription of subscriptions) {
      if (!live.has(subscription)) continue;
      dispatcher.remove(subscription);
      this.#fetch(subscription, session);
    }
  }

  /** An event of the page that is under way. */
  onPast(event: MqEvent): void {
    this.#current?.subscription.onPast(event);
  }

  /** The page that is under way has come. Without more of them, the events that follow are live. */
  onReplayed(json: string): void {
    if (this.#current === undefined) return;
    const { subscription, replayed } = this.#current;
    this.#current = undefined;
    const result: Replayed = parseResponse(json);
    if (result.last !== null) subscription.position = result.last;
    if (result.more === undefined && result.error === undefined) this.#goLive(subscription);
    replayed.resolve(result);
  }

  #goLive(subscription: BufferedSubscription): void {
    const { dispatcher, updatePatterns } = this.#observer;
    this.#fetching.delete(subscription);
    dispatcher.add(subscription);
    updatePatterns();
    if (!subscription.ended) return;
    dispatcher.remove(subscription);
    updatePatterns();
  }

  async #fetch(subscription: BufferedSubscription, session: Session): Promise<void> {
    if (this.#fetching.get(subscription) === session) return;
    this.#fetching.set(subscription, session);
    try {
      let isWhole = false;
      while (!isWhole && this.#fetching.get(subscription) === session) {
        await subscription.room();
        if (subscription.ended) return;
        isWhole = await this.#fetchPage(subscription, session);
      }
      if (isWhole) subscription.onReady();
    } catch (error) {
      if (!(error instanceof ProtocolError)) return; // The connection broke: a reconnect fetches again.
      subscription.onRefused(error);
    }
  }

  /** Fetches a page; returns whether there are no more. */
  async #fetchPage(subscription: BufferedSubscription, session: Session): Promise<boolean> {
    const { more, gap, error, text } = await this.#inTurn(() => this.#page(subscription, session));
    const { onNotice } = this.#observer;
    if (gap) {
      onNotice(new ProtocolError("gap", `Some events behind ${subscription.position} were deleted before they came`));
    }
    if (error === undefined) return more === undefined;
    onNotice(new ProtocolError(error, text ?? "The broker cannot read its store"));
    await delay(RETRY_MS);
    return false;
  }

  /** The broker sends a connection one page at a time. */
  async #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    try {
      return await act();
    } finally {
      resolve();
    }
  }

  async #page(subscription: BufferedSubscription, session: Session): Promise<Replayed> {
    if (session.hasEnded) throw new ConnectionError("disconnected", "The connection was closed");
    const replayed = Promise.withResolvers<Replayed>();
    replayed.promise.catch(() => {}); // The response to the line is waited for first.
    this.#current = { subscription, replayed };
    const options = JSON.stringify({ live: true, limit: Math.min(PAGE_EVENTS, subscription.maxWaiting) });
    const patterns = subscription.patterns.map(({ text }) => text).join(" ");
    try {
      await session.command(`/replay ${subscription.position} ${options} ${patterns}`);
    } catch (error) {
      this.#current = undefined;
      throw error;
    }
    return await replayed.promise;
  }
}
