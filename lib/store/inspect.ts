/**
 * Looks into the store of a broker that does not run, and changes nothing there.
 *
 * @module
 */
import { WorkerCalls } from "./sqlite/worker_calls.ts";
import type { GroupInfo, LogInfo, Page } from "./store.ts";

/** What a store has. */
export interface StoreContents {
  /** The version of its format. */
  readonly version: number;
  /** The log. */
  readonly log: LogInfo;
  /** The groups, in the order of their names. */
  readonly groups: readonly GroupInfo[];
  /** How many events are kept for later. */
  readonly delayed: number;
  /** When the first of them is due, in milliseconds since 1970; undefined if there is none. */
  readonly nextDue: number | undefined;
}

/** A store that is open to be looked into. Its methods reject with an MqError of the code `store-failed`. */
export interface StoreInspection extends AsyncDisposable {
  /**
   * Reads all of it, and checks that it is whole.
   *
   * @returns What is wrong, a sentence each; nothing if it is whole.
   */
  check(): Promise<readonly string[]>;
  /** Counts what it has. */
  describe(): Promise<StoreContents>;
  /**
   * Reads a part of the log.
   *
   * @param after The id behind which to begin; empty for the beginning.
   * @param patterns The patterns of the events that match.
   * @returns A page; its `last` is undefined behind the end of the log.
   */
  read(after: string, patterns: readonly string[]): Promise<Page>;
}

/**
 * Opens a store to look into it. As long as it is open, no broker can open it.
 *
 * @param folder The folder.
 * @returns The store.
 * @throws {MqError} With the code `store-in-use`, if a broker has it open; `store-foreign`, if the file is none of mq's;
 * `store-newer`, if a newer mq has made it; `store-failed`, if there is no store, or it cannot be read.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 * import { openStore } from "./sqlite.ts";
 *
 * const folder = Deno.makeTempDirSync();
 * {
 *   await using broker = new Broker({ store: await openStore({ folder }) });
 *   await broker.publishConfirmed("create", { id: 1 });
 * }
 * {
 *   await using store = await inspectStore(folder);
 *   assertEquals([await store.check(), (await store.describe()).log.events], [[], 1]);
 * }
 * Deno.removeSync(folder, { recursive: true });
 * ```
 */
export async function inspectStore(folder: string): Promise<StoreInspection> {
  const calls = new WorkerCalls();
  try {
    await calls.call({ method: "inspect", folder });
  } catch (error) {
    calls.end();
    throw error;
  }
  return {
    check: () => calls.call({ method: "check" }),
    describe: () => calls.call({ method: "describe" }),
    read: (after, patterns) => calls.call({ method: "read", after, patterns }),
    async [Symbol.asyncDispose]() {
      try {
        if (!calls.isBusy) await calls.call({ method: "close" });
      } finally {
        calls.end(); // Also in the middle of a call: nothing is changed that could be left half done.
      }
    },
  };
}
