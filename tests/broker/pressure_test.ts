/** What the broker does with clients that read too slowly, publish too fast, or have fallen silent: over bare sockets. */
import { assert, assertEquals, assertMatch, fail } from "@std/assert";
import { minOutboxBytes, RESPONSE_BYTES } from "../../lib/protocol/limits.ts";
import { type RawClient, startBroker, type TestBroker, until } from "../helpers.ts";
import { MemoryClient } from "../memory.ts";

const DROP = { slow: "drop", limits: { lineBytes: 100_000, outboxBytes: 200_000 } } as const;
const LINE = `create ${"x".repeat(9_992)}`; // 10,000 bytes with its LF.

/** Publishes until a connection that does not read has become a slow consumer. Returns how many events that took. */
async function flood(server: TestBroker, sender: RawClient): Promise<number> {
  let sent = 0;
  await until(async () => {
    for (let count = 0; count < 10; count++) await sender.line(`${LINE} ${++sent}`);
    await sender.ask("/ping"); // All that is read.
    return server.told("mq.slow").length > 0;
  }, "a connection is slow");
  return sent;
}

/** The next line; that the connection has ended is not what a test expects. */
async function nextLine(client: RawClient): Promise<string> {
  return await client.lines.next() ?? fail("The connection has ended");
}

/** A connection that publishes and hears nothing. */
async function sender(server: TestBroker): Promise<RawClient> {
  const [client] = await server.connect(1);
  await client.ask("/unsub >");
  return client;
}

Deno.test("--slow drop: the newest events are dropped, /dropped gives their count in their place", async () => {
  await using server = await startBroker(DROP);
  const [listener] = await server.connect(1);
  assertEquals(await listener.ask("/sub create"), "/ok sub");
  const speaker = await sender(server);
  const sent = await flood(server, speaker);

  let heard = 0;
  let line = await nextLine(listener);
  for (; !line.startsWith("/dropped "); line = await nextLine(listener)) assertEquals(line, `${LINE} ${++heard}`);
  const missing = Number(line.slice("/dropped ".length));
  assert(missing > 0);
  await until(() => server.told("mq.dropped").length === 1, "the broker says so");
  await speaker.line("create after");
  const rest: string[] = [];
  while (rest.at(-1) !== "create after") rest.push(await nextLine(listener));
  assertEquals(heard + missing + rest.length - 1, sent);
  const { dropped, slow } = server.broker.stats();
  assertEquals([dropped, slow, server.broker.stats().connections], [missing, 1, 2]);
  assertEquals(server.told("mq.dropped")[0].events, missing);
});

Deno.test("--slow drop: mq.slow names the client, its patterns, the bytes and the policy, once", async () => {
  await using server = await startBroker(DROP);
  const [listener] = await server.connect(1);
  await listener.ask('/hello {"name":"sleepy"}');
  await listener.ask("/sub create order.*");
  const speaker = await sender(server);
  await flood(server, speaker);
  for (let count = 0; count < 50; count++) await speaker.line(LINE);
  await speaker.ask("/ping");
  const [slow, ...more] = server.told("mq.slow");
  assertEquals([slow.name, slow.patterns, slow.policy, more], ["sleepy", ["create", "order.*"], "drop", []]);
  assert(Number(slow.queuedBytes) > 200_000);
});

Deno.test("--slow drop: a plain connection gets no /dropped, and stays connected", async () => {
  await using server = await startBroker(DROP);
  const speaker = await sender(server);
  const [listener] = await server.connect(1);
  await flood(server, speaker);
  while (server.told("mq.dropped").length === 0) assertMatch(await nextLine(listener), /^create x/);
  await speaker.line("create after");
  for (let line = ""; line !== "create after"; line = await nextLine(listener)) assert(!line.startsWith("/"), line);
});

