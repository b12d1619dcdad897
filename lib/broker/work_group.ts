/**
 * One group at work: which member gets which job, and what becomes of jobs that are not acknowledged. The store knows which
 * jobs there are; here is decided who does them, when they are delivered again, and when they are dead.
 *
 * @module
 */
import type { MqError, ProtocolError } from "../protocol/errors.ts";
import type { MemoryBudget } from "../net/memory.ts";
import type { FailedJob, GroupOptions, Job, Operation, Pulled, PullRequest } from "../store/store.ts";
import type { Connection } from "./connection.ts";
import { JobQueue } from "./job_queue.ts";
import type { Waiter } from "./journal.ts";
import { type Member, Members } from "./members.ts";

/** How many jobs wait here for a member at most: to take them from the store one by one would be slow. */
const MAX_WAITING = 1024;

/** More are taken from the store while those that wait have fewer UTF-16 code units. */
const MAX_WAITING_CHARACTERS = 256 * 1024;

/** A member is given more than one only if the budget of memory has so much: about what the store gives at once. */
const PULLED_BYTES = 2 * 1024 * 1024;

/** When to look whether others have given memory back, in milliseconds. */
const MEMORY_WAIT_MS = 200;

/** The store is asked that often for delayed jobs, whatever it has said: the clock may have been set. In milliseconds. */
const MAX_WAIT_MS = 60_000;

/** A job that was delivered to a member and is not settled. */
export interface Delivery {
  /** The group. */
  readonly group: WorkGroup;
  /** Who has it. */
  readonly member: Member;
  /** The job. */
  readonly job: Job;
  /** The number by which the member settles it. */
  readonly number: number;
  /** When it is delivered again if it is not acknowledged, by the monotonic clock, in milliseconds. */
  deadline: number;
}

/** What a {@linkcode WorkGroup} works with. */
export interface WorkGroupOptions {
  /** Counts the jobs that wait for a member. */
  readonly memory: MemoryBudget;
  /** Takes jobs from the store. */
  pull(request: PullRequest): Promise<Pulled>;
  /** Gives jobs back that were taken and not delivered. */
  giveBack(group: string, jobs: readonly Job[]): void;
  /** Adds a change to the next transaction. */
  operate(operation: Operation, waiter?: Waiter): void;
  /** The transaction that gathers now. */
  readonly transaction: () => object;
  /** Whether the store works, as far as is known: a job that cannot be settled must not be delivered. */
  readonly canSettle: () => boolean;
  /** Sends jobs to a member, with the numbers from the first one's on. */
  send(group: WorkGroup, member: Member, jobs: readonly Job[], first: number): void;
  /** Publishes that a job is dead, in the turn in which the transaction with that is made. */
  died(group: WorkGroup, job: FailedJob): void;
  /** Tells that jobs are dead, once that is on disk. */
  told(group: WorkGroup, job: FailedJob): void;
  /** Tells that jobs cannot be read. */
  unreadable(error: MqError): void;
  /** Tells that events were deleted before the group could look at them. */
  expired(group: WorkGroup, events: number): void;
}

/** The jobs that one transaction settles. */
interface Settlement {
  readonly operation: Operation & { done: number[]; again: FailedJob[]; dead: FailedJob[] };
  readonly waiters: Waiter[];
  /** The jobs, to be delivered again if the transaction fails. */
  readonly jobs: Job[];
}

/** A group of a broker. */
export class WorkGroup {
  /** Its name. */
  readonly name: string;
  /** The patterns of the events that are its jobs. */
  patterns: readonly string[];
  /** How long a member has for a job, and how often it is delivered. */
  options: GroupOptions;
  readonly #with: WorkGroupOptions;
  readonly #members = new Members(() => this.distribute());
  /** The jobs that wait for a member. */
  readonly #waiting: JobQueue;
  /** The deliveries, by their deadlines. */
  readonly #deliveries = new Set<Delivery>();
  /** Settles when what is taken from the store now has come; undefined if nothing is. */
  #pulling: Promise<void> | undefined;
  /** Whether no jobs are taken or delivered for the moment. */
  #isHeld = false;
  /** Whether the store may have jobs that were not taken yet. */
  #mayHaveMore = true;
  #settlement: { transaction: object; settlement: Settlement } | undefined;
  #dueTimer: ReturnType<typeof setTimeout> | undefined;
  #deadlineTimer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Makes a group without members.
   *
   * @param name Its name.
   * @param patterns The patterns of the events that are its jobs.
   * @param options Its options.
   * @param parts What it works with.
   */
  constructor(name: string, patterns: readonly string[], options: GroupOptions, parts: WorkGroupOptions) {
    this.name = name;
    this.patterns = patterns;
    this.options = options;
    this.#with = parts;
    this.#waiting = new JobQueue(parts.memory, () => this.#giveBack());
  }

