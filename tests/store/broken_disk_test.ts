/** A broker whose disk fails, and works again: docs/protocol.md, 14.11. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type RawClient, until } from "../helpers.ts";
import { type Disk, Errno, hasCompiler, makeDisk } from "./faults/disk.ts";
import { tempFolder } from "./folder.ts";
import { Ledger } from "./ledger.ts";
import { ask, replay, resultOf, StoredServer } from "./server.ts";

/** A fault of a disk. */
interface Fault {
  readonly name: string;
  /** What is said of it. */
  readonly text: RegExp;
  begin(disk: Disk): Promise<void>;
  end(disk: Disk): Promise<void>;
}

const IO_ERROR = /^The store failed: disk I\/O error$/;
const FULL = /^The store has no room on its disk: database or disk is full$/;

const FAULTS: readonly Fault[] = [
  {
    name: "syncs fail",
    text: IO_ERROR,
    begin: (disk) => disk.failSyncs(true),
    end: (disk) => disk.failSyncs(false),
  },
  ...([["ENOSPC", FULL], ["EIO", IO_ERROR], ["EROFS", IO_ERROR]] as const).map(([name, text]): Fault => ({
    name: `writes fail with ${name}`,
    text,
    begin: (disk) => disk.failWrites(Errno[name]),
    end: (disk) => disk.failWrites(undefined),
  })),
];

/** How many times a job comes at most while the store fails and is tried anew twice. */
const MAX_DELIVERIES = 10;

/** How many lines are under way, where many are. */
const LINES_UNDER_WAY = 1000;

/** A server on a disk that can fail. */
interface Site {
  readonly folder: string;
  readonly disk: Disk;
  readonly server: StoredServer;
  readonly fault: Fault;
  readonly ledger: Ledger;
}

/** A test of each fault. */
function testEach(name: string, args: string[], tries: (site: Site) => Promise<void>, faults = FAULTS): void {
  for (const fault of faults) {
    const fn = async () => {
      await using folder = tempFolder();
      await using disk = await makeDisk(folder.path);
      await using server = await StoredServer.start(folder.path, { args, env: disk.env });
      await tries({ folder: folder.path, disk, server, fault, ledger: new Ledger() });
    };
    Deno.test({ name: `while ${fault.name}, ${name}`, ignore: !hasCompiler(), fn });
  }
}

/** Publishes until there is a receipt again. */
async function untilMended({ ledger }: Site, client: RawClient): Promise<void> {
  await until(async () => await ledger.publish(client) === undefined, "the store works again");
}

/** Kills the server, starts another one without a disk that fails, and checks the log. */
async function checkAfterKill({ folder, server, ledger }: Site): Promise<void> {
  await server.end("SIGKILL");
  await using next = await StoredServer.start(folder);
  await ledger.check(await next.connect());
}

/** How often the disk has failed. */
function failures({ failedSyncs, failedWrites }: Disk): number {
  return failedSyncs + failedWrites;
}

/** What the only group has, as `lag ready inFlight delayed dead`. */
async function groupOf(client: RawClient): Promise<string> {
  const response = await ask(client, "groups", "/groups");
  const [group] = JSON.parse(response.slice("/ok groups ".length));
  return [group.lag, group.ready, group.inFlight, group.delayed, group.dead].join(" ");
}

/** A job, as its line says. */
interface Job {
  readonly number: number;
  /** The number of its event. */
  readonly event: number;
}

/** A member of a group that answers each job with a line. */
class Member {
  readonly client: RawClient;
  /** The numbers of the events whose jobs are settled, each with an `/ok`. */
  readonly done: number[] = [];
  /** How often it was given a job. */
  deliveries = 0;
  readonly #answer: (job: Job) => string;
  readonly #asked: Job[] = [];

  private constructor(client: RawClient, answer: (job: Job) => string) {
    this.client = client;
    this.#answer = answer;
  }

