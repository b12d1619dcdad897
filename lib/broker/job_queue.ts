/**
 * Jobs of a group that wait for a member. They count for the budget of memory, and go back to the store when it is used up.
 *
 * @module
 */
import type { Holder, MemoryBudget } from "../net/memory.ts";
import { byteLength, MAX_UTF8_BYTES } from "../protocol/text.ts";
import type { Job } from "../store/store.ts";

/** Up to this length, in UTF-16 code units, the bytes of a record are not counted, but are taken to be as many as can be. */
const SHORT_CHARACTERS = 1024;

/** The jobs of one group that wait for a member. */
export class JobQueue implements Holder {
  readonly #memory: MemoryBudget;
  readonly #onEvict: () => void;
  #jobs: Job[] = [];
  #characters = 0;

  /**
   * Makes an empty queue.
   *
   * @param memory The budget.
   * @param onEvict Is to give the jobs back, since the budget is used up.
   */
  constructor(memory: MemoryBudget, onEvict: () => void) {
    this.#memory = memory;
    this.#onEvict = onEvict;
  }

  /** How many jobs wait. */
  get length(): number {
    return this.#jobs.length;
  }

  /** The size of their records, in UTF-16 code units. */
  get heldBytes(): number {
    return this.#characters;
  }

  /** The size of the record of the next job, of which there is to be one, in bytes; a short one may have less. */
  get firstBytes(): number {
    const [{ record }] = this.#jobs;
    return record.length <= SHORT_CHARACTERS ? record.length * MAX_UTF8_BYTES : byteLength(record);
  }

  /**
   * Adds jobs.
   *
   * @param jobs The jobs, in the order in which they are to be delivered.
   */
  push(jobs: readonly Job[]): void {
    if (jobs.length === 0) return;
    if (this.#jobs.length === 0) this.#memory.add(this);
    for (const job of jobs) {
      this.#jobs.push(job);
      this.#count(job.record.length);
    }
  }

  /** Takes the next job, of which there is to be one. */
  shift(): Job {
    const job = this.#jobs.shift()!;
    this.#count(-job.record.length);
    if (this.#jobs.length === 0) this.#memory.delete(this);
    return job;
  }

  /** Takes all jobs. */
  takeAll(): readonly Job[] {
    const jobs = this.#jobs;
    this.#jobs = [];
    this.#count(-this.#characters);
    this.#memory.delete(this);
    return jobs;
  }

  #count(characters: number): void {
    this.#characters += characters;
    this.#memory.take(characters);
  }

  /** See {@linkcode Holder}. */
  evict(): void {
    this.#onEvict();
  }
}
