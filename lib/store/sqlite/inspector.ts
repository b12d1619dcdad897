/**
 * Reads a store that no broker has open. Runs in the worker.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import type { LogCursor, SalvagedPage, StoreContents } from "../inspect.ts";
import { explained, SCHEMA_VERSION } from "./database.ts";
import { Group } from "./group.ts";
import { type GroupRow, GroupStatements } from "./group_statements.ts";
import { Log } from "./log.ts";
import { openReadOnly } from "./read_only.ts";
import { Salvage } from "./salvage.ts";
import { unseal } from "./seal.ts";

/** Read the sealed records besides the log: what each is, and the row behind another one. */
const RECORDS = [
  [
    "a job of the group",
    "SELECT jobs.rowid, name, record FROM jobs JOIN groups ON id = group_id WHERE jobs.rowid > ? ORDER BY jobs.rowid LIMIT 1",
  ],
  ["the delayed event", "SELECT rowid, id AS name, record FROM delayed WHERE rowid > ? ORDER BY rowid LIMIT 1"],
] as const;

/** A store in a database that is only read. */
export class Inspector {
  readonly #folder: string;
  readonly #database: DatabaseSync;
  readonly #salvage: Salvage;

  /**
   * Opens a store.
   *
   * @param folder The folder.
   * @throws {MqError} As {@linkcode openReadOnly}.
   */
  constructor(folder: string) {
    this.#folder = folder;
    this.#database = openReadOnly(folder);
    this.#salvage = explained(folder, () => new Salvage(this.#database));
  }

  /** See {@linkcode StoreInspection.check}. */
  check(): string[] {
    return [...this.#lost(), ...found(() => this.#damagedRecords()), ...found(() => this.#brokenStructure())];
  }

  #lost(): string[] {
    const lost: string[] = [];
    for (let cursor: LogCursor | undefined = { after: "" }; cursor !== undefined;) {
      const page: SalvagedPage = this.#salvage.read(cursor, []);
      if (page.lost !== undefined) lost.push(page.lost);
      cursor = page.next;
    }
    return lost;
  }

  #damagedRecords(): string[] {
    return RECORDS.flatMap(([what, sql]) => {
      const next = this.#database.prepare(sql);
      const damaged: string[] = [];
      for (let row = next.get(0); row !== undefined; row = next.get(row.rowid)) {
        const { name, record } = row;
        damaged.push(...found(() => void unseal(record as Uint8Array, `${what} ${name}`)));
      }
      return damaged;
    });
  }

  #brokenStructure(): string[] {
    const rows = this.#database.prepare("PRAGMA integrity_check").all();
    return rows.map((row) => String(row.integrity_check)).filter((text) => text !== "ok");
  }

  /** See {@linkcode StoreInspection.describe}. */
  describe(now: number): StoreContents {
    return explained(this.#folder, () => {
      const { count, next } = this.#database.prepare("SELECT count(*) AS count, min(due) AS next FROM delayed").get()!;
      const rows = this.#database.prepare("SELECT * FROM groups ORDER BY name").all() as unknown as GroupRow[];
      const [log, statements] = [new Log(this.#database), new GroupStatements(this.#database)];
      return {
        version: SCHEMA_VERSION,
        log: log.info,
        groups: rows.map((row) => new Group(row, log, statements).describe(now)),
        delayed: Number(count),
        nextDue: next === null ? undefined : Number(next),
      };
    });
  }

  /** See {@linkcode StoreInspection.read}. */
  read(cursor: LogCursor, patterns: readonly string[]): SalvagedPage {
    return this.#salvage.read(cursor, patterns);
  }

  /** Closes it. */
  close(): void {
    this.#database.close();
  }
}

/** What a check finds; if it cannot be carried out, the reason. */
function found(check: () => string[] | void): string[] {
  try {
    return check() ?? [];
  } catch (error) {
    return [(error as Error).message];
  }
}
