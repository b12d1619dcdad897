import { assertEquals, assertRejects } from "@std/assert";
import { ulid } from "@std/ulid";
import { openStore, type StoreOptions } from "../../lib/store/sqlite.ts";
import type { Block, GroupOptions, Operation, Pulled, Store } from "../../lib/store/store.ts";
import { MqError } from "../../lib/protocol/errors.ts";
import { tempFolder } from "./folder.ts";

const OPTIONS: GroupOptions = { ackMs: 1000, tries: 3, dead: null };

let made = 0;

/** An id that is greater than all before it, at some time. */
function nextId(time = 1_800_000_000_000): string {
  return ulid(time).slice(0, 10) + String(++made).padStart(16, "0");
}

function block(names: readonly string[], time?: number): Block & { ids: string[] } {
  const ids = names.map(() => nextId(time));
  const text = names.map((name, index) => `${ids[index]} shop ${name} ${index}\n`).join("");
  return { first: ids[0], count: names.length, hasHeaders: false, text, ids };
}

function append(store: Store, ...blocks: Block[]): Promise<readonly unknown[]> {
  return store.commit({ blocks, operations: [] });
}

async function apply(store: Store, ...operations: Operation[]): Promise<readonly unknown[]> {
  return await store.commit({ blocks: [], operations });
}

function join(group: string, patterns: string[], after = "", options = OPTIONS): Operation {
  return { do: "group", group, patterns, options, after };
}

async function readAll(store: Store, after = "", patterns = [">"]): Promise<string[]> {
  const lines: string[] = [];
  for (let from: string | undefined = after; from !== undefined;) {
    const { text, last } = await store.read(from, patterns);
    lines.push(...text.split("\n").slice(0, -1));
    from = last;
  }
  return lines;
}

async function take(store: Store, group: string, most: number): Promise<Pulled> {
  const [pulled] = await store.pull([{ group, most }]);
  return pulled;
}

const namesOf = (records: readonly string[]) => records.map((record) => record.split(" ")[2]);

Deno.test("openStore keeps events over a restart, in their order", async () => {
  await using folder = tempFolder();
  const [one, two] = [block(["a", "b", "c"]), block(["d"])];
  const first = await openStore({ folder: folder.path });
  await append(first, one);
  await append(first, two);
  await first.close();
  const second = await openStore({ folder: folder.path });
  const { events, first: oldest, last } = second.log;
  assertEquals([events, oldest, last], [4, one.ids[0], two.ids[0]]);
  assertEquals(namesOf(await readAll(second)), ["a", "b", "c", "d"]);
  await append(second, block(["e"]));
  assertEquals(namesOf(await readAll(second, one.ids[1])), ["c", "d", "e"]);
  await second.close();
});

Deno.test("Store.read begins behind any id, and selects by pattern", async () => {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path });
  const blocks = Array.from({ length: 50 }, (_, index) => block(index % 7 === 0 ? ["x.a", "y", "x.b"] : ["y"]));
  await append(store, ...blocks);
  const all = await readAll(store);
  const ids = blocks.flatMap(({ ids }) => ids);
  for (const [index, id] of ids.entries()) {
    const { text } = await store.read(id, [">"]);
    assertEquals(text, all.slice(index + 1).map((line) => line + "\n").join(""));
  }
  assertEquals(namesOf(await readAll(store, "", ["x.*"])), Array.from({ length: 8 }, () => ["x.a", "x.b"]).flat());
  assertEquals((await store.read(ids.at(-1)!, [">"])).last, undefined);
  await store.close();
});

Deno.test("Store.read goes on where a page ends", async () => {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path });
  for (let round = 0; round < 20; round++) {
    await append(store, ...Array.from({ length: 10 }, () => block(Array.from({ length: 100 }, () => "n".repeat(50)))));
  }
  assertEquals((await readAll(store)).length, 20_000);
  await store.close();
});

Deno.test("Store.pull gives first deliveries in the order of the log, and only what matches", async () => {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path });
  await apply(store, join("work", ["job.*"]));
  await append(store, block(["job.a", "other", "job.b"]), block(["job.c"]));
  const { jobs, hasMore } = await take(store, "work", 2);
  assertEquals([namesOf(jobs.map(({ record }) => record)), hasMore], [["job.a", "job.b"], true]);
  const rest = await take(store, "work", 10);
  assertEquals([namesOf(rest.jobs.map(({ record }) => record)), rest.hasMore], [["job.c"], false]);
  await store.close();
});