  /** Its members. */
  get members(): readonly Member[] {
    return this.#members.all;
  }

  /** How many jobs were taken from the store and are not delivered. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Adds a member. It gets no jobs before it has been told that it is one.
   *
   * @param connection The connection.
   * @param ahead How many jobs it may have at once.
   * @returns The member.
   */
  join(connection: Connection, ahead: number): Member {
    return this.#members.add(connection, ahead);
  }

  /**
   * A member has been told that it is one.
   *
   * @param member The member.
   */
  told(member: Member): void {
    member.isTold = true;
    this.wake(); // While there was no member, nothing has waited for the delayed jobs.
  }

  /**
   * Removes a member that leaves; others get its jobs at once, as if they had not been delivered to it.
   *
   * @param member The member.
   */
  leave(member: Member): void {
    this.#remove(member);
    const jobs = Array.from(member.deliveries, ({ job }) => job);
    for (const delivery of [...member.deliveries]) this.#forget(delivery);
    this.#waiting.push([...jobs, ...this.#waiting.takeAll()].sort((a, b) => a.key - b.key));
    this.distribute();
  }

  /**
   * Removes a member whose connection has ended; others get its jobs at once, and they count as tried: it may have been one
   * of them that ended it.
   *
   * @param member The member.
   * @param isDraining Whether the broker has ended it: then they do not count.
   */
  lost(member: Member, isDraining: boolean): void {
    this.#remove(member);
    for (const delivery of [...member.deliveries]) {
      if (isDraining) this.#forget(delivery);
      else this.fail(delivery, 0, "The connection of its member has ended");
    }
    queueMicrotask(() => this.distribute()); // It may have ended because jobs were sent to it: that goes on first.
  }

  #remove(member: Member): void {
    this.#members.remove(member);
    if (this.#members.size === 0) this.#stopTimers();
  }

