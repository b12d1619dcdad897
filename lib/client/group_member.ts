/**
 * A member of a group: takes jobs, has a function do each, and settles them.
 *
 * @module
 */
import { onAbort } from "../net/time.ts";
import { MAX_DURATION_MS, parseDuration, toDuration } from "../protocol/duration.ts";
import { ConnectionError, MqError, ProtocolError } from "../protocol/errors.ts";
import { checkGroupName } from "../protocol/group.ts";
import { Pattern } from "../protocol/pattern.ts";
import { takeWord } from "../protocol/text.ts";
import type { ConsumeOptions, Consumer, Job, JobHandler } from "./consumer.ts";
import { type DeliveredJob, parseResponse, type Session } from "./session.ts";

/** The delay before a job that failed is delivered again, the first time, and at most, in milliseconds. */
const MIN_DELAY_MS = 1000;
const MAX_DELAY_MS = 60_000;

/** How much of the reason for a failed job is sent, in UTF-16 code units. */
const MAX_WHY_CHARACTERS = 4096;

/** After which part of the time for a job the broker is told that it takes longer. */
const TOUCHED_PART = 1 / 3;

/** After how many milliseconds a member joins again, if the broker's store has failed meanwhile. */
const REJOIN_MS = 1000;

/** What a {@linkcode GroupMember} works with. */
export interface MemberObserver {
  /** Called with what a handler has thrown. */
  onError(error: unknown): void;
  /** Called with an error that no method reports. */
  onNotice(error: ProtocolError): void;
  /** Called once, when it has ended. */
  onEnd(member: GroupMember): void;
}

/** The response to `/join`. */
interface Joined {
  readonly isNew: boolean;
  readonly ackMs: number;
  readonly tries: number;
}

/** A job that this member has and has not settled. */
interface HeldJob extends DeliveredJob {
  /** The session that it came by: it is settled over no other. */
  readonly session: Session;
  /** Aborts the signal of its handler. */
  readonly controller: AbortController;
  /** Whether the broker was told what becomes of it. */
  isSettled: boolean;
}

/** The implementation of {@linkcode Consumer}. */
export class GroupMember implements Consumer {
  readonly group: string;
  readonly #patterns: readonly Pattern[];
  readonly #options: ConsumeOptions;
  readonly #handler: JobHandler;
  readonly #observer: MemberObserver;
  readonly #ready = Promise.withResolvers<{ isNew: boolean }>();
  readonly #ended = Promise.withResolvers<MqError | undefined>();
  /** The jobs that are being done. */
  readonly #running = new Map<Promise<void>, HeldJob>();
  #waiting: HeldJob[] = [];
  #session: Session | undefined;
  /** What the group is like; undefined as long as the connection is no member. */
  #joined: Joined | undefined;
  #wasMember = false;
  #toucher: ReturnType<typeof setInterval> | undefined;
  #rejoin: ReturnType<typeof setTimeout> | undefined;
  #isLeaving = false;
  #hasEnded = false;
  #left: Promise<void> | undefined;
  #stopListening = () => {};

  /**
   * Makes a member that has not joined yet.
   *
   * @param group The name of the group.
   * @param patterns The texts of the patterns of the events that are its jobs.
   * @param handler Does a job.
   * @param options How it joins.
   * @param observer Is told what happens to it.
   * @throws {ProtocolError} With the code `bad-pattern` or `bad-arguments`.
   * @throws {RangeError} If `concurrency` is less than 1, or `prefetch` less than 0.
   */
  constructor(
    group: string,
    patterns: readonly string[],
    handler: JobHandler,
    options: ConsumeOptions,
    observer: MemberObserver,
  ) {
    const { concurrency = 1, prefetch = 0, signal } = options;
    if (!(Number.isInteger(concurrency) && concurrency >= 1 && Number.isInteger(prefetch) && prefetch >= 0)) {
      throw new RangeError(
        `Cannot do ${concurrency} jobs at once and have ${prefetch} wait: it takes 1 and 0, or more`,
      );
    }
    this.group = checkGroupName(group);
    this.#patterns = patterns.map((text) => new Pattern(text));
    this.#handler = handler;
    this.#options = options;
    this.#observer = observer;
    this.#ready.promise.catch(() => {}); // The program need not wait for it.
    this.#stopListening = onAbort(signal, () => void this.leave());
  }

  get ready(): Promise<{ isNew: boolean }> {
    return this.#ready.promise;
  }

  get ended(): Promise<MqError | undefined> {
    return this.#ended.promise;
  }

  get running(): number {
    return this.#running.size;
  }

  /** The same as {@linkcode Consumer.leave}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }

  /**
   * Joins over a new connection.
   *
   * @param session The connection.
   */
  async join(session: Session): Promise<void> {
    if (this.#isLeaving) return;
    this.#session = session;
    try {
      this.#onJoined(parseResponse<Joined>(await session.command(this.#joinLine())));
    } catch (error) {
      if (!(error instanceof ProtocolError)) return; // The connection broke: a reconnect joins again.
      if (error.code !== "store-failed" || !this.#wasMember) return this.#refused(error);
      this.#observer.onNotice(error);
      this.#rejoin = setTimeout(() => void this.join(session), REJOIN_MS);
    }
  }

  #joinLine(): string {
    const { concurrency = 1, prefetch = 0, from, ackMs, tries, dead } = this.#options;
    const begin = from instanceof Date ? from.toISOString() : from;
    const options = JSON.stringify({ from: begin, ackMs, tries, ahead: concurrency + prefetch, dead });
    return `/join ${this.group} ${options} ${this.#patterns.map(({ text }) => text).join(" ")}`;
  }

  /** Jobs may have come with the response. */
  #onJoined(joined: Joined): void {
    if (this.#hasEnded) return;
    this.#joined = joined;
    this.#wasMember = true;
    this.#ready.resolve({ isNew: joined.isNew });
    this.#toucher = setInterval(() => this.#touch(), joined.ackMs * TOUCHED_PART);
    this.#startWaiting();
  }

  #refused(error: ProtocolError): void {
    this.#isLeaving = true;
    this.#ready.reject(error);
    this.#observer.onNotice(error);
    this.#end(error);
  }

