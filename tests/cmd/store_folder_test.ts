/** mq store check and mq store export: what is in the folder of a broker that does not run. */
import { assertEquals, assertMatch } from "@std/assert";
import { Output } from "../../cmd/shared/stdio.ts";
import { showProgress } from "../../cmd/store/progress.ts";
import { mq, sinkTo, until } from "../helpers.ts";
import { type Folder, startStored, tempFolder } from "../store/folder.ts";
import { type Filled, fillStore } from "./shared/filled_store.ts";

/** Fills a store, and ends its broker. */
async function fill(folder: Folder): Promise<Filled> {
  await using server = await startStored(folder);
  return await fillStore(server.port);
}

/** Changes bytes of the database. */
function damage({ path }: Folder, at: number, bytes: number): void {
  using file = Deno.openSync(`${path}/mq.db`, { write: true });
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array(bytes).fill(0xff));
}

/** What mq store export says of what it cannot read. */
const EXPORT_LOST = /^mq store export: (\d+) events? of the log cannot be read, behind (\w{26}) and before (\w{26})\n$/;

/** The JSON of each line. */
// deno-lint-ignore no-explicit-any
function parseLines(text: string): any[] {
  return text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
}

Deno.test("mq store check tells what is in a whole store", async () => {
  await using folder = tempFolder();
  const { dead, other } = await fill(folder);
  const { code, stdout, stderr } = await mq(["store", "check", folder.path]);
  assertEquals([code, stderr], [0, ""]);
  const date = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`;
  assertMatch(
    stdout,
    new RegExp(
      String.raw`^The store is whole\.
version   1
events    3, \d+ B; 0 deleted
first     ${date}  ${dead}
last      ${date}  ${other}
delayed   1, the next at ${date}
groups    1, with 1 dead job

group  lag  ready  in flight  delayed  dead  patterns
mail     0      0          0        0     1  order\.\*
$`,
    ),
  );
});

Deno.test("mq store check --json prints one object", async () => {
  await using folder = tempFolder();
  const { dead, other } = await fill(folder);
  const { code, stdout } = await mq(["store", "check", folder.path, "--json"]);
  const { store, ok, problems, version, events, deleted, first, last, delayed, nextDue, groups } =
    parseLines(stdout)[0];
  assertEquals([code, store, ok, problems, version], [0, folder.path, true, [], 1]);
  assertEquals([events, deleted, first, last, delayed], [3, 0, dead, other, 1]);
  assertEquals(Date.parse(nextDue) > Date.now(), true);
  assertEquals(groups.map(({ group, dead }: { group: string; dead: number }) => [group, dead]), [["mail", 1]]);
});

Deno.test("mq store check of an empty store", async () => {
  await using folder = tempFolder();
  await (await startStored(folder)).broker.close();
  const { code, stdout } = await mq(["store", "check", folder.path]);
  const expected = "The store is whole.\nversion   1\nevents    0, 0 B; 0 deleted\nfirst     none\nlast      none\n" +
    "delayed   0\ngroups    0, with 0 dead jobs\n";
  assertEquals([code, stdout], [0, expected]);
});

Deno.test("mq store check and mq store export exit 1 if the store is damaged, and say what cannot be read", async () => {
  await using folder = tempFolder();
  {
    await using server = await startStored(folder);
    for (let n = 0; n < 50; n++) await server.broker.publishConfirmed(`n.${n}`, "x".repeat(10_000));
  }
  damage(folder, Deno.statSync(`${folder.path}/mq.db`).size / 2, 8192);
  const { code, stdout, stderr } = await mq(["store", "check", folder.path]);
  assertEquals(code, 1);
  assertMatch(stdout, /^The store is damaged\.\n {2}\S/);
  const sentence = `The store in ${JSON.stringify(folder.path)} is damaged`;
  assertEquals(stderr, `mq store check: ${sentence}; mq store export prints what can be read of it\n`);
  const json = await mq(["store", "check", folder.path, "--json"]);
  const [{ ok, problems }] = parseLines(json.stdout);
  assertEquals([json.code, ok, problems.length > 0], [1, false, true]);
  const exported = await mq(["store", "export", folder.path]);
  const events = parseLines(exported.stdout);
  const ids = new Map(events.map(({ event, id }) => [event, id]));
  const [, lost, behind, before] = EXPORT_LOST.exec(exported.stderr) ?? [];
  assertEquals([exported.code, events.length + Number(lost)], [1, 50], exported.stderr);
  const numbers = Array.from({ length: 50 }, (_, n) => n);
  const missing = numbers.filter((n) => !ids.has(`n.${n}`));
  assertEquals([ids.get(`n.${missing[0] - 1}`), ids.get(`n.${missing.at(-1)! + 1}`)], [behind, before]);
  assertEquals(stdout.includes(`  ${lost} event`), true, stdout);
});

Deno.test("mq store check and mq store export say what is wrong with a folder", async () => {
  await using folder = tempFolder();
  const quoted = JSON.stringify(folder.path);
  const said = async (...args: string[]) => {
    const { code, stdout, stderr } = await mq(["store", ...args, folder.path]);
    assertEquals([code, stdout], [1, ""]);
    return stderr;
  };
  assertEquals(await said("check"), `mq store check: There is no store in ${quoted}: it has no file mq.db\n`);
  assertEquals(await said("export"), `mq store export: There is no store in ${quoted}: it has no file mq.db\n`);
  await using _ = await startStored(folder);
  const inUse = `The store in ${quoted} is in use by another program; stop the broker first, or ask it:`;
  assertEquals(await said("check"), `mq store check: ${inUse} mq groups, mq log\n`);
  assertEquals(await said("export"), `mq store export: ${inUse} mq log --json\n`);
});

Deno.test("mq store export prints every event with its headers, and none that waits", async () => {
  await using folder = tempFolder();
  const { dead, done, other } = await fill(folder);
  const { code, stdout, stderr } = await mq(["store", "export", folder.path]);
  assertEquals([code, stderr], [0, ""]);
  const events = parseLines(stdout).map(({ at, ...event }) => {
    assertEquals(new Date(at).toISOString(), at);
    return event;
  });
  assertEquals(events, [
    { id: dead, from: "shop", event: "order.paid", data: { id: 1 } },
    { id: done, from: "shop", event: "order.sent", data: 2, hops: 2 },
    { id: other, from: "shop", event: "create", data: "hello" },
  ]);
});

Deno.test("mq store export selects by patterns and moments", async () => {
  await using folder = tempFolder();
  const { dead, done } = await fill(folder);
  const names = async (...args: string[]) => {
    const { code, stdout } = await mq(["store", "export", folder.path, ...args]);
    assertEquals(code, 0);
    return parseLines(stdout).map(({ event }) => event);
  };
  assertEquals(await names("order.*"), ["order.paid", "order.sent"]);
  assertEquals(await names("--since", dead), ["order.sent", "create"]);
  assertEquals(await names("--until", done), ["order.paid", "order.sent"]);
  assertEquals(await names("create", "--until", done), []);
  assertEquals(await names("--since", "1h"), ["order.paid", "order.sent", "create"]);
  assertEquals(await names("--until", "2020-01-01"), []);
});

Deno.test("showProgress shows on a terminal how far it is, but not at once, and not among the results", async () => {
  let said = "";
  const stderr = new Output(sinkTo((text) => said += text), { isTerminal: true, can: { colors: false, cursor: true } });
  const output = (isTerminal: boolean) => new Output(sinkTo(() => {}), { isTerminal });
  showProgress({ stdout: output(false), stderr }, () => "early", 60_000, 1)[Symbol.dispose]();
  {
    using _ = showProgress({ stdout: output(true), stderr }, () => "among the results", 0, 1);
    using __ = showProgress({ stdout: output(false), stderr }, () => "3 events", 0, 1);
    await until(() => said.includes("3 events"), "it is shown");
  }
  await until(() => said.endsWith("\x1b[K"), "it is wiped away");
  const [before, ...shown] = said.split("\r\x1b[K");
  assertEquals([before, new Set(shown)], ["", new Set(["3 events", ""])]);
});
