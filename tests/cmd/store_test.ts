/** The commands that show and change what a broker has stored: arguments in; stdout, stderr and exit code out. */
import { assertEquals, assertMatch } from "@std/assert";
import { Broker, connect } from "../../mod.ts";
import { openStore } from "../../lib/store/sqlite.ts";
import { FakeBroker } from "../fake_broker.ts";
import { listenAgain, mq, Program, RawClient, startBroker, until } from "../helpers.ts";
import { startStored, tempFolder } from "../store/folder.ts";
import { type Filled, fillStore } from "./shared/filled_store.ts";

interface Row {
  /** PAID, SENT, CREATE and LATER are the ids of the events in the store (see filled_store.ts). */
  args: string;
  stdin?: string;
  env?: Record<string, string>;
  code: number;
  /** Exactly this text, or what matches; nothing at all if it is left out. */
  stdout?: string | RegExp;
  stderr?: string | RegExp;
}

const ALL = 'order.paid {"id":1}\norder.sent 2\ncreate hello\n';

const NOTHING = /^mq log: the broker at 127\.0\.0\.1:\d+ has stored no such event\n$/;

/** A local time on a line. */
const TIME = String.raw`(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d`;

const NO_JOB = "01JD3K5E8Q5V1M4S3R6T7W8X9Y";

