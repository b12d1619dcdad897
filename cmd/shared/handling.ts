/**
 * Has events handled, by `mq on` and `mq reply`: which run when, which are tried again, and what is told of that.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { dim } from "@std/fmt/colors";
import type { Client } from "../../lib/client.ts";
import type { Subscription } from "../../lib/client/subscription.ts";
import { MqError } from "../../lib/protocol/errors.ts";
import type { MqEvent } from "../../lib/protocol/event.ts";
import { tellDropped } from "./broker_flags.ts";
import { cut } from "./cells.ts";
import { count, formatDuration, formatJson, formatSome, layOut } from "./format.ts";
import type { Run } from "./handler.ts";
import { aborted, type Io } from "./stdio.ts";

/** The delay before the second try, in milliseconds, and the longest before any. */
const MIN_DELAY_MS = 250;
const MAX_DELAY_MS = 30_000;

/** How much is shown of the command that it runs. */
const MAX_SHOWN_COLUMNS = 100;

/** An event with so many hops behind it is not handled: it comes from a loop of handlers that publish. */
export const MAX_HANDLED_HOPS = 16;

/** How a command runs its handler, and what it makes of the runs. */
export interface Runner {
  /** Why an event is not handled at all, and does not count; undefined if it is handled. */
  whyNot?(event: MqEvent): string | undefined;
  /**
   * Runs the handler once, and publishes what it printed: the run has failed if that fails.
   *
   * @param until Aborted when receipts are not to be waited for any more.
   */
  run(event: MqEvent, attempt: number, until: AbortSignal): Promise<Run>;
  /**
   * Does what is to be done where an event has failed for good.
   *
   * @returns What was done, for people.
   */
  fail(event: MqEvent, attempts: number, run: Run, until: AbortSignal): Promise<string>;
  /** The same where the handler was not run, because the event comes from a loop. Without it, nothing is done. */
  refuse?(event: MqEvent, why: string): Promise<void>;
}

/** What {@linkcode Handling} is told. */
export interface HandlingOptions {
  /** The command, for its messages. */
  readonly command: string;
  readonly concurrency: number;
  readonly retry: number;
  readonly count: number | undefined;
  readonly json: boolean;
}

/**
 * How long to wait after a try that failed: each time twice as long, give or take a quarter.
 *
 * @param attempt Which try it was, from 1.
 * @param random A number from 0 to 1.
 */
export function delayAfter(attempt: number, random: number): number {
  return Math.min(MIN_DELAY_MS * 2 ** (attempt - 1), MAX_DELAY_MS) * (0.75 + random / 2);
}

/** Has events handled, each until it succeeds or has failed for good. */
export class Handling {
  readonly #client: Client;
  readonly #runner: Runner;
  readonly #options: HandlingOptions;
  readonly #io: Io;
  readonly #events = new Set<Promise<void>>();
  /** Aborted when receipts will not be waited for any more. */
  readonly #lastCall = new AbortController();
  /** Called when an event is done with. */
  #onRoom = () => {};
  #running = 0;
  #taken = 0;
  #failed = 0;
  #unhandled = 0;

  constructor(client: Client, runner: Runner, options: HandlingOptions, io: Io) {
    this.#client = client;
    this.#runner = runner;
    this.#options = options;
    this.#io = io;
  }

