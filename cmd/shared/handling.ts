/**
 * Processes the events of `mq on` and `mq reply`: concurrency, retries and reports.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { dim } from "@std/fmt/colors";
import type { Client } from "../../lib/client.ts";
import type { Subscription } from "../../lib/client/subscription.ts";
import { MqError } from "../../lib/protocol/errors.ts";
import type { MqEvent } from "../../lib/protocol/event.ts";
import { logDropped } from "./broker_flags.ts";
import { cut } from "./cells.ts";
import { count, formatDuration, formatPatternList, printable } from "./format.ts";
import type { Run } from "./handler.ts";
import { loopWarning, RunReport } from "./run_report.ts";
import { aborted, type Io } from "./stdio.ts";

/** The delay before the first retry, and the longest delay, in milliseconds. */
const MIN_DELAY_MS = 250;
const MAX_DELAY_MS = 30_000;

/** The greatest width of the command line in the message at the start, in columns. */
const MAX_SHOWN_COLUMNS = 100;

/** An event with that many hops is not handled: it comes from a loop of handlers that publish. */
export const MAX_HANDLED_HOPS = 16;

/** What `mq on` and `mq reply` do differently. */
export interface Runner {
  /** Why an event is ignored, and not counted; undefined if it is handled. */
  whyIgnored?(event: MqEvent): string | undefined;
  /**
   * Runs the handler once and publishes its output. The run has failed if that fails.
   *
   * @param until Aborted to stop waiting for receipts.
   */
  run(event: MqEvent, attempt: number, until: AbortSignal): Promise<Run>;
  /**
   * Called when an event has failed and there are no retries left.
   *
   * @returns What was done about it, as part of a sentence.
   */
  fail(event: MqEvent, attempts: number, run: Run, until: AbortSignal): Promise<string>;
  /** Called when the handler is not run at all, for an event from a loop or after Ctrl-C. */
  refuse?(event: MqEvent, why: string): Promise<void>;
}

/** Options of {@linkcode Handling}. */
export interface HandlingOptions {
  /** The name of the command, for messages. */
  readonly command: string;
  readonly concurrency: number;
  readonly retry: number;
  readonly count: number | undefined;
  readonly json: boolean;
}

/**
 * The delay after a failed attempt, in milliseconds: doubled each time, with a jitter of 25 %.
 *
 * @param attempt The number of the failed attempt, from 1.
 * @param random A random number from 0 to 1.
 */
export function delayAfter(attempt: number, random: number): number {
  return Math.min(MIN_DELAY_MS * 2 ** (attempt - 1), MAX_DELAY_MS) * (0.75 + random / 2);
}

/** Handles events: runs the command for each until it succeeds or there are no retries left. */
export class Handling {
  readonly #client: Client;
  readonly #runner: Runner;
  readonly #options: HandlingOptions;
  readonly #io: Io;
  readonly #report: RunReport;
  readonly #events = new Set<Promise<void>>();
  /** Aborted to stop waiting for receipts. */
  readonly #stopWaiting = new AbortController();
  /** Called when an event is finished. */
  #onFinished = () => {};
  #running = 0;
  #taken = 0;
  #failed = 0;
  #unhandled = 0;

  constructor(client: Client, runner: Runner, options: HandlingOptions, io: Io) {
    this.#client = client;
    this.#runner = runner;
    this.#options = options;
    this.#io = io;
    this.#report = new RunReport(options.command, options.json, io);
  }

  /** Handles the events of the subscription; resolves to the exit code. */
  async run(subscription: Subscription): Promise<number> {
    aborted(this.#io.signal).then(() => this.#prepareShutdown());
    using _ = logDropped(this.#options.command, subscription, this.#io);
    try {
      await this.#take(subscription);
    } finally {
      await Promise.all(this.#events);
    }
    if (this.#unhandled > 0) this.#report.log(`${count(this.#unhandled, "event")} not handled`);
    return this.#exitCode();
  }

  /** Starts handling events, up to the concurrency; after Ctrl-C only counts those that are left. */
  async #take(subscription: Subscription): Promise<void> {
    for await (const event of subscription) {
      const why = this.#runner.whyIgnored?.(event);
      if (why !== undefined) {
        this.#report.log(`${event.name} ${event.id}: ${why}`);
        continue;
      }
      if (this.#io.signal.aborted) {
        this.#unhandled++;
        await this.#runner.refuse?.(event, "not handled: the handler is shutting down");
        continue;
      }
      const task = this.#handle(event).finally(() => {
        this.#events.delete(task);
        this.#onFinished();
      });
      this.#events.add(task);
      if (++this.#taken === this.#options.count) break;
      if (this.#events.size >= this.#options.concurrency) {
        await new Promise<void>((resolve) => this.#onFinished = resolve);
      }
    }
  }

  /** After Ctrl-C, receipts are awaited only while the broker is connected. */
  #prepareShutdown(): void {
    const them = this.#running === 1 ? "it" : "them";
    if (this.#running > 0) {
      this.#report.log(`waiting for ${count(this.#running, "running command")}; Ctrl-C again kills ${them}`);
    }
    const stopWaiting = () =>
      this.#stopWaiting.abort(new MqError("disconnected", "There is no connection to the broker"));
    if (this.#client.connected) this.#client.addEventListener("disconnect", stopWaiting);
    else stopWaiting();
  }

  async #handle(event: MqEvent): Promise<void> {
    if (event.hops >= MAX_HANDLED_HOPS) return await this.#refuse(event);
    for (let attempt = 1;; attempt++) {
      const run = await this.#try(event, attempt);
      if (run.ok) return this.#report.run(event, attempt, run, null);
      if (attempt > this.#options.retry) return await this.#fail(event, attempt, run);
      const delayMs = delayAfter(attempt, Math.random());
      const { signal } = this.#io;
      this.#report.run(event, attempt, run, signal.aborted ? "not tried again" : `again in ${formatDuration(delayMs)}`);
      await delay(delayMs, { signal }).catch(() => {}); // Ctrl-C ends the delay.
      if (signal.aborted) return void this.#unhandled++;
    }
  }

  /** Reports an event from a loop. It is not published as a dead letter, since that may be part of the loop. */
  async #refuse(event: MqEvent): Promise<void> {
    this.#failed++;
    const ended = loopWarning(event.hops);
    this.#report.refusal(event, ended);
    await this.#runner.refuse?.(event, ended);
  }

  async #try(event: MqEvent, attempt: number): Promise<Run> {
    this.#running++;
    try {
      return await this.#runner.run(event, attempt, this.#stopWaiting.signal);
    } finally {
      this.#running--;
    }
  }

  async #fail(event: MqEvent, attempts: number, run: Run): Promise<void> {
    this.#failed++;
    this.#report.run(event, attempts, run, await this.#runner.fail(event, attempts, run, this.#stopWaiting.signal));
  }

  #exitCode(): number {
    const { count: wanted } = this.#options;
    if (wanted === undefined) return 0;
    if (this.#taken < wanted) this.#report.log(`ended after ${this.#taken} of ${count(wanted, "event")}`);
    return this.#taken < wanted || this.#failed + this.#unhandled > 0 ? 1 : 0;
  }
}

/** Prints at the start, if stderr is a terminal, which command runs for which events. */
export function logStart(commandLine: string[], patterns: string[], client: Client, io: Io): void {
  if (!io.stderr.isTerminal) return;
  const what = `runs ${cut(printable(commandLine.join(" ")), MAX_SHOWN_COLUMNS)} on ${formatPatternList(patterns)}`;
  io.stderr.line(dim(`Connected to ${client.address}, ${what}. Ctrl-C ends it.`));
}
