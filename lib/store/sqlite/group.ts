/**
 * One group: which events of the log are its jobs, and which of these are delivered, to be delivered again, or dead. Runs in
 * the worker.
 *
 * A job that has never failed is not written anywhere: `cursor` says up to where the group has looked at the log, and
 * `opened` which positions up to there are not settled. So acknowledgements cost one row a group and transaction. A job that
 * has failed has a row of its own, with its record, since the log may be deleted before the job is done.
 *
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { FailedJob, GroupInfo, GroupOptions, Job, Operation, PeekedJob, Pulled } from "../store.ts";
import { type Log, type ReadBlock, recordAt } from "./log.ts";
import { decodeRanges, encodeRanges } from "./ranges.ts";
import { NameMatcher } from "../records.ts";
import type { Undo } from "./undo.ts";

/** How many UTF-16 code units of records are taken at once at most. */
const PULLED_CHARACTERS = 1024 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

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

/** A job that has failed, as it is in the database. */
interface JobRow {
  position: number;
  at: number;
  tries: number;
  why: Uint8Array;
  record: Uint8Array;
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
  /** The jobs of a group up to a time, dead or not. */
  readonly jobsUntil: StatementSync;
  /** The positions of the jobs of a group that are due at a time. */
  readonly dueUntil: StatementSync;
  /** One of these jobs. */
  readonly job: StatementSync;
  /** The same behind a time. */
  readonly jobsAfter: StatementSync;
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
    const jobs = "SELECT position, at, tries, why, record FROM jobs WHERE group_id = ? AND dead = ?";
    this.configure = database.prepare("UPDATE groups SET patterns = ?, options = ? WHERE id = ?");
    this.save = database.prepare("UPDATE groups SET cursor = ?, opened = ? WHERE id = ?");
    this.putJob = database.prepare("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?)");
    this.deleteJob = database.prepare("DELETE FROM jobs WHERE group_id = ? AND position = ?");
    this.jobsUntil = database.prepare(`${jobs} AND at <= ? ORDER BY at, position LIMIT ?`);
    this.dueUntil = database.prepare(
      "SELECT position FROM jobs WHERE group_id = ? AND dead = 0 AND at <= ? ORDER BY at, position LIMIT ?",
    );
    this.job = database.prepare("SELECT tries, record FROM jobs WHERE group_id = ? AND position = ?");
    this.jobsAfter = database.prepare(`${jobs} AND at > ? ORDER BY at, position LIMIT ?`);
    this.nextAt = database.prepare("SELECT min(at) AS at FROM jobs WHERE group_id = ? AND dead = 0 AND at > ?");
    this.counts = database.prepare("SELECT dead, count(*) AS jobs FROM jobs WHERE group_id = ? GROUP BY dead");
    this.countUntil = database.prepare("SELECT count(*) AS jobs FROM jobs WHERE group_id = ? AND dead = 0 AND at <= ?");
    const kick = "UPDATE jobs SET dead = 0, tries = 0, at = ? WHERE group_id = ? AND dead = 1";
    this.kickAll = database.prepare(kick);
    this.kickOne = database.prepare(`${kick} AND substr(record, 1, 26) = ?`);
    this.purge = database.prepare(
      "DELETE FROM jobs WHERE group_id = ? AND dead = ? AND position NOT IN (SELECT value FROM json_each(?))",
    );
  }
}

/** A group of a store. */
export class Group {
  readonly #id: number;
  readonly #name: string;
  readonly #log: Log;
  readonly #statements: GroupStatements;
  #patterns: string[];
  #options: GroupOptions;
  #matcher: NameMatcher;
  /** Up to where it has looked at the log. */
  #cursor: number;
  /** The block that it looks at, and where in its text the record behind the cursor begins. */
  #reading: { block: ReadBlock; offset: number } | undefined;
  /** The positions of its jobs up to the cursor that are not settled and have no row. */
  readonly #opened: Set<number>;
  /** Those of them that are to be delivered again, because the broker ended: the last one first. */
  #again: number[];
  /** The positions of the jobs with a row that are delivered now. */
  readonly #retried = new Set<number>();
  /** How many jobs have a row and are not dead, and how many are dead. */
  #waiting = 0;
  #dead = 0;