const ROWS: Row[] = [
  // mq log
  { args: "log", code: 0, stdout: ALL },
  { args: "log --since all", code: 0, stdout: ALL },
  { args: "log --since first", code: 0, stdout: ALL },
  { args: "log order.*", code: 0, stdout: 'order.paid {"id":1}\norder.sent 2\n' },
  { args: "log create order.sent", code: 0, stdout: "order.sent 2\ncreate hello\n" },
  { args: "log -n 2", code: 0, stdout: 'order.paid {"id":1}\norder.sent 2\n' },
  { args: "log -n 9", code: 0, stdout: ALL },
  { args: "log --since PAID", code: 0, stdout: "order.sent 2\ncreate hello\n" },
  { args: "log --until SENT", code: 0, stdout: 'order.paid {"id":1}\norder.sent 2\n' },
  { args: "log --since PAID --until SENT", code: 0, stdout: "order.sent 2\n" },
  { args: "log --since SENT --until PAID", code: 0, stderr: NOTHING },
  { args: "log --since 1h", code: 0, stdout: ALL },
  { args: "log --until 1h", code: 0, stderr: NOTHING },
  { args: "log --since 2020-01-31 --until 2020-02-01T10:00", code: 0, stderr: NOTHING },
  { args: "log --since 2020-01-31T10:00Z", code: 0, stdout: ALL },
  { args: "log --since 2020-01-31T10:00:30.5+01:00", code: 0, stdout: ALL },
  { args: "log --since 9999-01-01", code: 0, stderr: NOTHING },
  {
    args: "log --verbose",
    code: 0,
    stdout: new RegExp(
      `^${TIME}  shop  order\\.paid \\{ "id": 1 \\}\\n${TIME}  shop  order\\.sent 2\\n${TIME}  shop  create hello\\n$`,
    ),
  },
  {
    args: "log --json --until PAID",
    code: 0,
    stdout: /^\{"id":"PAID","at":"[^"]+Z","from":"shop","event":"order\.paid","data":\{"id":1\}\}\n$/,
  },
  {
    args: "log mq.dead nothing",
    code: 0,
    stderr: 'mq log: the broker stores no event that "mq.dead" matches; it stores all events that it recognizes\n',
  },

  // mq logger
  { args: "logger --since all -n 3", code: 0, stdout: ALL },
  { args: "logger --since PAID -n 1 order.*", code: 0, stdout: "order.sent 2\n" },
  {
    args: "logger --since 1h -n 4 --wait 500ms",
    code: 124,
    stdout: ALL,
    stderr: "mq logger: received 3 of 4 events in 0.5 s\n",
  },
  {
    args: "logger --since SENT -n 1 --json",
    code: 0,
    stdout: /^\{"id":"CREATE","at":"[^"]+Z","from":"shop","event":"create","data":"hello"\}\n$/,
  },

  // mq pub
  { args: "pub create 1", code: 0, stderr: "mq pub: create is stored; no subscriber received it\n" },
  {
    args: "pub create -",
    stdin: "1\n2\n",
    code: 0,
    stderr: "mq pub: no subscriber received 2 of 2 events; they are stored\n",
  },
  {
    args: "pub create 1 --json",
    code: 0,
    stdout: /^\{"id":"\w{26}","at":"[^"]+Z","from":"pub","event":"create","data":1,"receivers":0,"stored":true\}\n$/,
    stderr: "mq pub: create is stored; no subscriber received it\n",
  },
  {
    args: "pub create 1 --in 1h",
    code: 0,
    stdout: new RegExp(`^create will be published at ${TIME}; to take it back: mq cancel \\w{26}\\n$`),
  },
  {
    args: "pub create - --in 7d",
    stdin: "1\n2\n",
    code: 0,
    stdout: /^(?:create will be published at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d; to take it back: mq cancel \w{26}\n){2}$/,
  },
  {
    args: "pub create 1 --in 1h --json",
    code: 0,
    stdout: /^\{"id":"\w{26}","at":"[^"]+Z","from":"pub","event":"create","data":1,"due":"[^"]+Z"\}\n$/,
  },

  // mq cancel
  { args: "cancel LATER", code: 0, stdout: "LATER is cancelled\n" },
  {
    args: "cancel PAID LATER LATER",
    code: 1,
    stdout: "LATER is cancelled\n",
    stderr: "mq cancel: PAID is not waiting: it was published, cancelled, or never there\n" +
      "mq cancel: LATER is not waiting: it was published, cancelled, or never there\n",
  },

  // mq groups
  {
    args: "groups",
    code: 0,
    stdout: "group  members  lag  ready  in flight  delayed  dead  patterns\n" +
      "mail         0    0      0          0        0     1  order.*\n",
  },
  {
    args: "groups --json",
    code: 0,
    stdout: /^\{"group":"mail","patterns":\["order\.\*"\],.*"lag":0,.*"dead":1,.*"members":\[\]\}\n$/,
  },
  { args: "groups forget mail --yes", code: 0, stdout: "the group mail is forgotten\n" },
  {
    args: "groups forget mial -y",
    code: 1,
    stderr: 'mq groups forget: There is no group "mial"; the groups are: mail\n',
  },

  // mq dead
  {
    args: "dead list mail",
    code: 0,
    stdout: new RegExp(
      "^id {24}  event       from  tries  died +why\n" +
        `PAID  order\\.paid  shop      1  ${TIME}  TypeError: no address\n$`,
    ),
  },
  {
    args: "dead list mail --json",
    code: 0,
    stdout: new RegExp(
      '^\\{"id":"PAID","at":"[^"]+Z","from":"shop","event":"order\\.paid","data":\\{"id":1\\},' +
        '"group":"mail","tries":1,"died":"[^"]+Z","why":"TypeError: no address\\\\n    at send \\(mail\\.ts:3:4\\)"\\}\n$',
    ),
  },
  { args: "dead list nail", code: 1, stderr: 'mq dead list: There is no group "nail"; the groups are: mail\n' },
  {
    args: "dead show mail PAID",
    code: 0,
    stdout: new RegExp(
      "^group {6}mail\nevent {6}order\\.paid\nid {9}PAID\nfrom {7}shop\n" +
        "published  \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\n" +
        "died {7}\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d, after 1 try\n" +
        'why {8}TypeError: no address\n {15}at send \\(mail\\.ts:3:4\\)\ndata {7}\\{ "id": 1 \\}\n$',
    ),
  },
  { args: "dead show mail PAID --json", code: 0, stdout: /^\{"id":"PAID",.*"why":"TypeError.*"\}\n$/ },
  {
    args: `dead show mail ${NO_JOB}`,
    code: 1,
    stderr: `mq dead show: The group mail has no dead job of the event ${NO_JOB}\n`,
  },
  { args: "dead kick mail --all", code: 0, stdout: "1 job of mail to be delivered again\n" },
  { args: "dead kick mail PAID", code: 0, stdout: "1 job of mail to be delivered again\n" },
  {
    args: "dead kick mail SENT PAID",
    code: 1,
    stdout: "1 job of mail to be delivered again\n",
    stderr: 'mq dead kick: The group "mail" has no dead job of the event SENT\n',
  },
  { args: "dead purge mail --yes", code: 0, stdout: "1 dead job of mail discarded\n" },
  { args: "dead purge nail -y", code: 1, stderr: 'mq dead purge: There is no group "nail"; the groups are: mail\n' },

  // mq complete
  { args: "complete --limit 20s -- 2 dead list m", code: 0, stdout: "mail\tgroup\n" },
  { args: "complete --limit 20s -- 2 groups forget ", code: 0, stdout: "mail\tgroup\n" },
];

