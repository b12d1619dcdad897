/** Replays: docs/protocol.md, section 14. */
import { assertEquals, assertRejects } from "@std/assert";
import { Broker, connect, type MqEvent } from "../../../mod.ts";
import { ConnectionError, ProtocolError } from "../../../lib/protocol/errors.ts";
import { openStore } from "../../../lib/store/sqlite.ts";
import { FakeBroker } from "../../fake_broker.ts";
import { listenAgain, startBroker, until } from "../../helpers.ts";
import { startStored, tempFolder } from "../../store/folder.ts";

/** The data of the next events of a subscription. */
async function take(events: AsyncIterableIterator<MqEvent>, count: number): Promise<unknown[]> {
  const data: unknown[] = [];
  while (data.length < count) data.push((await events.next()).value.data);
  return data;
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

Deno.test("14.3 a replay with live goes on without a gap or a double, while others publish", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await using publisher = await connect({ hostname: "127.0.0.1", port: server.port });
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  let published = 0;
  const publish = async (until: number) => {
    for (; published < until; published++) {
      publisher.publish("n", published);
      if (published % 100 === 99) await publisher.flush();
    }
    await publisher.flush();
  };
  await publish(5000);
  const publishing = publish(30_000);
  const subscriptions = Array.from({ length: 5 }, () => client.subscribe("n", { since: "first" }));
  await Promise.all(subscriptions.map(async (events) => assertEquals(await take(events, 30_000), upTo(30_000))));
  await publishing;
});

Deno.test("5.10 what a replay sends counts as delivered, whether it is on disk or not, and in parts", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const { broker } = server;
  const [client] = await server.connect(1);
  await client.ask("/unsub >");
  for (const length of [10, 100_000, 20, 100_000]) await broker.publishConfirmed("n", "x".repeat(length));
  const { id: last } = broker.publish("n", 5); // It may not be on disk yet.
  await client.line("/replay first n");
  await client.lines.find(`/replayed {"last":"${last}","events":5}`);
  assertEquals([broker.stats().delivered, broker.clients()[0].delivered], [5, 5]);
});

Deno.test("14.3 a subscription with since goes on behind its last event when the broker comes back", async () => {
  await using folder = tempFolder();
  const server = await startStored(folder);
  const { port } = server;
  await using client = await connect({ hostname: "127.0.0.1", port, reconnect: { minDelayMs: 1, maxDelayMs: 10 } });
  const events = client.subscribe("n", { since: "first" });
  for (const n of [0, 1, 2]) await client.publishConfirmed("n", n);
  assertEquals(await take(events, 3), [0, 1, 2]);
  await server.broker.close();
  const store = await openStore({ folder: folder.path });
  await using broker = new Broker({ events: [">"], store });
  for (const n of [3, 4]) await broker.publishConfirmed("n", n);
  await listenAgain(broker, port);
  assertEquals(await take(events, 2), [3, 4]);
  await broker.publishConfirmed("n", 5);
  assertEquals(await take(events, 1), [5]);
});

Deno.test("14.3 a subscription with since loses nothing where too many events wait", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  const events = client.subscribe("n", { since: "first", maxWaiting: 10 });
  await events.ready;
  for (let n = 0; n < 1000; n++) client.publish("n", n);
  await client.flush();
  assertEquals([await take(events, 1000), events.dropped], [upTo(1000), 0]);
});

Deno.test("14.3 subscriptions with and without since get their own events over one connection", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  for (const n of [0, 1]) await client.publishConfirmed("n", n);
  const live = client.subscribe(">");
  await live.ready;
  const second = client.subscribe("n", { since: (await client.publishConfirmed("n", 2)).id });
  const all = client.subscribe("*", { since: "first" });
  await Promise.all([second.ready, all.ready]);
  await client.publishConfirmed("n", 3);
  assertEquals([await take(live, 2), await take(second, 1), await take(all, 4)], [[2, 3], [3], [0, 1, 2, 3]]);
  assertEquals([live.waiting, second.waiting, all.waiting], [0, 0, 0]);
});

Deno.test("14.3 a replay is refused by a broker without a store, and if its beginning cannot be read", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  const refused = client.subscribe("n", { since: "yesterday" });
  const error = await assertRejects(() => refused.next(), ProtocolError, 'Cannot begin at "yesterday"');
  assertEquals(error.code, "bad-arguments");
  await using plain = new Broker();
  const { port } = await plain.listen({ hostname: "127.0.0.1", port: 0 });
  await using other = await connect({ hostname: "127.0.0.1", port });
  const none = other.subscribe("n", { since: "1h" });
  assertEquals((await assertRejects(() => none.next(), ProtocolError)).code, "no-store");
});

