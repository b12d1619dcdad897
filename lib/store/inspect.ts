/**
 * Looks into the store of a broker that does not run, and changes nothing there.
 *
 * @module
 */
import { WorkerCalls } from "./sqlite/worker_calls.ts";
import type { GroupInfo, LogInfo } from "./store.ts";

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

/** A place in a log. */
export interface LogCursor {
  /** The id behind which it is; empty for the beginning. */
  readonly after: string;
  /** The position of the next event, where it is known. */
  readonly position?: number;
}

/** A part of a log, as far as it can be read. */
export interface SalvagedPage {
  /** The records that match, each with an LF. */
  readonly text: string;
  /** What cannot be read behind them, as the beginning of a sentence; undefined if nothing is lost there. */
  readonly lost: string | undefined;
  /** Where the next page begins; undefined at the end of the log. */
  readonly next: LogCursor | undefined;
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
   * Reads a part of the log. What is damaged is passed over.
   *
   * @param cursor Where to begin.
   * @param patterns The patterns of the events that match.
   */
  read(cursor: LogCursor, patterns: readonly string[]): Promise<SalvagedPage>;
}

/**
 * Opens a store to look into it. As long as it is open, no broker can open it.
 *
 * @param folder The folder.
 * @returns The store.
 * @throws {MqError} With the code `store-in-use`, if a broker has it open; `store-foreign`, if the file is none of mq's;
 * `store-newer`, if a newer mq has made it; `store-damaged`, if it is too damaged to be opened; `store-failed`, if there is no
 * store, or it cannot be read.
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
    read: (cursor, patterns) => calls.call({ method: "salvage", cursor, patterns }),
    async [Symbol.asyncDispose]() {
      try {
        if (!calls.isBusy) await calls.call({ method: "close" });
      } finally {
        calls.end(); // Also in the middle of a call: nothing is changed that could be left half done.
      }
    },
  };
}