for (const { args, stdin, env = {}, code, stdout = "", stderr = "" } of ROWS) {
  const shown = [...Object.entries(env).map(([name, value]) => `${name}=${value}`), "mq", args].join(" ");
  Deno.test(`${shown}${stdin === undefined ? "" : ` <<< ${JSON.stringify(stdin)}`}`, async () => {
    await using folder = tempFolder();
    await using server = await startStored(folder);
    const ids = await fillStore(server.port);
    const argv = args.split(" ").map((arg) => withIds(arg, ids));
    const outcome = await mq(argv, { stdin, env: { MQ_URL: `mq://127.0.0.1:${server.port}`, ...env } });
    check(outcome.stderr, stderr, ids);
    check(outcome.stdout, stdout, ids);
    assertEquals(outcome.code, code);
  });
}

function withIds(text: string, { dead, done, other, delayed }: Filled): string {
  const ids = new Map([["PAID", dead], ["SENT", done], ["CREATE", other], ["LATER", delayed]]);
  return text.replace(/PAID|SENT|CREATE|LATER/g, (word) => ids.get(word)!);
}

function check(actual: string, expected: string | RegExp, ids: Filled): void {
  if (typeof expected === "string") assertEquals(actual, withIds(expected, ids));
  else assertMatch(actual, new RegExp(withIds(expected.source, ids)));
}

/** What needs a store, and is told that there is none. */
const STORELESS = [
  "log",
  "logger --since all",
  "pub create --in 1h",
  "pub create --key k",
  `cancel ${NO_JOB}`,
  "groups",
  "groups forget mail --yes",
  "dead list mail",
  `dead show mail ${NO_JOB}`,
  "dead kick mail --all",
  "dead purge mail --yes",
];

for (const args of STORELESS) {
  Deno.test(`mq ${args} says that the broker has no store, and how to start one that has`, async () => {
    await using server = await startBroker();
    const at = `127.0.0.1:${server.port}`;
    const outcome = await mq([...args.split(" "), "-s", at]);
    const name = args.split(" ").slice(0, /^(?:dead|groups f)/.test(args) ? 2 : 1).join(" ");
    const stderr = `mq ${name}: The broker at ${at} keeps no events; to have it keep them, start it with: ` +
      `mq server --host 127.0.0.1 --port ${server.port} --store DIR\n`;
    assertEquals(outcome, { code: 1, stdout: "", stderr });
  });
}

Deno.test("mq groups and mq dead list say that there is nothing", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const at = `127.0.0.1:${server.port}`;
  const none = `mq groups: the broker at ${at} has no groups; mq on --group GROUP makes one\n`;
  for (const flags of [[], ["--json"]]) {
    assertEquals(await mq(["groups", "-s", at, ...flags]), { code: 0, stdout: "", stderr: none });
  }
  await fillStore(server.port);
  await mq(["dead", "purge", "mail", "--yes", "-s", at]);
  const outcome = await mq(["dead", "list", "mail", "-s", at]);
  assertEquals(outcome, { code: 0, stdout: "", stderr: "mq dead list: mail has no dead jobs\n" });
});

Deno.test("mq groups forget and mq dead purge ask only for a group that is there", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await fillStore(server.port);
  const to = ["-s", `127.0.0.1:${server.port}`];
  for (const command of ["groups forget", "dead purge"]) {
    const refused = await mq([...command.split(" "), "nosuch", ...to]);
    assertEquals([refused.code, refused.stdout], [1, ""]);
    assertMatch(refused.stderr, new RegExp(`^mq ${command}: There is no group "nosuch"; the groups are: .*mail.*\n$`));
    const unasked = await mq([...command.split(" "), "mail", ...to]);
    const stderr = `mq ${command}: it discards for good, and there is no terminal on which to ask\n` +
      `Try: mq ${command} mail --yes\n`;
    assertEquals(unasked, { code: 2, stdout: "", stderr });
  }
});

Deno.test("mq groups forget refuses a group that has members, with --yes or without", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  await client.consume("mail", "n", () => {}).ready;
  const stderr = 'mq groups forget: Cannot forget the group "mail": it has members (1); end them first\n';
  for (const flags of [["--yes"], []]) {
    const outcome = await mq(["groups", "forget", "mail", ...flags, "-s", `127.0.0.1:${server.port}`]);
    assertEquals(outcome, { code: 1, stdout: "", stderr });
  }
});

