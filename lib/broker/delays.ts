/**
 * Events that are published later: they wait in the store, and at their time enter the log as events of their own.
 *
 * @module
 */
import { parseRecord, type StoredEvent } from "../store/record.ts";
import type { DelayedEvent, DueEvents, Store } from "../store/store.ts";
import type { MqError } from "../protocol/errors.ts";
import type { Journal } from "./journal.ts";
import type { SystemEvents } from "./system_events.ts";

/** The store is looked at that often, whatever was said to be next: the clock may have been set. In milliseconds. */
const MAX_WAIT_MS = 60_000;

/** How long to wait if the store has failed, in milliseconds. */
const RETRY_MS = 1000;

/** What {@linkcode Delays} work with. */
export interface DelaysOptions {
  /** Has the events. */
  store: Store;
  /** Takes them out. */
  journal: Journal;
  /** Tells what cannot be read. */
  systemEvents: SystemEvents;
  /** Publishes an event whose time has come. It is to be in the same transaction. */
  publish: (event: StoredEvent) => void;
}

/** The delayed events of a broker. */
export class Delays {
  readonly #options: DelaysOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer fires, by the monotonic clock, in milliseconds: the other one may be set. */
  #wakesAt = Infinity;
  #isLooking = false;
  /** The events that somebody cancels now. */
  readonly #cancelled = new Set<string>();
  #isClosed = false;

  /**
   * Looks at what the store has.
   *
   * @param options What it works with.
   */
  constructor(options: DelaysOptions) {
    this.#options = options;
    this.#wakeAt(Date.now());
  }

  /**
   * There is another event.
   *
   * @param due When it is due, in milliseconds since 1970.
   */
  added(due: number): void {
    if (due - Date.now() < this.#wakesAt - performance.now()) this.#wakeAt(due);
  }

  /**
   * Discards an event.
   *
   * @param id Its id.
   * @returns Whether it was still to be published.
   * @throws {ProtocolError} With the code `store-failed`.
   */
  async cancel(id: string): Promise<boolean> {
    this.#cancelled.add(id);
    try {
      return await this.#options.journal.carryOut({ do: "cancel", id });
    } finally {
      this.#cancelled.delete(id);
    }
  }

  #wakeAt(due: number): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    const ms = Math.min(Math.max(due - Date.now(), 0), MAX_WAIT_MS);
    this.#wakesAt = performance.now() + ms;
    this.#timer = setTimeout(() => void this.#look(), ms);
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#wakesAt = Infinity;
    try {
      const next = await this.#publishDue();
      this.#isLooking = false;
      this.#wakeAt(Math.min(next, Date.now() + this.#wakesAt - performance.now()));
    } catch {
      this.#isLooking = false; // It was told already, here or by the journal.
      this.#wakeAt(Date.now() + RETRY_MS);
    }
  }

  /** Publishes what is due; returns when the next is. */
  async #publishDue(): Promise<number> {
    const { journal } = this.#options;
    while (!this.#isClosed) {
      const { events, nextDue } = await this.#due();
      const due = events.filter(({ id }) => !this.#cancelled.has(id));
      if (due.length === 0 || this.#isClosed) return events[0]?.due ?? nextDue ?? Infinity;
      journal.check();
      if (journal.isFull) await journal.room();
      else await Promise.all(due.map((event) => this.#publish(event)));
    }
    return Infinity;
  }

  async #due(): Promise<DueEvents> {
    const { store, systemEvents } = this.#options;
    try {
      return await store.due();
    } catch (error) {
      systemEvents.storeUnreadable(error as MqError);
      throw error;
    }
  }

  /** Both in one turn, and so in one transaction: it is published, and does not wait any more. */
  #publish({ id, record }: DelayedEvent): Promise<unknown> {
    const { journal, publish } = this.#options;
    publish(parseRecord(record));
    return journal.carryOut({ do: "cancel", id });
  }

  /** Publishes nothing more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
}