  /** The connection broke: its jobs are given to others. */
  onDisconnect(reason: MqError): void {
    this.#session = undefined;
    this.#forgetJobs();
    for (const { controller } of this.#running.values()) controller.abort(reason);
  }

  /** The connection is no member any more. */
  #forgetJobs(): void {
    this.#joined = undefined;
    this.#waiting = [];
    clearInterval(this.#toucher);
    clearTimeout(this.#rejoin);
  }

  /** The client is closed. */
  onClosed(reason: ConnectionError, failure?: MqError): void {
    this.#isLeaving = true;
    this.onDisconnect(reason);
    this.#ready.reject(reason);
    this.#end(failure);
  }

  /** The broker has given it a job. While it leaves, it keeps the job for others, who get it when it has left. */
  onJob(job: DeliveredJob): void {
    const session = this.#session;
    if (session === undefined || this.#hasEnded) return;
    this.#waiting.push({ ...job, session, controller: new AbortController(), isSettled: false });
    this.#startWaiting();
  }

  #startWaiting(): void {
    const { concurrency = 1 } = this.#options;
    while (!this.#isLeaving && this.#joined && this.#running.size < concurrency && this.#waiting.length > 0) {
      const job = this.#waiting.shift()!;
      const running: Promise<void> = this.#do(job, this.#joined.tries).finally(() => {
        this.#running.delete(running);
        this.#startWaiting();
      });
      this.#running.set(running, job);
    }
  }

  async #do(held: HeldJob, tries: number): Promise<void> {
    const { number, attempt, event, controller } = held;
    let [line, isReleased] = ["", false];
    const settle = (verb: string, ...words: (string | undefined)[]) => {
      line ||= [`/${verb} ${number}`, ...words.filter((word) => word)].join(" ");
    };
    const job: Job = {
      attempt,
      tries,
      signal: controller.signal,
      retry: (delayMs = 0, why = "") => settle("nack", delayWord(delayMs, why), oneLine(why)),
      bury: (why = "") => settle("bury", oneLine(why)),
      release: () => isReleased ||= line === "",
    };
    try {
      await this.#handler(event, job);
      if (isReleased) return this.#release(held);
      settle("ack");
    } catch (error) {
      this.#observer.onError(error);
      job.retry(delayAfter(attempt), reasonOf(error));
    }
    held.isSettled = true;
    await this.#send(held, line);
  }

  /** Until it has left, the broker is told that the job takes longer, as with those that wait. */
  #release(job: HeldJob): void {
    this.#waiting.push(job);
    void this.leave();
  }

  /** Those that wait would be given to others, too, as jobs that this member has tried. */
  #touch(): void {
    for (const job of [...this.#waiting, ...this.#running.values()]) {
      const isHeld = job.session === this.#session && !job.isSettled && !job.controller.signal.aborted;
      if (isHeld) void this.#send(job, `/touch ${job.number}`);
    }
  }

  /** A job that is not this member's any more is settled by another one. */
  async #send(job: HeldJob, line: string): Promise<void> {
    try {
      await job.session.command(line);
    } catch (error) {
      job.controller.abort(error);
      this.#waiting = this.#waiting.filter((other) => other !== job);
      if (error instanceof ProtocolError && error.code !== "no-job") this.#observer.onNotice(error);
    }
  }

  leave(): Promise<void> {
    this.#isLeaving = true;
    return this.#left ??= this.#leave();
  }

  async #leave(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.keys());
    try {
      await this.#session?.command(`/leave ${this.group}`);
    } catch (error) {
      if (!(error instanceof MqError)) throw error; // It had not joined, or the connection broke: it is no member.
    }
    this.#end();
  }

  #end(failure?: MqError): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#forgetJobs();
    this.#stopListening();
    this.#ready.reject(new ConnectionError("closed", "The member has left the group"));
    this.#ended.resolve(failure);
    this.#observer.onEnd(this);
  }
}

/** A reason as it stands on a line: its lines are joined. */
function oneLine(why: string): string {
  return why.slice(0, MAX_WHY_CHARACTERS).split(/[\r\n]+/).join(" | ");
}

/** The delay as it stands on a line; undefined for none. A reason that begins with a duration must not be taken for it. */
function delayWord(delayMs: number, why: string): string | undefined {
  if (delayMs > 0) return toDuration(Math.min(delayMs, MAX_DURATION_MS));
  return parseDuration(takeWord(why)[0]) === undefined ? undefined : toDuration(1);
}

/** What was thrown, in words. Anything can be thrown, also what has no text. */
function reasonOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return "The handler has thrown something without a text"; // Such as Object.create(null).
  }
}

/** Each delay is twice the one before. */
function delayAfter(attempt: number): number {
  return Math.min(MIN_DELAY_MS * 2 ** (attempt - 1), MAX_DELAY_MS);
}