  /** Joins; ends when its server does. */
  static async join(server: StoredServer, text: string, answer: (job: Job) => string): Promise<Member> {
    const member = new Member(await server.connect(), answer);
    await ask(member.client, "join", `/join ${text}`);
    void member.#work();
    return member;
  }

  async #work(): Promise<void> {
    for (;;) {
      const line = await this.client.lines.next().catch(() => null); // Sometimes nothing comes for long.
      if (line === null) return;
      await this.#take(line);
    }
  }

  async #take(line: string): Promise<void> {
    if (line.startsWith("/ok ack")) this.done.push(this.#asked.shift()!.event);
    else if (line.startsWith("/err ack")) this.#asked.shift();
    if (!line.startsWith("/job ")) return;
    const words = line.split(" ");
    const job = { number: Number(words[1]), event: Number(words.at(-1)) };
    this.deliveries++;
    this.#asked.push(job);
    await this.client.line(this.#answer(job)).catch(() => {}); // The server has ended.
  }
}

testEach("there is no receipt, and all that needs no store goes on", ["--keep", "n"], async (site) => {
  const { server, disk, fault, ledger } = site;
  const [publisher, listener] = [await server.connect(), await server.connect()];
  await ask(listener, "sub", "/sub n other");
  for (let event = 0; event < 3; event++) assertEquals(await ledger.publish(publisher), undefined);
  await listener.expect("n 1", "n 2", "n 3");
  await fault.begin(disk);
  assertMatch((await ledger.publish(publisher))!, fault.text);
  assertEquals(await listener.lines.next(), "n 4"); // It was published before the fault was known.
  assertMatch((await ledger.publish(publisher))!, fault.text);
  for (const line of ["/once r key n 9", "/delay r 1h n 9"]) {
    assertMatch(await ask(publisher, "r", line), /^\/err r store-failed The store /);
  }
  assertMatch(await ask(publisher, "join", "/join group n"), /^\/err join store-failed The store /);
  const line = ledger.next();
  ledger.refused.push(line);
  await publisher.line(`n ${line}`);
  assertEquals(await listener.lines.next(), `n ${line}`);
  assertEquals(await publisher.ask("/ping 1"), "/pong 1");
  assertEquals(resultOf(await ask(publisher, "r", "/pub r other")).stored, undefined);
  assertEquals(await listener.lines.next(), "other");
  assertEquals(await replay(publisher), ledger.stored);
  await fault.end(disk);
  await untilMended(site, publisher);
  for (let event = 0; event < 3; event++) assertEquals(await ledger.publish(publisher), undefined);
  await ledger.check(publisher);
  await checkAfterKill(site);
});

testEach("a broker that is killed has what has a receipt", [], async (site) => {
  const { server, disk, fault, ledger } = site;
  const publisher = await server.connect();
  for (let event = 0; event < 3; event++) await ledger.publish(publisher);
  await fault.begin(disk);
  for (let event = 0; event < 3; event++) assertMatch((await ledger.publish(publisher))!, fault.text);
  await checkAfterKill(site);
});

testEach("a broker that is ended says so, and has what has a receipt", [], async (site) => {
  const { server, disk, fault, folder, ledger } = site;
  const publisher = await server.connect();
  for (let event = 0; event < 3; event++) await ledger.publish(publisher);
  await fault.begin(disk);
  for (let event = 0; event < 3; event++) assertMatch((await ledger.publish(publisher))!, fault.text);
  publisher.close();
  assertEquals(await server.end("SIGTERM"), 1);
  assertEquals(server.errors.length, 1, server.errors.join("\n"));
  assertMatch(server.errors[0].replace("mq server: ", ""), fault.text);
  await using next = await StoredServer.start(folder);
  await ledger.check(await next.connect());
});

