/**
 * Runs the handler of `mq on`: forwards its output or publishes it, and publishes dead letters.
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
import { BufferedOutput, ForwardedOutput, type OutputHandler, OutputRefused } from "../shared/handler_output.ts";
import type { Io } from "../shared/stdio.ts";
import { LastOutput } from "./last_output.ts";

/** How many receipts may be outstanding at a time, and for how much data. */
const MAX_PENDING = 1000;
const MAX_PENDING_CHARACTERS = 1024 * 1024;

/** The result of publishing the output of a handler. */
interface Published {
  /** The number of events with a receipt. */
  readonly confirmed: number;
  /** The first error of the others. */
  readonly problem?: MqError;
}

/** The keys that a dead letter has in addition to those of its event. */
type FailureInfo = {
  readonly attempts: number;
  readonly reason: string;
};

/** The data of the events in the output of a handler: the whole output, or each line. Empty data is left out. */
export function dataOf(output: string, isByLine: boolean): string[] {
  const texts = isByLine ? output.split(/\r?\n/) : [output.replace(/\r?\n$/, "")];
  return texts.map(dataFromText).filter((text) => text !== "");
}

/** Splits texts into batches that are published one after another, so that they never fill the queue of the client. */
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

export class EmittingRunner implements Runner {
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
    if (emit === undefined) return await this.#handle(event, attempt, this.#forwardedOutput());
    const { lineBytes } = this.#client.hello.limits;
    const buffer = new BufferedOutput({ lineBytes, isByLine: this.#flags["emit-lines"] });
    const run = await this.#handle(event, attempt, buffer);
    const failure = run.ok ? await this.#emit(emit, event, buffer, until) : undefined;
    return failure === undefined ? run : { ...run, ok: false, ended: failure };
  }

  /** In a group, the last output of a run is kept with a job that has failed. */
  async #handle(event: MqEvent, attempt: number, output: OutputHandler): Promise<Run> {
    if (this.#flags.group === undefined) return await handleEvent(event, attempt, this.#handler, output);
    const last = new LastOutput();
    const errors = last.through(this.#forwardedErrors());
    const run = await handleEvent(event, attempt, this.#handler, last.through(output), errors);
    return { ...run, lastOutput: last.text };
  }

  #forwardedErrors(): ForwardedOutput {
    return new ForwardedOutput(this.#io.stderr, { isShared: this.#flags.concurrency > 1, endsLines: true });
  }

  async fail(event: MqEvent, attempts: number, { ended: reason }: Run, until: AbortSignal): Promise<string> {
    const { dead } = this.#flags;
    if (dead === undefined) return "given up";
    const problem = await this.#publishDeadLetter(dead, event, { attempts, reason }, until);
    return problem ? `publishing it as ${dead} failed: ${problem.message}` : `published as ${dead}`;
  }

  /** Without concurrency, output to a pipe or file is forwarded unchanged. */
  #forwardedOutput(): ForwardedOutput {
    const { json, concurrency } = this.#flags;
    const stream = json ? this.#io.stderr : this.#io.stdout;
    const isShared = concurrency > 1;
    return new ForwardedOutput(stream, { isShared, endsLines: isShared || json || stream.isTerminal });
  }

  /** Publishes the output of a handler; resolves to the reason if that fails. */
  async #emit(name: string, event: MqEvent, buffer: BufferedOutput, until: AbortSignal): Promise<string | undefined> {
    try {
      const texts = dataOf(buffer.text, this.#flags["emit-lines"]);
      const { problem, confirmed } = await this.#publish(name, event, texts, until);
      if (problem === undefined) return undefined;
      const what = confirmed === 0 ? "not published" : `only ${confirmed} of ${texts.length} events published`;
      return `done, but ${what}: ${problem.message}`;
    } catch (error) {
      if (error instanceof OutputRefused) return error.message;
      throw error;
    }
  }

  /** Publishes a dead letter: the event and why it failed. If that is too long for a line, the data is left out. */
  async #publishDeadLetter(
    dead: string,
    event: MqEvent,
    more: FailureInfo,
    until: AbortSignal,
  ): Promise<MqError | undefined> {
    const { problem } = await this.#publish(dead, event, [formatJson(event, more)], until);
    if (problem?.code !== "line-too-long") return problem;
    const bare = new MqEvent(event.name, "", { id: event.id, from: event.from });
    const reason = `${more.reason}; its data is too long`;
    return (await this.#publish(dead, event, [formatJson(bare, { ...more, reason })], until)).problem;
  }

  /** Publishes events and waits for their receipts, up to the first failed batch. */
  async #publish(name: string, { id, hops }: MqEvent, texts: string[], until: AbortSignal): Promise<Published> {
    const options = { raw: true, hops: hops + 1, signal: until } as const;
    const { group } = this.#flags;
    let confirmed = 0;
    for (const batch of batches(texts)) {
      // In a group, what a run has published before it was cut off is not published again by the next.
      const keyOf = (index: number) => group && `${id}-${group}-${confirmed + index}`;
      const publish = (text: string, index: number) =>
        this.#client.publishConfirmed(name, text, { ...options, key: keyOf(index) });
      const results = await Promise.allSettled(batch.map(publish));
      const failures = results.filter((result) => result.status === "rejected").map(({ reason }) => reason);
      confirmed += results.length - failures.length;
      const unexpected = failures.find((reason) => !(reason instanceof MqError));
      if (unexpected !== undefined) throw unexpected;
      if (failures.length > 0) return { confirmed, problem: failures[0] };
    }
    return { confirmed };
  }
}