Deno.test("A group begins behind an id", async () => {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path });
  const old = block(["a", "b", "c"]);
  await store.commit({ blocks: [old], operations: [join("all", [">"]), join("later", [">"], old.ids[1])] });
  const taken = async (group: string) => namesOf((await take(store, group, 9)).jobs.map(({ record }) => record));
  assertEquals(await taken("all"), ["a", "b", "c"]);
  assertEquals(await taken("later"), ["c"]);
  await store.close();
});

Deno.test("Jobs that are not settled are delivered again after a restart, settled ones are not", async () => {
  await using folder = tempFolder();
  const first = await openStore({ folder: folder.path });
  await apply(first, join("work", [">"]));
  await append(first, block(["a", "b", "c", "d", "e"]));
  const { jobs } = await take(first, "work", 4);
  await apply(first, { do: "settle", group: "work", done: [jobs[1].key, jobs[3].key], again: [], dead: [] });
  await first.close();
  const second = await openStore({ folder: folder.path });
  const { lag, ready, inFlight } = second.groups[0];
  assertEquals([lag, ready, inFlight], [1, 2, 0]);
  const again = await take(second, "work", 9);
  assertEquals(namesOf(again.jobs.map(({ record }) => record)), ["a", "c", "e"]);
  await second.close();
});

Deno.test("A job that has failed is delivered when it is due, with its number of tries, also after a restart", async () => {
  await using folder = tempFolder();
  const first = await openStore({ folder: folder.path });
  await apply(first, join("work", [">"]));
  await append(first, block(["a", "b"]));
  const { jobs: [a, b] } = await take(first, "work", 9);
  const later = Date.now() + 3_600_000;
  const failed = { tries: 1, why: "no", record: a.record };
  await apply(first, {
    do: "settle",
    group: "work",
    done: [],
    again: [{ ...failed, key: a.key, at: Date.now() }, { ...failed, key: b.key, at: later, record: b.record }],
    dead: [],
  });
  await first.close();
  const second = await openStore({ folder: folder.path });
  const pulled = await take(second, "work", 9);
  assertEquals(pulled, {
    jobs: [{ key: a.key, tries: 1, record: a.record }],
    nextDue: later,
    hasMore: false,
    expired: 0,
  });
  assertEquals((await take(second, "work", 9)).jobs, []);
  const [{ ready, inFlight, delayed }] = await second.describeGroups();
  assertEquals([ready, inFlight, delayed], [0, 1, 1]);
  await apply(second, { do: "settle", group: "work", done: [a.key], again: [], dead: [] });
  assertEquals((await second.describeGroups()).map(({ inFlight, delayed }) => [inFlight, delayed]), [[0, 1]]);
  await second.close();
});

Deno.test("Dead jobs are shown, kicked and purged", async () => {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path });
  await apply(store, join("work", [">"]));
  const events = block(["a", "b", "c"]);
  await append(store, events);
  const { jobs } = await take(store, "work", 9);
  const dead = jobs.map(({ key, record }) => ({ key, tries: 3, at: key, why: "boom ü", record }));
  await apply(store, { do: "settle", group: "work", done: [], again: [], dead });
  const shown = await store.peek("work", "dead", 9);
  assertEquals(shown.map(({ tries, why }) => [tries, why]), [[3, "boom ü"], [3, "boom ü"], [3, "boom ü"]]);
  const kicks = await apply(store, { do: "kick", group: "work", id: events.ids[1] });
  assertEquals(kicks, [1]);
  assertEquals((await take(store, "work", 9)).jobs.map(({ key, tries }) => [key, tries]), [[jobs[1].key, 0]]);
  assertEquals(await apply(store, { do: "purge", group: "work", state: "dead" }), [{ jobs: 2, events: 0 }]);
  assertEquals((await store.describeGroups()).map(({ dead, inFlight }) => [dead, inFlight]), [[0, 1]]);
  await store.close();
});

Deno.test("A group that is purged keeps what is delivered", async () => {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path });
  await apply(store, join("work", [">"]));
  await append(store, block(["a", "b", "c", "d"]));
  const { jobs: [a] } = await take(store, "work", 1);
  assertEquals(await apply(store, { do: "purge", group: "work", state: "ready" }), [{ jobs: 0, events: 3 }]);
  assertEquals((await take(store, "work", 9)).jobs, []);
  await apply(store, { do: "settle", group: "work", done: [a.key], again: [], dead: [] });
  const [{ lag, ready, inFlight }] = await store.describeGroups();
  assertEquals([lag, ready, inFlight], [0, 0, 0]);
  assertEquals(await apply(store, { do: "forget", group: "work" }, { do: "forget", group: "none" }), [true, false]);
  assertEquals(await store.describeGroups(), []);
  await store.close();
});

