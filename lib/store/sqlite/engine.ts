/**
 * The store in its database: carries out the calls of {@linkcode Store}, one after another. Runs in the worker.
 *
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type {
  DelayedEvent,
  DueEvents,
  GroupInfo,
  LogInfo,
  Operation,
  Page,
  PeekedJob,
  PublishedKey,
  Pulled,
  PullRequest,
  Transaction,
} from "../store.ts";
import { firstIdOf } from "../../protocol/replay_start.ts";
import { attempt } from "./damage.ts";
import { beginWriting, DatabaseFiles, explained, openDatabase } from "./database.ts";
import { Group } from "./group.ts";
import { type GroupRow, GroupStatements } from "./group_statements.ts";
import { Log } from "./log.ts";
import { seal, unseal } from "./seal.ts";
import { Undo } from "./undo.ts";

/** How much one call looks at, in UTF-16 code units of records: commits wait for it. */
const CALL_CHARACTERS = 1024 * 1024;

/** How many delayed events one call takes at most. */
const DUE_EVENTS = 1000;

/** Options of an {@linkcode Engine}. */
export interface EngineOptions {
  /** The folder of the store. */
  readonly folder: string;
  /** How long a transaction may be ahead of the disk, in milliseconds; 0 if each is synced. */
  readonly syncMs: number;
  /** How long events are kept, in milliseconds, and how many bytes of them. */
  readonly keepMs: number;
  /** How many bytes of them are kept. */
  readonly keepBytes: number;
  /** How long the keys of events are remembered, in milliseconds. */
  readonly keyMs: number;
}

/** What is known of a store when it is opened. */
export interface Opened {
  /** The log. */
  readonly log: LogInfo;
  /** The groups. */
  readonly groups: GroupInfo[];
  /** The keys that are young enough. */
  readonly keys: PublishedKey[];
}

/** What a transaction comes to. */
export interface Committed {
  /** The results of its operations. */
  readonly results: unknown[];
  /** The log. */
  readonly log: LogInfo;
}

const NOTHING: Pulled = { jobs: [], nextDue: undefined, hasMore: false, expired: 0 };

/** A store in an open database. */
export class Engine {
  readonly #options: EngineOptions;
  /** The folder, as long as the store is being opened: errors name it then, and later clients are told of them. */
  #folder: string | undefined;
  readonly #database: DatabaseSync;
  readonly #files: DatabaseFiles;
  /** Why nothing is written any more: a file was deleted. */
  #lost: unknown;
  readonly #log: Log;
  readonly #groupStatements: GroupStatements;
  readonly #groups = new Map<string, Group>();
  readonly #statements: Record<
    | "addGroup"
    | "deleteGroup"
    | "deleteJobs"
    | "delay"
    | "cancel"
    | "dueUntil"
    | "delayed"
    | "nextDue"
    | "putKey"
    | "deleteKeys"
    | "sync",
    StatementSync
  >;
  /** What is known of the store now that it is open. */
  readonly opened: Opened;