testEach("each of many lines that are under way is answered as it is", [], async (site) => {
  const { server, disk, fault, ledger } = site;
  const publisher = await server.connect();
  const sent: string[] = [];
  let settled = 0;
  const settleUntil = async (isEnough: () => boolean) => {
    while (!isEnough()) {
      if (sent.length - settled < LINES_UNDER_WAY / 2) await send();
      await settle();
    }
  };
  const settle = async () => {
    const response = (await publisher.lines.next())!;
    assertEquals(response.split(" ")[1], `ref-${sent[settled]}`);
    ledger.settle(sent[settled++], response);
  };
  const send = async () => {
    const events = Array.from({ length: LINES_UNDER_WAY / 2 }, () => ledger.next());
    sent.push(...events);
    await publisher.line(...events.map((data) => `/pub ref-${data} n ${data}`));
  };
  await settleUntil(() => ledger.stored.length >= LINES_UNDER_WAY);
  await fault.begin(disk);
  await settleUntil(() => ledger.refused.length >= LINES_UNDER_WAY);
  await fault.end(disk);
  const before = ledger.stored.length;
  await settleUntil(() => ledger.stored.length >= before + LINES_UNDER_WAY);
  while (settled < sent.length) await settle();
  await checkAfterKill(site);
});

testEach("a job that cannot be settled comes again when the disk works", [], async (site) => {
  const { server, disk, fault, ledger } = site;
  const publisher = await server.connect();
  const member = await Member.join(server, "work n", ({ number }) => `/ack ${number}`);
  await ledger.publish(publisher);
  await until(async () => await groupOf(publisher) === "0 0 0 0 0", "the first job is done");
  await fault.begin(disk);
  assertMatch((await ledger.publish(publisher))!, fault.text);
  await fault.end(disk);
  await untilMended(site, publisher);
  for (const _event of [1, 2, 3]) await ledger.publish(publisher);
  await until(async () => await groupOf(publisher) === "0 0 0 0 0", "the other jobs are done");
  assertEquals(member.done.toSorted((a, b) => a - b), ledger.stored.map(Number));
  await checkAfterKill(site);
  await using next = await StoredServer.start(site.folder);
  assertEquals(await groupOf(await next.connect()), "0 0 0 0 0");
});

testEach("a job that cannot be settled does not come again and again", [], async (site) => {
  const { server, disk, fault, ledger } = site;
  const publisher = await server.connect();
  let isFailing = false;
  const member = await Member.join(server, "work n", ({ number }) => isFailing ? `/ack ${number}` : "/ping");
  await ledger.publish(publisher);
  await until(() => member.deliveries === 1, "the job comes");
  await fault.begin(disk);
  isFailing = true;
  await member.client.line("/ack 1");
  await until(() => failures(disk) > 0, "the broker tries to write");
  const known = failures(disk);
  await until(() => failures(disk) >= known + 2, "it tries to write again, as it does once a second");
  assert(member.deliveries <= MAX_DELIVERIES, `It came ${member.deliveries} times`);
  await fault.end(disk);
  await until(async () => await groupOf(publisher) === "0 0 0 0 0", "the job is done");
}, FAULTS.slice(0, 2));

