/**
 * What `mq on` makes of the runs of its handler: output passes through or is published, and so is what failed for good.
 *
 * @module
 */
import type { Client } from "../../lib/client.ts";
import { dataFromText } from "../../lib/protocol/data.ts";
import { MqError } from "../../lib/protocol/errors.ts";
import { MqEvent } from "../../lib/protocol/event.ts";
import type { OnFlags } from "../on.ts";
import { formatJson } from "../shared/format.ts";
import { type EventHandler, handleEvent, type Run } from "../shared/handler.ts";
import type { Runner } from "../shared/handling.ts";
import { Kept, Passing, Unusable } from "../shared/printed.ts";
import type { Io } from "../shared/stdio.ts";

/** How many receipts are waited for at a time, and of how much data. */
const MAX_PENDING = 1000;
const MAX_PENDING_CHARACTERS = 1024 * 1024;

/** What became of events that a handler has made. */
interface Published {
  /** How many the broker has taken in. */
  readonly confirmed: number;
  /** Why others were not, or may not have been. */
  readonly problem?: MqError;
}

/** What is published of an event that has failed for good, besides the event itself. */
type FailureInfo = {
  readonly attempts: number;
  readonly reason: string;
};

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

/** Runs the handler of `mq on`. */
export class Emission implements Runner {
  readonly #client: Client;
  readonly #handler: EventHandler;
  readonly #flags: OnFlags;
  readonly #io: Io;

  constructor(client: Client, handler: EventHandler, flags: OnFlags, io: Io) {
    this.#client = client;
    this.#handler = handler;
    this.#flags = flags;
    this.#io = io;
  }

  async run(event: MqEvent, attempt: number, until: AbortSignal): Promise<Run> {
    const { emit } = this.#flags;
    if (emit === undefined) return await handleEvent(event, attempt, this.#handler, this.#passing());
    const { lineBytes } = this.#client.hello.limits;
    const kept = new Kept({ lineBytes, isByLine: this.#flags["emit-lines"] });
    const run = await handleEvent(event, attempt, this.#handler, kept);
    const failure = run.ok ? await this.#emit(emit, event, kept, until) : undefined;
    return failure === undefined ? run : { ...run, ok: false, ended: failure };
  }

  async fail(event: MqEvent, attempts: number, { ended: reason }: Run, until: AbortSignal): Promise<string> {
    const { dead } = this.#flags;
    if (dead === undefined) return "given up";
    const problem = await this.#bury(dead, event, { attempts, reason }, until);
    return problem ? `publishing it as ${dead} went wrong: ${problem.message}` : `published as ${dead}`;
  }

  /** Where one handler alone prints into a pipe or a file, its bytes stay as they are. */
  #passing(): Passing {
    const { json, concurrency } = this.#flags;
    const output = json ? this.#io.stderr : this.#io.stdout;
    const isShared = concurrency > 1;
    return new Passing(output, { isShared, endsLines: isShared || json || output.isTerminal });
  }

  /** Publishes what a handler has printed; returns why it could not. */
  async #emit(name: string, event: MqEvent, kept: Kept, until: AbortSignal): Promise<string | undefined> {
    try {
      const texts = dataOf(kept.text, this.#flags["emit-lines"]);
      const { problem, confirmed } = await this.#publish(name, event, texts, until);
      if (problem === undefined) return undefined;
      const what = confirmed === 0 ? "not published" : `only ${confirmed} of ${texts.length} events published`;
      return `done, but ${what}: ${problem.message}`;
    } catch (error) {
      if (error instanceof Unusable) return error.message;
      throw error;
    }
  }

  /** An event whose data fills a line has no room for what became of it, and goes without its data. */
  async #bury(dead: string, event: MqEvent, more: FailureInfo, until: AbortSignal): Promise<MqError | undefined> {
    const { problem } = await this.#publish(dead, event, [formatJson(event, more)], until);
    if (problem?.code !== "line-too-long") return problem;
    const bare = new MqEvent(event.name, "", { id: event.id, from: event.from });
    const reason = `${more.reason}; its data is too long`;
    return (await this.#publish(dead, event, [formatJson(bare, { ...more, reason })], until)).problem;
  }

  /** Publishes what was made of an event and waits until the broker has taken it in, or some of it went wrong. */
  async #publish(name: string, { hops }: MqEvent, texts: string[], until: AbortSignal): Promise<Published> {
    const options = { raw: true, hops: hops + 1, signal: until } as const;
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
}
