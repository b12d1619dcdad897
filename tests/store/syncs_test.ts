/** What is said to be on disk is synced, and nobody else waits for that: docs/protocol.md, 14.2. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type RawClient, until } from "../helpers.ts";
import { type Disk, hasCompiler, makeDisk } from "./faults/disk.ts";
import { tempFolder } from "./folder.ts";
import { ask, resultOf, StoredServer } from "./server.ts";

/** How often a verb is tried. */
const [PUBLICATIONS, OTHERS] = [200, 50];

/** How long a slow sync takes, in milliseconds. */
const SLOW_SYNC_MS = 20;

/** While how many slow syncs others go on, and how much they are to do within one of them on average, at least. */
const [SLOW_SYNCS, WITHIN_A_SYNC] = [25, 3];

/** A server on a disk whose syncs are counted. */
interface Site {
  readonly server: StoredServer;
  readonly disk: Disk;
  readonly client: RawClient;
}

function test(name: string, args: string[], tries: (site: Site) => Promise<void>): void {
  const fn = async () => {
    await using folder = tempFolder();
    await using disk = await makeDisk(folder.path);
    await using server = await StoredServer.start(folder.path, { args, env: disk.env });
    await tries({ server, disk, client: await server.connect() });
  };
  Deno.test({ name, ignore: !hasCompiler(), fn });
}

/** Asks, and checks that the disk was synced between the line and its response. */
async function askSynced({ client, disk }: Site, what: string, line: string): Promise<string> {
  const { syncs } = disk;
  const response = await ask(client, what, line);
  assertMatch(response, /^\/ok /);
  assert(disk.syncs > syncs, `There was no sync before ${response}`);
  return response;
}

/** Makes a job; returns its number. */
async function nextJob({ client }: Site, publisher: RawClient, number: number): Promise<number> {
  await ask(publisher, "p", `/pub p n ${number}`);
  const job = await client.lines.find("/job ");
  assertEquals(job.split(" ").at(-1), String(number));
  return Number(job.split(" ")[1]);
}

/** What becomes of each verb whose response says that something is on disk. */
const VERBS: Record<string, (site: Site) => Promise<void>> = {
  async "/pub"(site) {
    for (let number = 0; number < PUBLICATIONS; number++) await askSynced(site, "r", `/pub r n ${number}`);
  },
  async "/once"(site) {
    for (let number = 0; number < OTHERS; number++) await askSynced(site, "r", `/once r key-${number} n ${number}`);
  },
  async "/delay and /cancel"(site) {
    for (let number = 0; number < OTHERS; number++) {
      const { id } = resultOf(await askSynced(site, "r", `/delay r 1h n ${number}`));
      await askSynced(site, "cancel", `/cancel ${id}`);
    }
  },
  async "/join of a new group, and /forget"(site) {
    for (let number = 0; number < OTHERS; number++) {
      await askSynced(site, "join", `/join group-${number} n`);
      await ask(site.client, "leave", `/leave group-${number}`);
      await askSynced(site, "forget", `/forget group-${number}`);
    }
  },
  async "/ack"(site) {
    const publisher = await site.server.connect();
    await ask(site.client, "join", "/join group n");
    for (let number = 0; number < OTHERS; number++) {
      await askSynced(site, "ack", `/ack ${await nextJob(site, publisher, number)}`);
    }
  },
  async "/nack"(site) {
    const publisher = await site.server.connect();
    await ask(site.client, "join", "/join group n");
    for (let number = 0; number < OTHERS; number++) {
      await askSynced(site, "nack", `/nack ${await nextJob(site, publisher, number)} 1h not now`);
    }
  },
  async "/bury and /kick"(site) {
    const publisher = await site.server.connect();
    await ask(site.client, "join", "/join group n");
    for (let number = 0; number < OTHERS; number++) {
      await askSynced(site, "bury", `/bury ${await nextJob(site, publisher, number)} no use`);
      await askSynced(site, "kick", "/kick group all");
      const job = await site.client.lines.find("/job ");
      await ask(site.client, "ack", `/ack ${job.split(" ")[1]}`);
    }
  },
};

