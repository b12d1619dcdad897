/**
 * Who may work in a tick of the event loop, and for how long.
 *
 * @module
 */
import { BinaryHeap } from "@std/data-structures/binary-heap";
import { afterCurrentTick } from "./ticks.ts";

/** How many bytes all readers together process in one tick. The last read of a tick may exceed it. */
export const TICK_BYTES: number = 128 * 1024;

/** How long one tick processes what was read, in milliseconds. */
const MAX_TICK_MS = 5;

/** How often the runtime has to ask the system what has arrived, in milliseconds. */
const POLL_MS = 4;

/**
 * After how many turns it is made to ask, though it seems to come to rest between them: work that is not told here, such as
 * that of connections which come and go, may keep it busy.
 */
const TURNS_PER_POLL = 256;

/**
 * After how many ticks it has asked at the latest, if it does not come to rest: tokio, Deno's event loop, polls its driver
 * after 61 tasks.
 */
const TICKS_PER_POLL = 64;

/**
 * How long a flow may work before others that wait go first, in milliseconds: as long as all of them together need no more
 * than a round, but not so short that most of the time goes into changing from one to the next.
 */
const [MIN_SLICE_MS, MAX_SLICE_MS, ROUND_MS] = [0.1, 1, 10];

/** The least that a busy source is asked for in one read, in bytes. */
const MIN_SHARE_BYTES = 16 * 1024;

/** About how often a flow that works looks at the clock, in milliseconds, but at least after so many lines. */
const [CHECK_MS, MAX_LINES_BETWEEN_CHECKS] = [0.05, 128];

/**
 * How many slices a flow that has worked little has in hand: as long as it uses less, it goes before flows that use all they
 * can get. Many that have rested may come at once, so it must be little for each of them.
 */
const CREDIT_SLICES = 3;

/**
 * A source of work for the event loop, such as a connection, and how much time its work has taken. Several connections may
 * share one: then they have one share of the time together.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Flow().waiting, []);
 * ```
 */
export class Flow {
  /**
   * Its position in the order of all flows, in milliseconds of virtual time (start-time fair queueing: Goyal, Vin and Cheng,
   * 1996). The time that its work takes is added to it. Undefined before it first works.
   */
  due: number | undefined;
  /** Its place among flows at the same position. */
  order = 0;
  /** Whether more waits behind what it is about to work on. */
  isBulk = false;
  /** After how many lines it should look at the clock, which costs as much as a cheap line: the dearer they are, the fewer. */
  linesBetweenChecks = 16;
  /** What waits to work. */
  readonly waiting: { bytes: number; resolve: () => void }[] = [];
}

function inOrder(a: Flow, b: Flow): number {
  return a.due! - b.due! || a.order - b.order;
}

/** Options of {@linkcode ReadScheduler}. */
export interface ReadSchedulerOptions {
  /** How many bytes are processed in one tick. The last read of a tick may exceed it. */
  tickBytes: number;
  /** How long one tick may take, in milliseconds. */
  maxTickMs: number;
  /**
   * The clock, in milliseconds.
   *
   * @default {performance.now}
   */
  now?: () => number;
}

/**
 * Shares the event loop among flows. One works at a time, and is charged the time that this takes; of those that wait, the
 * one that has taken the least time is next. Flows behind whose input nothing waits go before bulk flows, which always have
 * more, but take at most half of a tick from them. So a flow that works little is hardly delayed by others, however many
 * they are and however expensive their lines; and what is charged to it by chance, when the system runs another program
 * while it works, does not make it wait for hundreds of others.
 *
 * A tick of the event loop does not end while reads complete at once, so a connection that always has data would block all
 * others. Therefore a tick is bounded in bytes and in time.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const scheduler = new ReadScheduler({ tickBytes: 100, maxTickMs: 10 });
 * const [one, other] = [new Flow(), new Flow()];
 * assertEquals(scheduler.begin(one, 100), undefined); // It may work at once.
 * const turn = scheduler.begin(other, 100);
 * scheduler.end(one);
 * await turn; // In the next tick, since this one's bytes are used up.
 * scheduler.end(other);
 * ```
 */