Deno.test("14.3 /replay sends the headers that a connection has asked for, and no others", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [client] = await server.connect(1);
  await client.line("/unsub >", '/pub 1 {"hops":2,"reply":"x"} n 1', "/replay first n");
  await client.lines.find("/ok replay");
  const past = async () => (await client.lines.next())!.replace(/\w{26}/, "ID");
  assertEquals(await past(), "/past ID client-1 n 1");
  await client.lines.find("/replayed");
  await client.line('/hello {"hops":true}', "/replay first n");
  await client.lines.find("/ok replay");
  assertEquals(await past(), '/past ID client-1 {"hops":2} n 1');
  await client.lines.find("/replayed");
});

Deno.test("14.3 a replay says that events behind its beginning were deleted", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder, {}, { keepBytes: 200 });
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  const { id } = await client.publishConfirmed("n", 0);
  for (let n = 1; n < 20; n++) await client.publishConfirmed("n", n);
  const [raw] = await server.connect(1);
  await raw.line("/unsub >");
  await raw.lines.find("/ok unsub");
  await until(async () => {
    await raw.line(`/replay ${id} n`);
    return (await raw.lines.find("/replayed")).includes('"gap":true');
  }, "there is a gap");
});

Deno.test("StoreClient.read reads page after page, and ends at the end of the log", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  assertEquals(await Array.fromAsync(client.store.read("first", ">")), []);
  const count = 25_000; // A page has 10,000.
  for (let n = 0; n < count; n++) client.publish(n % 5 === 0 ? "five" : "n", n);
  await client.flush();
  const read = (patterns: string | string[]) =>
    Array.fromAsync(client.store.read("first", patterns), ({ data }) => data as number);
  const [all, fives] = await Promise.all([read(["n", "five"]), read("five")]);
  assertEquals([all, fives], [upTo(count), upTo(count / 5).map((n) => n * 5)]);
});

Deno.test("StoreClient.read goes up to an id, whether the event of the id matches or not", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  const ids: string[] = [];
  for (let n = 0; n < 6; n++) ids.push((await client.publishConfirmed(n % 2 === 0 ? "even" : "odd", n)).id);
  const read = (from: string, until: string) =>
    Array.fromAsync(client.store.read(from, "even", { until }), ({ data }) => data);
  assertEquals(await read("first", ids[4]), [0, 2, 4]);
  assertEquals(await read("first", ids[3]), [0, 2]);
  assertEquals(await read(ids[0], ids[3]), [2]);
  assertEquals(await read(ids[3], ids[2]), []);
});

Deno.test("StoreClient.read rejects without a store, when the signal is aborted, and when the client is closed", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await using plain = await startBroker();
  await using other = await connect({ hostname: "127.0.0.1", port: plain.port });
  const none = other.store.read("first", ">");
  assertEquals((await assertRejects(() => none.next(), ProtocolError)).code, "no-store");

  const client = await connect({ hostname: "127.0.0.1", port: server.port });
  await assertRejects(() => client.store.read("yesterday", ">").next(), ProtocolError, 'Cannot begin at "yesterday"');
  const signal = AbortSignal.abort(new Error("enough"));
  await assertRejects(() => client.store.read("first", ">", { signal }).next(), Error, "enough");
  await client.close();
  await assertRejects(() => client.store.read("first", ">").next(), ConnectionError, "there is no connection");
});

Deno.test("StoreClient.read rejects when the connection breaks, or is closed, in the middle of a page", async () => {
  for (const end of ["broken", "closed"]) {
    await using broker = new FakeBroker();
    const { client, peer } = await broker.meet({ reconnect: false });
    const reading = client.store.read("first", ">").next();
    reading.catch(() => {});
    await peer.expect('/replay first {"limit":10000} >');
    await peer.say("/ok replay", "/past 01JD3K5E8Q5V1M4S3R6T7W8X9Y shop create 1");
    if (end === "broken") peer.close();
    else client.close();
    if (end === "closed") await peer.expect("/quit");
    peer.close();
    await assertRejects(() => reading, ConnectionError);
  }
});

Deno.test("14.3 a replay says that events were deleted before it came to them", async () => {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path });
  const read = store.read.bind(store);
  store.read = async (after, patterns) => {
    const page = await read(after, patterns);
    await store.maintain(Date.now() + 30 * 24 * 3_600_000); // As if the client had been slow to read the page.
    return page;
  };
  await using server = await startBroker({ events: [">"], store });
  const [client] = await server.connect(1);
  await client.line("/unsub >");
  for (let number = 1; number <= 4; number++) {
    await client.line(`/pub p n ${number}-${"x".repeat(300_000)}`); // More than one page has.
    await client.lines.find("/ok p");
  }
  await client.line("/replay first n");
  await client.lines.find("/ok replay");
  for (const number of [1, 4]) assertEquals((await client.lines.next())!.split(/[ -]/, 6).at(-1), String(number));
  const { events, gap } = JSON.parse((await client.lines.next())!.slice("/replayed ".length));
  assertEquals([events, gap], [2, true]);
});
