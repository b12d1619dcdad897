/**
 * Reads a store that no broker has open. Runs in the worker.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import type { StoreContents } from "../inspect.ts";
import type { Page } from "../store.ts";
import { explained, SCHEMA_VERSION } from "./database.ts";
import { Group, type GroupRow, GroupStatements } from "./group.ts";
import { Log } from "./log.ts";
import { openReadOnly } from "./read_only.ts";

/** Finds the blocks that do not follow the one before: SQLite checks its own structure, and this is the log's. */
const GAPS = `
  SELECT count(*) AS gaps FROM (
    SELECT position, start, lag(position + count) OVER log AS next, lag(start + length(records)) OVER log AS end
    FROM log WINDOW log AS (ORDER BY position))
  WHERE next <> position OR end <> start`;

/** A store in a database that is only read. */
export class Inspector {
  readonly #folder: string;
  readonly #database: DatabaseSync;
  #opened: Log | undefined;

  /**
   * Opens a store.
   *
   * @param folder The folder.
   * @throws {MqError} As {@linkcode openReadOnly}.
   */
  constructor(folder: string) {
    this.#folder = folder;
    this.#database = openReadOnly(folder);
  }

  /** See {@linkcode StoreInspection.check}. */
  check(): string[] {
    try {
      const rows = this.#database.prepare("PRAGMA integrity_check").all();
      const found = rows.map((row) => String(row.integrity_check)).filter((text) => text !== "ok");
      return found.length > 0 ? found : this.#gaps();
    } catch (error) {
      return [(error as Error).message]; // It is too damaged to be checked.
    }
  }

  #gaps(): string[] {
    const gaps = Number(this.#database.prepare(GAPS).get()!.gaps);
    return gaps === 0 ? [] : [`the log has ${gaps} blocks that do not follow the one before`];
  }

  /** See {@linkcode StoreInspection.describe}. */
  describe(now: number): StoreContents {
    return explained(this.#folder, () => {
      const { count, next } = this.#database.prepare("SELECT count(*) AS count, min(due) AS next FROM delayed").get()!;
      const rows = this.#database.prepare("SELECT * FROM groups ORDER BY name").all() as unknown as GroupRow[];
      const statements = new GroupStatements(this.#database);
      return {
        version: SCHEMA_VERSION,
        log: this.#log.info,
        groups: rows.map((row) => new Group(row, this.#log, statements).describe(now)),
        delayed: Number(count),
        nextDue: next === null ? undefined : Number(next),
      };
    });
  }

  get #log(): Log {
    return this.#opened ??= new Log(this.#database);
  }

  /** See {@linkcode StoreInspection.read}. */
  read(after: string, patterns: readonly string[]): Page {
    return explained(this.#folder, () => this.#log.read(after, patterns));
  }

  /** Closes it. */
  close(): void {
    this.#database.close();
  }
}
