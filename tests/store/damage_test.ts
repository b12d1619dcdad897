/** A store of which a page is damaged: what is read of it is what was written, and what is not is told (14.12). */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { MqError } from "../../lib/protocol/errors.ts";
import { ID_CHARACTERS } from "../../lib/store/record.ts";
import { inspectStore, type LogCursor, type SalvagedPage } from "../../lib/store/inspect.ts";
import { openStore } from "../../lib/store/sqlite.ts";
import type { FailedJob, Store } from "../../lib/store/store.ts";
import { type Folder, tempFolder } from "./folder.ts";

const PAGE_BYTES = 4096;

/** How many blocks there are, each with this many small events: a page of the database has some of them. */
const [BLOCKS, EVENTS] = [1000, 3];

/** Every so many pages one is damaged. */
const PAGES = 5;

/** The id of an event, which counts from 0. */
function idOf(event: number): string {
  return `01JD3K5E8Q${String(event).padStart(16, "0")}`;
}

/** The number of the event of a record, which has to be whole. */
function eventOf(record: string): number {
  const event = Number(record.slice(10, ID_CHARACTERS));
  assertEquals(record, `${idOf(event)} shop n ${event}`);
  return event;
}

async function fill({ path }: Folder): Promise<void> {
  const store = await openStore({ folder: path, syncMs: 1000 });
  for (let block = 0; block < BLOCKS; block++) {
    const events = Array.from({ length: EVENTS }, (_, index) => block * EVENTS + index);
    const text = events.map((event) => `${idOf(event)} shop n ${event}\n`).join("");
    const blocks = [{ first: idOf(events[0]), count: EVENTS, hasHeaders: false, text }];
    await store.commit({ blocks, operations: [] });
  }
  await store.close();
}

/** Copies a store, and damages a page of the copy. */
function damaged({ path }: Folder, page: number): Folder {
  const copy = tempFolder();
  Deno.copyFileSync(`${path}/mq.db`, `${copy.path}/mq.db`);
  overwrite(copy, page * PAGE_BYTES, new Uint8Array(PAGE_BYTES).fill(0xff));
  return copy;
}

function overwrite({ path }: Folder, at: number, bytes: Uint8Array): void {
  using file = Deno.openSync(`${path}/mq.db`, { write: true });
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(bytes);
}

/** The pages that are damaged one after another. */
function pagesOf({ path }: Folder): number[] {
  const pages = Deno.statSync(`${path}/mq.db`).size / PAGE_BYTES;
  return Array.from({ length: Math.ceil(pages / PAGES) }, (_, index) => index * PAGES).filter((page) => page > 0);
}

/** Reads a log to its end, or up to what cannot be read; returns the numbers of the events, and what is said at the end. */
async function readFrom(store: Store, after: string): Promise<{ events: number[]; error: string | undefined }> {
  const events: number[] = [];
  try {
    for (let from: string | undefined = after; from !== undefined;) {
      const { text, last } = await store.read(from, [">"]);
      events.push(...text.split("\n").slice(0, -1).map(eventOf));
      from = last;
    }
    return { events, error: undefined };
  } catch (error) {
    return { events, error: (error as MqError).message };
  }
}

/** Checks that events follow one another from one on. */
function assertFollow(events: readonly number[], first: number): void {
  assert(events.every((event, index) => event === first + index), `Behind ${first} there are ${events.slice(0, 5)}...`);
}

Deno.test("a log whose page is damaged is read up to there, and behind it", async () => {
  await using folder = tempFolder();
  await fill(folder);
  let read = 0;
  for (const page of pagesOf(folder)) {
    await using copy = damaged(folder, page);
    const store = await openStore({ folder: copy.path }).catch(() => undefined);
    if (store === undefined) continue; // It cannot even be opened.
    const { events, error } = await readFrom(store, "");
    assertFollow(events, 0);
    if (error !== undefined) {
      assertEquals(error.startsWith("The store is damaged: "), true, error);
      let behind = events.length + 1; // The first event that can be read again.
      while ((await readFrom(store, idOf(behind - 1))).events.length === 0) behind += EVENTS;
      const rest = await readFrom(store, idOf(behind - 1));
      assertFollow(rest.events, behind);
      assertEquals([rest.error, rest.events.at(-1)], [undefined, BLOCKS * EVENTS - 1]);
      assertFollow((await readFrom(store, idOf(events.length - 1 - EVENTS))).events, events.length - EVENTS);
      read++;
    }
    await store.close();
  }
  assert(read > 5, `Of the pages that were damaged, ${read} were the log's`);
});

Deno.test("a damaged log is trimmed up to there, and written as ever", async () => {
  await using folder = tempFolder();
  await fill(folder);
  let stopped = 0;
  for (const page of pagesOf(folder)) {
    await using copy = damaged(folder, page);
    const store = await openStore({ folder: copy.path, keepBytes: 1000 }).catch(() => undefined);
    if (store === undefined) continue; // It cannot even be opened.
    const { events } = await readFrom(store, "");
    const error: MqError | undefined = await trim(store).then(() => undefined, (error) => error);
    const [rest] = (await readFrom(store, "")).events;
    if (error !== undefined) {
      stopped++;
      assertEquals(error.code, "store-damaged");
      assert(rest === undefined || rest <= events.length);
    }
    const event = BLOCKS * EVENTS;
    const text = `${idOf(event)} shop n ${event}\n`;
    await store.commit({ blocks: [{ first: idOf(event), count: 1, hasHeaders: false, text }], operations: [] });
    assertEquals((await readFrom(store, idOf(event - 1))).events, [event]);
    await store.close();
  }
  assert(stopped > 5, `Of the pages that were damaged, ${stopped} were in the way`);
});

