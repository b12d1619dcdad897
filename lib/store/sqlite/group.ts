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
import type { FailedJob, GroupInfo, GroupOptions, Job, Operation, PeekedJob, Pulled, Purged } from "../store.ts";
import { type GroupRow, type GroupStatements, type JobRow, ROWS } from "./group_statements.ts";
import type { Log } from "./log.ts";
import { decodeRanges, encodeRanges } from "./ranges.ts";
import { RecordReader } from "./record_reader.ts";
import { attempt } from "./damage.ts";
import { seal, unseal } from "./seal.ts";
import { ID_CHARACTERS } from "../record.ts";
import { NameMatcher } from "../records.ts";
import type { Undo } from "./undo.ts";

/** How much one call may still look at: what is left of it is taken by the next call. */
export interface Budget {
  /** UTF-16 code units of records. */
  characters: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A group of a store. */
export class Group {
  readonly #id: number;
  readonly #name: string;
  readonly #log: Log;
  readonly #statements: GroupStatements;
  #patterns: string[];
  #options: GroupOptions;
  #matcher: NameMatcher;
  /** Up to where it has looked at the log, and up to where the database says so. */
  #cursor: number;
  #savedCursor: number;
  /** Looks at the log. */
  readonly #reader: RecordReader;
  /** The positions of its jobs up to the cursor that are not settled and have no row. */
  readonly #opened: Set<number>;
  /** Those of them that are not delivered now, because the broker ended or nobody was there: the last one first. */
  #again: number[];
  /** The positions of the jobs with a row that are delivered now, and when they were due. */
  readonly #retried = new Map<number, number>();
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
    this.#reader = new RecordReader(log);
    this.#statements = statements;
    this.#patterns = JSON.parse(row.patterns);
    this.#options = JSON.parse(row.options);
    this.#matcher = new NameMatcher(this.#patterns);
    this.#cursor = this.#savedCursor = row.cursor;
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
   * @param budget How much is looked at; what that was is taken from it.
   */
  pull(most: number, now: number, budget: Budget): Pulled {
    const jobs: Job[] = [];
    let [hasMoreDue, expired] = [true, 0];
    try {
      hasMoreDue = this.#takeRetries(jobs, most, now, budget);
      expired += this.#takeOpened(jobs, most, budget);
      expired += this.#takeNew(jobs, most, budget);
    } catch (error) {
      if (jobs.length === 0) throw error; // What was taken before is delivered; the next call tells the error.
    }
    const { at } = this.#waiting > this.#retried.size ? this.#statements.nextAt.get(this.#id, now)! : { at: null };
    return {
      jobs,
      nextDue: at === null ? undefined : Number(at),
      hasMore: hasMoreDue || this.#again.length > 0 || this.#cursor < this.#log.lastPosition,
      expired,
    };
  }

  /** The jobs that have failed and are due; returns whether there may be more of them. */
  #takeRetries(jobs: Job[], most: number, now: number, budget: Budget): boolean {
    if (this.#waiting === this.#retried.size) return false;
    const delivered = this.#retried.size;
    const due = this.#positions("ready", now, most);
    for (const position of due) {
      if (jobs.length === most || budget.characters <= 0) return true;
      if (this.#retried.has(position)) continue;
      const { at, tries, record } = this.#statements.job.get(this.#id, position) as unknown as JobRow;
      jobs.push({ key: position, tries, record: unseal(record, `a job of the group ${this.#name}`) });
      this.#retried.set(position, at);
      budget.characters -= record.length;
    }
    return due.length === most + delivered;
  }

  /** The positions of jobs with a row: so many that are not delivered, and all that are. */
  #positions(state: keyof typeof ROWS, now: number, most: number): number[] {
    const rows = this.#statements.positions.all(this.#id, ...ROWS[state](now), most + this.#retried.size);
    return rows.map(({ position }) => Number(position));
  }

  /** The jobs that were taken before and are not delivered; returns how many of them the log has no longer. */
  #takeOpened(jobs: Job[], most: number, budget: Budget): number {
    let expired = 0;
    const reader = new RecordReader(this.#log);
    while (jobs.length < most && budget.characters > 0 && this.#again.length > 0) {
      const position = this.#again.at(-1)!;
      const isThere = reader.seek(position);
      this.#again.pop();
      if (isThere) {
        jobs.push({ key: position, tries: 0, record: reader.record });
        budget.characters -= reader.characters;
      } else {
        this.#opened.delete(position);
        expired++;
      }
    }
    return expired;
  }

