/**
 * The statements of groups, and the rows that they return. Runs in the worker.
 *
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { ID_CHARACTERS } from "../record.ts";

/** A group, as it is in the database. */
export interface GroupRow {
  /** Its id in the database. */
  readonly id: number;
  /** Its name. */
  readonly name: string;
  /** Its patterns, as JSON. */
  readonly patterns: string;
  /** Its options, as JSON. */
  readonly options: string;
  /** Up to where it has looked at the log. */
  readonly cursor: number;
  /** What is not settled up to there: see ranges.ts. */
  readonly opened: string;
}

/** Where in time the jobs of each state are, as far as they have failed: whether they are dead, behind when, and up to when. */
export const ROWS = {
  ready: (now: number) => [0, -1, now],
  delayed: (now: number) => [0, now, Number.MAX_SAFE_INTEGER],
  dead: () => [1, -1, Number.MAX_SAFE_INTEGER],
} as const;

/** A job that has failed, as it is in the database. */
export interface JobRow {
  /** When it is due, or died, in milliseconds since 1970. */
  readonly at: number;
  /** How often it was tried. */
  readonly tries: number;
  /** Why it failed, in UTF-8. */
  readonly why: Uint8Array;
  /** The record of its event: see seal.ts. */
  readonly record: Uint8Array;
}

/** The statements that all groups share. */
export class GroupStatements {
  /** Sets the patterns and options of a group. */
  readonly configure: StatementSync;
  /** Sets the cursor of a group, and what is not settled. */
  readonly save: StatementSync;
  /** Adds a job that has failed. */
  readonly putJob: StatementSync;
  /** Deletes one. */
  readonly deleteJob: StatementSync;
  /** The positions of the jobs of a group, dead or not, whose time is behind one and up to another. */
  readonly positions: StatementSync;
  /** One of these jobs. */
  readonly job: StatementSync;
  /** The dead job of an event. */
  readonly deadJob: StatementSync;
  /** When the first job behind a time is due. */
  readonly nextAt: StatementSync;
  /** How many are dead, and how many are not. */
  readonly counts: StatementSync;
  /** How many are due up to a time. */
  readonly countUntil: StatementSync;
  /** Has all dead jobs of a group delivered again. */
  readonly kickAll: StatementSync;
  /** The same for that of one event. */
  readonly kickOne: StatementSync;
  /** Deletes the jobs of a group that are dead, or not, but for some positions. */
  readonly purge: StatementSync;

  /**
   * Prepares them.
   *
   * @param database The database.
   */
  constructor(database: DatabaseSync) {
    const job = "SELECT at, tries, why, record FROM jobs WHERE group_id = ?";
    const isOfEvent = `substr(record, 1, ${ID_CHARACTERS}) = ?`;
    this.configure = database.prepare("UPDATE groups SET patterns = ?, options = ? WHERE id = ?");
    this.save = database.prepare("UPDATE groups SET cursor = ?, opened = ? WHERE id = ?");
    this.putJob = database.prepare("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?)");
    this.deleteJob = database.prepare("DELETE FROM jobs WHERE group_id = ? AND position = ?");
    this.positions = database.prepare(
      "SELECT position FROM jobs WHERE group_id = ? AND dead = ? AND at > ? AND at <= ? ORDER BY at, position LIMIT ?",
    );
    this.job = database.prepare(`${job} AND position = ?`);
    this.deadJob = database.prepare(`${job} AND dead = 1 AND ${isOfEvent}`);
    this.nextAt = database.prepare("SELECT min(at) AS at FROM jobs WHERE group_id = ? AND dead = 0 AND at > ?");
    this.counts = database.prepare("SELECT dead, count(*) AS jobs FROM jobs WHERE group_id = ? GROUP BY dead");
    this.countUntil = database.prepare("SELECT count(*) AS jobs FROM jobs WHERE group_id = ? AND dead = 0 AND at <= ?");
    const kick = "UPDATE jobs SET dead = 0, tries = 0, at = 0 WHERE group_id = ? AND dead = 1";
    this.kickAll = database.prepare(kick);
    this.kickOne = database.prepare(`${kick} AND ${isOfEvent}`);
    this.purge = database.prepare(
      "DELETE FROM jobs WHERE group_id = ? AND dead = ? AND position NOT IN (SELECT value FROM json_each(?))",
    );
  }
}