export class ReadScheduler {
  readonly #options: ReadSchedulerOptions;
  readonly #now: () => number;
  /** How many bytes may still be processed in this tick. */
  #leftBytes: number;
  #shareBytes: number;
  #startedAt = 0;
  /** When the runtime last asked the system what has arrived. */
  #polledAt = 0;
  /** How many turns there were since it was made to. */
  #turns = 0;
  #hasStarted = false;
  /** Whether the next tick is scheduled, because something waits for it. */
  #isNextScheduled = false;
  /** The flow that works, since when, and the position of the last one that began. */
  #working: Flow | undefined;
  #workingSince = 0;
  /** When it last looked at the clock. */
  #checkedAt = 0;
  #virtualTime = 0;
  /** The flows that wait, the first in the order at the top. */
  readonly #sparse = new BinaryHeap(inOrder);
  readonly #bulk = new BinaryHeap(inOrder);
  #order = 0;
  /** How long flows that are not bulk have worked in this tick, in milliseconds. */
  #sparseMs = 0;
  /** What waits for the next tick. */
  #waiting: (() => void)[] = [];

  /**
   * Makes a scheduler.
   *
   * @param options The limits of a tick.
   */
  constructor(options: ReadSchedulerOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#leftBytes = this.#shareBytes = options.tickBytes;
  }