  /** The next jobs of the log; returns how many events were deleted before they were looked at. */
  #takeNew(jobs: Job[], most: number, budget: Budget): number {
    const expired = Math.max(0, this.#log.firstPosition - 1 - this.#cursor);
    this.#cursor += expired;
    while (jobs.length < most && budget.characters > 0 && this.#reader.seek(this.#cursor + 1)) {
      this.#cursor++;
      budget.characters -= this.#reader.characters;
      if (!this.#reader.matches(this.#matcher)) continue;
      this.#opened.add(this.#cursor);
      jobs.push({ key: this.#cursor, tries: 0, record: this.#reader.record });
    }
    return expired;
  }

  /**
   * Takes jobs back that were taken and not delivered.
   *
   * @param keys Their keys.
   */
  giveBack(keys: readonly number[]): void {
    for (const key of keys) if (!this.#retried.delete(key)) this.#again.push(key);
    this.#again.sort((a, b) => b - a);
  }

  /**
   * Settles jobs that were taken. Keys of others are ignored.
   *
   * @param operation Which jobs, and how.
   * @param undo Takes it back.
   */
  settle({ done, again, dead }: Operation & { do: "settle" }, undo: Undo): void {
    const opened: number[] = [];
    const retried = new Map<number, number>();
    const counts = [this.#waiting, this.#dead];
    undo.add(() => {
      for (const position of opened) this.#opened.add(position);
      for (const [position, at] of retried) this.#retried.set(position, at);
      [this.#waiting, this.#dead] = counts;
    });
    const close = (position: number): boolean => {
      const at = this.#retried.get(position);
      if (this.#opened.delete(position)) opened.push(position);
      else if (at !== undefined) {
        this.#retried.delete(position);
        retried.set(position, at);
        this.#deleteJob(position);
      } else return false;
      return true;
    };
    for (const position of done) close(position);
    for (const job of again) if (close(job.key)) this.#putJob(job, 0);
    for (const job of dead) if (close(job.key)) this.#putJob(job, 1);
    this.#save(undo);
  }

  #deleteJob(position: number): void {
    this.#statements.deleteJob.run(this.#id, position);
    this.#waiting--;
  }

  #putJob({ key, at, tries, why, record }: FailedJob, dead: 0 | 1): void {
    this.#statements.putJob.run(this.#id, key, dead, at, tries, encoder.encode(why), seal(record));
    if (dead === 1) this.#dead++;
    else this.#waiting++;
  }

  #save(undo: Undo): void {
    const saved = this.#savedCursor;
    undo.add(() => this.#savedCursor = saved);
    this.#savedCursor = this.#cursor;
    this.#statements.save.run(this.#cursor, encodeRanges(this.#opened), this.#id);
  }

  /**
   * Writes up to where it has looked at the log, of which the oldest part is deleted: when the store is opened again, that
   * must not seem to have been deleted before the group looked at it.
   *
   * @param undo Takes it back.
   */
  saveCursor(undo: Undo): void {
    if (this.#savedCursor < this.#cursor) this.#save(undo);
  }

  /**
   * Has dead jobs delivered again.
   *
   * @param id The id of the event of one job; undefined for all.
   * @param undo Takes it back.
   * @returns How many there are.
   */
  kick(id: string | undefined, undo: Undo): number {
    const { kickAll, kickOne } = this.#statements;
    const { changes } = id === undefined ? kickAll.run(this.#id) : kickOne.run(this.#id, encoder.encode(id));
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
   * @returns How many there were, and how many events of the log were not looked at.
   */
  purge(state: "ready" | "dead", undo: Undo): Purged {
    const { purge } = this.#statements;
    const isDead = state === "dead";
    const delivered = JSON.stringify(isDead ? [] : [...this.#retried.keys()]);
    const jobs = Number(purge.run(this.#id, Number(isDead), delivered).changes);
    const counts = [this.#waiting, this.#dead];
    undo.add(() => [this.#waiting, this.#dead] = counts);
    if (isDead) {
      this.#dead -= jobs;
      return { jobs, events: 0 };
    }
    this.#waiting -= jobs;
    return this.#skipAll(jobs, undo);
  }

  /** Looks at nothing that the log has now. */
  #skipAll(jobs: number, undo: Undo): Purged {
    const [cursor, again, before] = [this.#cursor, this.#again, this.#log.firstPosition - 1];
    undo.add(() => {
      [this.#cursor, this.#again] = [cursor, again];
      for (const position of again) this.#opened.add(position);
    });
    for (const position of again) this.#opened.delete(position);
    this.#again = [];
    this.#cursor = this.#log.lastPosition;
    this.#save(undo);
    return { jobs: jobs + again.length, events: this.#cursor - Math.max(cursor, before) };
  }

  /**
   * Shows jobs: see {@linkcode Store.peek}.
   *
   * @param state Which jobs.
   * @param most How many at most.
   * @param now The time, in milliseconds since 1970.
   * @param budget How much is looked at.
   */
  peek(state: "ready" | "delayed" | "dead", most: number, now: number, budget: Budget): PeekedJob[] {
    const shown: PeekedJob[] = [];
    for (const position of this.#positions(state, now, most)) {
      if (shown.length === most || budget.characters <= 0) break;
      if (this.#retried.has(position)) continue;
      const row = this.#statements.job.get(this.#id, position) as unknown as JobRow;
      shown.push(peeked(row));
      budget.characters -= row.record.length;
    }
    if (state === "ready") this.#peekLog(shown, most, budget);
    return shown;
  }

  /** The next jobs of the log, which stay there. */
  #peekLog(shown: PeekedJob[], most: number, budget: Budget): void {
    const reader = new RecordReader(this.#log);
    const show = (isJob: boolean) => {
      if (isJob) shown.push({ tries: 0, at: undefined, why: "", record: reader.record });
      budget.characters -= reader.characters;
    };
    const isFull = () => shown.length >= most || budget.characters <= 0;
    for (const position of this.#again.toReversed()) if (!isFull() && reader.seek(position)) show(true);
    let position = Math.max(this.#cursor + 1, this.#log.firstPosition);
    while (!isFull() && reader.seek(position++)) show(reader.matches(this.#matcher));
  }

  /**
   * Shows a dead job.
   *
   * @param id The id of its event.
   * @returns The job, if it is there.
   */
  peekDead(id: string): PeekedJob[] {
    const row = this.#statements.deadJob.get(this.#id, encoder.encode(id)) as unknown as JobRow | undefined;
    return row === undefined ? [] : [peeked(row)];
  }

  /**
   * What there is to tell of it.
   *
   * @param now The time, in milliseconds since 1970.
   */
  describe(now: number): GroupInfo {
    const due = this.#waiting === 0 ? 0 : Number(this.#statements.countUntil.get(this.#id, now)!.jobs);
    let dueRetried = 0; // The clock may have been set back meanwhile.
    for (const at of this.#retried.values()) dueRetried += Number(at <= now);
    return {
      group: this.#name,
      patterns: this.#patterns,
      options: this.#options,
      lag: this.#log.lastPosition - Math.max(this.#cursor, this.#log.firstPosition - 1),
      ready: due - dueRetried + this.#again.length,
      inFlight: this.#retried.size + this.#opened.size - this.#again.length,
      delayed: this.#waiting - due - (this.#retried.size - dueRetried),
      dead: this.#dead,
      last: this.#lastId(),
    };
  }

  /** The id of the last event that it has looked at, if the log has it. */
  #lastId(): string | undefined {
    if (this.#cursor === this.#log.lastPosition) return this.#log.info.last;
    const reader = new RecordReader(this.#log);
    const isThere = attempt(() => reader.seek(this.#cursor)) ?? false;
    return isThere ? reader.record.slice(0, ID_CHARACTERS) : undefined;
  }
}

function peeked({ at, tries, why, record }: JobRow): PeekedJob {
  return { at: at === 0 ? undefined : at, tries, why: decoder.decode(why), record: unseal(record, "a job") };
}
