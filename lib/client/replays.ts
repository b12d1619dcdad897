/**
 * What a client reads of the broker's store, page by page. A subscription that begins in the past fetches pages as fast as they
 * are taken, and then goes on with what is published. After a reconnect, or where events found no room, it goes on behind the
 * last event that it has.
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

/** A part of the log. */
export interface Page {
  /** The events that match. */
  readonly events: readonly MqEvent[];
  /** The id of the last event that was looked at; undefined if there is none. */
  readonly last?: string;
  /** Whether there are more behind it. */
  readonly hasMore: boolean;
}

/** The page that is under way, and what becomes of its events. */
interface PageRequest {
  /** The line that asks for it. */
  readonly line: string;
  /** Called with each of its events. */
  onPast(event: MqEvent): void;
  /** Called when it has come, before anything behind it. */
  onReplayed(result: Replayed): void;
}

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

/** The subscriptions of one client that begin in the past, and what else it reads of the store. */
export class Replays {
  readonly #observer: ReplayObserver;
  readonly #subscriptions = new Set<BufferedSubscription>();
  /** Those that fetch pages, each with the session over which it does. */
  readonly #fetching = new Map<BufferedSubscription, Session>();
  #current: { request: PageRequest; replayed: PromiseWithResolvers<Replayed> } | undefined;
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
    this.#fetching.delete(subscription);
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
    this.#current?.request.onPast(event);
  }

  /** The page that is under way has come. */
  onReplayed(json: string): void {
    if (this.#current === undefined) return;
    const { request, replayed } = this.#current;
    const result: Replayed = parseResponse(json);
    this.#current = undefined;
    request.onReplayed(result);
    replayed.resolve(result);
  }

  /**
   * Reads a page, without a subscription.
   *
   * @param session The current session; undefined if there is no connection.
   * @param from Where it begins, as `/replay` takes it.
   * @param patterns The texts of the patterns of its events.
   * @returns The page.
   * @throws {ProtocolError} If the broker refuses it, or cannot read its store.
   * @throws {ConnectionError} With the code `disconnected`.
   */
  async read(session: Session | undefined, from: string, patterns: readonly string[]): Promise<Page> {
    if (session === undefined) throw new ConnectionError("disconnected", "Cannot read the log: there is no connection");
    const events: MqEvent[] = [];
    const { last, more, gap, error, text } = await this.#request(session, {
      line: replayLine(from, { limit: PAGE_EVENTS }, patterns),
      onPast: (event) => void events.push(event),
      onReplayed: () => {},
    });
    if (gap) this.#tellGap(from);
    if (error !== undefined) throw storeError(error, text);
    return { events, last: last ?? undefined, hasMore: more !== undefined };
  }

  /** Without more pages, the events that follow are live. */
  #onPage(subscription: BufferedSubscription, { last, more, error }: Replayed): void {
    if (last !== null) subscription.position = last;
    if (more === undefined && error === undefined) this.#goLive(subscription);
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
    const from = subscription.position!;
    const options = { live: true, limit: Math.min(PAGE_EVENTS, subscription.maxWaiting) };
    const { more, gap, error, text } = await this.#request(session, {
      line: replayLine(from, options, subscription.patterns.map(({ text }) => text)),
      onPast: (event) => subscription.onPast(event),
      onReplayed: (result) => this.#onPage(subscription, result),
    });
    if (gap) this.#tellGap(from);
    if (error === undefined) return more === undefined;
    this.#observer.onNotice(storeError(error, text));
    await delay(RETRY_MS);
    return false;
  }

  #tellGap(from: string): void {
    this.#observer.onNotice(new ProtocolError("gap", `Some events behind ${from} were deleted before they came`));
  }

  /** The broker sends a connection one page at a time. */
  async #request(session: Session, request: PageRequest): Promise<Replayed> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    try {
      return await this.#send(session, request);
    } finally {
      resolve();
    }
  }

  async #send(session: Session, request: PageRequest): Promise<Replayed> {
    if (session.hasEnded) throw new ConnectionError("disconnected", "The connection was closed");
    const replayed = Promise.withResolvers<Replayed>();
    replayed.promise.catch(() => {}); // The response to the line is waited for first.
    this.#current = { request, replayed };
    try {
      await session.command(request.line);
    } catch (error) {
      this.#current = undefined;
      throw error;
    }
    return await replayed.promise;
  }
}

function replayLine(from: string, options: { live?: boolean; limit: number }, patterns: readonly string[]): string {
  return `/replay ${from} ${JSON.stringify(options)} ${patterns.join(" ")}`;
}

function storeError(code: string, text = "The broker cannot read its store"): ProtocolError {
  return new ProtocolError(code, text);
}
