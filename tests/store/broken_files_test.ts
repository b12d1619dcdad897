/** A store whose files are not as they should be: what a broker says of it, and that nothing is lost that could be kept. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { programLine, type RawClient, until } from "../helpers.ts";
import { type Folder, tempFolder } from "./folder.ts";
import { assertRefused, Ledger } from "./ledger.ts";
import { ask, replay, resultOf, StoredServer } from "./server.ts";

/** A command that runs a program for which the permissions of files hold, even if root runs it; undefined if there is none. */
const CONFINED = [[], ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]].find(isConfined);

function isConfined(prefix: string[]): boolean {
  const [command, ...args] = [
    ...prefix,
    "sh",
    "-c",
    'd=$(mktemp -d) && chmod 555 "$d" && ! touch "$d/x" && rmdir "$d"',
  ];
  try {
    return new Deno.Command(command, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false; // There is no such command.
  }
}

/** Makes a store with some events, and ends its broker. */
async function makeStore({ path }: Folder, events = 3, padding = ""): Promise<Ledger> {
  const ledger = new Ledger();
  await using server = await StoredServer.start(path);
  const client = await server.connect();
  while (ledger.stored.length < events) assertEquals(await ledger.publish(client, padding), undefined);
  assertEquals(await server.end("SIGTERM"), 0);
  return ledger;
}

function runSql({ path }: Folder, sql: string): void {
  const database = new DatabaseSync(`${path}/mq.db`);
  database.exec(sql);
  database.close();
}

/** What a broker is started on, and the sentence with which it refuses. The file stays as it is. */
const REFUSED: Record<string, [make: (folder: Folder) => Promise<unknown> | void, sentence: RegExp]> = {
  "a file that is no database": [
    ({ path }) => Deno.writeTextFile(`${path}/mq.db`, "This is the diary of somebody.\n".repeat(1000)),
    /^mq server: "\S+\/mq\.db" is no database; use another folder, or move that file away$/,
  ],
  "a short file that is no database": [
    ({ path }) => Deno.writeTextFile(`${path}/mq.db`, "Hi\n"),
    /^mq server: "\S+\/mq\.db" is no database; use another folder, or move that file away$/,
  ],
  "a file of one byte": [
    ({ path }) => Deno.writeTextFile(`${path}/mq.db`, "\n"),
    /^mq server: "\S+\/mq\.db" is no database; use another folder, or move that file away$/,
  ],
  "the database of another program": [
    (folder) => runSql(folder, "CREATE TABLE diary (day TEXT); INSERT INTO diary VALUES ('Monday')"),
    /^mq server: "\S+\/mq\.db" is a database of another program; use another folder, or move that file away$/,
  ],
  "the database of another program, in WAL mode": [
    (folder) => runSql(folder, "PRAGMA journal_mode = WAL; CREATE TABLE diary (day TEXT)"),
    /^mq server: "\S+\/mq\.db" is a database of another program; use another folder, or move that file away$/,
  ],
  "an empty database that is marked by another program": [
    (folder) => runSql(folder, "PRAGMA application_id = 42"),
    /^mq server: "\S+\/mq\.db" is a database of another program; use another folder, or move that file away$/,
  ],
  "a store of a newer mq": [
    async (folder) => {
      await makeStore(folder);
      runSql(folder, "PRAGMA user_version = 999");
    },
    /^mq server: The store in "\S+" was made by a newer mq: it has version 999, and this mq knows those up to \d+$/,
  ],
  "a store whose second page is damaged": [
    async (folder) => {
      await makeStore(folder, 100, "x".repeat(1000));
      damage(folder, PAGE_BYTES, PAGE_BYTES);
    },
    /^mq server: The store in "\S+" is damaged: .*; mq store export prints what can be read of it$/,
  ],
  "a store that was cut off": [
    async (folder) => {
      await makeStore(folder, 100, "x".repeat(1000));
      Deno.truncateSync(`${folder.path}/mq.db`, 5 * PAGE_BYTES);
    },
    /^mq server: The store in "\S+" is damaged: .*; mq store export prints what can be read of it$/,
  ],
};

for (const [what, [make, sentence]] of Object.entries(REFUSED)) {
  Deno.test(`${what} is refused, and left as it is`, async () => {
    await using folder = tempFolder();
    await make(folder);
    const before = await Deno.readFile(`${folder.path}/mq.db`);
    assertRefused(await StoredServer.refused(folder.path), sentence);
    const after = await Deno.readFile(`${folder.path}/mq.db`);
    assert(after.length === before.length && after.every((byte, index) => byte === before[index]), "It has changed");
    const others = [...Deno.readDirSync(folder.path)].filter(({ name }) => name !== "mq.db");
    for (const { name } of others) assertEquals(Deno.statSync(`${folder.path}/${name}`).size, 0, name); // A WAL may stay.
  });
}

/** A path that is no folder that can be written, the sentence with which a broker refuses it, and what it runs with. */
const UNWRITABLE: Record<string, [make: (folder: Folder) => Promise<unknown>, below: string, sentence: RegExp]> = {
  "a file": [
    ({ path }) => Deno.writeTextFile(`${path}/file`, "x"),
    "/file",
    /^mq server: Cannot write in the folder "\S+\/file": it is a file$/,
  ],
  "a link to a file": [
    async ({ path }) => {
      await Deno.writeTextFile(`${path}/file`, "x");
      await Deno.symlink(`${path}/file`, `${path}/link`);
    },
    "/link",
    /^mq server: Cannot write in the folder "\S+\/link": it is a link to a file$/,
  ],
  "a link to nothing": [
    ({ path }) => Deno.symlink(`${path}/nowhere`, `${path}/link`),
    "/link",
    /^mq server: Cannot write in the folder "\S+\/link": it is a link to something that does not exist$/,
  ],
  "a path below a file": [
    ({ path }) => Deno.writeTextFile(`${path}/file`, "x"),
    "/file/store",
    /^mq server: Cannot write in the folder "\S+\/file\/store": Not a directory$/,
  ],
  "a folder in which mq.db is a folder": [
    ({ path }) => Deno.mkdir(`${path}/mq.db`),
    "",
    /^mq server: Cannot write the file "\S+\/mq\.db": Is a directory$/,
  ],
};

for (const [what, [make, below, sentence]] of Object.entries(UNWRITABLE)) {
  Deno.test(`${what} is refused as a store`, async () => {
    await using folder = tempFolder();
    await make(folder);
    assertRefused(await StoredServer.refused(folder.path + below), sentence);
  });
}

Deno.test("a path that Deno opens for nobody is refused as a store without Deno's advice", async () => {
  // Deno 2.4 leaves it to the system, which has no such folder.
  const why = "(mq has no permission to open it|No such file or directory)";
  const sentence = new RegExp(`^mq server: Cannot write in the folder "/proc/foo": ${why}$`);
  assertRefused(await StoredServer.refused("/proc/foo"), sentence);
});

Deno.test("a path without a character is refused as a store", async () => {
  const { code, lines } = await StoredServer.refused("");
  assertEquals([code, lines.length], [2, 2], lines.join("\n")); // A sentence, and a hint.
  assertMatch(lines[0], /^mq server: --store /);
});

/** Paths without the permission that it takes to use them: what changes the mode of what, and where the store is to be. */
const FORBIDDEN: Record<string, [mode: number, of: string, below: string, sentence: RegExp]> = {
  "a folder that may not be written": [
    0o555,
    "",
    "",
    /^mq server: Cannot write in the folder "\S+": Permission denied$/,
  ],
  "a new folder in one that may not be written": [
    0o555,
    "",
    "/store",
    /^mq server: Cannot write in the folder "\S+\/store": Permission denied$/,
  ],
  "a folder that may not be entered": [
    0o000,
    "",
    "",
    /^mq server: Cannot write in the folder "\S+": Permission denied$/,
  ],
  "a database that may not be written": [0o444, "/mq.db", "", /^mq server: Cannot write .*: Permission denied$/],
  "a database that may not be read": [0o000, "/mq.db", "", /^mq server: Cannot write .*: Permission denied$/],
  "a WAL that may not be written": [0o444, "/mq.db-wal", "", /^mq server: Cannot write .*: Permission denied$/],
};

for (const [what, [mode, of, below, sentence]] of Object.entries(FORBIDDEN)) {
  Deno.test({
    name: `${what} is refused as a store, and nothing is lost`,
    ignore: CONFINED === undefined,
    async fn() {
      await using folder = tempFolder();
      const ledger = new Ledger();
      {
        await using server = await StoredServer.start(folder.path);
        await ledger.publish(await server.connect());
        await server.end("SIGKILL"); // So that there is a WAL.
      }
      const path = folder.path + of;
      const before = Deno.statSync(path).mode! & 0o777;
      Deno.chmodSync(path, mode);
      assertRefused(await StoredServer.refused(folder.path + below, { prefix: CONFINED }), sentence);
      Deno.chmodSync(path, before);
      await using server = await StoredServer.start(folder.path, { prefix: CONFINED });
      await ledger.check(await server.connect());
    },
  });
}

Deno.test("a second broker on the same folder is refused, and the first goes on", async () => {
  await using folder = tempFolder();
  await using server = await StoredServer.start(folder.path);
  const [client, ledger] = [await server.connect(), new Ledger()];
  await ledger.publish(client);
  const refused = await StoredServer.refused(folder.path);
  assertRefused(
    refused,
    /^mq server: The store in "\S+" is in use by another program; stop that program, or use another folder$/,
  );
  await ledger.publish(client);
  await ledger.check(client);
  await server.end("SIGKILL");
  await using next = await StoredServer.start(folder.path);
  await ledger.check(await next.connect());
});

const PAGE_BYTES = 4096;

/** Overwrites a part of the database. */
function damage({ path }: Folder, start: number, bytes: number, value = 0xff): void {
  using file = Deno.openSync(`${path}/mq.db`, { write: true });
  file.seekSync(start, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array(bytes).fill(value));
}

/** Sends `/replay`; returns the data of all events that come, and what `/replayed` says. */
async function replayDamaged(client: RawClient): Promise<{ events: string[]; end: Record<string, unknown> }> {
  await client.line("/replay first >");
  const events: string[] = [];
  for (;;) {
    const line = await client.lines.next();
    assert(line !== null, "The connection has ended");
    if (line.startsWith("/replayed ")) return { events, end: JSON.parse(line.slice("/replayed ".length)) };
    if (line.startsWith("/past ")) events.push(line.split(" ")[4]);
  }
}

/** How a page in the middle is damaged: where in it, with how many bytes of which value. The values are valid UTF-8 or not. */
const DAMAGES: Record<string, [at: number, bytes: number, value: number]> = {
  "a whole page of bytes that are no text": [0, PAGE_BYTES, 0xff],
  "a whole page of zeros": [0, PAGE_BYTES, 0],
  "a whole page of text": [0, PAGE_BYTES, 0x79],
  "a part of a page, of bytes that are no text": [1000, 100, 0xff],
  "a part of a page, of text": [1000, 100, 0x79],
};

/** Of a log of 200 events there are some before the damage, and some behind it. */
const [EVENTS, EVENT_BYTES] = [200, 10_000];

for (const [what, [at, bytes, value]] of Object.entries(DAMAGES)) {
  const test = (name: string, tries: (server: StoredServer, ledger: Ledger) => Promise<void>) => {
    Deno.test(`where ${what} is damaged, ${name}`, async () => {
      await using folder = tempFolder();
      const ledger = await makeStore(folder, EVENTS, ":" + "x".repeat(EVENT_BYTES));
      const middle = Math.floor(Deno.statSync(`${folder.path}/mq.db`).size / PAGE_BYTES / 2) * PAGE_BYTES;
      damage(folder, middle + at, bytes, value);
      await using server = await StoredServer.start(folder.path);
      await tries(server, ledger);
      assertEquals(server.errors, []);
    });
  };

  test("a replay sends what is before it, says why it ends there, and the broker goes on", async (server, ledger) => {
    const client = await server.connect();
    const { events, end } = await replayDamaged(client);
    assertEquals(events.map((data) => parseInt(data)), events.map((_data, index) => index + 1));
    assert(events.every((data, index) => data === ledger.stored[index]), "What was sent is not what was published");
    assert(events.length > 0 && events.length < EVENTS);
    assertEquals([end.error, end.events], ["store-failed", events.length]);
    assertMatch(String(end.text), /^The store is damaged: /);
    assertEquals(await ledger.publish(client), undefined);
    assertMatch(await server.logged(/damaged/), / {2}! The store is damaged: /);
    await replayDamaged(client);
    assertEquals(server.log.filter((line) => line.includes("damaged")).length, 1);
  });

  test(
    "a group gets what is before it, that it does not go on is told, and a purge has it go on",
    async (server, ledger) => {
      const [member, observer] = [await server.connect(), await server.connect()];
      await ask(member, "join", '/join work {"from":"first","ahead":7} n');
      const jobs: string[] = [];
      const working = (async () => {
        for (let line = await next(member); line !== null; line = await next(member)) {
          const words = line.split(" ");
          if (words[0] !== "/job") continue;
          jobs.push(words.at(-1)!);
          await member.line(`/ack ${words[1]}`);
        }
      })();
      await server.logged(/damaged/);
      await until(async () => (await ask(observer, "groups", "/groups")).includes('"inFlight":0'), "all are settled");
      const peeked = await ask(observer, "peek", "/peek work ready");
      assertMatch(peeked, /^\/err peek store-failed The store is damaged: /);
      assert(jobs.length > 0);
      assert(jobs.every((data, index) => data === ledger.stored[index]), "A job is not what was published");
      assert(jobs.length >= (await replayDamaged(await server.connect())).events.length);
      assertMatch(await ask(observer, "purge", "/purge work ready"), /^\/ok purge /);
      await ledger.publish(observer, ":behind");
      await until(() => jobs.at(-1)!.endsWith(":behind"), "the group goes on");
      member.close();
      await working;
    },
  );
}

/** The next line; null at the end, and also if there is none for long. */
function next(client: RawClient): Promise<string | null> {
  return client.lines.next().catch(() => null);
}

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  Deno.test(`a WAL that is deleted is told, and nothing is lost when ${signal} ends the broker behind that`, async () => {
    await using folder = tempFolder();
    const ledger = new Ledger();
    {
      await using server = await StoredServer.start(folder.path);
      const client = await server.connect();
      for (let event = 0; event < 20; event++) assertEquals(await ledger.publish(client), undefined);
      await Deno.remove(`${folder.path}/mq.db-wal`);
      // Either it is told, and events are refused; or the broker helps itself.
      const told = server.logged(/ {2}! The file mq\.db-wal of the store was deleted/);
      let isTold = false;
      void told.finally(() => isTold = true);
      while (!isTold) await ledger.publish(client);
      await told;
      assertEquals(server.errors, []);
      await server.end(signal);
    }
    await using server = await StoredServer.start(folder.path);
    await ledger.check(await server.connect());
  });
}