  /** Handles what is heard; returns the exit code. */
  async run(subscription: Subscription): Promise<number> {
    aborted(this.#io.signal).then(() => this.#prepareToEnd());
    using _ = tellDropped(this.#options.command, subscription, this.#io);
    try {
      await this.#take(subscription);
    } finally {
      await Promise.all(this.#events);
    }
    if (this.#unhandled > 0) this.#say(`${count(this.#unhandled, "event")} not handled`);
    return this.#exitCode();
  }

  /** Takes events as long as there is room; when it is to end, counts what waits. */
  async #take(subscription: Subscription): Promise<void> {
    for await (const event of subscription) {
      const why = this.#runner.whyNot?.(event);
      if (why !== undefined) {
        this.#say(`${event.name} ${event.id}: ${why}`);
        continue;
      }
      if (this.#io.signal.aborted) {
        this.#unhandled++;
        await this.#runner.refuse?.(event, "not handled: it was to end");
        continue;
      }
      const task = this.#handle(event).finally(() => {
        this.#events.delete(task);
        this.#onRoom();
      });
      this.#events.add(task);
      if (++this.#taken === this.#options.count) break;
      if (this.#events.size >= this.#options.concurrency) await new Promise<void>((resolve) => this.#onRoom = resolve);
    }
  }

  /** From now on nobody waits for a broker that is away. */
  #prepareToEnd(): void {
    if (this.#running > 0) this.#say(`waits for what runs (${this.#running}); Ctrl-C again kills it`);
    const stopWaiting = () => this.#lastCall.abort(new MqError("disconnected", "There is no broker"));
    if (this.#client.connected) this.#client.addEventListener("disconnect", stopWaiting);
    else stopWaiting();
  }

  async #handle(event: MqEvent): Promise<void> {
    if (event.hops >= MAX_HANDLED_HOPS) return await this.#refuse(event);
    for (let attempt = 1;; attempt++) {
      const run = await this.#try(event, attempt);
      if (run.ok) return this.#tell(event, attempt, run, null);
      if (attempt > this.#options.retry) return await this.#fail(event, attempt, run);
      const delayMs = delayAfter(attempt, Math.random());
      const { signal } = this.#io;
      this.#tell(event, attempt, run, signal.aborted ? "not tried again" : `again in ${formatDuration(delayMs)}`);
      await delay(delayMs, { signal }).catch(() => {}); // It is over sooner, if it is to end.
      if (signal.aborted) return void this.#unhandled++;
    }
  }

  /** An event from a loop. It is not published as a dead letter: that may be the loop. */
  async #refuse(event: MqEvent): Promise<void> {
    this.#failed++;
    const ended = `not handled, for ${event.hops} handlers have passed it on already; ` +
      "if they form a loop, change what one of them hears or publishes";
    if (this.#options.json) this.#tell(event, 0, { ok: false, ended, ms: 0 }, "given up");
    else this.#say(`${event.name} ${event.id}: ${ended}`);
    await this.#runner.refuse?.(event, ended);
  }

  async #try(event: MqEvent, attempt: number): Promise<Run> {
    this.#running++;
    try {
      return await this.#runner.run(event, attempt, this.#lastCall.signal);
    } finally {
      this.#running--;
    }
  }

  async #fail(event: MqEvent, attempts: number, run: Run): Promise<void> {
    this.#failed++;
    this.#tell(event, attempts, run, await this.#runner.fail(event, attempts, run, this.#lastCall.signal));
  }

  #tell(event: MqEvent, attempt: number, { ok, ended, ms }: Run, next: string | null): void {
    if (this.#options.json) {
      return this.#io.stdout.line(formatJson(event, { attempt, ms: Math.round(ms), ok, ended, next }));
    }
    const which = `${event.name} ${event.id}${attempt > 1 ? `, attempt ${attempt}` : ""}`;
    this.#say(`${which}: ${ended} (${formatDuration(ms)})${next === null ? "" : `; ${next}`}`);
  }

  #say(text: string): void {
    this.#io.stderr.line(`mq ${this.#options.command}: ${text}`);
  }

  #exitCode(): number {
    const { count: wanted } = this.#options;
    if (wanted === undefined) return 0;
    if (this.#taken < wanted) this.#say(`ended after ${this.#taken} of ${count(wanted, "event")}`);
    return this.#taken < wanted || this.#failed + this.#unhandled > 0 ? 1 : 0;
  }
}

/** Says on a terminal what runs for which events. */
export function sayWhatRuns(commandLine: string[], patterns: string[], client: Client, io: Io): void {
  if (!io.stderr.isTerminal) return;
  const what = `runs ${cut(layOut(commandLine.join(" ")), MAX_SHOWN_COLUMNS)} on ${formatSome(patterns)}`;
  io.stderr.line(dim(`Connected to ${client.address}, ${what}. Ctrl-C ends it.`));
}
