/** What a member of a group says, line by line, to a broker that a test plays. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Client, ConnectionError, type ConnectOptions, type ConsumeOptions, type JobHandler } from "../../mod.ts";
import { FakeBroker, NEVER, type Peer } from "../fake_broker.ts";
import { soon, until } from "../helpers.ts";

const STORE = { store: { keep: [">"], syncMs: 0 } };

/** The response to `/join`, of a group whose jobs have to be settled in some time. */
const joined = (ackMs: number) => `/ok join {"group":"work","patterns":["n"],"ackMs":${ackMs},"tries":5}`;

const job = (number: number, attempt = 1) =>
  `/job ${number} ${attempt} work 01JD3K5E8Q5V1M4S3R6T7W8X9Y shop n ${number}`;

/** A handler whose jobs the test ends, by their numbers. */
class Work {
  readonly begun: number[] = [];
  readonly signals: AbortSignal[] = [];
  readonly #ends: (() => void)[] = [];
  readonly handler: JobHandler = (event, { signal }) => {
    this.begun.push(Number(event.text));
    this.signals.push(signal);
    return new Promise<void>((resolve) => this.#ends.push(resolve));
  };

  endAll(): void {
    for (const end of this.#ends.splice(0)) end();
  }
}

interface Member {
  client: Client;
  peer: Peer;
  consumer: ReturnType<Client["consume"]>;
  notices: string[];
}

/** A client that has sent its `/join`. */
async function join(
  broker: FakeBroker,
  handler: JobHandler,
  { concurrency = 1, prefetch = 0, ...options }: ConsumeOptions = {},
  connect: ConnectOptions = {},
): Promise<Member> {
  const { client, peer } = await broker.meet(connect);
  const notices: string[] = [];
  client.addEventListener("notice", ({ detail }) => notices.push(detail.code));
  const consumer = client.consume("work", "n", handler, { concurrency, prefetch, ...options });
  await peer.expect(`/join work {"ahead":${concurrency + prefetch}} n`);
  return { client, peer, consumer, notices };
}

/** The next lines that are no `/touch`. */
async function untouched(peer: Peer, count: number): Promise<string[]> {
  const lines: string[] = [];
  while (lines.length < count) {
    const line = await soon(peer.lines.next(), "a line");
    assert(line !== null);
    if (!line.startsWith("/touch ")) lines.push(line);
  }
  return lines;
}

Deno.test("Client.consume knows the group when its first job comes with the response to /join", async () => {
  await using broker = new FakeBroker(STORE);
  const tries: number[] = [];
  const { peer } = await join(broker, (_event, job) => void tries.push(job.tries));
  await peer.say(joined(60_000), job(1));
  await peer.expect("/ack 1"); // And no /touch before it.
  assertEquals(tries, [5]);
});

Deno.test("Client.consume tells the broker of jobs that wait, and does not begin one that it has lost", async () => {
  await using broker = new FakeBroker(STORE);
  const work = new Work();
  const { peer, notices } = await join(broker, work.handler, { prefetch: 2 });
  await peer.say(joined(30), job(1), job(2), job(3));
  const said = new Set<string>();
  for (let line = ""; line !== "/ack 1";) {
    line = (await soon(peer.lines.next(), "a line"))!;
    said.add(line);
    await peer.say(line === "/touch 2" ? "/err touch no-job gone" : `/ok ${line.split(/[/ ]/)[1]}`);
    if (said.size === 3) work.endAll();
  }
  assertEquals([...said].toSorted(), ["/ack 1", "/touch 1", "/touch 2", "/touch 3"]);
  await until(() => work.begun.length === 2, "the next one is begun");
  assertEquals([work.begun, notices], [[1, 3], []]);
});

Deno.test("Consumer.leave begins no more jobs, and keeps those that still come until it has left", async () => {
  await using broker = new FakeBroker(STORE);
  const work = new Work();
  const { peer, consumer } = await join(broker, work.handler, { concurrency: 2 });
  await peer.say(joined(30), job(1));
  await until(() => work.begun.length === 1, "it is begun");
  const left = consumer.leave();
  await peer.say(job(2));
  while (await soon(peer.lines.next(), "a /touch") !== "/touch 2");
  work.endAll();
  assertEquals(await untouched(peer, 1), ["/ack 1"]);
  await peer.say("/ok touch");
  assertEquals(work.begun, [1]);
  peer.close();
  await left;
});

Deno.test("Consumer.leave right after Client.consume leaves once, and is no fault", async () => {
  await using broker = new FakeBroker(STORE);
  const { client, peer, consumer, notices } = await join(broker, () => {});
  const left = consumer.leave();
  await peer.say(joined(1000));
  await peer.expect("/leave work");
  await peer.say("/ok leave");
  await left;
  await consumer.ready;
  const flushed = client.flush();
  await peer.expect("/ping");
  await peer.say("/pong");
  await flushed;
  assertEquals([await consumer.ended, notices], [undefined, []]);
});

Deno.test("Consumer.ready rejects if the member leaves before it has joined", async () => {
  await using broker = new FakeBroker(STORE);
  const client = await broker.part({ reconnect: NEVER });
  const aborted = client.consume("work", "n", () => {}, { signal: AbortSignal.abort() });
  const leaving = client.consume("work", "n", () => {});
  await leaving.leave();
  for (const { ready } of [aborted, leaving]) {
    assertEquals((await assertRejects(() => soon(ready, "it settles"), ConnectionError)).code, "closed");
  }
});

Deno.test("Client.close aborts what is being done for a group, and begins nothing more", async () => {
  await using broker = new FakeBroker(STORE);
  const work = new Work();
  const { client, peer } = await join(broker, work.handler, { prefetch: 1 });
  await peer.say(joined(60_000), job(1), job(2));
  await until(() => work.begun.length === 1, "it is begun");
  const closed = client.close();
  await peer.expect("/quit");
  await peer.say("/bye");
  peer.close();
  await closed;
  assertEquals(work.signals[0].aborted, true);
  work.endAll();
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(work.begun, [1]);
});

for (
  const [what, handler, line] of [
    ["a delay of a month", (_event, job) => job.retry(30 * 86_400_000), "/nack 1 2592000s"],
    ["a delay without an end", (_event, job) => job.retry(Infinity, "no"), "/nack 1 315360000s no"],
    [
      "a reason that begins like a delay",
      (_event, job) => job.retry(0, "30s were not enough"),
      "/nack 1 1ms 30s were not enough",
    ],
    ["a reason", (_event, job) => job.retry(0, "not\nyet"), "/nack 1 not | yet"],
    [
      "an error whose message is no text",
      () => Promise.reject(Object.assign(new Error(), { message: 7 })),
      "/nack 1 1000ms 7",
    ],
    [
      "what has no text",
      () => Promise.reject(Object.create(null)),
      "/nack 1 1000ms The handler has thrown something without a text",
    ],
  ] as [string, JobHandler, string][]
) {
  Deno.test(`Client.consume sends ${what}, so that the broker reads what is meant`, async () => {
    await using broker = new FakeBroker(STORE);
    const { peer } = await join(broker, handler);
    await peer.say(joined(60_000), job(1));
    await peer.expect(line);
  });
}

Deno.test("Client.consume joins again if the broker's store fails after a reconnect", async () => {
  await using broker = new FakeBroker(STORE);
  const { consumer, peer, notices } = await join(broker, () => {});
  await peer.say(joined(60_000));
  await consumer.ready;
  peer.close();
  const next = await broker.welcome();
  await next.expect('/join work {"ahead":1} n');
  await next.say("/err join store-failed The disk is full");
  await next.expect('/join work {"ahead":1} n');
  await next.say(joined(60_000), job(1));
  await next.expect("/ack 1");
  assertEquals(notices, ["store-failed"]);
});

Deno.test("Client refuses to send a line with a line end in it", async () => {
  await using broker = new FakeBroker(STORE);
  const { client, peer } = await broker.meet();
  const bad = [
    () => client.cancel("x\n/quit"),
    () => client.store.kick("work", "all\n/purge work dead"),
    () => client.store.read("1h >\n/quit", "n").next(),
    () => client.subscribe("n", { since: "first\r/quit" }).next(),
  ];
  for (const call of bad) await assertRejects(call, Error, "it has a line end in it");
  const flushed = client.flush();
  await peer.expect("/ping");
  await peer.say("/pong");
  await flushed;
});

Deno.test("Client.subscribe with since goes on after the end of a page that cannot be read", async () => {
  await using broker = new FakeBroker(STORE);
  const { client, peer } = await broker.meet();
  const events = client.subscribe("n", { since: "first" });
  await peer.expect('/replay first {"live":true,"limit":10000} n');
  await peer.say("/ok replay", "/past 01JD3K5E8Q5V1M4S3R6T7W8X9Y shop n 1", "/replayed {");
  const next = await broker.welcome();
  await next.expect('/replay 01JD3K5E8Q5V1M4S3R6T7W8X9Y {"live":true,"limit":10000} n');
  await next.say("/ok replay", '/replayed {"last":"01JD3K5E8Q5V1M4S3R6T7W8X9Y","events":0}');
  await soon(events.ready, "it is live");
  assertEquals((await events.next()).value.data, 1);
});
