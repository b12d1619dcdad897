/** What the log of mq server says of its store. */
import { assertEquals, assertMatch } from "@std/assert";
import { setColorEnabled } from "@std/fmt/colors";
import { formatDateTime } from "../../cmd/shared/format.ts";
import { describeStore, describeStoreEvent, storeJson, type StoreSettings } from "../../cmd/server/store_log.ts";
import type { SystemEvent } from "../../mod.ts";
import { mq, Program } from "../helpers.ts";
import { startStored, tempFolder } from "../store/folder.ts";
import { fillStore } from "./shared/filled_store.ts";

setColorEnabled(false);

const ID = "01ARYZ6S41TSV4RRFFQ69G5FAV";
const EMPTY = { first: undefined, last: undefined, events: 0, deleted: 0, bytes: 0 };
const DEFAULTS: StoreSettings = {
  folder: "data",
  keep: undefined,
  keepMs: 7 * 86_400_000,
  keepBytes: 1024 ** 3,
  syncMs: 0,
  log: EMPTY,
  groups: 0,
};

const SETTINGS: [settings: Partial<StoreSettings>, line: string][] = [
  [{}, "Store: data, with 0 events (0 B), 0 groups. It keeps all events for 7 days, up to 1 GiB."],
  [
    { log: { ...EMPTY, first: ID, last: ID, events: 12_345, bytes: 1_200_000 }, groups: 1 },
    `Store: data, with 12,345 events since ${
      formatDateTime(new Date("2016-07-30T22:36:16.385Z"))
    } (1.2 MB), 1 group. ` +
    "It keeps all events for 7 days, up to 1 GiB.",
  ],
  [
    { keep: ["order.>", "user.*"], keepMs: 3_600_000, keepBytes: 1000, syncMs: 100 },
    "Store: data, with 0 events (0 B), 0 groups. It keeps order.> user.* for 1 hour, up to 1000 B; " +
    "receipts may be 100 ms ahead of the disk.",
  ],
  [{ keepMs: 90_000 }, "Store: data, with 0 events (0 B), 0 groups. It keeps all events for 2 min, up to 1 GiB."],
];

for (const [settings, line] of SETTINGS) {
  Deno.test(`describeStore: ${line}`, () => assertEquals(describeStore({ ...DEFAULTS, ...settings }), line));
}

const EVENTS: [name: string, data: SystemEvent, line: string | undefined][] = [
  [
    "mq.store",
    { state: "failed", text: 'The store in "data" has no room on its disk: database or disk is full' },
    '! The store in "data" has no room on its disk: database or disk is full. ' +
    "Until it works again no event is stored, and none gets a receipt",
  ],
  [
    "mq.store",
    { state: "unreadable", text: "The store is damaged: a job of the group mail is not as it was written" },
    "! The store is damaged: a job of the group mail is not as it was written. " +
    "What needs that waits; mq store export prints what can be read",
  ],
  ["mq.store", { state: "mended", unstored: 0 }, "= The store works again"],
  ["mq.store", { state: "mended", unstored: 1 }, "= The store works again; 1 event was not stored"],
  ["mq.store", { state: "mended", unstored: 1234 }, "= The store works again; 1,234 events were not stored"],
  [
    "mq.dead",
    { group: "mail", id: ID, event: "order.paid", from: "shop", tries: 5, why: "exit code 1: one | \x1b[31mno" },
    `! mail gave up order.paid after 5 tries: exit code 1: \\x1b[31mno (mq dead show mail ${ID})`,
  ],
  [
    "mq.dead",
    { group: "mail", id: ID, event: "order.paid", from: "shop", tries: 1, why: "" },
    `! mail gave up order.paid after 1 try (mq dead show mail ${ID})`,
  ],
  [
    "mq.expired",
    { group: "mail", events: 2000 },
    "! mail: 2,000 events were deleted before the group had looked at them; --keep-for and --keep-bytes keep more",
  ],
  [
    "mq.expired",
    { group: "mail", events: 1 },
    "! mail: 1 event was deleted before the group had looked at it; --keep-for and --keep-bytes keep more",
  ],
  ["mq.connect", {}, undefined],
];

for (const [name, data, line] of EVENTS) {
  Deno.test(`describeStoreEvent of ${name} ${JSON.stringify(data)}`, () => {
    assertEquals(describeStoreEvent(name, data), line);
  });
}

Deno.test("storeJson has what is kept, and null for what is not there", () => {
  assertEquals(storeJson(DEFAULTS), {
    folder: "data",
    events: 0,
    bytes: 0,
    first: null,
    groups: 0,
    keep: [">"],
    keepMs: 604_800_000,
    keepBytes: 1_073_741_824,
    syncMs: 0,
  });
});

Deno.test("mq server --json tells of its store with where it listens, and of what happens to it", async () => {
  await using folder = tempFolder();
  const args = ["server", "--port", "0", "--host", "127.0.0.1", "--events", "order.*,create", "--json", "--store"];
  await using program = new Program([...args, folder.path]);
  const { data: { addresses: [address], store } } = JSON.parse((await program.stdout.next())!);
  assertEquals([store.folder, store.events, store.keep], [folder.path, 0, [">"]]);
  await fillStore(Number(address.split(":")[1]));
  const { data } = JSON.parse(await program.stdout.find("mq.dead"));
  assertEquals([data.group, data.event, data.tries], ["mail", "order.paid", 1]);
});

Deno.test("mq server says what its store has when it starts again", async () => {
  await using folder = tempFolder();
  {
    await using server = await startStored(folder);
    await fillStore(server.port);
  }
  await using program = new Program(["server", "--port", "0", "--store", folder.path]);
  const line = await program.stdout.find("Store: ");
  const date = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`;
  assertMatch(
    line,
    new RegExp(`, with 3 events since ${date} \\(\\d+ B\\), 1 group\\. It keeps all events for 7 days,`),
  );
});

Deno.test("mq server warns of --keep that matches nothing that it recognizes", async () => {
  await using folder = tempFolder();
  const args = ["server", "--port", "0", "--store", folder.path, "--keep", "order.>,create"];
  await using program = new Program(args);
  assertEquals(
    await program.stderr.next(),
    "mq server: --keep order.> matches no event that the broker recognizes: create, read, update, delete, error",
  );
});

Deno.test("mq server says what is wrong with the folder of its store", async () => {
  await using folder = tempFolder();
  const file = `${folder.path}/file`;
  Deno.writeTextFileSync(file, "");
  const said = async (path: string) => {
    const { code, stdout, stderr } = await mq(["server", "--port", "0", "--store", path]);
    assertEquals([code, stdout], [1, ""]);
    return stderr;
  };
  const quoted = JSON.stringify(file);
  assertEquals(await said(file), `mq server: Cannot write in the folder ${quoted}: it is a file\n`);
  await using _ = await startStored(folder);
  const inUse = `The store in ${JSON.stringify(folder.path)} is in use by another program`;
  assertEquals(await said(folder.path), `mq server: ${inUse}; stop that program, or use another folder\n`);
});