  /**
   * Opens a store, or makes one.
   *
   * @param options Where, and how much is kept.
   * @param now The time, in milliseconds since 1970.
   * @throws {MqError} As {@linkcode openDatabase}.
   */
  constructor(options: EngineOptions, now: number) {
    this.#options = options;
    this.#folder = options.folder;
    const database = openDatabase(options.folder);
    this.#database = database;
    const prepare = (sql: string) => database.prepare(sql);
    this.#statements = {
      addGroup: prepare(
        "INSERT INTO groups (name, patterns, options, cursor, opened) VALUES (?, ?, ?, ?, '[]') RETURNING *",
      ),
      deleteGroup: prepare("DELETE FROM groups WHERE id = ?"),
      deleteJobs: prepare("DELETE FROM jobs WHERE group_id = ?"),
      delay: prepare("INSERT INTO delayed VALUES (?, ?, ?)"),
      cancel: prepare("DELETE FROM delayed WHERE id = ?"),
      dueUntil: prepare("SELECT id FROM delayed WHERE due <= ? ORDER BY due, id LIMIT ?"),
      delayed: prepare("SELECT id, due, record FROM delayed WHERE id = ?"),
      nextDue: prepare("SELECT due FROM delayed ORDER BY due, id LIMIT 1 OFFSET ?"),
      putKey: prepare("INSERT OR REPLACE INTO keys VALUES (?, ?, ?)"),
      deleteKeys: prepare("DELETE FROM keys WHERE at < ?"),
      sync: prepare("UPDATE sync SET at = ?"),
    };
    this.#log = this.#try(() => new Log(database));
    this.#groupStatements = new GroupStatements(database);
    const rows = this.#try(() => prepare("SELECT * FROM groups").all()) as unknown as GroupRow[];
    for (const row of rows) this.#groups.set(row.name, new Group(row, this.#log, this.#groupStatements));
    const young = prepare("SELECT * FROM keys WHERE at >= ? ORDER BY at");
    const keys = this.#try(() => young.all(now - options.keyMs)) as unknown as PublishedKey[];
    this.opened = { log: this.#try(() => this.#log.info), groups: this.describeGroups(now), keys };
    this.#try(() => beginWriting(database, options.syncMs === 0));
    this.#files = this.#try(() => new DatabaseFiles(options.folder));
    this.#folder = undefined;
  }

  #try<T>(act: () => T): T {
    return explained(this.#folder, act);
  }

