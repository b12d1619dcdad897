/**
 * The scheduler of the event loop: when everything that has arrived has been dealt with, and how much that may be.
 *
 * @module
 */
import { setImmediate } from "node:timers";

/** In versions of Deno before this one `setImmediate` is a timer, and waits for a millisecond. */
const FIRST_WITH_IMMEDIATE = [2, 6];

const schedule = hasImmediate(Deno.version.deno) ? (task: () => void) => void setImmediate(task) : await messageTasks();

/**
 * Calls a function when this turn of the event loop is over. What is called in one turn is called in the order in which
 * it was handed in.
 *
 * @param task The function. What it throws is not caught.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const order: string[] = [];
 * const ended = new Promise<void>((resolve) => afterCurrentTick(resolve)).then(() => order.push("end"));
 * await Promise.resolve();
 * order.push("turn");
 * await ended;
 * assertEquals(order, ["turn", "end"]);
 * ```
 */
export function afterCurrentTick(task: () => void): void {
  schedule(task);
}

function hasImmediate(version: string): boolean {
  const [major, minor] = version.split(".").map(Number);
  const [firstMajor, firstMinor] = FIRST_WITH_IMMEDIATE;
  return major > firstMajor || (major === firstMajor && minor >= firstMinor);
}

/** A message to oneself arrives in the next turn, fifty times as fast as a timer. */
async function messageTasks(): Promise<(task: () => void) => void> {
  const { MessageChannel } = await import("node:worker_threads");
  const { port1, port2 } = new MessageChannel();
  const tasks: (() => void)[] = [];
  port1.on("message", () => {
    const task = tasks.shift()!;
    if (tasks.length === 0) port1.unref(); // Only what is still to be done keeps a program alive.
    task();
  });
  port1.unref();
  return (task) => {
    if (tasks.push(task) === 1) port1.ref();
    port2.postMessage(null);
  };
}

/** About how many bytes all readers together deal with in one turn. */
export const TICK_BYTES: number = 128 * 1024;

/** How long one turn deals with what was read, in milliseconds. */
const MAX_TICK_MS = 10;

/** The least that is read at once of a source that has more, in bytes. */
const MIN_SHARE_BYTES = 16 * 1024;

/** Options of {@linkcode ReadScheduler}. */
export interface ReadSchedulerOptions {
  /** About how many bytes are dealt with in one turn. */
  roomBytes: number;
  /** How long one turn goes on, in milliseconds. */
  maxMs: number;
}

/**
 * The scheduler of the event loop. A source that always has more would keep all else waiting, for reads that are ready at
 * once end no turn. So what has been read into large buffers waits for a turn that has room for it; small reads do not.
 * And no turn lasts long, however dear its lines are.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const scheduler = new ReadScheduler({ roomBytes: 100, maxMs: 10 });
 * assertEquals(scheduler.admit(100), undefined); // at once
 * await scheduler.admit(100); // in the next turn
 * ```
 */
export class ReadScheduler {
  readonly #options: ReadSchedulerOptions;
  #roomBytes: number;
  #shareBytes: number;
  #begunAt = 0;
  #isUnderWay = false;
  /** Whether somebody waits, so that another turn follows. */
  #isEnding = false;
  readonly #waiting: { bytes: number; resolve: () => void }[] = [];

  /**
   * Makes scheduler in which nothing has been done yet.
   *
   * @param options How much one has room for.
   */
  constructor(options: ReadSchedulerOptions) {
    this.#options = options;
    this.#roomBytes = this.#shareBytes = options.roomBytes;
  }

  /**
   * Waits for a turn in which bytes can be dealt with.
   *
   * @param bytes How many.
   * @returns Nothing if that is this one.
   */
  admit(bytes: number): Promise<void> | undefined {
    this.#enter();
    if (this.#roomBytes <= 0 || this.#waiting.length > 0) return this.#wait(bytes);
    this.#roomBytes -= bytes;
  }

  /**
   * Whether this turn has lasted long enough.
   *
   * @returns True if what can wait should wait for the next.
   */
  isOver(): boolean {
    this.#enter();
    return this.#isLong();
  }

  /** How much each source that has more should be asked for in this turn, in bytes. */
  get shareBytes(): number {
    return this.#shareBytes;
  }

  /** Waits for the next turn. */
  next(): Promise<void> {
    this.#enter();
    return this.#wait(0);
  }

  #enter(): void {
    if (!this.#isUnderWay) this.#begin();
  }

  #wait(bytes: number): Promise<void> {
    this.#endLater();
    return new Promise((resolve) => void this.#waiting.push({ bytes, resolve }));
  }

  #begin(): void {
    this.#isUnderWay = true;
    this.#isEnding = false;
    this.#roomBytes = this.#options.roomBytes;
    this.#shareBytes = Math.max(Math.floor(this.#roomBytes / Math.max(this.#waiting.length, 1)), MIN_SHARE_BYTES);
    this.#begunAt = Date.now();
    for (let left = this.#waiting.length; left > 0 && this.#roomBytes > 0; left--) {
      const { bytes, resolve } = this.#waiting.shift()!;
      this.#roomBytes -= bytes;
      resolve();
    }
    if (this.#waiting.length > 0) this.#endLater();
    else afterCurrentTick(() => this.#isUnderWay = this.#isEnding);
  }

  /** Once somebody waits: behind what was handed in meanwhile to be done at the turn's end, such as to write. */
  #endLater(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    afterCurrentTick(() => this.#end());
  }

  /**
   * Between scheduler that follow each other at once, the runtime does not ask the system for news each time, but once in
   * sixty. After a long turn that would be too seldom: then it is given the time to.
   */
  #end(): void {
    if (this.#isLong()) setTimeout(() => this.#begin(), 0);
    else this.#begin();
  }

  /** `performance.now()` would take several times as long, and is asked for often. */
  #isLong(): boolean {
    return Date.now() - this.#begunAt > this.#options.maxMs;
  }
}

/** The scheduler in which all readers deal with what they have read. */
export const scheduler: ReadScheduler = new ReadScheduler({ roomBytes: TICK_BYTES, maxMs: MAX_TICK_MS });
