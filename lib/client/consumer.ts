/**
 * What a program sees of a group that it works in: jobs, and its membership.
 *
 * @module
 */
import type { MqError } from "../protocol/errors.ts";
import type { MqEvent } from "../protocol/event.ts";

/**
 * A job, to the function that does it.
 *
 * @example
 * ```ts
 * const sendMail = (address: unknown, job: Job) => {
 *   if (typeof address !== "string") return job.bury("there is no address"); // To try again would not help.
 *   if (job.attempt > 1) console.log(`once more to ${address}`);
 * };
 * ```
 */
export interface Job {
  /** Which delivery of the job this is, from 1: with 2 or more, it may have been done in part. */
  readonly attempt: number;
  /** How often it is delivered before it is dead. */
  readonly tries: number;
  /** Aborted when the job is no longer this member's: the connection broke, or it was not settled in time. */
  readonly signal: AbortSignal;
  /**
   * Has the job delivered again, to any member.
   *
   * @param delayMs After how many milliseconds. Default: at once.
   * @param why Why, in words for people.
   */
  retry(delayMs?: number, why?: string): void;
  /**
   * Gives the job up: it is dead, and kept with the reason.
   *
   * @param why Why, in words for people.
   */
  bury(why?: string): void;
  /**
   * Leaves the group when the handler returns, and gives the job back as if this member had never had it: for a member that
   * can do no job at all.
   */
  release(): void;
}

/**
 * Does a job. The job is acknowledged when it returns, or when the promise that it returns resolves; if it throws, the job is
 * delivered again later, until its `tries` are used up.
 *
 * @example
 * ```ts
 * const handler: JobHandler = async (event) => {
 *   await fetch("https://example.org/orders", { method: "POST", body: event.text });
 * };
 * ```
 */
export type JobHandler = (event: MqEvent, job: Job) => unknown;

/**
 * Options of {@linkcode Client.consume}. Those of the group are left as they are where it exists and they are left out.
 *
 * @example
 * ```ts
 * const options: ConsumeOptions = { concurrency: 4, tries: 3, dead: "order.dead", from: "first" };
 * ```
 */
export interface ConsumeOptions {
  /**
   * How many jobs are done at the same time. With 1 and one member, they are done in the order of the log.
   *
   * @default {1}
   */
  concurrency?: number;
  /**
   * How many jobs the broker may send ahead, besides those that are being done. They count as delivered: if this member dies,
   * all of them have been tried once.
   *
   * @default {0}
   */
  prefetch?: number;
  /**
   * Where a new group begins: `new`, the next event; `first`, all that is stored; the id of an event; a time; or a duration
   * such as `1h`.
   *
   * @default {"new"}
   */
  from?: string | Date;
  /**
   * After how many milliseconds a job is delivered again if nothing was heard of this member. As long as it has a job, the
   * client says so to the broker.
   *
   * @default {30000}
   */
  ackMs?: number;
  /**
   * How often a job is delivered before it is dead.
   *
   * @default {5}
   */
  tries?: number;
  /** The name of the event that the broker publishes for a dead job; null for none. */
  dead?: string | null;
  /** Leaves the group. What is being done is still settled. */
  signal?: AbortSignal;
}

/**
 * A member of a group, as {@linkcode Client.consume} returns it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 * import { connect } from "../client.ts";
 * import { openStore } from "../store/sqlite.ts";
 *
 * const folder = Deno.makeTempDirSync();
 * {
 *   await using broker = new Broker({ store: await openStore({ folder }) });
 *   const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
 *   await using client = await connect({ hostname: "127.0.0.1", port });
 *
 *   const { promise, resolve } = Promise.withResolvers<unknown>();
 *   const consumer: Consumer = client.consume("mail", "create", (event) => resolve(event.data));
 *   await consumer.ready;
 *   client.publish("create", { id: 1 });
 *   assertEquals(await promise, { id: 1 });
 *   await consumer.leave();
 * }
 * Deno.removeSync(folder, { recursive: true });
 * ```
 */
export interface Consumer extends AsyncDisposable {
  /** The name of the group. */
  readonly group: string;
  /**
   * Resolves when the connection is a member of the group for the first time, to whether the group is new: one that was there
   * goes on where it was, whatever {@linkcode ConsumeOptions.from} says. Rejects with a {@linkcode ProtocolError} if the
   * broker refuses, and with a {@linkcode ConnectionError} of the code `closed` if the member leaves or the client ends before.
   */
  readonly ready: Promise<{ isNew: boolean }>;
  /** Resolves when it has left the group, and nothing is being done any more; to the error if the broker has refused it. */
  readonly ended: Promise<MqError | undefined>;
  /** How many jobs are being done. */
  readonly running: number;
  /**
   * Begins no more jobs, waits until those that are being done are settled, and leaves the group. So a handler must not wait
   * for it.
   */
  leave(): Promise<void>;
}