Deno.test("Delayed events and keys survive a restart", async () => {
  await using folder = tempFolder();
  const first = await openStore({ folder: folder.path });
  const [one, two] = [nextId(), nextId()];
  await apply(
    first,
    { do: "delay", id: one, due: 2000, record: "r1" },
    { do: "delay", id: two, due: 1000, record: "r2" },
    { do: "key", key: "k", at: Date.now(), receipt: "{}" },
    { do: "key", key: "old", at: Date.now() - 3_600_000, receipt: "{}" },
  );
  await first.close();
  const second = await openStore({ folder: folder.path });
  assertEquals(second.keys.map(({ key }) => key), ["k"]);
  assertEquals((await second.due()).events.map(({ id }) => id), [two, one]);
  assertEquals(await apply(second, { do: "cancel", id: one }, { do: "cancel", id: one }), [true, false]);
  assertEquals((await second.due()).events.map(({ record }) => record), ["r2"]);
  await second.close();
});

async function trimmed(options: Omit<StoreOptions, "folder">, now: number): Promise<string[]> {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path, ...options });
  for (let hour = 0; hour < 10; hour++) await append(store, block([`h${hour}`, "x"], hour * 3_600_000));
  while (await store.maintain(now));
  const kept = namesOf(await readAll(store));
  assertEquals(store.log.events, kept.length);
  await store.close();
  return kept.filter((name) => name !== "x");
}

Deno.test("Store.maintain deletes what is older than is kept", async () => {
  assertEquals(await trimmed({ keepMs: 3 * 3_600_000 }, 9.5 * 3_600_000), ["h6", "h7", "h8", "h9"]);
});

Deno.test("Store.maintain deletes what is more than is kept", async () => {
  assertEquals(await trimmed({ keepBytes: 250 }, 9.5 * 3_600_000), ["h7", "h8", "h9"]);
});

Deno.test("A group is told what was deleted before it looked", async () => {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path, keepBytes: 100 });
  await apply(store, join("work", [">"]));
  for (const name of ["a", "b", "c", "d"]) await append(store, block([name]));
  while (await store.maintain(0));
  const { jobs, expired } = await take(store, "work", 9);
  assertEquals([namesOf(jobs.map(({ record }) => record)), expired], [["c", "d"], 2]);
  await store.close();
});

Deno.test("openStore is refused what another has open", async () => {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path });
  const error = await assertRejects(() => openStore({ folder: folder.path }), MqError, "in use by another program");
  assertEquals(error.code, "store-in-use");
  await store.close();
});

Deno.test("openStore refuses a file that is no database, and leaves it", async () => {
  await using folder = tempFolder();
  const file = `${folder.path}/mq.db`;
  await Deno.writeTextFile(file, "This is the diary of somebody, and should not be overwritten.\n".repeat(100));
  const error = await assertRejects(() => openStore({ folder: folder.path }), MqError, "is no database");
  assertEquals(error.code, "store-foreign");
  assertEquals((await Deno.readTextFile(file)).startsWith("This is the diary"), true);
});

Deno.test("Store.read keeps a page small where large events follow a small one", async () => {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path });
  await append(store, block(["small"]));
  for (let round = 0; round < 20; round++) await append(store, block(["n".repeat(1_000_000)]));
  const { text, last } = await store.read("", [">"]);
  assertEquals(text.length < 1_200_000, true, String(text.length));
  assertEquals(last !== undefined, true);
  assertEquals((await readAll(store)).length, 21);
  await store.close();
});

Deno.test("A group that has looked at what is deleted is not told so, also after a restart", async () => {
  await using folder = tempFolder();
  const options = { folder: folder.path, keepBytes: 100 };
  const store = await openStore(options);
  await apply(store, join("work", ["b"]));
  for (const name of ["a", "b", "c", "d"]) await append(store, block([name]));
  const { jobs } = await take(store, "work", 9);
  while (await store.maintain(0));
  assertEquals(store.log.deleted, 2);
  await store.close();
  const again = await openStore(options);
  assertEquals((await again.describeGroups()).map(({ lag }) => lag), [0]);
  assertEquals((await take(again, "work", 9)).expired, 1); // The job was delivered, and is not done.
  assertEquals(jobs.length, 1);
  await again.close();
});