Deno.test("--slow drop: events dropped for a client that disconnects are reported, too", async () => {
  await using server = await startBroker(DROP);
  const [listener] = await server.connect(1);
  await flood(server, await sender(server));
  listener.close();
  await until(() => server.told("mq.dropped").length === 1, "the broker says so");
  const [{ events, bytes }] = server.told("mq.dropped");
  const { dropped, droppedBytes } = server.broker.stats();
  assert(Number(events) > 0 && events === dropped, `${events} events`);
  assertEquals(bytes, droppedBytes);
});

Deno.test("--slow drop: responses have room when the event queue is full", async () => {
  await using server = await startBroker(DROP);
  const [listener] = await server.connect(1);
  await listener.ask("/sub create");
  await flood(server, await sender(server));
  await listener.line("/ping still here");
  await listener.lines.find("/pong still here");
  assertEquals(server.told("mq.disconnect"), []);
});

Deno.test("--slow disconnect: the log and the client get the reason, and the queue is discarded", async () => {
  await using server = await startBroker({ limits: { lineBytes: 100_000, outboxBytes: 200_000 } });
  const [listener] = await server.connect(1);
  await flood(server, await sender(server));
  const [{ policy, patterns }] = server.told("mq.slow");
  assertEquals([policy, patterns], ["disconnect", [">"]]);
  await listener.lines.find("/err - slow-consumer Closed: more than 200000 bytes waited to be read");
});

/** Reads until so many bytes have come, or the connection ends; returns what came last. */
async function readAll(client: RawClient, bytes: number): Promise<string> {
  const buffer = new Uint8Array(1024 * 1024);
  let last = "";
  for (let count = 0; count < bytes;) {
    const read = await client.conn.read(buffer);
    if (read === null) break;
    count += read;
    last = (last + new TextDecoder().decode(buffer.subarray(0, read).slice(-200))).slice(-200);
  }
  return last;
}

for (
  const [what, lineBytes, outboxBytes, sizes] of [
    ["short events and a small queue", 32 * 1024, 64 * 1024, [10, 100]],
    ["the longest events that the queue has room for", 30_000, minOutboxBytes(30_000), [30_000]],
    ["events of all lengths", 1024 * 1024, minOutboxBytes(1024 * 1024), [10, 1000, 100_000, 1024 * 1024]],
  ] as const
) {
  Deno.test(`a subscriber that reads stays connected: ${what}`, async () => {
    await using server = await startBroker({ limits: { lineBytes, outboxBytes } });
    const [plain, meta, publisher] = await server.connect(3);
    assertMatch((await meta.ask('/hello {"name":"meta","meta":true}'))!, /^\/ok hello /);
    assertEquals(await publisher.ask("/unsub >"), "/ok unsub");
    const block = sizes.flatMap((size) =>
      Array(Math.max(1, 200_000 / size | 0)).fill(`create ${"é".repeat((size - 7) / 2)}\n`)
    );
    const bytes = new TextEncoder().encode(block.join(""));
    const total = 20 * bytes.length + "create done\n".length;
    const metaTotal = total + (20 * block.length + 1) * `/event ${"0".repeat(26)} client-3 `.length;
    const reading = Promise.all([readAll(plain, total), readAll(meta, metaTotal)]);
    for (let count = 0; count < 20; count++) await publisher.send(bytes);
    await publisher.line("create done");
    for (const last of await reading) assert(last.endsWith(" create done\n") || last.endsWith("\ncreate done\n"), last);
    const { slow, dropped, delivered } = server.broker.stats();
    assertEquals([slow, dropped, delivered], [0, 0, 2 * (20 * block.length + 1)]);
  });
}

Deno.test("a subscriber that reads stays connected: many publish the longest events at the same time", async () => {
  const lineBytes = 63 * 1024;
  await using server = await startBroker({ limits: { lineBytes, outboxBytes: minOutboxBytes(lineBytes) } });
  const [listener, ...publishers] = await server.connect(5);
  const block = new TextEncoder().encode(`create ${"x".repeat(lineBytes - 7)}\n`.repeat(20));
  for (const publisher of publishers) await publisher.ask("/unsub >");
  const reading = readAll(listener, publishers.length * 3 * block.length);
  const publish = async (publisher: RawClient) => {
    for (let count = 0; count < 3; count++) await publisher.send(block);
  };
  await Promise.all(publishers.map(publish));
  await reading;
  const { slow, published, delivered } = server.broker.stats();
  assertEquals([slow, published, delivered], [0, 240, 240]);
});