Deno.test("a database that is deleted is told, and there are no more receipts", async () => {
  await using folder = tempFolder();
  await using server = await StoredServer.start(folder.path);
  const [client, listener] = [await server.connect(), await server.connect()];
  resultOf(await ask(client, "r", "/pub r n 1"));
  await Deno.remove(`${folder.path}/mq.db`);
  await server.logged(/ {2}! The file mq\.db of the store was deleted/);
  assertMatch(await ask(client, "r", "/pub r n 2"), /^\/err r store-failed The file mq\.db of the store was deleted$/);
  await ask(listener, "sub", "/sub n");
  await client.line("n 3");
  assertEquals(await listener.lines.next(), "n 3");
  assertEquals(await replay(client), ["1"]);
  assertEquals(server.errors, []);
});

/** What `mq store` prints where a folder may not be written. */
async function inspect(command: string, { path }: Folder): Promise<{ code: number; stdout: string; stderr: string }> {
  Deno.chmodSync(path, 0o555);
  const [program, ...args] = [...CONFINED!, ...programLine(), "store", command, path];
  const { code, ...output } = await new Deno.Command(program, { args }).output();
  Deno.chmodSync(path, 0o755);
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(output.stdout), stderr: decoder.decode(output.stderr) };
}

Deno.test({
  name: "mq store check and export read a store that was closed where nothing can be written",
  ignore: CONFINED === undefined,
  async fn() {
    await using folder = tempFolder();
    const { stored } = await makeStore(folder);
    const checked = await inspect("check", folder);
    assertEquals([checked.code, checked.stderr], [0, ""]);
    const exported = await inspect("export", folder);
    assertEquals([exported.code, exported.stderr, exported.stdout.trimEnd().split("\n").length], [
      0,
      "",
      stored.length,
    ]);
  },
});

Deno.test({
  name: "mq store check says why a store that was not closed cannot be read where nothing can be written",
  ignore: CONFINED === undefined,
  async fn() {
    await using folder = tempFolder();
    {
      await using server = await StoredServer.start(folder.path);
      await new Ledger().publish(await server.connect());
      await server.end("SIGKILL");
    }
    const { code, stderr } = await inspect("check", folder);
    assertEquals(code, 1);
    assertMatch(
      stderr,
      /^mq store check: Cannot open "\S+": its broker has not closed it, and mq\.db-wal .*; copy the folder elsewhere\n$/,
    );
  },
});