  /** See {@linkcode Store.commit}. */
  commit({ blocks, operations }: Transaction): Committed {
    if (this.#lost !== undefined) throw this.#lost;
    const results = this.#transact((undo) => {
      this.#log.append(blocks, undo);
      return operations.map((operation) => this.#apply(operation, undo));
    });
    return { results, log: this.#log.info };
  }

  #transact<T>(act: (undo: Undo) => T): T {
    const undo = new Undo();
    return this.#try(() => {
      try {
        this.#database.exec("BEGIN IMMEDIATE");
        const result = act(undo);
        this.#database.exec("COMMIT");
        return result;
      } catch (error) {
        undo.run();
        this.#rollBack();
        throw error;
      }
    });
  }

  /** SQLite may have rolled back by itself, and then refuses. */
  #rollBack(): void {
    try {
      this.#database.exec("ROLLBACK");
    } catch {
      // "cannot rollback - no transaction is active".
    }
  }

  #apply(operation: Operation, undo: Undo): unknown {
    const { addGroup, delay, cancel, putKey } = this.#statements;
    switch (operation.do) {
      case "group":
        return this.#configure(operation, undo, addGroup);
      case "settle":
        return this.#groups.get(operation.group)?.settle(operation, undo);
      case "kick":
        return this.#groups.get(operation.group)?.kick(operation.id, undo) ?? 0;
      case "purge":
        return this.#groups.get(operation.group)?.purge(operation.state, undo) ?? { jobs: 0, events: 0 };
      case "forget":
        return this.#forget(operation.group, undo);
      case "delay":
        return void delay.run(operation.id, operation.due, seal(operation.record));
      case "cancel":
        return Number(cancel.run(operation.id).changes) > 0;
      case "key":
        return void putKey.run(operation.key, operation.at, operation.receipt);
    }
  }

  #configure(operation: Operation & { do: "group" }, undo: Undo, addGroup: StatementSync): boolean {
    const { group: name, patterns, options, after } = operation;
    const known = this.#groups.get(name);
    if (known !== undefined) {
      known.configure(patterns, options, undo);
      return false;
    }
    const cursor = this.#log.positionOf(after);
    const row = addGroup.get(name, JSON.stringify(patterns), JSON.stringify(options), cursor) as unknown as GroupRow;
    undo.add(() => this.#groups.delete(name));
    this.#groups.set(name, new Group(row, this.#log, this.#groupStatements));
    return true;
  }

  #forget(name: string, undo: Undo): boolean {
    const group = this.#groups.get(name);
    if (group === undefined) return false;
    undo.add(() => this.#groups.set(name, group));
    this.#groups.delete(name);
    this.#statements.deleteJobs.run(group.id);
    this.#statements.deleteGroup.run(group.id);
    return true;
  }

  /** See {@linkcode Store.read}. */
  read(after: string, patterns: readonly string[]): Page {
    return this.#try(() => this.#log.read(after, patterns));
  }

  /** See {@linkcode Store.pull}. A group that fails does so when it is the first: what was taken before is delivered. */
  pull(requests: readonly PullRequest[], now: number): Pulled[] {
    const budget = { characters: CALL_CHARACTERS };
    const pulled: Pulled[] = [];
    for (const { group, most } of requests) {
      if (budget.characters <= 0) break;
      try {
        pulled.push(this.#try(() => this.#groups.get(group)?.pull(most, now, budget)) ?? NOTHING);
      } catch (error) {
        if (pulled.length === 0) throw error;
        break;
      }
    }
    return pulled;
  }

  /** See {@linkcode Store.giveBack}. */
  giveBack(group: string, keys: readonly number[]): void {
    this.#groups.get(group)?.giveBack(keys);
  }

  /** See {@linkcode Store.describeGroups}. */
  describeGroups(now: number): GroupInfo[] {
    return this.#try(() => Array.from(this.#groups.values(), (group) => group.describe(now)));
  }

  /** See {@linkcode Store.peek}. */
  peek(name: string, state: "ready" | "delayed" | "dead", which: number | string, now: number): PeekedJob[] {
    const group = this.#groups.get(name);
    if (group === undefined) return [];
    if (typeof which === "string") return this.#try(() => group.peekDead(which));
    return this.#try(() => group.peek(state, which, now, { characters: CALL_CHARACTERS }));
  }

  /** See {@linkcode Store.due}. */
  due(now: number): DueEvents {
    const { dueUntil, nextDue } = this.#statements;
    return this.#try(() => {
      const events: DelayedEvent[] = [];
      let left = CALL_CHARACTERS;
      for (const { id } of dueUntil.all(now, DUE_EVENTS)) {
        const read = () => this.#delayed(id as string);
        const event = events.length === 0 ? read() : attempt(read); // What cannot be read is told when it is the first.
        if (event === undefined || left <= 0) break;
        events.push(event);
        left -= event.record.length;
      }
      return { events, nextDue: nextDue.get(events.length)?.due as number | undefined };
    });
  }

  #delayed(id: string): DelayedEvent {
    const row = this.#statements.delayed.get(id) as unknown as { id: string; due: number; record: Uint8Array };
    return { ...row, record: unseal(row.record, `the delayed event ${id}`) };
  }

  /** See {@linkcode Store.maintain}. */
  maintain(now: number): { hasMore: boolean; log: LogInfo } {
    const { keepMs, keepBytes, keyMs } = this.#options;
    this.#checkFiles();
    const hasMore = this.#transact((undo) => {
      this.#statements.deleteKeys.run(now - keyMs);
      const hasDeleted = this.#log.trim(firstIdOf(now - keepMs), keepBytes, undo);
      if (hasDeleted) { for (const group of this.#groups.values()) group.saveCursor(undo); }
      return hasDeleted;
    });
    return { hasMore, log: this.#log.info };
  }

  /** If a file was deleted: brings what the WAL has into the database, while that can be done, and has nothing more written. */
  #checkFiles(): void {
    try {
      this.#files.check();
    } catch (error) {
      if (this.#lost === undefined) attempt(() => this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)"));
      this.#lost = error;
      throw error;
    }
  }

  /** Syncs what was committed before, where transactions are not synced themselves. */
  sync(now: number): void {
    this.#try(() => {
      this.#database.exec("PRAGMA synchronous = FULL");
      try {
        this.#statements.sync.run(now);
      } finally {
        this.#database.exec("PRAGMA synchronous = NORMAL");
      }
    });
  }

  /** See {@linkcode Store.mend}. */
  mend(now: number): void {
    this.#checkFiles();
    this.#try(() => {
      this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      this.#statements.sync.run(now);
    });
  }

  /** See {@linkcode Store.close}. Without a WAL, the file can be read where nothing can be written, too. */
  close(): void {
    this.#try(() => {
      this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE");
      this.#database.close();
    });
    this.#files.close();
  }
}