Deno.test("a client that reads its responses stays connected, however many it requests at once", async () => {
  await using server = await startBroker({ limits: { lineBytes: 1000, outboxBytes: 2000 } });
  const [client] = await server.connect(1);
  await client.send("/help\n".repeat(2000) + "/ping done\n");
  await client.lines.find("/pong done");
  assertEquals(server.told("mq.slow"), []);
});

Deno.test("rate: events above the rate are delayed, not lost, in order, and reported once", async () => {
  await using server = await startBroker({ limits: { eventsPerSecond: 200 } });
  const [fast, listener] = await server.connect(2);
  await fast.ask("/unsub >");
  const lines = Array.from({ length: 300 }, (_, index) => `create ${index}`);
  const start = performance.now();
  await fast.send(lines.map((line) => line + "\n").join(""));
  await listener.expect(...lines);
  assert(performance.now() - start >= 400, "it took its time"); // 200 at once, 100 at 200 a second.
  const [throttled, ...more] = server.told("mq.throttled");
  assertEquals([throttled.name, throttled.eventsPerSecond, more], ["client-1", 200, []]);
});

Deno.test("rate: events with receipts count as well, and other clients are not slowed down", async () => {
  await using server = await startBroker({ limits: { eventsPerSecond: 2 } });
  const [fast, other] = await server.connect(2);
  await fast.ask("/unsub >");
  await other.ask("/unsub >");
  await fast.send("/pub 1 create\n/pub 2 create\n/pub 3 create\n/pub 4 create\n");
  for (const ref of [1, 2, 3]) assertMatch((await fast.lines.next())!, new RegExp(`^/ok ${ref} `));
  assertMatch((await other.ask("/pub 1 create"))!, /^\/ok 1 /);
  assertEquals(server.broker.stats().published, 4);
  assertMatch((await fast.lines.next())!, /^\/ok 4 /);
});

Deno.test("rate: a throttled client is not considered silent", async () => {
  const limits = { eventsPerSecond: 4, silenceMs: 40, answerMs: 40 };
  await using server = await startBroker({ limits });
  const [fast] = await server.connect(1);
  await fast.send("/unsub >\n" + "create 1\n".repeat(7) + "/ping done\n");
  const seen: string[] = [];
  while (seen.at(-1) !== "/pong done" && seen.at(-1) !== "the end") seen.push(await fast.lines.next() ?? "the end");
  assertEquals(seen, ["/ok unsub", "/pong done"]);
});

Deno.test("rate: Broker.close does not wait for events that it has not read", async () => {
  const server = await startBroker({ limits: { eventsPerSecond: 1 } });
  const [fast] = await server.connect(1);
  await fast.send("create 1\n".repeat(1000));
  await until(() => server.broker.stats().published === 2, "two are taken");
  fast.close();
  await server[Symbol.asyncDispose]();
});

Deno.test("silence: a silent client that uses control lines gets /ping, and is closed without a response", async () => {
  await using server = await startBroker({ limits: { silenceMs: 40, answerMs: 40 } });
  const [client] = await server.connect(1);
  assertEquals(await client.ask("/unsub >"), "/ok unsub");
  await client.expect("/ping", "/err - silent Closed: /ping was not answered");
  await client.expectEnd();
  await until(() => server.told("mq.disconnect").length === 1, "it has left");
  assertEquals(server.told("mq.disconnect")[0].reason, "silent");
});

