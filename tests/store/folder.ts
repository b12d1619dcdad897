/** Folders and brokers with a store, for tests. */
import type { BrokerOptions } from "../../mod.ts";
import { openStore, type StoreOptions } from "../../lib/store/sqlite.ts";
import { startBroker, type TestBroker } from "../helpers.ts";

/** A folder that is removed at the end of its scope. */
export interface Folder extends AsyncDisposable {
  readonly path: string;
}

/** Makes a folder. */
export function tempFolder(): Folder {
  const path = Deno.makeTempDirSync({ prefix: "mq-store-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** A broker on a free port that keeps its events in a folder. It recognizes every event unless told otherwise. */
export async function startStored(
  { path }: Folder,
  options: Omit<BrokerOptions, "store"> = {},
  stored: Omit<StoreOptions, "folder"> = {},
): Promise<TestBroker> {
  return await startBroker({ events: [">"], ...options, store: await openStore({ folder: path, ...stored }) });
}
