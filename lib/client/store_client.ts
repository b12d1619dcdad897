/**
 * What a client asks of a broker's store, and has it mend.
 *
 * @module
 */
import { onAbort } from "../net/time.ts";
import type { MqEvent } from "../protocol/event.ts";
import { checkGroupName } from "../protocol/group.ts";
import { Pattern } from "../protocol/pattern.ts";
import type { GroupReport, LogReport, PeekedJob } from "../protocol/responses.ts";
import { parseResponse } from "./session.ts";

/** Sends a control line and waits for the JSON of its response. */
type Command = (line: string, signal?: AbortSignal) => Promise<string>;

/** Reads a page of the log: see {@linkcode Replays.read}. */
type ReadPage = (
  from: string,
  patterns: readonly string[],
) => Promise<{ events: readonly MqEvent[]; last?: string; hasMore: boolean }>;

/**
 * The store of the broker that a client is connected to. Its methods reject with a {@linkcode ProtocolError} of the code
 * `no-store`, if the broker has none; `no-group`, if there is no such group.
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
 *   await client.publishConfirmed("create", { id: 1 });
 *   const store: StoreClient = client.store;
 *   assertEquals([(await store.log()).events, await store.groups()], [1, []]);
 * }
 * Deno.removeSync(folder, { recursive: true });
 * ```
 */
export class StoreClient {
  readonly #command: Command;
  readonly #readPage: ReadPage;

  /**
   * Makes the store of a client. {@linkcode Client.store} is it.
   *
   * @param command Sends a control line and waits for the JSON of its response.
   * @param readPage Reads a page of the log.
   */
  constructor(
    command: (line: string, signal?: AbortSignal) => Promise<string>,
    readPage: (
      from: string,
      patterns: readonly string[],
    ) => Promise<{ events: readonly MqEvent[]; last?: string; hasMore: boolean }>,
  ) {
    this.#command = command;
    this.#readPage = readPage;
  }

  /**
   * Asks what the log has.
   *
   * @param signal Stops waiting.
   */
  log(signal?: AbortSignal): Promise<LogReport> {
    return this.#ask("/log", signal);
  }

  /**
   * Reads what is stored, and ends: {@linkcode Client.subscribe} with `since` goes on with what is published. The next events
   * are fetched when those before are taken, so that a long log takes no more memory than a short one.
   *
   * @param from Where to begin: `first`, for all that is stored; the id of an event, for what follows it; a time; or a
   * duration such as `1h`, for what is not older.
   * @param patterns One pattern or more, such as `order.*`.
   * @param options The id of the last event that is wanted (or any id between two), and a signal that ends the reading.
   * @returns The events, in the order of the log.
   * @throws {ProtocolError} With the code `no-store`, `bad-arguments`, `bad-pattern`, `forbidden` or `store-failed`.
   * @throws {ConnectionError} With the code `disconnected`, if the connection breaks or there is none.
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
   *   const { id } = await client.publishConfirmed("create", 1);
   *   await client.publishConfirmed("update", 2);
   *   await client.publishConfirmed("create", 3);
   *   const found = await Array.fromAsync(client.store.read("first", "create"), ({ data }) => data);
   *   const behind = await Array.fromAsync(client.store.read(id, ">"), ({ data }) => data);
   *   assertEquals([found, behind], [[1, 3], [2, 3]]);
   * }
   * Deno.removeSync(folder, { recursive: true });
   * ```
   */
  async *read(
    from: string | Date,
    patterns: string | readonly string[],
    { until, signal }: { until?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<MqEvent, void, void> {
    const list = [patterns].flat().map((text) => new Pattern(text).text);
    const isBehind = (id: string) => until !== undefined && id > until;
    for (let next = from instanceof Date ? from.toISOString() : from;;) {
      const { events, last, hasMore } = await abortable(this.#readPage(next, list), signal);
      for (const event of events) {
        if (isBehind(event.id!)) return;
        yield event;
      }
      if (!hasMore || last === undefined || isBehind(last)) return;
      next = last;
    }
  }

  /**
   * Asks what groups there are.
   *
   * @param signal Stops waiting.
   */
  groups(signal?: AbortSignal): Promise<GroupReport[]> {
    return this.#ask("/groups", signal);
  }

  /**
   * Shows jobs of a group, and takes none.
   *
   * @param group The name of the group.
   * @param state Which jobs: those to be delivered now, those to be delivered later, or dead ones.
   * @param which How many at most, 1 to 100, or the id of the event of a dead one. Default: 10.
   * @returns The jobs, as many as fit a response, of several with the beginning of their data.
   */
  peek(group: string, state: "ready" | "delayed" | "dead", which: number | string = 10): Promise<PeekedJob[]> {
    return this.#ask(`/peek ${checkGroupName(group)} ${state} ${which}`);
  }

  /**
   * Has dead jobs delivered again, as if they had never been tried.
   *
   * @param group The name of the group.
   * @param id The id of the event of one job. Default: all that are dead.
   * @returns How many there are.
   * @throws {ProtocolError} With the code `not-found`, if the group has no dead job of that event.
   */
  async kick(group: string, id: string = "all"): Promise<number> {
    return (await this.#ask<{ jobs: number }>(`/kick ${checkGroupName(group)} ${id}`)).jobs;
  }

  /**
   * Discards jobs of a group: those that are dead, or those that wait, whether they are ready or delayed.
   *
   * @param group The name of the group.
   * @param state Which jobs.
   * @returns How many there were, and how many events of the log that the group had not looked at, whether they match or not.
   */
  purge(group: string, state: "ready" | "dead"): Promise<{ jobs: number; events: number }> {
    return this.#ask(`/purge ${checkGroupName(group)} ${state}`);
  }

  /**
   * Discards a group with all its jobs. Their events stay in the log.
   *
   * @param group The name of the group.
   * @throws {ProtocolError} With the code `group-differs`, if it has members.
   */
  async forget(group: string): Promise<void> {
    await this.#command(`/forget ${checkGroupName(group)}`);
  }

  async #ask<T>(line: string, signal?: AbortSignal): Promise<T> {
    return parseResponse(await this.#command(line, signal));
  }
}

/** Waits for a promise, or until the signal is aborted. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const forget = onAbort(signal, reject);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    forget();
  }
}