for (const [verb, tries] of Object.entries(VERBS)) {
  test(`the response to ${verb} comes behind a sync`, [], tries);
}

test("many events that are published at once share syncs", [], async ({ client, disk }) => {
  const { syncs } = disk;
  const numbers = Array.from({ length: 1000 }, (_, number) => number);
  await client.line(...numbers.map((number) => `/pub ${number} n`));
  for (const number of numbers) assertMatch((await client.lines.next())!, new RegExp(`^/ok ${number} `));
  assert(disk.syncs > syncs);
  assert(disk.syncs < syncs + numbers.length / 10);
});

test("with --sync receipts do not wait for a sync", ["--sync", "1h"], async ({ client, disk }) => {
  await ask(client, "r", "/pub r n"); // The first write begins the WAL, which is synced.
  const { syncs } = disk;
  for (let number = 0; number < PUBLICATIONS; number++) {
    assertEquals(resultOf(await ask(client, "r", `/pub r n ${number}`)).stored, true);
  }
  assertEquals(disk.syncs, syncs);
});

test("with --sync a sync comes in its time", ["--sync", "50ms"], async ({ client, disk }) => {
  const { syncs } = disk;
  for (let number = 0; number < PUBLICATIONS; number++) await ask(client, "r", `/pub r n ${number}`);
  const before = disk.syncs;
  assert(before - syncs < PUBLICATIONS);
  await ask(client, "r", "/pub r n");
  await until(() => disk.syncs > before, "the last event is synced");
});

test("with --sync a broker that is ended syncs first", ["--sync", "1h"], async ({ server, client, disk }) => {
  await ask(client, "r", "/pub r n");
  const { syncs } = disk;
  await ask(client, "r", "/pub r n");
  assertEquals(disk.syncs, syncs);
  assertEquals(await server.end("SIGTERM"), 0);
  assert(disk.syncs > syncs);
});

/** What does not wait for syncs, as a line and the response to it. */
const UNHINDERED: Record<string, [line: string, response: RegExp]> = {
  "/ping of another connection is answered": ["/ping 1", /^\/pong 1$/],
  "an event that is not stored gets its receipt": ["/pub r other.n", /^\/ok r \{"id":"\w{26}","receivers":0\}$/],
  "a subscription changes": ["/sub other.n", /^\/ok sub$/],
};

for (const [what, [line, response]] of Object.entries(UNHINDERED)) {
  test(`${what} while syncs are slow`, ["--keep", "stored.>"], async (site) => {
    const { client, disk } = site;
    await disk.delaySyncs(SLOW_SYNC_MS);
    await using _load = await publishAgainAndAgain(site, 10);
    const { syncs } = disk;
    let done = 0;
    for (; disk.syncs < syncs + SLOW_SYNCS; done++) assertMatch((await client.ask(line))!, response);
    assert(done > SLOW_SYNCS * WITHIN_A_SYNC, `Only ${done} within ${SLOW_SYNCS} syncs`);
  });
}

test("a subscriber gets stored events while syncs are slow", [], async (site) => {
  const { client, disk, server } = site;
  await ask(client, "sub", "/sub n");
  await disk.delaySyncs(SLOW_SYNC_MS);
  const publisher = await server.connect();
  const { syncs } = disk;
  for (let number = 0; number < PUBLICATIONS; number++) {
    await publisher.line(`n ${number}`);
    assertEquals(await client.lines.next(), `n ${number}`);
  }
  assert(disk.syncs - syncs < PUBLICATIONS / WITHIN_A_SYNC);
});

/** Has connections publish stored events, each the next when it has the receipt of the last. */
async function publishAgainAndAgain({ server }: Site, count: number): Promise<AsyncDisposable> {
  let isOver = false;
  const clients = await Promise.all(Array.from({ length: count }, () => server.connect()));
  const publishing = clients.map(async (client) => {
    while (!isOver) assertEquals(resultOf(await ask(client, "r", "/pub r stored.n")).stored, true);
  });
  return {
    async [Symbol.asyncDispose]() {
      isOver = true;
      await Promise.all(publishing);
    },
  };
}
