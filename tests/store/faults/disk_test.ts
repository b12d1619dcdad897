/** The disk that can be slow, full or broken, and what SQLite does on it. */
import { assert, assertEquals } from "@std/assert";
import { Program, shell } from "../../helpers.ts";
import { type Disk, Errno, hasCompiler, makeDisk } from "./disk.ts";

/** How long a sync is made to take, in milliseconds: a number of more than one byte. */
const DELAY_MS = 300;

const INSERT = "INSERT INTO events DEFAULT VALUES";
const CHECKPOINT = "PRAGMA wal_checkpoint(TRUNCATE)";

const PROGRAM = new URL("database.ts", import.meta.url).pathname;

/** A program that has a database open. */
class Database extends Program {
  constructor(path: string, { env }: Disk) {
    super([path], env, [Deno.execPath(), "run", "--cached-only", "--allow-read", "--allow-write", PROGRAM]);
  }

  /** Runs a statement; returns its rows. */
  async run(sql: string): Promise<unknown[]> {
    const { rows, error } = await this.#answer(sql);
    assertEquals(error, undefined, sql);
    return rows!;
  }

  /** Runs a statement that must fail; returns why. */
  async fail(sql: string): Promise<string> {
    const { error } = await this.#answer(sql);
    assert(error !== undefined, `${sql} succeeds`);
    return error;
  }

  /** The events that it sees. */
  async ids(): Promise<number[]> {
    const rows = await this.run("SELECT id FROM events ORDER BY id");
    return (rows as { id: number }[]).map(({ id }) => id);
  }

  async #answer(sql: string): Promise<{ rows?: unknown[]; error?: string }> {
    await this.write(sql + "\n");
    const line = await this.stdout.next();
    if (line === null) throw new Error(`The program has ended: ${await this.stderr.rest()}`);
    return JSON.parse(line);
  }
}

/** A test of a disk that has one database, beside a folder that is not on it. */
function test(name: string, tries: (database: Database, disk: Disk, folder: string) => Promise<void>): void {
  const fn = async () => {
    const folder = await shell('folder=$(mktemp -d) && mkdir "$folder/disk" "$folder/disk-2" && printf %s "$folder"');
    try {
      await using disk = await makeDisk(`${folder}/disk`);
      await using database = new Database(`${folder}/disk/mq.db`, disk);
      await database.run("CREATE TABLE events (id INTEGER PRIMARY KEY)");
      await tries(database, disk, folder);
    } finally {
      await shell(`rm -rf '${folder}'`);
    }
  };
  Deno.test({ name, ignore: !hasCompiler(), fn });
}

test("a disk counts the sync and the writes of each commit", async (database, disk) => {
  for (let commit = 1; commit <= 3; commit++) {
    const { syncs, writes } = disk;
    await database.run(INSERT);
    assertEquals(disk.syncs, syncs + 1);
    assert(disk.writes > writes);
  }
  assertEquals([disk.failedSyncs, disk.failedWrites], [0, 0]);
});

test("while syncs fail, each commit fails and is rolled back", async (database, disk) => {
  await database.run(INSERT);
  const { syncs } = disk;
  await disk.failSyncs(true);
  for (let commit = 1; commit <= 3; commit++) {
    assertEquals(await database.fail(INSERT), "disk I/O error");
    assertEquals(await database.fail("ROLLBACK"), "cannot rollback - no transaction is active");
    assertEquals(await database.ids(), [1]);
    assertEquals([disk.failedSyncs, disk.syncs], [commit, syncs]);
  }
  await disk.failSyncs(false);
  await database.run(INSERT);
  assertEquals(await database.ids(), [1, 2]);
});

test("what was written before a sync failed is there after the program was killed", async (database, disk, folder) => {
  await disk.failSyncs(true);
  await database.fail(INSERT);
  assertEquals(await database.ids(), []);
  await database[Symbol.asyncDispose]();
  await using next = new Database(`${folder}/disk/mq.db`, disk);
  assertEquals(await next.ids(), [1]);
});

for (
  const [name, reason] of [
    ["ENOSPC", "database or disk is full"],
    ["EIO", "disk I/O error"],
    ["EROFS", "disk I/O error"],
  ] as const
) {
  test(`while writes fail with ${name}, each commit and each checkpoint fails`, async (database, disk) => {
    await database.run(INSERT);
    await disk.failWrites(Errno[name]);
    const { writes } = disk;
    for (const sql of [INSERT, INSERT, CHECKPOINT]) {
      const { failedWrites } = disk;
      assertEquals(await database.fail(sql), reason);
      assert(disk.failedWrites > failedWrites);
    }
    assertEquals(disk.writes, writes);
    assertEquals(await database.ids(), [1]);
    await disk.failWrites(undefined);
    await database.run(CHECKPOINT);
    await database.run(INSERT);
    assertEquals(await database.ids(), [1, 2]);
  });
}

test("a file can be made shorter on a full disk, but not on a read-only one", async (database, disk) => {
  await database.run(INSERT);
  await database.run("PRAGMA wal_checkpoint"); // All that the next one has to do is to empty the log.
  await disk.failWrites(Errno.EROFS);
  assertEquals(await database.fail(CHECKPOINT), "disk I/O error");
  await disk.failWrites(Errno.ENOSPC);
  await database.run(CHECKPOINT);
  assertEquals([disk.failedSyncs, disk.failedWrites], [0, 1]);
});

test("a sync takes at least as long as the disk delays it", async (database, disk) => {
  await disk.delaySyncs(DELAY_MS);
  const startedAt = performance.now();
  await database.run(INSERT);
  assert(performance.now() - startedAt >= DELAY_MS);
  await disk.failSyncs(true);
  const failsAt = performance.now();
  await database.fail(INSERT);
  assert(performance.now() - failsAt >= DELAY_MS);
});

test(
  "files in other folders are not affected, even if their descriptors were those of the disk's files",
  async (database, disk, folder) => {
    await disk.failWrites(Errno.ENOSPC);
    for (let round = 1; round <= 3; round++) {
      await database.run(`.open ${folder}/disk-2/mq.db`);
      const { syncs, writes, failedWrites } = disk;
      await database.run(`CREATE TABLE round_${round} (id)`);
      assertEquals([disk.syncs, disk.writes, disk.failedWrites], [syncs, writes, failedWrites]);
      await database.run(`.open ${folder}/disk/mq.db`);
      assertEquals(await database.fail(INSERT), "database or disk is full");
      assertEquals(disk.failedWrites, failedWrites + 1);
    }
  },
);
