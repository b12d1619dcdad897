/**
 * The database of a store: a file of SQLite, its schema and its errors. Runs in the worker.
 *
 * @module
 */
import { closeSync, fstatSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { MqError, quote } from "../../protocol/errors.ts";
import { systemReason } from "../../protocol/system_reason.ts";
import { DamagedError } from "./seal.ts";

/** The name of the database's file in the folder of a store. */
export const FILE_NAME = "mq.db";

/** The files of a database that is open: its own, and its log, the WAL, which has what is not in the first yet. */
const FILE_NAMES = [FILE_NAME, `${FILE_NAME}-wal`];

/** Tells the file from those of other programs: "mq" and a number. */
const APPLICATION_ID = 0x6d710001;

/** How long a transaction that is not synced may be ahead of the disk, where nothing else says so: until the log is full. */
const WAL_PAGES = 1000;

/** What the errors of SQLite begin with, of which node:sqlite does not pass the code on. https://www.sqlite.org/rescode.html */
const MESSAGES = {
  busy: "database is locked",
  foreign: "file is not a database",
  damaged: "database disk image is malformed",
  full: "database or disk is full",
} as const;

/**
 * The steps that make the schema, one for each version. A file of an older version takes those it lacks.
 *
 * `log` has the events in blocks: what came in one transaction is one row. `position` counts the events since the first, and
 * `start` their bytes, so that a number of events or bytes is the difference of two rows, and nothing is ever counted.
 * `groups.opened` has the positions up to `cursor` that are not settled, as pairs of the first and how many. `records` and
 * `record` are sealed (see seal.ts).
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE log (
     position INTEGER PRIMARY KEY, first TEXT NOT NULL, count INTEGER NOT NULL, start INTEGER NOT NULL,
     headers INTEGER NOT NULL, records BLOB NOT NULL) STRICT;
   CREATE TABLE groups (
     id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, patterns TEXT NOT NULL, options TEXT NOT NULL,
     cursor INTEGER NOT NULL, opened TEXT NOT NULL) STRICT;
   CREATE TABLE jobs (
     group_id INTEGER NOT NULL, position INTEGER NOT NULL, dead INTEGER NOT NULL, at INTEGER NOT NULL,
     tries INTEGER NOT NULL, why BLOB NOT NULL, record BLOB NOT NULL, UNIQUE (group_id, position)) STRICT;
   CREATE INDEX jobs_at ON jobs (group_id, dead, at);
   CREATE TABLE delayed (id TEXT PRIMARY KEY, due INTEGER NOT NULL, record BLOB NOT NULL) STRICT;
   CREATE INDEX delayed_due ON delayed (due);
   CREATE TABLE keys (key TEXT PRIMARY KEY, at INTEGER NOT NULL, receipt TEXT NOT NULL) STRICT;
   CREATE INDEX keys_at ON keys (at);
   CREATE TABLE sync (id INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;
   INSERT INTO sync VALUES (1, 0);`,
];

/** The version of the schema. */
export const SCHEMA_VERSION: number = MIGRATIONS.length;

/**
 * Opens the database of a folder, or makes one. One that is there is not changed before {@linkcode beginWriting}: it may turn
 * out to be damaged.
 *
 * @param folder The folder, which is created if there is none.
 * @returns The database, which no other process can open meanwhile.
 * @throws {MqError} With the code `store-in-use`, `store-foreign`, `store-newer`, `store-damaged` or `store-failed`.
 */
export function openDatabase(folder: string): DatabaseSync {
  return explained(folder, () => {
    checkFolder(folder);
    for (const name of FILE_NAMES) checkFile(`${folder}/${name}`);
    const database = new DatabaseSync(`${folder}/${FILE_NAME}`);
    try {
      database.exec("PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE");
      checkOwner(database, folder);
      migrate(database, versionOf(database, folder));
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

/** SQLite would say "disk I/O error" of a folder that may not be written. */
function checkFolder(folder: string): void {
  try {
    Deno.mkdirSync(folder, { recursive: true });
    const probe = Deno.makeTempFileSync({ dir: folder, prefix: ".mq-" });
    Deno.removeSync(probe);
  } catch (cause) {
    throw cannotWrite(`in the folder ${quote(folder)}`, cause, whyNoFolder(folder, cause));
  }
}

/** Why there cannot be a folder, if that is because of what is there; the system says only that something is. */
function whyNoFolder(folder: string, cause: unknown): string | undefined {
  if (!(cause instanceof Deno.errors.AlreadyExists)) return undefined;
  const { isFile, isSymlink } = Deno.lstatSync(folder);
  if (!isSymlink) return isFile ? "it is a file" : undefined;
  return leadsSomewhere(folder) ? "it is a link to a file" : "it is a link to something that does not exist";
}

function leadsSomewhere(link: string): boolean {
  try {
    Deno.statSync(link);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The same of a file. To be called before SQLite opens it: to close a file gives up SQLite's lock of it. */
function checkFile(path: string): void {
  try {
    using file = Deno.openSync(path, { read: true, write: true });
    if (file.statSync().size !== 1) return; // SQLite would take one byte for an empty file, and overwrite it.
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return; // It will be made.
    throw cannotWrite(`the file ${quote(path)}`, cause);
  }
  throw foreign(path, "no database");
}

function cannotWrite(what: string, cause: unknown, why?: string): MqError {
  return new MqError("store-failed", `Cannot write ${what}: ${why ?? systemReason(cause)}`, { cause });
}

function foreign(path: string, what: string, cause?: unknown): MqError {
  const advice = "use another folder, or move that file away";
  return new MqError("store-foreign", `${quote(path)} is ${what}; ${advice}`, { cause });
}

/**
 * The files of an open database: what is written to one that was deleted is lost with the process, and SQLite does not notice.
 * They stay open until the database is closed: to close one of them would give up SQLite's lock of it.
 */
export class DatabaseFiles {
  /** By their descriptors: Deno's own files need the permission to read, which is dropped when the store is open. */
  readonly #files: { name: string; descriptor: number }[];

  /**
   * Opens the files.
   *
   * @param folder The folder of the database, which has been written to.
   */
  constructor(folder: string) {
    this.#files = FILE_NAMES.map((name) => ({ name, descriptor: openSync(`${folder}/${name}`, "r") }));
  }

  /**
   * Checks whether they still are in a folder.
   *
   * @throws {MqError} With the code `store-failed`, if one was deleted.
   */
  check(): void {
    const deleted = this.#files.find(({ descriptor }) => fstatSync(descriptor).nlink === 0);
    if (deleted !== undefined) throw new MqError("store-failed", `The file ${deleted.name} of the store was deleted`);
  }

  /** Closes them. */
  close(): void {
    for (const { descriptor } of this.#files) closeSync(descriptor);
  }
}

/**
 * Checks that a database is one of mq's, before anything is written: a file of another program stays as it is.
 *
 * @param database The database.
 * @param folder Its folder.
 * @throws {MqError} With the code `store-foreign`.
 */
export function checkOwner(database: DatabaseSync, folder: string): void {
  const owner = pragma(database, "application_id");
  const isNew = owner === 0 && database.prepare("SELECT count(*) AS n FROM sqlite_master").get()!.n === 0;
  if (owner === APPLICATION_ID || isNew) return;
  throw foreign(`${folder}/${FILE_NAME}`, "a database of another program");
}

/**
 * Makes a database ready for transactions.
 *
 * @param database The database.
 * @param isSynced Whether each transaction is synced to the disk.
 */
export function beginWriting(database: DatabaseSync, isSynced: boolean): void {
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = ${WAL_PAGES}; PRAGMA temp_store = MEMORY;
    PRAGMA synchronous = ${isSynced ? "FULL" : "NORMAL"}`);
  // What was written and not synced before may be in the system's memory only: from here on it is in the file.
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
}

/**
 * The version of a database.
 *
 * @param database The database.
 * @param folder Its folder.
 * @returns The version of its schema; 0 if it has none yet.
 * @throws {MqError} With the code `store-newer`, if this program does not know the version.
 */
export function versionOf(database: DatabaseSync, folder: string): number {
  const version = pragma(database, "user_version");
  if (version <= SCHEMA_VERSION) return version;
  const message = `The store in ${quote(folder)} was made by a newer mq: it has version ${version}, ` +
    `and this mq knows those up to ${SCHEMA_VERSION}`;
  throw new MqError("store-newer", message);
}

function migrate(database: DatabaseSync, version: number): void {
  for (const [index, step] of MIGRATIONS.entries()) {
    if (index < version) continue;
    const marks = `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${index + 1}`;
    database.exec(`BEGIN IMMEDIATE; ${step} ${marks}; COMMIT`);
  }
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(Object.values(database.prepare(`PRAGMA ${name}`).get()!)[0]);
}

/**
 * Does something with the files of a folder.
 *
 * @param folder The folder; undefined where clients are told, too, who need not know it.
 * @param act What to do.
 * @returns What it returns.
 * @throws {MqError} What it throws, in words for people.
 */
export function explained<T>(folder: string | undefined, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw explain(folder, cause);
  }
}

function explain(folder: string | undefined, cause: unknown): MqError {
  if (cause instanceof MqError) return cause;
  const store = folder === undefined ? "The store" : `The store in ${quote(folder)}`;
  const message = systemReason(cause);
  const is = (text: string) => message.startsWith(text);
  if (is(MESSAGES.busy)) {
    return new MqError("store-in-use", `${store} is in use by another program`, { cause });
  }
  if (is(MESSAGES.foreign)) return foreign(`${folder}/${FILE_NAME}`, "no database", cause);
  const isDamaged = cause instanceof DamagedError || is(MESSAGES.damaged);
  const what = isDamaged ? "is damaged" : is(MESSAGES.full) ? "has no room on its disk" : "failed";
  return new MqError(isDamaged ? "store-damaged" : "store-failed", `${store} ${what}: ${message}`, { cause });
}
