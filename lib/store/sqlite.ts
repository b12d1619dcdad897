/**
 * A store in a folder of this machine: a database of SQLite, which a worker reads and writes.
 *
 * @module
 */
import type { MqError } from "../protocol/errors.ts";
import type { Committed, Opened } from "./sqlite/engine.ts";
import { WorkerCalls } from "./sqlite/worker_calls.ts";
import type {
  DueEvents,
  GroupInfo,
  LogInfo,
  Page,
  PeekedJob,
  PublishedKey,
  Pulled,
  PullRequest,
  Store,
  Transaction,
} from "./store.ts";

/** How long the keys of events are remembered, in milliseconds. */
const KEY_MS = 2 * 60 * 1000;

/** How long events are kept unless told otherwise, in milliseconds. */
export const DEFAULT_KEEP_MS: number = 7 * 24 * 60 * 60 * 1000;

/** How many bytes of events are kept unless told otherwise. */
export const DEFAULT_KEEP_BYTES: number = 1024 ** 3;

/**
 * Options of {@linkcode openStore}.
 *
 * @example
 * ```ts
 * const options: StoreOptions = { folder: "data", keepMs: 3600_000, keepBytes: 100_000_000 };
 * ```
 */
export interface StoreOptions {
  /** The folder, which is made if there is none. Only one broker can have it open. */
  folder: string;
  /**
   * How long events are kept, in milliseconds.
   *
   * @default {604800000}
   */
  keepMs?: number;
  /**
   * How many bytes of events are kept.
   *
   * @default {1073741824}
   */
  keepBytes?: number;
  /**
   * How long a receipt may be ahead of the disk, in milliseconds: if the machine loses its power, what came in that time may
   * be lost. With 0, a receipt says that the event is on disk.
   *
   * @default {0}
   */
  syncMs?: number;
}

/**
 * Opens a store, or makes one.
 *
 * @param options Where it is, and how much is kept.
 * @returns The store, for {@linkcode BrokerOptions.store}. The broker closes it.
 * @throws {MqError} With the code `store-in-use`, if another program has it open; `store-foreign`, if the file is none of
 * mq's; `store-newer`, if a newer mq has made it; `store-damaged`, if it is not as it was written; `store-failed`, if it
 * cannot be read or written.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 *
 * const folder = Deno.makeTempDirSync();
 * {
 *   await using broker = new Broker({ store: await openStore({ folder }) });
 *   const { stored } = await broker.publishConfirmed("create", { id: 1 });
 *   assertEquals(stored, true); // It is on disk.
 * }
 * Deno.removeSync(folder, { recursive: true });
 * ```
 */
export async function openStore(
  { folder, keepMs = DEFAULT_KEEP_MS, keepBytes = DEFAULT_KEEP_BYTES, syncMs = 0 }: StoreOptions,
): Promise<Store> {
  const calls = new WorkerCalls();
  try {
    const options = { folder, keepMs, keepBytes, syncMs, keyMs: KEY_MS };
    return new SqliteStore(calls, await calls.call<Opened>({ method: "open", options }), syncMs);
  } catch (error) {
    calls.end();
    throw error;
  }
}

class SqliteStore implements Store {
  readonly syncMs: number;
  readonly groups: readonly GroupInfo[];
  readonly keys: readonly PublishedKey[];
  #log: LogInfo;
  readonly #calls: WorkerCalls;
  #syncTimer: ReturnType<typeof setTimeout> | undefined;
  #syncError: MqError | undefined;
  #closed: Promise<void> | undefined;

  constructor(calls: WorkerCalls, { log, groups, keys }: Opened, syncMs: number) {
    this.#calls = calls;
    this.#log = log;
    this.groups = groups;
    this.keys = keys;
    this.syncMs = syncMs;
  }

  get log(): LogInfo {
    return this.#log;
  }

  async commit(transaction: Transaction): Promise<readonly unknown[]> {
    this.#throwSyncError();
    const { results, log } = await this.#calls.call<Committed>({ method: "commit", transaction });
    this.#log = log;
    if (this.syncMs > 0) this.#syncTimer ??= setTimeout(() => this.#sync(), this.syncMs);
    return results;
  }

  /** What could not be synced later fails the next call that writes. */
  #throwSyncError(): void {
    const error = this.#syncError;
    this.#syncError = undefined;
    if (error !== undefined) throw error;
  }

  async #sync(): Promise<void> {
    this.#syncTimer = undefined;
    try {
      await this.#calls.call({ method: "sync" });
    } catch (error) {
      this.#syncError = error as MqError;
    }
  }

  read(after: string, patterns: readonly string[]): Promise<Page> {
    return this.#calls.call({ method: "read", after, patterns });
  }

  pull(requests: readonly PullRequest[]): Promise<Pulled[]> {
    return this.#calls.call({ method: "pull", requests });
  }

  giveBack(group: string, keys: readonly number[]): Promise<void> {
    return this.#calls.call({ method: "giveBack", group, keys });
  }

  describeGroups(): Promise<GroupInfo[]> {
    return this.#calls.call({ method: "describeGroups" });
  }

  peek(group: string, state: "ready" | "delayed" | "dead", which: number | string): Promise<PeekedJob[]> {
    return this.#calls.call({ method: "peek", group, state, which });
  }

  due(): Promise<DueEvents> {
    return this.#calls.call({ method: "due" });
  }

  async maintain(now: number): Promise<boolean> {
    this.#throwSyncError();
    const { hasMore, log } = await this.#calls.call<{ hasMore: boolean; log: LogInfo }>({ method: "maintain", now });
    this.#log = log;
    return hasMore;
  }

  async mend(): Promise<void> {
    await this.#calls.call({ method: "mend" });
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    clearTimeout(this.#syncTimer);
    try {
      await this.#calls.call({ method: "close" });
    } finally {
      this.#calls.end();
    }
  }
}
