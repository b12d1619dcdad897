/** What a store that no broker has open tells: all that is in it, and nothing is changed. */
import { assertEquals, assertRejects } from "@std/assert";
import { connect } from "../../mod.ts";
import { MqError } from "../../lib/protocol/errors.ts";
import { inspectStore, type LogCursor, type SalvagedPage, type StoreInspection } from "../../lib/store/inspect.ts";
import { openStore } from "../../lib/store/sqlite.ts";
import { type Folder, startStored, tempFolder } from "./folder.ts";

/** The names and sizes of the files of a folder. */
function filesIn({ path }: Folder): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => `${name} ${Deno.statSync(`${path}/${name}`).size}`).sort();
}

/** Copies a store that is open, as a loss of power would leave it: not everything is in the database's own file. */
function copied({ path }: Folder): Folder {
  const copy = tempFolder();
  for (const { name } of Deno.readDirSync(path)) Deno.copyFileSync(`${path}/${name}`, `${copy.path}/${name}`);
  return copy;
}

/** Changes bytes of the database. */
function damage({ path }: Folder, at: number, bytes: number): void {
  using file = Deno.openSync(`${path}/mq.db`, { write: true });
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array(bytes).fill(0xff));
}

async function recordsIn(store: StoreInspection, patterns = [">"]): Promise<string[]> {
  const names: string[] = [];
  for (let cursor: LogCursor | undefined = { after: "" }; cursor !== undefined;) {
    const { text, next, lost }: SalvagedPage = await store.read(cursor, patterns);
    assertEquals(lost, undefined);
    names.push(...text.split("\n").slice(0, -1).map((record) => record.split(" ").slice(2).join(" ")));
    cursor = next;
  }
  return names;
}

/** Publishes events, one of which is a dead job of a group and one of which comes in an hour. */
async function fill(port: number): Promise<void> {
  await using client = await connect({ hostname: "127.0.0.1", port });
  const died = Promise.withResolvers<void>();
  client.subscribe("mq.dead", { handler: () => died.resolve() });
  const member = client.consume("mail", "n", ({ data }, job) => data === 1 ? job.bury("no address") : undefined);
  await member.ready;
  for (const n of [0, 1, 2]) await client.publishConfirmed("n", n, { hops: n });
  await client.publishLater("later", undefined, 3_600_000);
  await died.promise;
}

Deno.test("inspectStore tells what a store has, and leaves its folder as it was", async () => {
  await using folder = tempFolder();
  {
    await using server = await startStored(folder);
    await fill(server.port);
  }
  const before = filesIn(folder);
  {
    await using store = await inspectStore(folder.path);
    assertEquals(await store.check(), []);
    const { version, log, groups, delayed, nextDue } = await store.describe();
    assertEquals([version, log.events, log.deleted, delayed], [1, 3, 0, 1]);
    assertEquals(groups.map(({ group, dead, lag, patterns }) => [group, dead, lag, patterns]), [["mail", 1, 0, ["n"]]]);
    assertEquals(nextDue! > Date.now() + 3_000_000, true);
    assertEquals(await recordsIn(store), ["n 0", '{"hops":1} n 1', '{"hops":2} n 2']);
    assertEquals(await recordsIn(store, ["later"]), []);
  }
  assertEquals(before.map((file) => file.split(" ")[0]), ["mq.db"]);
  assertEquals(filesIn(folder), before);
});

Deno.test("inspectStore reads what a broker that was killed has left, and leaves it as it was", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await fill(server.port);
  await using copy = copied(folder);
  const before = filesIn(copy);
  {
    await using store = await inspectStore(copy.path);
    assertEquals([await store.check(), (await store.describe()).log.events], [[], 3]);
  }
  assertEquals(before.map((file) => file.split(" ")[0]), ["mq.db", "mq.db-wal"]);
  assertEquals(filesIn(copy), before);
});

Deno.test("inspectStore and a broker never have the same store", async () => {
  await using folder = tempFolder();
  const inUse = async (open: () => Promise<unknown>) =>
    assertEquals((await assertRejects(open, MqError, "is in use by another program")).code, "store-in-use");
  {
    await using _ = await startStored(folder);
    await inUse(() => inspectStore(folder.path));
  }
  await using _ = await inspectStore(folder.path);
  await inUse(() => openStore({ folder: folder.path }));
});

Deno.test("inspectStore finds damage wherever it is", async () => {
  await using folder = tempFolder();
  {
    await using server = await startStored(folder);
    for (let n = 0; n < 50; n++) await server.broker.publishConfirmed("n", "x".repeat(10_000));
  }
  const { size } = Deno.statSync(`${folder.path}/mq.db`);
  for (const [at, bytes] of [[size / 2, 8192], [100, 2000]]) {
    await using copy = copied(folder);
    damage(copy, at, bytes);
    const look = async () => {
      await using store = await inspectStore(copy.path);
      return await store.check();
    };
    const found = await look().catch((error) => [error.message]);
    assertEquals(found.length > 0 && !found.includes("ok"), true, String(found));
  }
});

Deno.test("inspectStore refuses a folder without a store, and files that are none of mq's", async () => {
  await using folder = tempFolder();
  const refusal = async (path: string) => (await assertRejects(() => inspectStore(path), MqError)).message;
  const quoted = JSON.stringify(folder.path);
  assertEquals(await refusal(folder.path), `There is no store in ${quoted}: it has no file mq.db`);
  Deno.writeTextFileSync(`${folder.path}/mq.db`, "");
  assertEquals(await refusal(folder.path), `There is no store in ${quoted}: it has no file mq.db`);
  Deno.writeTextFileSync(`${folder.path}/mq.db`, "not a database ".repeat(100));
  const problem = `${JSON.stringify(`${folder.path}/mq.db`)} is no database`;
  assertEquals(await refusal(folder.path), `${problem}; use another folder, or move that file away`);
  const file = `${folder.path}/mq.db`;
  const inFolder = `${folder.path}/folder/mq.db`;
  Deno.mkdirSync(inFolder, { recursive: true });
  const isFolder = `Cannot read the file ${JSON.stringify(inFolder)}: it is a folder`;
  assertEquals(await refusal(`${folder.path}/folder`), isFolder);
  assertEquals(await refusal(file), `There is no store in ${JSON.stringify(file)}: it has no file mq.db`);
});