  #stopTimers(): void {
    clearTimeout(this.#dueTimer);
    clearTimeout(this.#deadlineTimer);
    this.#dueTimer = this.#deadlineTimer = undefined;
  }

  /** The store may have more jobs: something was published, or is to be delivered again. */
  wake(): void {
    this.#mayHaveMore = true;
    if (this.#members.size > 0) this.distribute();
  }

  /**
   * Has no jobs taken or delivered while something is done. Those that wait for a member are given back before.
   *
   * @param act What is done.
   * @returns What it comes to.
   */
  async hold<T>(act: () => Promise<T>): Promise<T> {
    this.#isHeld = true;
    try {
      await this.#pulling;
      this.#giveBack();
      return await act();
    } finally {
      this.#isHeld = false;
      this.distribute();
    }
  }

  #giveBack(): void {
    const jobs = this.#waiting.takeAll();
    if (jobs.length === 0) return;
    this.#with.giveBack(this.name, jobs);
    this.#mayHaveMore = true;
  }

  /** Gives members jobs as far as they may have more, in turns. */
  distribute(): void {
    if (this.#members.size === 0) return this.#giveBack();
    if (this.#isHeld || !this.#with.canSettle()) return; // It is woken when the store works again.
    this.#members.share(this.#waiting, (member, jobs) => this.#deliver(member, jobs));
    const affordable = this.#countAffordable();
    const most = Math.min(this.#members.countRoom(), MAX_WAITING, affordable) - this.#waiting.length;
    if (affordable === 0) return this.#wakeAt(Date.now() + MEMORY_WAIT_MS);
    const wantsMore = this.#mayHaveMore && most > 0 && this.#waiting.heldBytes < MAX_WAITING_CHARACTERS;
    if (wantsMore) this.#pulling ??= this.#pull(most);
  }

  /** How many jobs there is memory for; where there is little, each member has one. */
  #countAffordable(): number {
    if (this.#with.memory.fits(PULLED_BYTES)) return Infinity;
    return this.#members.countIdle();
  }

  async #pull(most: number): Promise<void> {
    this.#mayHaveMore = false;
    try {
      const { jobs, nextDue, hasMore, expired } = await this.#with.pull({ group: this.name, most });
      this.#waiting.push(jobs);
      this.#mayHaveMore ||= hasMore;
      this.#wakeAt(nextDue);
      if (expired > 0) this.#with.expired(this, expired);
    } catch (error) {
      this.#with.unreadable(error as MqError); // When something is stored, or the store is mended, this is tried again.
    }
    this.#pulling = undefined;
    this.distribute();
  }

  #wakeAt(nextDue: number | undefined): void {
    clearTimeout(this.#dueTimer);
    if (nextDue === undefined || this.#members.size === 0) return;
    const ms = Math.min(Math.max(nextDue - Date.now(), 1), MAX_WAIT_MS);
    this.#dueTimer = setTimeout(() => this.wake(), ms);
  }

  #deliver(member: Member, jobs: readonly Job[]): void {
    const first = member.connection.numberJobs(jobs.length);
    const deadline = performance.now() + this.options.ackMs;
    for (const [index, job] of jobs.entries()) {
      const delivery: Delivery = { group: this, member, job, number: first + index, deadline };
      member.deliveries.add(delivery);
      member.connection.jobs.set(delivery.number, delivery);
      member.connection.hold(job.record.length);
      this.#deliveries.add(delivery);
    }
    if (this.#deadlineTimer === undefined) this.#watchDeadlines();
    this.#with.send(this, member, jobs, first); // At last: the connection may end for it.
  }

  #watchDeadlines(): void {
    clearTimeout(this.#deadlineTimer);
    this.#deadlineTimer = undefined;
    const [next] = this.#deliveries;
    if (next === undefined) return;
    const ms = Math.max(next.deadline - performance.now(), 1); // No more than a day.
    this.#deadlineTimer = setTimeout(() => this.#expire(), ms);
  }

  #expire(): void {
    const now = performance.now();
    for (const delivery of this.#deliveries) {
      if (delivery.deadline > now) break;
      this.fail(delivery, 0, `It was not acknowledged within ${this.options.ackMs} ms`);
    }
    this.#watchDeadlines();
  }

  /**
   * Gives a member more time for a job: as much as at its beginning.
   *
   * @param delivery The job.
   */
  touch(delivery: Delivery): void {
    delivery.deadline = performance.now() + this.options.ackMs;
    this.#deliveries.delete(delivery);
    this.#deliveries.add(delivery);
  }

  /**
   * A job is done.
   *
   * @param delivery The job.
   * @param waiter Is told when that is on disk.
   */
  done(delivery: Delivery, waiter?: Waiter): void {
    this.#forget(delivery);
    this.#settle(delivery.job, waiter).operation.done.push(delivery.job.key);
  }

  /**
   * A job is not done: it is delivered again, or dead if that has been done too often.
   *
   * @param delivery The job.
   * @param delayMs After how many milliseconds it is delivered again.
   * @param why Why, in words for people.
   * @param waiter Is told when that is on disk.
   */
  fail(delivery: Delivery, delayMs: number, why: string, waiter?: Waiter): void {
    if (delivery.job.tries + 1 >= this.options.tries) return this.bury(delivery, why, waiter);
    this.#forget(delivery);
    const failed = failedJob(delivery.job, delayMs === 0 ? 0 : Date.now() + delayMs, why);
    this.#settle(delivery.job, waiter).operation.again.push(failed);
  }

  /**
   * A job is dead, however often it was delivered.
   *
   * @param delivery The job.
   * @param why Why, in words for people.
   * @param waiter Is told when that is on disk.
   */
  bury(delivery: Delivery, why: string, waiter?: Waiter): void {
    this.#forget(delivery);
    const dead = failedJob(delivery.job, Date.now(), why);
    this.#settle(delivery.job, waiter).operation.dead.push(dead);
    this.#with.died(this, dead);
  }

  /** The job is not the member's any more. */
  #forget(delivery: Delivery): void {
    this.#deliveries.delete(delivery);
    delivery.member.deliveries.delete(delivery);
    delivery.member.connection.jobs.delete(delivery.number);
    delivery.member.connection.hold(-delivery.job.record.length);
  }

  /** What the transaction settles that gathers now: one change for all jobs of the group. */
  #settle(job: Job, waiter: Waiter | undefined): Settlement {
    const transaction = this.#with.transaction();
    const known = this.#settlement?.transaction === transaction ? this.#settlement.settlement : undefined;
    const settlement = known ?? this.#beginSettlement();
    this.#settlement = { transaction, settlement };
    settlement.jobs.push(job);
    if (waiter !== undefined) settlement.waiters.push(waiter);
    return settlement;
  }

  #beginSettlement(): Settlement {
    const settlement: Settlement = {
      operation: { do: "settle", group: this.name, done: [], again: [], dead: [] },
      waiters: [],
      jobs: [],
    };
    this.#with.operate(settlement.operation, { settled: (error) => this.#settled(settlement, error) });
    return settlement;
  }

  /** If it could not be written, the store has the jobs as delivered: they are delivered again. */
  #settled(settlement: Settlement, error: ProtocolError | undefined): void {
    const { operation, waiters, jobs } = settlement;
    if (this.#settlement?.settlement === settlement) this.#settlement = undefined;
    if (error !== undefined) this.#waiting.push(jobs);
    else for (const job of operation.dead) this.#with.told(this, job);
    for (const waiter of waiters) waiter.settled(error, undefined);
    if (error === undefined && operation.again.length > 0) this.#mayHaveMore = true;
    this.distribute();
  }
}

function failedJob({ key, tries, record }: Job, at: number, why: string): FailedJob {
  return { key, tries: tries + 1, at, why, record };
}