async function trim(store: Store): Promise<void> {
  while (await store.maintain(Date.now()));
}

Deno.test("inspectStore reads all of a damaged log but what is damaged, and says what that is", async () => {
  await using folder = tempFolder();
  await fill(folder);
  let lossy = 0;
  for (const page of pagesOf(folder)) {
    await using copy = damaged(folder, page);
    await using store = await inspectStore(copy.path);
    let [expected, isLossy] = [0, false];
    for (let cursor: LogCursor | undefined = { after: "" }; cursor !== undefined;) {
      const { text, lost, next }: SalvagedPage = await store.read(cursor, [">"]);
      const events = text.split("\n").slice(0, -1).map(eventOf);
      assertFollow(events, expected);
      expected += events.length;
      cursor = next;
      if (lost === undefined) continue;
      isLossy = true;
      const [, number] = /^(\d+|some) events? of the log cannot be read/.exec(lost)!;
      if (next === undefined) expected = BLOCKS * EVENTS;
      else expected = number === "some" ? Number(lost.slice(-16)) : expected + Number(number);
      const before = next === undefined ? "" : `before ${idOf(expected)}`;
      assert(lost.endsWith(before), lost);
    }
    assertEquals(expected, BLOCKS * EVENTS);
    if (isLossy) lossy++;
    const problems = await store.check();
    assert(problems.length > 0);
    assertEquals(problems.some((problem) => problem.includes("of the log cannot be read")), isLossy);
  }
  assert(lossy > 5, `Of the pages that were damaged, ${lossy} were the log's`);
});

/** Makes a store with something besides the log, and changes a byte of its text. */
async function withDamagedRecord(folder: Folder, write: (store: Store) => Promise<unknown>): Promise<void> {
  const store = await openStore({ folder: folder.path });
  await write(store);
  await store.close();
  const database = Deno.readFileSync(`${folder.path}/mq.db`);
  const at = new TextDecoder("latin1").decode(database).indexOf("untouched");
  overwrite(folder, at, new TextEncoder().encode("U"));
}

Deno.test("a delayed event that is damaged is not published, and can be cancelled", async () => {
  await using folder = tempFolder();
  const records = [["n 0", 1], ["n untouched", 2], ["n 2", 3]] as const;
  await withDamagedRecord(folder, (store) => {
    const operations = records.map(([line, due], index) =>
      ({ do: "delay", id: idOf(index), due, record: `${idOf(index)} shop ${line}` }) as const
    );
    return store.commit({ blocks: [], operations });
  });
  {
    await using inspection = await inspectStore(folder.path);
    assertEquals(await inspection.check(), [`the delayed event ${idOf(1)} is not as it was written`]);
  }
  const store = await openStore({ folder: folder.path });
  const due = async () => (await store.due()).events.map(({ record }) => record.slice(ID_CHARACTERS));
  const cancel = (event: number) => store.commit({ blocks: [], operations: [{ do: "cancel", id: idOf(event) }] });
  assertEquals(await due(), [" shop n 0"]);
  await cancel(0);
  const text = `The store is damaged: the delayed event ${idOf(1)} is not as it was written`;
  assertEquals((await assertRejects(due, MqError)).message, text);
  await cancel(1);
  assertEquals(await due(), [" shop n 2"]);
  await store.close();
});

Deno.test("a job that has failed and is damaged is not delivered, those before it are, and it can be purged", async () => {
  await using folder = tempFolder();
  const record = (event: number) => `${idOf(event)} shop n ${event === 1 ? "untouched" : event}`;
  await withDamagedRecord(folder, async (store) => {
    const text = [0, 1, 2].map((event) => `${record(event)}\n`).join("").replace("untouched", "as it was");
    const options = { ackMs: 1000, tries: 3, dead: null };
    const blocks = [{ first: idOf(0), count: 3, hasHeaders: false, text }];
    const group = { do: "group", group: "work", patterns: [">"], options, after: "" } as const;
    await store.commit({ blocks: [], operations: [group] });
    await store.commit({ blocks, operations: [] });
    const [{ jobs }] = await store.pull([{ group: "work", most: 9 }]);
    const again = jobs.map(({ key }, event): FailedJob => ({ key, tries: 1, at: 0, why: "", record: record(event) }));
    await store.commit({ blocks: [], operations: [{ do: "settle", group: "work", done: [], again, dead: [] }] });
  });
  {
    await using inspection = await inspectStore(folder.path);
    assertEquals(await inspection.check(), ["a job of the group work is not as it was written"]);
  }
  const store = await openStore({ folder: folder.path });
  const pull = async () => (await store.pull([{ group: "work", most: 9 }]))[0].jobs.map(({ record }) => record);
  assertEquals(await pull(), [record(0)]);
  const text = "The store is damaged: a job of the group work is not as it was written";
  assertEquals((await assertRejects(pull, MqError)).message, text);
  await store.commit({ blocks: [], operations: [{ do: "purge", group: "work", state: "ready" }] });
  assertEquals(await pull(), []);
  assertEquals((await store.describeGroups()).map(({ inFlight, ready }) => [inFlight, ready]), [[1, 0]]);
  await store.close();
});