Deno.test("silence: any line counts as a response to /ping", async () => {
  await using server = await startBroker({ limits: { silenceMs: 40, answerMs: 400 } });
  const [client] = await server.connect(1);
  assertEquals(await client.ask("/unsub >"), "/ok unsub");
  for (const line of ["/pong", "create 1", "", "/pong x"]) {
    await client.expect("/ping");
    await client.line(line);
  }
  assertEquals(server.told("mq.disconnect"), []);
});

Deno.test("silence: a plain connection may be silent for any length of time", async () => {
  await using server = await startBroker({ limits: { silenceMs: 20, answerMs: 20 } });
  const [plain, other] = await server.connect(2);
  assertEquals(await other.ask("/unsub >"), "/ok unsub");
  await other.lines.find("/err - silent"); // So the times have passed.
  const [speaker] = await server.connect(1);
  await speaker.line("create 1");
  await plain.expect("create 1");
});

/** A client that has asked for 12 MB of responses, of which it reads none, once the broker reads it no further. */
async function heldClient(server: TestBroker): Promise<MemoryClient> {
  const client = new MemoryClient(server.broker, true);
  client.send(...Array.from({ length: 12_000 }, (_, index) => `/ping ${index} ${"x".repeat(1000)}`));
  await until(() => queueOf(server) > RESPONSE_BYTES, "the client is held back");
  return client;
}

/** How much waits for the oldest connection, in bytes. */
function queueOf({ broker }: TestBroker): number {
  return broker.clients()[0].queuedBytes;
}

Deno.test("responses: a client that does not read them is read no further, and then gets all in order", async () => {
  await using server = await startBroker();
  const client = await heldClient(server);
  const [other] = await server.connect(1);
  for (let count = 0; count < 5; count++) {
    await other.line(`create ${count}`); // Goes to both.
    await other.expect(`create ${count}`);
  }
  assert(queueOf(server) < 2 * RESPONSE_BYTES);
  client.readWrites(Infinity);
  await until(() => client.lines.length === 12_005, "it has read everything");
  const pongs = client.lines.filter((line) => line.startsWith("/pong"));
  assertEquals(pongs.map((line) => line.split(" ")[1]), Array.from({ length: 12_000 }, (_, index) => `${index}`));
  const creates = client.lines.filter((line) => line.startsWith("create"));
  assertEquals(creates, ["create 0", "create 1", "create 2", "create 3", "create 4"]);
});

Deno.test("responses: a client that is held back for them is not silent", async () => {
  await using server = await startBroker({ limits: { silenceMs: 40, answerMs: 40 } });
  const client = await heldClient(server);
  const [silent] = await server.connect(1);
  assertEquals(await silent.ask("/unsub >"), "/ok unsub");
  await silent.expect("/ping"); // It does not answer, and so is closed; the one that is held back sends nothing, either.
  assertMatch(await nextLine(silent), /^\/err - silent /);
  assertEquals(server.told("mq.disconnect").map(({ reason }) => reason), ["silent"]);
  client.readWrites(Infinity);
  await until(() => client.lines.some((line) => line.startsWith("/pong 11999 ")), "it goes on");
});

for (const what of ["draining", "a client that breaks"]) {
  Deno.test(`responses: ${what} ends a connection that is held back for them`, async () => {
    await using server = await startBroker({ limits: { drainMs: 100 } });
    const client = await heldClient(server);
    if (what === "draining") await server.broker.close();
    else client.reset();
    await until(() => server.broker.stats().connections === 0, "it has left");
  });
}

Deno.test("responses: a queue that is full of events has room for them", async () => {
  await using server = await startBroker(DROP);
  const client = new MemoryClient(server.broker, true);
  const speaker = await sender(server);
  await flood(server, speaker);
  client.send(...Array.from({ length: 200 }, (_, index) => `/ping ${index} ${"x".repeat(1000)}`));
  await until(() => queueOf(server) > DROP.limits.outboxBytes + RESPONSE_BYTES - 20_000, "its responses wait");
  client.readWrites(Infinity);
  await until(() => client.lines.some((line) => line.startsWith("/pong 199 ")), "it has read all responses");
  assertEquals(server.told("mq.disconnect"), []);
});
