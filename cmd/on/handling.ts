/**
 * What `mq on` does with the events it hears: which run when, which are tried again, and what is published of them.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import type { Client } from "../../lib/client.ts";
import type { Subscription } from "../../lib/client/subscription.ts";
import { dataFromText } from "../../lib/protocol/data.ts";
import { MqError } from "../../lib/protocol/errors.ts";
import { MqEvent } from "../../lib/protocol/event.ts";
import { tellDropped } from "../shared/broker_flags.ts";
import { count, formatDuration, formatJson } from "../shared/format.ts";
import type { OnFlags } from "../on.ts";
import { aborted, type Io } from "../shared/stdio.ts";
import { type Run, runHandler } from "./handler.ts";
import { Kept, Passing, type Printed, Unusable } from "./printed.ts";

/** The delay before the second try, in milliseconds, and the longest before any. */
const MIN_DELAY_MS = 250;
const MAX_DELAY_MS = 30_000;

/** How many receipts are waited for at a time, and of how much data. */
const MAX_PENDING = 1000;
const MAX_PENDING_CHARACTERS = 1024 * 1024;

/** An event with so many hops behind it is not handled: it comes from a loop of handlers that publish. */
export const MAX_HANDLED_HOPS = 16;

/** What {@linkcode Handling} is told. */
export interface HandlingOptions {
  readonly flags: OnFlags;
  readonly commandLine: readonly string[];
  /** What every handler finds in its environment: how mq in it reaches the broker. */
  readonly env: Record<string, string>;
}

/** What became of events that a handler has made. */
interface Published {
  /** How many the broker has taken in. */
  readonly confirmed: number;
  /** Why others were not, or may not have been. */
  readonly problem?: MqError;
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

/** The data of the events that a handler's output makes: one, or one for each line. What is empty makes none. */
export function dataOf(output: string, isByLine: boolean): string[] {
  const texts = isByLine ? output.split(/\r?\n/) : [output.replace(/\r?\n$/, "")];
  return texts.map(dataFromText).filter((text) => text !== "");
}

/** Texts in batches, of which each is published before the next: how many they are, they do not fill the client's queue. */
export function* batches(texts: readonly string[]): Generator<string[]> {
  let batch: string[] = [];
  let characters = 0;
  for (const text of texts) {
    if (batch.length === MAX_PENDING || (batch.length > 0 && characters + text.length > MAX_PENDING_CHARACTERS)) {
      yield batch;
      batch = [];
      characters = 0;
    }
    batch.push(text);
    characters += text.length;
  }
  if (batch.length > 0) yield batch;
}

/** Has events handled, each until it succeeds or has failed for good. */
export class Handling {
  readonly #client: Client;
  readonly #options: HandlingOptions;
  readonly #flags: OnFlags;
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

  constructor(client: Client, options: HandlingOptions, io: Io) {
    this.#client = client;
    this.#options = options;
    this.#flags = options.flags;
    this.#io = io;
  }

