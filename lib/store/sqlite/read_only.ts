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

/** What SQLite says where it may not make these files. */
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
    const made = SUFFIXES.map((suffix) => file + suffix).filter((path) => sizeOf(path) === undefined);
    const database = open(file);
    try {
      database.exec("PRAGMA temp_store = MEMORY");
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

/** Reads something at once: only that opens the file, and finds out whether it is locked. */
function open(file: string): DatabaseSync {
  try {
    return tried(new DatabaseSync(file, { readOnly: true }));
  } catch (error) {
    const isReadOnlyFolder = (error as Error).message.startsWith(CANNOT_OPEN) && !sizeOf(`${file}-wal`);
    if (!isReadOnlyFolder) throw error;
    const path = encodeURI(file).replaceAll("?", "%3f").replaceAll("#", "%23");
    return tried(new DatabaseSync(`file:${path}?immutable=1`, { readOnly: true }));
  }
}

function tried(database: DatabaseSync): DatabaseSync {
  try {
    database.exec("PRAGMA busy_timeout = 0; SELECT count(*) FROM sqlite_master"); // A broker does not let go.
    return database;
  } catch (error) {
    database.close();
    throw error;
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