Deno.test("mq dead list says how many dead jobs the broker does not show; mq dead show shows each of them", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  const ids = await Promise.all(
    Array.from({ length: 120 }, async (_, n) => (await client.publishConfirmed("n", n)).id),
  );
  client.consume("mail", "n", (_, job) => job.bury("no"), { from: "first", concurrency: 100 });
  await until(async () => (await client.store.groups())[0]?.dead === ids.length, "all are dead");
  const to = ["-s", `127.0.0.1:${server.port}`];
  const list = await mq(["dead", "list", "mail", ...to]);
  assertEquals(list.stdout.split("\n").length, 1 + 100 + 1);
  assertEquals(list.stderr, "mq dead list: mail has 120 dead jobs; the broker shows 100\n");
  const shown = list.stdout.split("\n").map((line) => line.split(" ")[0]);
  const hidden = ids.find((id) => !shown.includes(id))!;
  const { code, stdout } = await mq(["dead", "show", "mail", hidden, "--json", ...to]);
  assertEquals([code, JSON.parse(stdout).id], [0, hidden]);
});

Deno.test("mq dead show shows all of the data, or says that it is cut; mq dead list --json says so, too", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder, { limits: { lineBytes: 20_000 } });
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  const ids: string[] = [];
  for (const text of ["x".repeat(15_000), '"'.repeat(15_000)]) {
    ids.push((await client.publishConfirmed("n", text, { raw: true })).id);
  }
  client.consume("mail", "n", (_, job) => job.bury("no"), { from: "first" });
  await until(async () => (await client.store.groups())[0]?.dead === 2, "all are dead");
  const to = ["--json", "-s", `127.0.0.1:${server.port}`];
  const [whole, cut] = await Promise.all(ids.map((id) => mq(["dead", "show", "mail", id, ...to])));
  const listed = (await mq(["dead", "list", "mail", ...to])).stdout.trimEnd().split("\n");
  const shown = [whole.stdout, cut.stdout, ...listed].map((line) => JSON.parse(line));
  assertEquals(shown.map(({ data, cut }) => [data.length, cut]), [
    [15_000, undefined],
    [4096, true],
    [4096, true],
    [4096, true],
  ]);
  assertEquals(whole.stderr, "");
  assertEquals(cut.stderr, "mq dead show: the broker shows the first 4096 characters of the data\n");
});

Deno.test("mq log reads a time without a zone as local time", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await server.broker.publishConfirmed("create", 1);
  const inNewYork = (hours: number) =>
    new Date(Date.now() + hours * 3_600_000).toLocaleString("sv-SE", { timeZone: "America/New_York" });
  const log = async (since: string) => {
    const env = { TZ: "America/New_York", MQ_URL: `mq://127.0.0.1:${server.port}` };
    return (await mq(["log", "--since", since], { env })).stdout;
  };
  assertEquals(await log(inNewYork(-1)), "create 1\n");
  assertEquals(await log(inNewYork(-1).replace(" ", "T")), "create 1\n");
  assertEquals(await log(inNewYork(1)), "");
});

Deno.test("mq logger --since goes on behind its last event when the broker comes back", async () => {
  await using folder = tempFolder();
  const server = await startStored(folder);
  const { port } = server;
  await server.broker.publishConfirmed("n", 1);
  await using logger = new Program(["logger", "--since", "all", "-s", `127.0.0.1:${port}`]);
  assertEquals(await logger.stdout.next(), "n 1");
  await server.broker.publishConfirmed("n", 2);
  assertEquals(await logger.stdout.next(), "n 2");
  await server.broker.close();
  assertMatch((await logger.stderr.next())!, /^mq logger: lost the connection/);
  await using broker = new Broker({ events: [">"], store: await openStore({ folder: folder.path }) });
  await broker.publishConfirmed("n", 3);
  await listenAgain(broker, port);
  assertEquals(await logger.stderr.next(), `mq logger: reconnected to 127.0.0.1:${port}`);
  assertEquals(await logger.stdout.next(), "n 3");
  await broker.publishConfirmed("n", 4);
  assertEquals(await logger.stdout.next(), "n 4");
  logger.kill("SIGINT");
  assertEquals((await logger.outcome()).code, 0);
});

Deno.test("mq log and mq logger --since print a long log in its order, page after page", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  const count = 30_000; // The broker sends 10,000 at a time.
  for (let n = 0; n < count; n++) client.publish("n", n);
  await client.flush();
  const expected = Array.from({ length: count }, (_, n) => `n ${n}\n`).join("");
  const to = ["-s", `127.0.0.1:${server.port}`];
  assertEquals((await mq(["log", ...to])).stdout, expected);
  assertEquals((await mq(["logger", "--since", "all", "-n", String(count), ...to])).stdout, expected);
});

