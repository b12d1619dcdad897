/**
 * Does the jobs of `mq on --group`: the broker keeps them until they are done, and has them tried again.
 *
 * @module
 */
import type { Client } from "../../lib/client.ts";
import type { Consumer, Job } from "../../lib/client/consumer.ts";
import { MqError, ProtocolError } from "../../lib/protocol/errors.ts";
import type { MqEvent } from "../../lib/protocol/event.ts";
import type { OnFlags } from "../on.ts";
import { count, formatDuration } from "../shared/format.ts";
import { delayAfter, MAX_HANDLED_HOPS } from "../shared/handling.ts";
import type { Run } from "../shared/handler.ts";
import { loopWarning, RunReport } from "../shared/run_report.ts";
import { aborted, type Io } from "../shared/stdio.ts";
import type { EmittingRunner } from "./runner.ts";

/** How often a job is delivered unless told otherwise. */
export const DEFAULT_TRIES = 5;

/** A member of a group that runs a command for each job. */
export class GroupHandling {
  readonly #client: Client;
  readonly #runner: EmittingRunner;
  readonly #flags: OnFlags & { readonly group: string };
  readonly #report: RunReport;
  readonly #io: Io;
  /** Aborted to stop waiting for receipts. */
  readonly #stopWaiting = new AbortController();
  readonly #enough = Promise.withResolvers<void>();
  #finished = 0;
  #failed = 0;
  #hasNoCommand = false;

  constructor(client: Client, runner: EmittingRunner, flags: OnFlags & { readonly group: string }, io: Io) {
    this.#client = client;
    this.#runner = runner;
    this.#flags = flags;
    this.#io = io;
    this.#report = new RunReport("on", flags.json, io);
  }

  /** Works until it has done enough jobs, or is interrupted; resolves to the exit code. */
  async run(patterns: readonly string[]): Promise<number> {
    const { group, concurrency, retry, dead, since } = this.#flags;
    const tries = retry === undefined ? undefined : retry + 1;
    const consumer = this.#client.consume(group, patterns, (event, job) => this.#handle(event, job), {
      concurrency,
      tries,
      dead,
      from: since,
    });
    const joined = await orRefused(consumer.ready);
    if (joined === undefined) return 1;
    if (since !== undefined && !joined.isNew) {
      this.#report.log(`the group ${group} goes on where it was: --since is for a new one`);
    }
    const lost = this.#client.closed.then((error) => {
      if (error !== undefined) throw error;
    });
    await Promise.race([this.#enough.promise, aborted(this.#io.signal), consumer.ended, lost]);
    await this.#end(consumer);
    if (this.#hasNoCommand) return 1;
    return await consumer.ended === undefined ? this.#exitCode() : 1; // A refusal after a reconnect was told, too.
  }

  async #end(consumer: Consumer): Promise<void> {
    const { running } = consumer;
    if (running > 0 && this.#io.signal.aborted) {
      const them = running === 1 ? "it" : "them";
      this.#report.log(`waiting for ${count(running, "running command")}; Ctrl-C again kills ${them}`);
    }
    const stopWaiting = () =>
      this.#stopWaiting.abort(new MqError("disconnected", "There is no connection to the broker"));
    if (this.#client.connected) this.#client.addEventListener("disconnect", stopWaiting);
    else stopWaiting();
    await consumer.leave();
  }

  async #handle(event: MqEvent, job: Job): Promise<void> {
    if (this.#finished === this.#flags.count) return job.retry(0, "The member has done enough"); // It is about to leave.
    if (event.hops >= MAX_HANDLED_HOPS) return this.#refuse(event, job);
    const run = await this.#runner.run(event, job.attempt, this.#stopWaiting.signal);
    if (run.isMissing) return this.#refuseAll(run, job);
    if (job.signal.aborted) return this.#report.run(event, job.attempt, run, "too late: another member may have it");
    if (run.ok) this.#report.run(event, job.attempt, run, null);
    else if (job.attempt < job.tries) return this.#retry(event, job, run);
    else this.#giveUp(event, job, run);
    this.#finish();
  }

  #retry(event: MqEvent, job: Job, run: Run): void {
    const delayMs = delayAfter(job.attempt, Math.random());
    this.#report.run(event, job.attempt, run, `again in ${formatDuration(delayMs)}`);
    job.retry(delayMs, reasonOf(run));
  }

  #giveUp(event: MqEvent, job: Job, run: Run): void {
    const { group, dead } = this.#flags;
    const also = dead === undefined ? "" : `, published as ${dead}`;
    this.#failed++;
    this.#report.run(event, job.attempt, run, `dead${also}: mq dead show ${group} ${event.id}`);
    job.bury(reasonOf(run));
  }

  #refuse(event: MqEvent, job: Job): void {
    const why = loopWarning(event.hops);
    this.#failed++;
    this.#report.refusal(event, why);
    job.bury(why);
    this.#finish();
  }

  /** There is no such command: it can do no job, and none is tried. */
  #refuseAll({ ended }: Run, job: Job): void {
    const { group } = this.#flags;
    if (!this.#hasNoCommand) this.#report.log(`the command ${ended}; the jobs stay in the group ${group}`);
    this.#hasNoCommand = true;
    job.release();
  }

  #finish(): void {
    if (++this.#finished === this.#flags.count) this.#enough.resolve();
  }

  #exitCode(): number {
    const { count: wanted } = this.#flags;
    if (wanted === undefined) return 0;
    if (this.#finished < wanted) this.#report.log(`ended after ${this.#finished} of ${count(wanted, "event")}`);
    return this.#finished < wanted || this.#failed > 0 ? 1 : 0;
  }
}

/** What the broker says to the member; undefined if it refuses it, which was told as a notice. */
async function orRefused<T>(ready: Promise<T>): Promise<T | undefined> {
  try {
    return await ready;
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** How a run ended, and the last of what it wrote. */
function reasonOf({ ended, lastOutput = "" }: Run): string {
  return lastOutput === "" ? ended : `${ended}: ${lastOutput}`;
}