Deno.test("Store.pull takes failed jobs up to a size, and says that there are more", async () => {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path });
  await apply(store, join("work", [">"]));
  for (let round = 0; round < 5; round++) await append(store, block(["n".repeat(500_000)]));
  const jobs = [...(await take(store, "work", 9)).jobs, ...(await take(store, "work", 9)).jobs];
  const again = jobs.map(({ key, record }) => ({ key, record, tries: 1, at: 0, why: "" }));
  await apply(store, { do: "settle", group: "work", done: [], again, dead: [] });
  const taken: number[] = [];
  for (let hasMore = true; hasMore;) {
    const pulled = await take(store, "work", 9);
    assertEquals(pulled.jobs.length < 5, true);
    taken.push(...pulled.jobs.map(({ key }) => key));
    hasMore = pulled.hasMore;
  }
  assertEquals(taken, jobs.map(({ key }) => key));
  await store.close();
});

Deno.test("Store.due takes what is due, up to a size, and says when the next is", async () => {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path });
  const later = Date.now() + 3_600_000;
  const ids = Array.from({ length: 6 }, () => nextId());
  await apply(
    store,
    ...ids.map((id, index): Operation => {
      return { do: "delay", id, due: index < 5 ? 1000 + index : later, record: "n".repeat(500_000) };
    }),
  );
  const taken: string[] = [];
  let next: number | undefined;
  while (next !== later) {
    const { events, nextDue } = await store.due();
    assertEquals(events.length > 0 && events.length < 5, true);
    taken.push(...events.map(({ id }) => id));
    await apply(store, ...events.map(({ id }): Operation => ({ do: "cancel", id })));
    next = nextDue;
  }
  assertEquals(taken, ids.slice(0, 5));
  assertEquals(await store.due(), { events: [], nextDue: later });
  await store.close();
});

Deno.test("Store.pull looks at so much for all groups, and at the rest in the next calls", async () => {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path });
  await apply(store, join("none", ["other"]), join("one", [">"]), join("two", [">"]));
  for (let round = 0; round < 6; round++) await append(store, block(["n".repeat(500_000)]));
  const [pulled, ...rest] = await store.pull(["none", "one", "two"].map((group) => ({ group, most: 9 })));
  assertEquals([pulled.jobs, pulled.hasMore, rest], [[], true, []]);
  for (let hasMore = true; hasMore;) ({ hasMore } = await take(store, "none", 9));
  const both = await store.pull(["none", "one", "two"].map((group) => ({ group, most: 1 })));
  assertEquals(both.map(({ jobs }) => jobs.length), [0, 1, 1]);
  await store.close();
});

Deno.test("Jobs that are given back are taken again, in their order and without another try", async () => {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path });
  await apply(store, join("work", [">"]));
  await append(store, block(["a", "b", "c", "d"]));
  const failed = await take(store, "work", 1);
  const again = failed.jobs.map(({ key, record }) => ({ key, record, tries: 1, at: 0, why: "no" }));
  await apply(store, { do: "settle", group: "work", done: [], again, dead: [] });
  const { jobs } = await take(store, "work", 3);
  await store.giveBack("work", jobs.map(({ key }) => key));
  const [{ ready, inFlight, lag }] = await store.describeGroups();
  assertEquals([ready, inFlight, lag], [3, 0, 1]);
  assertEquals((await store.peek("work", "ready", 9)).map(({ tries }) => tries), [1, 0, 0, 0]);
  assertEquals((await take(store, "work", 9)).jobs.slice(0, 3), jobs);
  await store.giveBack("work", jobs.map(({ key }) => key));
  assertEquals(await apply(store, { do: "purge", group: "work", state: "ready" }), [{ jobs: 3, events: 0 }]);
  assertEquals((await take(store, "work", 9)).jobs, []);
  await store.close();
});

Deno.test("Store.peek looks at no more than a part of the log, and finds a dead job by its event", async () => {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path });
  await apply(store, join("work", ["wanted"]));
  const first = block(["wanted"]);
  await append(store, first);
  for (let round = 0; round < 4; round++) await append(store, block(["n".repeat(500_000)]));
  await append(store, block(["wanted"]));
  assertEquals((await store.peek("work", "ready", 9)).length, 1);
  const { jobs: [job] } = await take(store, "work", 1);
  await apply(store, {
    do: "settle",
    group: "work",
    done: [],
    again: [],
    dead: [{ key: job.key, record: job.record, tries: 1, at: 5, why: "broken" }],
  });
  assertEquals((await store.peek("work", "ready", 9)).length, 0);
  const [dead] = await store.peek("work", "dead", first.ids[0]);
  assertEquals([dead.record, dead.why, dead.at], [job.record, "broken", 5]);
  assertEquals(await store.peek("work", "dead", nextId()), []);
  await store.close();
});