  /**
   * Takes a group from the database.
   *
   * @param row The group.
   * @param log The log.
   * @param statements The statements.
   */
  constructor(row: GroupRow, log: Log, statements: GroupStatements) {
    this.#id = row.id;
    this.#name = row.name;
    this.#log = log;
    this.#statements = statements;
    this.#patterns = JSON.parse(row.patterns);
    this.#options = JSON.parse(row.options);
    this.#matcher = new NameMatcher(this.#patterns);
    this.#cursor = row.cursor;
    this.#again = decodeRanges(row.opened).reverse();
    this.#opened = new Set(this.#again);
    for (const { dead, jobs } of statements.counts.all(row.id)) {
      if (dead === 1) this.#dead = Number(jobs);
      else this.#waiting = Number(jobs);
    }
  }

  /** Its id in the database. */
  get id(): number {
    return this.#id;
  }

  /**
   * Changes its patterns and options.
   *
   * @param patterns The texts of the patterns.
   * @param options The options.
   * @param undo Takes it back.
   */
  configure(patterns: readonly string[], options: GroupOptions, undo: Undo): void {
    const [before, optionsBefore, matcher] = [this.#patterns, this.#options, this.#matcher];
    undo.add(() => [this.#patterns, this.#options, this.#matcher] = [before, optionsBefore, matcher]);
    this.#patterns = [...patterns];
    this.#options = options;
    this.#matcher = new NameMatcher(patterns);
    this.#statements.configure.run(JSON.stringify(patterns), JSON.stringify(options), this.#id);
  }

  /**
   * Takes jobs: see {@linkcode Store.pull}.
   *
   * @param most How many at most.
   * @param now The time, in milliseconds since 1970.
   */
  pull(most: number, now: number): Pulled {
    const jobs: Job[] = [];
    const hasMoreDue = this.#takeRetries(jobs, most, now);
    let expired = this.#takeOpened(jobs, most);
    expired += this.#takeNew(jobs, most);
    const { at } = this.#waiting > this.#retried.size ? this.#statements.nextAt.get(this.#id, now)! : { at: null };
    return {
      jobs,
      nextDue: at === null ? undefined : Number(at),
      hasMore: hasMoreDue || this.#again.length > 0 || this.#cursor < this.#log.lastPosition,
      expired,
    };
  }

  /** The jobs that have failed and are due; returns whether there may be more of them. */
  #takeRetries(jobs: Job[], most: number, now: number): boolean {
    if (this.#waiting === this.#retried.size) return false;
    const { dueUntil, job } = this.#statements;
    const due = dueUntil.all(this.#id, now, most + this.#retried.size) as unknown as Pick<JobRow, "position">[];
    let characters = 0;
    for (const { position } of due) {
      if (jobs.length === most || characters >= PULLED_CHARACTERS) return true;
      if (this.#retried.has(position)) continue;
      const { tries, record } = job.get(this.#id, position) as unknown as Pick<JobRow, "tries" | "record">;
      this.#retried.add(position);
      jobs.push({ key: position, tries, record: decoder.decode(record) });
      characters += record.length;
    }
    return due.length === most + this.#retried.size;
  }

  /** The jobs that were delivered before the broker ended; returns how many of them the log has no longer. */
  #takeOpened(jobs: Job[], most: number): number {
    let expired = 0;
    while (jobs.length < most && this.#again.length > 0) {
      const position = this.#again.pop()!;
      const block = position < this.#log.firstPosition ? undefined : this.#log.block(position);
      if (block !== undefined) jobs.push({ key: position, tries: 0, record: recordAt(block, position) });
      else {
        this.#opened.delete(position);
        expired++;
      }
    }
    return expired;
  }

  /** The next jobs of the log; returns how many events were deleted before they were looked at. */
  #takeNew(jobs: Job[], most: number): number {
    const expired = Math.max(0, this.#log.firstPosition - 1 - this.#cursor);
    this.#cursor += expired;
    for (let characters = 0; jobs.length < most && characters < PULLED_CHARACTERS;) {
      const record = this.#next();
      if (record === undefined) break;
      if (record === "") continue;
      this.#opened.add(this.#cursor);
      jobs.push({ key: this.#cursor, tries: 0, record });
      characters += record.length;
    }
    return expired;
  }

  /** Looks at the next event of the log: its record if it matches, else an empty text; undefined at the end of the log. */
  #next(): string | undefined {
    const position = this.#cursor + 1;
    const isWithin = this.#reading !== undefined && position < this.#reading.block.position + this.#reading.block.count;
    if (!isWithin) {
      const block = this.#log.block(position);
      if (block === undefined) return undefined;
      this.#reading = { block, offset: 0 };
      if (block.position < position) this.#skipTo(position);
    }
    const { block: { text }, offset } = this.#reading!;
    const end = text.indexOf("\n", offset);
    this.#cursor = position;
    this.#reading!.offset = end + 1;
    return this.#matcher.matches(text, offset) ? text.slice(offset, end) : "";
  }

  #skipTo(position: number): void {
    const { block } = this.#reading!;
    for (let at = block.position; at < position; at++) {
      this.#reading!.offset = block.text.indexOf("\n", this.#reading!.offset) + 1;
    }
  }

  #rowsUntil(dead: number, at: number, most: number): JobRow[] {
    return this.#statements.jobsUntil.all(this.#id, dead, at, most) as unknown as JobRow[];
  }

  /**
   * Settles jobs that were taken. Keys of others are ignored.
   *
   * @param operation Which jobs, and how.
   * @param undo Takes it back.
   */
  settle({ done, again, dead }: Operation & { do: "settle" }, undo: Undo): void {
    const [opened, retried]: [number[], number[]] = [[], []];
    const counts = [this.#waiting, this.#dead];
    undo.add(() => {
      for (const position of opened) this.#opened.add(position);
      for (const position of retried) this.#retried.add(position);
      [this.#waiting, this.#dead] = counts;
    });
    const close = (position: number): boolean => {
      if (this.#opened.delete(position)) opened.push(position);
      else if (this.#retried.delete(position)) {
        retried.push(position);
        this.#deleteJob(position);
      } else return false;
      return true;
    };
    for (const position of done) close(position);
    for (const job of again) if (close(job.key)) this.#putJob(job, 0);
    for (const job of dead) if (close(job.key)) this.#putJob(job, 1);
    this.#save();
  }

  #deleteJob(position: number): void {
    this.#statements.deleteJob.run(this.#id, position);
    this.#waiting--;
  }

  #putJob({ key, at, tries, why, record }: FailedJob, dead: 0 | 1): void {
    this.#statements.putJob.run(this.#id, key, dead, at, tries, encoder.encode(why), encoder.encode(record));
    if (dead === 1) this.#dead++;
    else this.#waiting++;
  }

  #save(): void {
    this.#statements.save.run(this.#cursor, encodeRanges(this.#opened), this.#id);
  }

  /**
   * Has dead jobs delivered again.
   *
   * @param id The id of the event of one job; undefined for all.
   * @param at When they are due, in milliseconds since 1970.
   * @param undo Takes it back.
   * @returns How many there are.
   */
  kick(id: string | undefined, at: number, undo: Undo): number {
    const { kickAll, kickOne } = this.#statements;
    const { changes } = id === undefined ? kickAll.run(at, this.#id) : kickOne.run(at, this.#id, encoder.encode(id));
    const kicked = Number(changes);
    undo.add(() => [this.#waiting, this.#dead] = [this.#waiting - kicked, this.#dead + kicked]);
    [this.#waiting, this.#dead] = [this.#waiting + kicked, this.#dead - kicked];
    return kicked;
  }

  /**
   * Discards jobs: those that are dead, or those that are not delivered now.
   *
   * @param state Which of them.
   * @param undo Takes it back.
   * @returns How many were known, and events of the log that were not looked at.
   */
  purge(state: "ready" | "dead", undo: Undo): number {
    const { purge } = this.#statements;
    const isDead = state === "dead";
    const delivered = JSON.stringify(isDead ? [] : [...this.#retried]);
    const purged = Number(purge.run(this.#id, Number(isDead), delivered).changes);
    const counts = [this.#waiting, this.#dead];
    undo.add(() => [this.#waiting, this.#dead] = counts);
    if (isDead) {
      this.#dead -= purged;
      return purged;
    }
    this.#waiting -= purged;
    return purged + this.#skipAll(undo);
  }

  /** Looks at nothing that the log has now; returns how many events and jobs that are. */
  #skipAll(undo: Undo): number {
    const [cursor, again] = [this.#cursor, this.#again];
    undo.add(() => {
      [this.#cursor, this.#again] = [cursor, again];
      for (const position of again) this.#opened.add(position);
    });
    for (const position of again) this.#opened.delete(position);
    this.#again = [];
    this.#cursor = this.#log.lastPosition;
    this.#save();
    return again.length + this.#cursor - cursor;
  }

  /**
   * Shows jobs: see {@linkcode Store.peek}.
   *
   * @param state Which jobs.
   * @param most How many at most.
   * @param now The time, in milliseconds since 1970.
   */
  peek(state: "ready" | "delayed" | "dead", most: number, now: number): PeekedJob[] {
    if (state === "dead") return this.#rowsUntil(1, Number.MAX_SAFE_INTEGER, most).map(peeked);
    if (state === "delayed") {
      return (this.#statements.jobsAfter.all(this.#id, 0, now, most) as unknown as JobRow[]).map(peeked);
    }
    const rows = this.#rowsUntil(0, now, most + this.#retried.size).filter(({ position }) =>
      !this.#retried.has(position)
    );
    return [...rows.slice(0, most).map(peeked), ...this.#peekLog(most - rows.length)];
  }

  /** The next jobs of the log, which stay there. */
  #peekLog(most: number): PeekedJob[] {
    const shown: PeekedJob[] = [];
    const show = (block: ReadBlock, position: number) => {
      const record = recordAt(block, position);
      if (this.#matcher.matches(record, 0)) shown.push({ tries: 0, at: undefined, why: "", record });
    };
    for (const position of this.#again.toReversed()) {
      const block = shown.length < most && position >= this.#log.firstPosition && this.#log.block(position);
      if (block) show(block, position);
    }
    let position = Math.max(this.#cursor + 1, this.#log.firstPosition);
    for (let block = this.#log.block(position); block && shown.length < most; block = this.#log.block(position)) {
      for (; position < block.position + block.count && shown.length < most; position++) show(block, position);
    }
    return shown;
  }

  /**
   * What there is to tell of it.
   *
   * @param now The time, in milliseconds since 1970.
   */
  describe(now: number): GroupInfo {
    const due = this.#waiting === 0 ? 0 : Number(this.#statements.countUntil.get(this.#id, now)!.jobs);
    return {
      group: this.#name,
      patterns: this.#patterns,
      options: this.#options,
      lag: this.#log.lastPosition - Math.max(this.#cursor, this.#log.firstPosition - 1),
      ready: due - this.#retried.size + this.#again.length,
      inFlight: this.#retried.size + this.#opened.size - this.#again.length,
      delayed: this.#waiting - due,
      dead: this.#dead,
      last: this.#log.idAt(this.#cursor),
    };
  }
}

function peeked({ at, tries, why, record }: JobRow): PeekedJob {
  return { at, tries, why: decoder.decode(why), record: decoder.decode(record) };
}
