/**
 * Opens the database of a store that no broker has open, and changes nothing. Runs in the worker.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { MqError, quote } from "../../protocol/errors.ts";
import { checkOwner, explained, FILE_NAME, SCHEMA_VERSION, versionOf } from "./database.ts";

/** The files that SQLite puts beside a database, also where it only reads. */
const SUFFIXES = ["-wal", "-shm"] as const;

/** What SQLite says where it needs these files and may not make them. */
const CANNOT_OPEN = "unable to open database file";

/**
 * Opens the database of a folder to read it. As long as it is open, no broker can open it.
 *
 * @param folder The folder.
 * @returns The database.
 * @throws {MqError} With the code `store-in-use`, `store-foreign`, `store-newer`, `store-damaged` or `store-failed`.
 */
export function openReadOnly(folder: string): DatabaseSync {
  return explained(folder, () => {
    const file = `${folder}/${FILE_NAME}`;
    if (!sizeOf(file)) {
      throw new MqError("store-failed", `There is no store in ${quote(folder)}: it has no file ${FILE_NAME}`);
    }
    if (Deno.statSync(file).isDirectory) {
      throw new MqError("store-failed", `Cannot read the file ${quote(file)}: it is a folder`);
    }
    const made = SUFFIXES.map((suffix) => file + suffix).filter((path) => sizeOf(path) === undefined);
    const database = open(file);
    try {
      checkOwner(database, folder);
      checkVersion(database, folder);
      return database;
    } catch (error) {
      database.close();
      throw error;
    } finally {
      made.forEach(remove);
    }
  });
}

/**
 * Reads something at once: only that opens the file, and finds out whether it is locked. In a transaction that does not end
 * it stays locked.
 */
function open(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    database.exec("PRAGMA temp_store = MEMORY; PRAGMA busy_timeout = 0"); // A broker does not let go.
    database.exec("BEGIN; SELECT count(*) FROM sqlite_master");
    return database;
  } catch (cause) {
    database.close();
    const isUnclosed = (cause as Error).message.startsWith(CANNOT_OPEN) && sizeOf(`${file}-wal`) !== undefined;
    if (!isUnclosed) throw cause;
    const why = `its broker has not closed it, and ${FILE_NAME}-wal cannot be read where nothing can be written`;
    throw new MqError("store-failed", `Cannot open ${quote(file)}: ${why}; copy the folder elsewhere`, { cause });
  }
}

function checkVersion(database: DatabaseSync, folder: string): void {
  const version = versionOf(database, folder);
  if (version === SCHEMA_VERSION) return;
  const message = `The store in ${quote(folder)} was made by an older mq: a broker that opens it brings it up to date`;
  throw new MqError("store-failed", message);
}

/** The size of a file; undefined if there is none. */
function sizeOf(path: string): number | undefined {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}

/** SQLite goes on with a file that it has open; the next one would find what nobody needs. */
function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // It was not made, or this system keeps what is open: an empty file is no harm.
  }
}