  /**
   * Waits until a flow may work. Whoever has begun must call {@linkcode ReadScheduler.end}, and should not wait for anything
   * before: nobody else works meanwhile.
   *
   * @param flow The flow.
   * @param bytes How many bytes are to be processed. Default: 0.
   * @returns Undefined if it may work at once.
   */
  begin(flow: Flow, bytes = 0): Promise<void> | undefined {
    const now = this.#now();
    if (!this.#hasStarted) this.#startRested(now);
    const isFree = this.#working === undefined && this.#waitingFlows === 0;
    if (isFree && !this.#isTickOver(now) && !this.#isPollOverdue(now)) return this.#grant(flow, bytes, now);
    return new Promise((resolve) => {
      flow.waiting.push({ bytes, resolve });
      if (flow.waiting.length === 1 && flow !== this.#working) this.#enqueue(flow);
      if (this.#working === undefined) this.#scheduleNext();
    });
  }

  /**
   * Ends the work of a flow: it is charged the time since it began.
   *
   * @param flow The flow that works.
   */
  end(flow: Flow): void {
    const now = this.#now();
    this.#charge(flow, now);
    if (flow.waiting.length > 0) this.#enqueue(flow);
    this.#grantNext(now);
  }

  /**
   * Whether the flow that works should let others go first with {@linkcode ReadScheduler.yield}.
   *
   * @returns True if this tick has used up its time, or the flow its slice while others wait.
   */
  isOver(): boolean {
    const now = this.#now();
    const flow = this.#working!;
    const elapsed = now - this.#checkedAt;
    this.#checkedAt = now;
    if (elapsed < CHECK_MS / 2) {
      flow.linesBetweenChecks = Math.min(flow.linesBetweenChecks * 2, MAX_LINES_BETWEEN_CHECKS);
    } else if (elapsed > CHECK_MS) flow.linesBetweenChecks = Math.ceil(flow.linesBetweenChecks / 2);
    if (this.#waitingFlows > 0 && now - this.#workingSince > this.#sliceMs) return true;
    return now - this.#startedAt > this.#options.maxTickMs;
  }

  /**
   * Lets others go first that have taken less time.
   *
   * @param flow The flow that works.
   * @returns A promise that resolves when it may go on.
   */
  yield(flow: Flow): Promise<void> {
    const now = this.#now();
    this.#charge(flow, now);
    return new Promise((resolve) => {
      flow.waiting.unshift({ bytes: 0, resolve });
      this.#enqueue(flow);
      this.#grantNext(now);
    });
  }

  /**
   * Lets others work while a flow waits for something.
   *
   * @param flow The flow that works.
   * @param promise What it waits for.
   * @returns A promise that resolves when that is settled and the flow may go on.
   */
  async pause(flow: Flow, promise: Promise<unknown>): Promise<void> {
    this.end(flow);
    try {
      await promise;
    } finally {
      await this.begin(flow);
    }
  }

  /**
   * Runs the work of a flow when its turn has come.
   *
   * @param flow The flow.
   * @param bytes How many bytes are to be processed.
   * @param work The work. Where it waits for anything, others do not work meanwhile: see {@linkcode ReadScheduler.pause}.
   */
  async run(flow: Flow, bytes: number, work: () => Promise<void> | void): Promise<void> {
    const turn = this.begin(flow, bytes);
    if (turn !== undefined) await turn;
    try {
      await work();
    } finally {
      this.end(flow);
    }
  }

  /**
   * Whether a flow uses less than its share of the time, so that it need not be held back for what others do.
   *
   * @param flow The flow.
   * @returns True if it has at least half of its credit left. The only one that works has none.
   */
  hasCredit({ due }: Flow): boolean {
    return due !== undefined && due < this.#virtualTime - this.#creditMs / 2;
  }

  /** How much a busy source should be asked for in this tick, in bytes: the share of one of those that waited. */
  get shareBytes(): number {
    return this.#shareBytes;
  }

  /** Waits for the next tick. Must not be called by a flow that works. */
  nextTick(): Promise<void> {
    if (!this.#hasStarted) this.#startRested(this.#now());
    this.#scheduleNext();
    return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  get #waitingFlows(): number {
    return this.#sparse.length + this.#bulk.length;
  }

  get #sliceMs(): number {
    return Math.min(Math.max(ROUND_MS / this.#waitingFlows, MIN_SLICE_MS), MAX_SLICE_MS);
  }

  get #creditMs(): number {
    return CREDIT_SLICES * this.#sliceMs;
  }

  #isTickOver(now: number): boolean {
    return this.#leftBytes <= 0 || now - this.#startedAt > this.#options.maxTickMs;
  }

  #charge(flow: Flow, now: number): void {
    const elapsed = now - this.#workingSince;
    flow.due! += elapsed;
    if (!flow.isBulk) this.#sparseMs += elapsed;
    this.#working = undefined;
  }

  /** Puts a flow into its place. One that has rested has some time in hand, but not all that it has not used. */
  #enqueue(flow: Flow): void {
    flow.due = this.#position(flow);
    flow.order = this.#order++;
    (flow.isBulk ? this.#bulk : this.#sparse).push(flow);
  }

  /** Takes the flow that is next. */
  #next(): Flow {
    const isBulkNext = this.#bulk.length > 0 && this.#sparseMs > this.#options.maxTickMs / 2;
    return (isBulkNext || this.#sparse.length === 0 ? this.#bulk : this.#sparse).pop()!;
  }

  /** A flow that is new has none in hand: it is behind those that work little. */
  #position({ due }: Flow): number {
    return due === undefined ? this.#virtualTime : Math.max(due, this.#virtualTime - this.#creditMs);
  }

  #grant(flow: Flow, bytes: number, now: number): undefined {
    flow.due = this.#position(flow);
    this.#virtualTime = Math.max(this.#virtualTime, flow.due);
    this.#leftBytes -= bytes;
    this.#turns++;
    this.#working = flow;
    this.#workingSince = this.#checkedAt = now;
  }

  #grantNext(now: number): void {
    if (this.#waitingFlows === 0) return;
    if (this.#isTickOver(now)) return this.#scheduleNext();
    const flow = this.#next();
    const { bytes, resolve } = flow.waiting.shift()!;
    this.#grant(flow, bytes, now);
    resolve();
  }

  #start(now: number): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#hasStarted = true;
    this.#isNextScheduled = false;
    this.#leftBytes = this.#options.tickBytes;
    this.#sparseMs = 0;
    const sources = Math.max(this.#waitingFlows + waiting.length, 1);
    this.#shareBytes = Math.max(Math.floor(this.#leftBytes / sources), MIN_SHARE_BYTES);
    this.#startedAt = now;
    for (const resolve of waiting) resolve();
    if (this.#working === undefined) this.#grantNext(now);
    if (!this.#isNextScheduled) afterCurrentTick(() => this.#hasStarted = this.#isNextScheduled);
  }

  /** The next tick starts behind the tasks that were scheduled for the end of this one, such as writes. */
  #scheduleNext(): void {
    if (this.#isNextScheduled) return;
    this.#isNextScheduled = true;
    afterCurrentTick(() => this.#startNext());
  }

  /** While ticks follow one another the runtime does not come to rest, and asks the system what has arrived only rarely. */
  #startNext(): void {
    const now = this.#now();
    if (now - this.#polledAt > POLL_MS) this.#poll(TICKS_PER_POLL);
    else this.#start(now);
  }

  /** Empty ticks, 0.1 ms in all; a timer would take a millisecond. */
  #poll(ticks: number): void {
    if (ticks > 0) return afterCurrentTick(() => this.#poll(ticks - 1));
    const now = this.#polledAt = this.#now();
    this.#turns = 0;
    this.#start(now);
  }

  #isPollOverdue(now: number): boolean {
    return this.#turns >= TURNS_PER_POLL && now - this.#polledAt > POLL_MS;
  }

  /** Before this tick there was none: as a rule the runtime has come to rest, and has asked. */
  #startRested(now: number): void {
    if (this.#turns < TURNS_PER_POLL) this.#polledAt = now;
    this.#start(now);
  }
}

/** The scheduler of this thread. */
export const scheduler: ReadScheduler = new ReadScheduler({ tickBytes: TICK_BYTES, maxTickMs: MAX_TICK_MS });