testEach("a job that cannot be settled dies once", [], async (site) => {
  const { server, disk, fault, ledger } = site;
  const publisher = await server.connect();
  let isFailing = false;
  const options = '{"tries":1,"dead":"gone"}';
  const member = await Member.join(
    server,
    `work ${options} n`,
    ({ number }) => isFailing ? `/nack ${number}` : "/ping",
  );
  await ledger.publish(publisher);
  await until(() => member.deliveries === 1, "the job comes");
  await fault.begin(disk);
  isFailing = true;
  await member.client.line("/nack 1");
  await until(() => failures(disk) > 0, "the broker tries to write");
  await fault.end(disk);
  await until(async () => await groupOf(publisher) === "0 0 0 0 1", "the job is dead");
  await publisher.line("/replay first gone");
  assertMatch(await publisher.lines.find("/past "), / gone \{"group":"work"/);
  assertMatch((await publisher.lines.next())!, /^\/replayed /);
}, FAULTS.slice(0, 2));

testEach("an event whose time comes is published when the disk works", [], async (site) => {
  const { server, disk, fault, ledger } = site;
  const publisher = await server.connect();
  const delayed = ledger.next();
  resultOf(await ask(publisher, "r", `/delay r 300ms n ${delayed}`));
  ledger.stored.push(delayed);
  await fault.begin(disk);
  assertMatch((await ledger.publish(publisher))!, fault.text);
  const known = failures(disk);
  await until(() => failures(disk) > known, "the broker tries to write, at least once a second");
  await fault.end(disk);
  await until(async () => (await replay(publisher)).length > 0, "the delayed event is published");
  await ledger.check(publisher);
  await checkAfterKill(site);
});

testEach("the log says so once, and once that it works again", [], async (site) => {
  const { server, disk, fault, ledger } = site;
  const publisher = await server.connect();
  await ledger.publish(publisher);
  await fault.begin(disk);
  await publisher.line("n 0");
  for (let event = 0; event < 3; event++) assertMatch((await ledger.publish(publisher))!, fault.text);
  const told = / {2}! (The store .*(?:no room|I\/O error).*)$/;
  assertMatch(told.exec(await server.logged(told))![1], /^The store (?:failed|has no room on its disk): /);
  await fault.end(disk);
  await server.logged(/ {2}. The store works again.*\b\d+ events? .*not stored/);
  await untilMended(site, publisher);
  const about = server.log.filter((line) => told.test(line) || line.includes("The store works again"));
  assertEquals(about.length, 2, about.join("\n"));
  assertEquals(server.errors, []);
});

testEach("the log in JSON says so once, and once that it works again", ["--json"], async (site) => {
  const { server, disk, fault, ledger } = site;
  const publisher = await server.connect();
  await ledger.publish(publisher);
  await fault.begin(disk);
  await publisher.line("n 0");
  for (let event = 0; event < 3; event++) assertMatch((await ledger.publish(publisher))!, fault.text);
  await publisher.line("n 0");
  await publisher.ask("/ping");
  await server.logged(/"failed"/);
  await fault.end(disk);
  await server.logged(/"mended"/);
  const [failed, mended, ...more] = server.log.map((line) => JSON.parse(line)).filter(({ event }) =>
    event === "mq.store"
  );
  assertEquals(failed.data.state, "failed");
  assertMatch(failed.data.text, fault.text);
  assertEquals(mended.data.state, "mended");
  assert(mended.data.unstored >= 2, `${mended.data.unstored} of at least two events`);
  assertEquals([more, server.errors], [[], []]);
});

testEach(
  "it is known to the next event, with --sync too",
  ["--sync", "50ms"],
  async (site) => {
    const { server, disk, fault, ledger } = site;
    const publisher = await server.connect();
    await ledger.publish(publisher);
    await fault.begin(disk);
    let reason: string | undefined;
    await until(async () => (reason = await ledger.publish(publisher)) !== undefined, "an event is refused");
    assertMatch(reason!, fault.text);
    await fault.end(disk);
    await untilMended(site, publisher);
    await checkAfterKill(site);
  },
  FAULTS.slice(0, 2),
);

testEach(
  "a broker with --sync says so, though nothing is published any more",
  ["--sync", "50ms", "--json"],
  async (site) => {
    const { server, disk, fault, ledger } = site;
    const publisher = await server.connect();
    await fault.begin(disk);
    await ledger.publish(publisher);
    await server.logged(/"failed"/);
  },
  FAULTS.slice(0, 1),
);

testEach("a key of an event that was refused is free again, and the event is stored once", [], async (site) => {
  const { server, disk, fault, folder } = site;
  const publisher = await server.connect();
  resultOf(await ask(publisher, "r", "/once r key-1 n 1"));
  await fault.begin(disk);
  assertMatch(await ask(publisher, "r", "/once r key-2 n 2"), /^\/err r store-failed /);
  await server.end("SIGKILL");
  await using next = await StoredServer.start(folder);
  const client = await next.connect();
  assertEquals(resultOf(await ask(client, "r", "/once r key-1 n 1")).duplicate, true);
  resultOf(await ask(client, "r", "/once r key-2 n 2"));
  assertEquals(await replay(client), ["1", "2"]);
});