Deno.test("mq pub --in publishes the event at its time", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [listener] = await server.connect(1);
  assertEquals((await mq(["pub", "create", "1", "--in", "50ms", "-s", `127.0.0.1:${server.port}`])).code, 0);
  await listener.expect("create 1");
});

Deno.test("mq pub --key publishes once, and tells the second time", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [listener] = await server.connect(1);
  const pub = async (...flags: string[]) =>
    await mq(["pub", "create", "1", "--key", "cart-17", "-s", `127.0.0.1:${server.port}`, ...flags]);
  const first = await pub("--json");
  assertEquals([first.code, first.stderr, JSON.parse(first.stdout).duplicate], [0, "", undefined]);
  const said = "mq pub: create was published before with the key cart-17, and is not again\n";
  assertEquals(await pub(), { code: 0, stdout: "", stderr: said });
  const { id, duplicate } = JSON.parse((await pub("--json")).stdout);
  assertEquals([id, duplicate], [JSON.parse(first.stdout).id, true]);
  await server.broker.publishConfirmed("create", 2);
  await listener.expect("create 1", "create 2");
});

Deno.test("mq pub --key does not know whether its event was published when the connection breaks", async () => {
  await using broker = new FakeBroker({ store: { keep: [">"], syncMs: 0 } });
  await using program = new Program(["pub", "create", "1", "--key", "k", "-s", `127.0.0.1:${broker.port}`]);
  const peer = await broker.welcome();
  await peer.expect("/once 1 k create 1");
  await peer.hangUp();
  const { code, stderr } = await program.outcome();
  assertEquals(code, 1);
  assertMatch(stderr, /^mq pub: .*: 0 events confirmed, 1 uncertain \(sent, but without a receipt\)\n$/);
});

Deno.test("mq log ends with exit code 1 when the connection breaks in the middle", async () => {
  await using broker = new FakeBroker({ store: { keep: [">"], syncMs: 0 } });
  await using program = new Program(["log", "-s", `127.0.0.1:${broker.port}`]);
  const peer = await broker.welcome();
  await peer.expect('/replay first {"limit":10000} >');
  await peer.say(
    "/ok replay",
    `/past ${NO_JOB} shop create 1`,
    `/replayed {"last":"${NO_JOB}","events":1,"more":true}`,
  );
  assertEquals(await program.stdout.next(), "create 1");
  await peer.expect(`/replay ${NO_JOB} {"limit":10000} >`);
  await peer.hangUp();
  const { code, stderr } = await program.outcome();
  assertEquals([code, stderr], [1, "mq log: The connection was closed\n"]);
});

Deno.test("mq log exits 1 on Ctrl-C, and says how far it has come", async () => {
  await using broker = new FakeBroker({ store: { keep: [">"], syncMs: 0 } });
  await using program = new Program(["log", "-s", `127.0.0.1:${broker.port}`]);
  const peer = await broker.welcome();
  await peer.expect('/replay first {"limit":10000} >');
  program.kill("SIGINT");
  await peer.expect("/quit");
  await peer.hangUp();
  assertEquals(await program.outcome(), { code: 1, stdout: "", stderr: "mq log: ended after 0 events\n" });
});

Deno.test("mq server logs what happens to its store", async () => {
  await using folder = tempFolder();
  const args = ["server", "--port", "0", "--host", "127.0.0.1", "--events", "order.>", "--keep", "order.*", "--store"];
  await using program = new Program([...args, folder.path, "--keep-for", "36h", "--sync", "100ms"]);
  const [, port] = /:(\d+)/.exec((await program.stdout.next())!)!;
  await program.stdout.next();
  assertEquals(
    await program.stdout.next(),
    `Store: ${folder.path}, with 0 events (0 B), 0 groups. It keeps order.* for 36 hours, up to 1 GiB; ` +
      "receipts may be 100 ms ahead of the disk.",
  );
  using client = await RawClient.connect(Number(port));
  assertEquals(await client.ask("/unsub >"), "/ok unsub");
  assertMatch((await client.ask("/join mail order.*"))!, /^\/ok join/);
  await client.line("order.paid 1");
  const [, number, id] = /^\/job (\d+) 1 mail (\w{26}) /.exec((await client.lines.next())!)!;
  assertEquals(await client.ask(`/bury ${number} TypeError: no address |   at send`), "/ok bury");
  assertEquals(
    (await program.stdout.find("gave up")).replace(/^\S+ +/, ""),
    `! mail gave up order.paid after 1 try: TypeError: no address (mq dead show mail ${id})`,
  );
});