  /** Handles what is heard; returns the exit code. */
  async run(subscription: Subscription): Promise<number> {
    aborted(this.#io.signal).then(() => this.#prepareToEnd());
    using _ = tellDropped("on", subscription, this.#io);
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
      if (this.#io.signal.aborted) {
        this.#unhandled++;
        continue;
      }
      const task = this.#handle(event).finally(() => {
        this.#events.delete(task);
        this.#onRoom();
      });
      this.#events.add(task);
      if (++this.#taken === this.#flags.count) break;
      if (this.#events.size >= this.#flags.concurrency) await new Promise<void>((resolve) => this.#onRoom = resolve);
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
    if (event.hops >= MAX_HANDLED_HOPS) return this.#refuse(event);
    for (let attempt = 1;; attempt++) {
      const run = await this.#try(event, attempt);
      if (run.ok) return this.#tell(event, attempt, run, null);
      if (attempt > this.#flags.retry) return await this.#fail(event, attempt, run);
      const delayMs = delayAfter(attempt, Math.random());
      const { signal } = this.#io;
      this.#tell(event, attempt, run, signal.aborted ? "not tried again" : `again in ${formatDuration(delayMs)}`);
      await delay(delayMs, { signal }).catch(() => {}); // It is over sooner, if it is to end.
      if (signal.aborted) return void this.#unhandled++;
    }
  }

  /** An event from a loop. It is not published as a dead letter: that may be the loop. */
  #refuse(event: MqEvent): void {
    this.#failed++;
    const ended = `not handled, for ${event.hops} handlers have passed it on already; ` +
      "if they form a loop, change what one of them hears or publishes";
    if (this.#flags.json) this.#tell(event, 0, { ok: false, ended, ms: 0 }, "given up");
    else this.#say(`${event.name} ${event.id}: ${ended}`);
  }

  async #try(event: MqEvent, attempt: number): Promise<Run> {
    this.#running++;
    try {
      return await this.#runAndEmit(event, attempt);
    } finally {
      this.#running--;
    }
  }

  async #runAndEmit(event: MqEvent, attempt: number): Promise<Run> {
    const { emit } = this.#flags;
    if (emit === undefined) return await this.#run(event, attempt, this.#passing());
    const { lineBytes } = this.#client.hello.limits;
    const kept = new Kept({ lineBytes, isByLine: this.#flags["emit-lines"] });
    const run = await this.#run(event, attempt, kept);
    const failure = run.ok ? await this.#emit(emit, event, kept) : undefined;
    return failure === undefined ? run : { ...run, ok: false, ended: failure };
  }

  /** Publishes what a handler has printed; returns why it could not. */
  async #emit(name: string, event: MqEvent, kept: Kept): Promise<string | undefined> {
    try {
      const texts = dataOf(kept.text, this.#flags["emit-lines"]);
      const { problem, confirmed } = await this.#publish(name, event, texts);
      if (problem === undefined) return undefined;
      const what = confirmed === 0 ? "not published" : `only ${confirmed} of ${texts.length} events published`;
      return `done, but ${what}: ${problem.message}`;
    } catch (error) {
      if (error instanceof Unusable) return error.message;
      throw error;
    }
  }

  #environment({ name, id, from, at, hops }: MqEvent, attempt: number): Record<string, string> {
    const event = { MQ_EVENT: name, MQ_ID: id!, MQ_FROM: from!, MQ_AT: at!.toISOString() };
    return { ...this.#options.env, ...event, MQ_ATTEMPT: `${attempt}`, MQ_HOPS: `${hops + 1}` };
  }

  async #run(event: MqEvent, attempt: number, printed: Printed): Promise<Run> {
    const { commandLine } = this.#options;
    const env = this.#environment(event, attempt);
    return await runHandler({ commandLine, env, input: event.text, timeoutMs: this.#flags.timeout, printed });
  }

  /** Where one handler alone prints into a pipe or a file, its bytes stay as they are. */
  #passing(): Passing {
    const { json, concurrency } = this.#flags;
    const output = json ? this.#io.stderr : this.#io.stdout;
    const isShared = concurrency > 1;
    return new Passing(output, { isShared, endsLines: isShared || json || output.isTerminal });
  }

  async #fail(event: MqEvent, attempts: number, run: Run): Promise<void> {
    this.#failed++;
    const { dead } = this.#flags;
    if (dead === undefined) return this.#tell(event, attempts, run, "given up");
    const problem = await this.#bury(dead, event, { attempts, reason: run.ended });
    const next = problem ? `publishing it as ${dead} went wrong: ${problem.message}` : `published as ${dead}`;
    this.#tell(event, attempts, run, next);
  }

  /** An event whose data fills a line has no room for what became of it, and goes without its data. */
  async #bury(dead: string, event: MqEvent, more: { attempts: number; reason: string }): Promise<MqError | undefined> {
    const { problem } = await this.#publish(dead, event, [formatJson(event, more)]);
    if (problem?.code !== "line-too-long") return problem;
    const bare = new MqEvent(event.name, "", { id: event.id, from: event.from });
    const reason = `${more.reason}; its data is too long`;
    return (await this.#publish(dead, event, [formatJson(bare, { ...more, reason })])).problem;
  }

  /** Publishes what was made of an event and waits until the broker has taken it in, or some of it went wrong. */
  async #publish(name: string, { hops }: MqEvent, texts: string[]): Promise<Published> {
    const options = { raw: true, hops: hops + 1, signal: this.#lastCall.signal } as const;
    let confirmed = 0;
    for (const batch of batches(texts)) {
      const results = await Promise.allSettled(batch.map((text) => this.#client.publishConfirmed(name, text, options)));
      const failures = results.filter((result) => result.status === "rejected").map(({ reason }) => reason);
      confirmed += results.length - failures.length;
      const unexpected = failures.find((reason) => !(reason instanceof MqError));
      if (unexpected !== undefined) throw unexpected;
      if (failures.length > 0) return { confirmed, problem: failures[0] };
    }
    return { confirmed };
  }

  #tell(event: MqEvent, attempt: number, { ok, ended, ms }: Run, next: string | null): void {
    if (this.#flags.json) {
      return this.#io.stdout.line(formatJson(event, { attempt, ms: Math.round(ms), ok, ended, next }));
    }
    const which = `${event.name} ${event.id}${attempt > 1 ? `, attempt ${attempt}` : ""}`;
    this.#say(`${which}: ${ended} (${formatDuration(ms)})${next === null ? "" : `; ${next}`}`);
  }

  #say(text: string): void {
    this.#io.stderr.line(`mq on: ${text}`);
  }

  #exitCode(): number {
    const { count: wanted } = this.#flags;
    if (wanted === undefined) return 0;
    if (this.#taken < wanted) this.#say(`ended after ${this.#taken} of ${count(wanted, "event")}`);
    return this.#taken < wanted || this.#failed + this.#unhandled > 0 ? 1 : 0;
  }
}
