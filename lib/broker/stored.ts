/**
 * All that a broker with a store has more than one without: the journal, replays, groups, delayed events, keys, and the
 * control lines for them.
 *
 * @module
 */
import type { Json } from "../protocol/data.ts";
import type { MemoryBudget } from "../net/memory.ts";
import type { Limits } from "../protocol/limits.ts";
import type { StoredEvent } from "../store/record.ts";
import type { LogInfo, Store } from "../store/store.ts";
import type { Connection } from "./connection.ts";
import { Delays } from "./delays.ts";
import type { FanOut } from "./fan_out.ts";
import { type GroupReport, Groups } from "./groups.ts";
import { Journal, type Waiter } from "./journal.ts";
import { Keys, type OnReceipt, publishOnce } from "./once.ts";
import type { Publication } from "./publication.ts";
import { Replays } from "./replay.ts";
import { StoreCommands } from "./store_commands.ts";
import type { Subscriptions } from "./subscriptions.ts";
import type { SystemEvents } from "./system_events.ts";

/** What a {@linkcode Stored} works with. */
export interface StoredOptions {
  /** The store. */
  store: Store;
  /** The broker's limits. */
  limits: Limits;
  /** The budget for what connections hold. */
  memory: MemoryBudget;
  /** The patterns of the events that are recognized. */
  events: readonly string[];
  /** Sends to connections. */
  fanOut: FanOut;
  /** Subscribes connections. */
  subscriptions: Subscriptions;
  /** Tells what happens. */
  systemEvents: SystemEvents;
  /** Keeps a promise until it is settled. */
  keep: (task: Promise<void>) => void;
  /** Publishes an event of a connection. */
  publish: (event: Publication, connection: Connection, isGuess: false, waiter: Waiter) => number | undefined;
  /** Checks an event that is to be published later, as if it were published now; returns whether it is recognized. */
  check: (event: Publication, connection: Connection) => boolean;
  /** Publishes an event that was kept for later. */
  publishDelayed: (event: StoredEvent) => void;
  /** Publishes an event about a dead job. */
  publishDead: (name: string, data: { [key: string]: Json }) => void;
}

/** What is known of a store. */
export interface StoreReport {
  /** Whether it can be read and written, as far as is known. */
  readonly isUp: boolean;
  /** What the log has. */
  readonly log: LogInfo;
  /** What groups there are; none if the store cannot be read. */
  readonly groups: readonly GroupReport[];
}

/** The part of a broker that works with its store. */
export class Stored {
  /** What is written. */
  readonly journal: Journal;
  /** Sends what is stored. */
  readonly replays: Replays;
  /** Has jobs done. */
  readonly groups: Groups;
  /** The control lines. */
  readonly commands: StoreCommands;
  readonly #store: Store;
  readonly #delays: Delays;
  readonly #keys: Keys;
  #isUp = true;

  /**
   * Begins to work with a store.
   *
   * @param options What it works with.
   */
  constructor(options: StoredOptions) {
    const { store, systemEvents, limits, publishDelayed, publishDead } = options;
    this.#store = store;
    this.journal = new Journal(store, {
      onStored: () => this.groups.wake(),
      onFailed: ({ message }) => {
        this.#isUp = false;
        systemEvents.storeFailed(message);
      },
      onDamaged: (error) => systemEvents.storeUnreadable(error),
      onMended: (unstored) => {
        this.#isUp = true;
        systemEvents.storeMended(unstored);
        this.groups.wake();
      },
    });
    const parts = { ...options, journal: this.journal, maxPatterns: limits.patterns };
    this.replays = new Replays(parts);
    this.groups = new Groups({ ...parts, publish: publishDead });
    this.#delays = new Delays({ ...parts, publish: publishDelayed });
    this.#keys = new Keys(store.keys, Date.now());
    this.commands = new StoreCommands({
      ...parts,
      keys: this.#keys,
      replays: this.replays,
      groups: this.groups,
      delays: this.#delays,
    });
  }

  /** What is known of the store. */
  async describe(): Promise<StoreReport> {
    try {
      const groups = await this.groups.describe();
      return { isUp: this.#isUp, log: this.#store.log, groups };
    } catch {
      return { isUp: false, log: this.#store.log, groups: [] }; // It cannot even be read.
    }
  }

  /** Publishes an event, unless one was published with the same key: see {@linkcode publishOnce}. */
  publishOnce(key: string, publish: () => string, onReceipt: OnReceipt): void {
    publishOnce({ keys: this.#keys, journal: this.journal }, key, publish, onReceipt);
  }

  /** Publishes no more delayed events. */
  stop(): void {
    this.#delays.close();
  }

  /** Writes what is to be written, and closes the store. */
  async close(): Promise<void> {
    this.stop();
    await this.journal.close();
  }
}
