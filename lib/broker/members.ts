/**
 * The members of a group: which of them gets the next job. They take turns, and none gets more than it may have, and than its
 * write queue has room for.
 *
 * @module
 */
import type { Job } from "../store/store.ts";
import type { Connection } from "./connection.ts";
import type { JobQueue } from "./job_queue.ts";
import type { Delivery } from "./work_group.ts";

/** Jobs are sent to a member as long as fewer bytes wait in its write queue, and all fits its limit. */
const MAX_QUEUED_BYTES = 256 * 1024;

/** How much the line of a job is longer than its record, about. */
const JOB_BYTES = 100;

/** A connection in a group. */
export interface Member {
  /** The connection. */
  readonly connection: Connection;
  /** How many jobs it may have at once. */
  readonly ahead: number;
  /** The jobs that it has. */
  readonly deliveries: Set<Delivery>;
  /** Whether it has been told that it is a member: only then it gets jobs. */
  isTold: boolean;
  /** Whether it gets more jobs as soon as what is queued for it has been written. */
  waitsForQueue: boolean;
}

/** The jobs that a member is to be sent, and how many bytes they have. */
interface Given {
  readonly jobs: Job[];
  bytes: number;
}

/** The members of one group. */
export class Members {
  /** The first one is the next to get a job. */
  #members: Member[] = [];
  readonly #onRoom: () => void;

  /**
   * Makes it without members.
   *
   * @param onRoom Called when a member may have jobs again whose write queue had no room for them.
   */
  constructor(onRoom: () => void) {
    this.#onRoom = onRoom;
  }

  /** The members, the one that is the next to get a job first. */
  get all(): readonly Member[] {
    return this.#members;
  }

  /** How many there are. */
  get size(): number {
    return this.#members.length;
  }

  /**
   * Adds a member. It gets no jobs before it has been told that it is one.
   *
   * @param connection The connection.
   * @param ahead How many jobs it may have at once.
   * @returns The member.
   */
  add(connection: Connection, ahead: number): Member {
    const member: Member = { connection, ahead, deliveries: new Set(), isTold: false, waitsForQueue: false };
    this.#members.push(member);
    return member;
  }

  /**
   * Removes a member.
   *
   * @param member The member.
   */
  remove(member: Member): void {
    this.#members = this.#members.filter((other) => other !== member);
  }

  /**
   * Takes jobs from a queue, as far as members can have them.
   *
   * @param queue The jobs.
   * @param deliver Delivers jobs to a member.
   */
  share(queue: JobQueue, deliver: (member: Member, jobs: readonly Job[]) => void): void {
    const given = new Map<Member, Given>();
    const full = new Set<Member>();
    while (queue.length > 0) {
      const bytes = queue.firstBytes + JOB_BYTES;
      const member = this.#next(bytes, given, full);
      if (member === undefined) break;
      const own = given.get(member) ?? { jobs: [], bytes: 0 };
      given.set(member, own);
      own.jobs.push(queue.shift());
      own.bytes += bytes;
    }
    for (const [member, { jobs }] of given) deliver(member, jobs);
    for (const member of full) this.#awaitQueue(member);
  }

  /** The next member that can take a job of some bytes; the members that only lack room for them are added to `full`. */
  #next(bytes: number, given: ReadonlyMap<Member, Given>, full: Set<Member>): Member | undefined {
    for (let left = this.#members.length; left > 0; left--) {
      const member = this.#members.shift()!;
      this.#members.push(member);
      const own = given.get(member);
      if (!takesJobs(member) || member.deliveries.size + (own?.jobs.length ?? 0) >= member.ahead) continue;
      if (hasRoom(member, own?.bytes ?? 0, bytes)) return member;
      full.add(member);
    }
    return undefined;
  }

  /** How many jobs members that take some have room for, and as many again. */
  countRoom(): number {
    let room = 0;
    for (const member of this.#members) {
      if (takesJobs(member)) room += 2 * member.ahead - member.deliveries.size;
      else if (member.connection.queue.queuedBytes >= MAX_QUEUED_BYTES) this.#awaitQueue(member);
    }
    return room;
  }

  /** How many members have no job. */
  countIdle(): number {
    return this.#members.filter(({ deliveries }) => deliveries.size === 0).length;
  }

  /** What is queued for a member, be it jobs or anything else, may be why it gets none now. */
  #awaitQueue(member: Member): void {
    const { connection: { queue, ended } } = member;
    if (member.waitsForQueue || ended) return;
    member.waitsForQueue = true;
    void queue.drained().then((isOpen) => {
      member.waitsForQueue = false;
      if (isOpen) this.#onRoom();
    });
  }
}

/** Whether jobs can be sent to a member now, as far as it may have more. */
function takesJobs({ connection: { ended, hasQuit, queue }, isTold }: Member): boolean {
  return isTold && !ended && !hasQuit && queue.queuedBytes < MAX_QUEUED_BYTES;
}

/** Whether jobs fit the write queue of a member besides those that it is given: an empty queue takes any job. */
function hasRoom({ connection: { queue } }: Member, givenBytes: number, bytes: number): boolean {
  const waiting = queue.queuedBytes + givenBytes;
  return waiting === 0 || waiting + bytes <= Math.min(MAX_QUEUED_BYTES, queue.limitBytes);
}
