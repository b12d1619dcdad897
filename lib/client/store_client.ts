/**
 * What a client asks of a broker's store, and has it mend.
 *
 * @module
 */
import { checkGroupName } from "../protocol/group.ts";
import type { GroupReport, LogReport, PeekedJob } from "../protocol/responses.ts";
import { parseResponse } from "./session.ts";

/** Sends a control line and waits for the JSON of its response. */
type Command = (line: string, signal?: AbortSignal) => Promise<string>;

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

  /**
   * Makes the store of a client. {@linkcode Client.store} is it.
   *
   * @param command Sends a control line and waits for the JSON of its response.
   */
  constructor(command: (line: string, signal?: AbortSignal) => Promise<string>) {
    this.#command = command;
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
   * @param count How many at most, 1 to 100. Default: 10.
   * @returns The jobs, as many as fit a response.
   */
  peek(group: string, state: "ready" | "delayed" | "dead", count: number = 10): Promise<PeekedJob[]> {
    return this.#ask(`/peek ${checkGroupName(group)} ${state} ${count}`);
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
   * @returns How many there were.
   */
  async purge(group: string, state: "ready" | "dead"): Promise<number> {
    return (await this.#ask<{ jobs: number }>(`/purge ${checkGroupName(group)} ${state}`)).jobs;
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
