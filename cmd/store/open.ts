/**
 * Opens the store of a broker that does not run, for the commands that look into it.
 *
 * @module
 */
import { MqError } from "../../lib/protocol/errors.ts";
import { inspectStore, type StoreInspection } from "../../lib/store/inspect.ts";
import { dropStorePermissions } from "../shared/store_permissions.ts";

/**
 * Opens a store, and drops the permissions that this took.
 *
 * @param folder Its folder.
 * @param instead What to do if a broker has it open, as the end of a sentence.
 * @throws {MqError} As {@linkcode inspectStore}.
 */
export async function openToInspect(folder: string, instead: string): Promise<StoreInspection> {
  try {
    return await inspectStore(folder);
  } catch (error) {
    if (!(error instanceof MqError) || error.code !== "store-in-use") throw error;
    throw new MqError(error.code, `${error.message}; ${instead}`, { cause: error });
  } finally {
    dropStorePermissions();
  }
}
