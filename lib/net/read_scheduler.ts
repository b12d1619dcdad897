/**
 * Ticks of the event loop: work at the end of one, and how much of what was read is processed in one.
 *
 * @module
 */
import { setImmediate } from "node:timers";

/** The first version of Deno, major and minor, whose `setImmediate` is not a timer of one millisecond. */
const FIRST_WITH_IMMEDIATE = [2, 6];

const scheduleTask = hasImmediate(Deno.version.deno)
  ? (task: () => void) => void setImmediate(task)
  : await messageTasks();

/**
 * Calls a function when the current tick of the event loop is over. Functions are called in the order of these calls.
 *
 * @param task The function. An error that it throws is not caught.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const order: string[] = [];
 * const ended = new Promise<void>((resolve) => afterCurrentTick(resolve)).then(() => order.push("end"));
 * await Promise.resolve();
 * order.push("microtask");
 * await ended;
 * assertEquals(order, ["microtask", "end"]);
 * ```
 */
export function afterCurrentTick(task: () => void): void {
  scheduleTask(task);
}

function hasImmediate(version: string): boolean {
  const [major, minor] = version.split(".").map(Number);
  const [firstMajor, firstMinor] = FIRST_WITH_IMMEDIATE;
  return major > firstMajor || (major === firstMajor && minor >= firstMinor);
}

/** Schedules tasks by messages of this thread to itself, which arrive in the next tick: 50 times as fast as a timer. */
async function messageTasks(): Promise<(task: () => void) => void> {
  const { MessageChannel } = await import("node:worker_threads");
  const { port1, port2 } = new MessageChannel();
  const tasks: (() => void)[] = [];
  port1.on("message", () => {
    const task = tasks.shift()!;
    if (tasks.length === 0) port1.unref(); // Only pending tasks keep the program alive.
    task();
  });
  port1.unref();
  return (task) => {
    if (tasks.push(task) === 1) port1.ref();
    port2.postMessage(null);
  };
}

/** How many bytes all readers together process in one tick. The last read of a tick may exceed it. */
export const TICK_BYTES: number = 128 * 1024;

/** How long one tick processes what was read, in milliseconds. */
const MAX_TICK_MS = 10;

/** The least that a busy source is asked for in one read, in bytes. */
const MIN_SHARE_BYTES = 16 * 1024;

/** Options of {@linkcode ReadScheduler}. */
export interface ReadSchedulerOptions {
  /** How many bytes are processed in one tick. The last read of a tick may exceed it. */
  tickBytes: number;
  /** How long one tick may take, in milliseconds. */
  maxTickMs: number;
}

/**
 * Shares the event loop among the readers of all connections. A tick does not end while reads complete at once, so a
 * connection that always has data would block all others. Therefore readers with large buffers wait for a tick that has
 * bytes left, and a tick ends after some time however expensive its lines are. Small reads do not wait.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const scheduler = new ReadScheduler({ tickBytes: 100, maxTickMs: 10 });
 * assertEquals(scheduler.admit(100), undefined); // in this tick
 * await scheduler.admit(100); // in the next tick
 * ```
 */
export class ReadScheduler {
  readonly #options: ReadSchedulerOptions;
  /** How many bytes may still be processed in this tick. */
  #leftBytes: number;
  #shareBytes: number;
  #startedAt = 0;
  #hasStarted = false;
  /** Whether the next tick is scheduled, because a reader waits for it. */
  #isNextScheduled = false;
  readonly #waiting: { bytes: number; resolve: () => void }[] = [];

  /**
   * Makes a scheduler.
   *
   * @param options The limits of a tick.
   */
  constructor(options: ReadSchedulerOptions) {
    this.#options = options;
    this.#leftBytes = this.#shareBytes = options.tickBytes;
  }

  /**
   * Waits for a tick in which bytes can be processed.
   *
   * @param bytes How many bytes were read.
   * @returns Undefined if they can be processed in this tick.
   */
  admit(bytes: number): Promise<void> | undefined {
    this.#startIfNeeded();
    if (this.#leftBytes <= 0 || this.#waiting.length > 0) return this.#wait(bytes);
    this.#leftBytes -= bytes;
  }

  /**
   * Whether this tick has used up its time.
   *
   * @returns True if the caller should wait for {@linkcode ReadScheduler.nextTick}.
   */
  isTickOver(): boolean {
    this.#startIfNeeded();
    return this.#isLong();
  }

  /** How much a busy source should be asked for in this tick, in bytes: the share of one of the readers that waited. */
  get shareBytes(): number {
    return this.#shareBytes;
  }

  /** Waits for the next tick. */
  nextTick(): Promise<void> {
    this.#startIfNeeded();
    return this.#wait(0);
  }

  #startIfNeeded(): void {
    if (!this.#hasStarted) this.#start();
  }

  #wait(bytes: number): Promise<void> {
    this.#scheduleNext();
    return new Promise((resolve) => void this.#waiting.push({ bytes, resolve }));
  }

  #start(): void {
    this.#hasStarted = true;
    this.#isNextScheduled = false;
    this.#leftBytes = this.#options.tickBytes;
    this.#shareBytes = Math.max(Math.floor(this.#leftBytes / Math.max(this.#waiting.length, 1)), MIN_SHARE_BYTES);
    this.#startedAt = Date.now();
    for (let left = this.#waiting.length; left > 0 && this.#leftBytes > 0; left--) {
      const { bytes, resolve } = this.#waiting.shift()!;
      this.#leftBytes -= bytes;
      resolve();
    }
    if (this.#waiting.length > 0) this.#scheduleNext();
    else afterCurrentTick(() => this.#hasStarted = this.#isNextScheduled);
  }

  /** The next tick starts behind the tasks that were scheduled for the end of this one, such as writes. */
  #scheduleNext(): void {
    if (this.#isNextScheduled) return;
    this.#isNextScheduled = true;
    afterCurrentTick(() => this.#startNext());
  }

  /** Between such ticks the runtime polls the system only once in about 60. After a long tick a timer makes it poll. */
  #startNext(): void {
    if (this.#isLong()) setTimeout(() => this.#start(), 0);
    else this.#start();
  }

  /** Called often: `performance.now()` would take several times as long. */
  #isLong(): boolean {
    return Date.now() - this.#startedAt > this.#options.maxTickMs;
  }
}

/** The scheduler of all readers of this thread. */
export const scheduler: ReadScheduler = new ReadScheduler({ tickBytes: TICK_BYTES, maxTickMs: MAX_TICK_MS });
