/** Requests and their answers, with a broker that is played by hand, and with a real one. */
import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  type Client,
  connect,
  ConnectionError,
  type ConnectOptions,
  MqError,
  type MqEvent,
  parseCatalog,
  ProtocolError,
  TimeoutError,
} from "../../mod.ts";
import { FakeBroker, happened, HELLO, NEVER, type Peer, QUICK } from "../fake_broker.ts";
import { soon, startBroker } from "../helpers.ts";

const RECEIPT = '{"id":"01","receivers":1}';

/** A client of a broker that knows of requests, and the broker's end of it. */
async function meet(fake: FakeBroker, options: ConnectOptions = {}): Promise<{ client: Client; peer: Peer }> {
  const { client, opened } = fake.dial(options);
  const peer = await welcome(fake);
  await soon(opened, "the connection");
  return { client, peer };
}

async function welcome(fake: FakeBroker, ...patterns: string[]): Promise<Peer> {
  const peer = await fake.accept();
  await peer.hearHello(...patterns);
  const hello = JSON.stringify({ ...HELLO, hops: 255, inbox: "_INBOX" });
  await peer.say(`/ok hello ${hello}`, "/ok unsub", ...patterns.length > 0 ? ["/ok sub"] : []);
  return peer;
}

/** Takes in the pattern of a client's answers; returns what its names begin with. */
async function takeInbox(peer: Peer): Promise<string> {
  const line = await soon(peer.lines.next(), "a line");
  const [, inbox] = /^\/sub (_INBOX\.[0-9A-Z]{26})\.>$/.exec(line ?? "") ?? [];
  if (inbox === undefined) throw new Error(`There came ${line}`);
  await peer.say("/ok sub");
  return inbox;
}

Deno.test("Client.request subscribes once to the pattern of all its replies, and resolves to each reply", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await meet(fake);
  const tea = client.request("price", "tea");
  const inbox = await takeInbox(peer);
  await peer.expect(`/pub 1 {"reply":"${inbox}.1"} price tea`);
  const cake = client.request("price", "cake", { hops: 2 });
  await peer.expect(`/pub 2 {"hops":2,"reply":"${inbox}.2"} price cake`);
  await peer.say(`/ok 1 ${RECEIPT}`, `/ok 2 ${RECEIPT}`);
  await peer.say(`/event 03 till ${inbox}.2 {"cents":400}`, `/event 04 shop ${inbox}.1 {"cents":250}`);
  const answers = await soon(Promise.all([tea, cake]), "the answers");
  assertEquals(answers.map(({ data, from }) => [data, from]), [[{ cents: 250 }, "shop"], [{ cents: 400 }, "till"]]);
});

Deno.test("Client.request accepts a reply that comes before the receipt", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await meet(fake);
  const asked = client.request("price");
  const inbox = await takeInbox(peer);
  await peer.expect(`/pub 1 {"reply":"${inbox}.1"} price`);
  await peer.say(`/event 03 shop ${inbox}.1 250`, `/ok 1 ${RECEIPT}`);
  assertEquals((await soon(asked, "the answer")).data, 250);
});

Deno.test("Client.request resolves to the first reply, and drops the second and late ones", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await meet(fake);
  const asked = client.request("price");
  const inbox = await takeInbox(peer);
  await peer.expect(`/pub 1 {"reply":"${inbox}.1"} price`);
  await peer.say(`/ok 1 ${RECEIPT}`, `/event 03 shop ${inbox}.1 250`, `/event 04 shop ${inbox}.1 300`);
  assertEquals((await soon(asked, "the answer")).data, 250);
  const late = assertRejects(() => client.request("price", 1, { timeoutMs: 1 }), TimeoutError);
  await peer.expect(`/pub 2 {"reply":"${inbox}.2"} price 1`);
  const error = await soon(late, "the end");
  assertEquals([error.code, error.message], ["timeout", 'No reply to "price" within 1 ms']);
  await peer.say(`/ok 2 ${RECEIPT}`, `/event 05 shop ${inbox}.2 250`);
  const last = client.request("price", 2);
  await peer.expect(`/pub 3 {"reply":"${inbox}.3"} price 2`);
  await peer.say(`/ok 3 ${RECEIPT}`, `/event 06 shop ${inbox}.3 500`);
  assertEquals((await soon(last, "the answer")).data, 500);
});

Deno.test("Client.request rejects at once if it has no receivers", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await meet(fake);
  const asked = client.request("price");
  const inbox = await takeInbox(peer);
  await peer.expect(`/pub 1 {"reply":"${inbox}.1"} price`);
  await peer.say('/ok 1 {"id":"01","receivers":0}');
  const error = await assertRejects(() => soon(asked, "the end"), MqError);
  assertEquals([error.code, error.message], ["no-responders", 'Nobody receives "price", so nobody can reply']);
});

Deno.test("Client.request rejects with the message of an error reply", async () => {
  const reasons = [["There is no tea", "There is no tea"], ["", "no reason was given"], ['"a\\nb"', "a\\u{a}b"]];
  for (const [text, reason] of reasons) {
    await using fake = new FakeBroker();
    const { client, peer } = await meet(fake);
    const asked = client.request("price");
    const inbox = await takeInbox(peer);
    await peer.expect(`/pub 1 {"reply":"${inbox}.1"} price`);
    await peer.say(`/ok 1 ${RECEIPT}`, `/event 03 shop ${inbox}.1.error ${text}`);
    const error = await assertRejects(() => soon(asked, "the end"), MqError);
    assertEquals([error.code, error.message], ["request-failed", `The request "price" failed: ${reason}`]);
  }
});

Deno.test("Client.request rejects with the broker's reason if the event or the reply pattern is refused", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await meet(fake);
  const mayNotHear = client.request("price");
  await peer.lines.next();
  await peer.say("/err sub forbidden You may only publish");
  assertEquals((await assertRejects(() => soon(mayNotHear, "the end"), ProtocolError)).code, "forbidden");
  await peer.lines.next(); // It takes the pattern back.
  await peer.say("/err unsub not-subscribed It is not there");
  const unrecognized = client.request("price");
  await takeInbox(peer);
  await peer.lines.next();
  await peer.say("/err 1 unrecognized Dropped it");
  assertEquals((await assertRejects(() => soon(unrecognized, "the end"), ProtocolError)).code, "unrecognized");
});

Deno.test("Client.request rejects as unconfirmed or disconnected if the connection breaks", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await meet(fake, { reconnect: NEVER });
  const asked = [client.request("price", 1), client.request("price", 2)];
  const inbox = await takeInbox(peer);
  for (const number of [1, 2]) await peer.expect(`/pub ${number} {"reply":"${inbox}.${number}"} price ${number}`);
  const codes = asked.map(async (answer) => (await assertRejects(() => answer, ConnectionError)).code);
  await peer.say(`/ok 1 ${RECEIPT}`);
  await peer.hangUp();
  assertEquals(await soon(Promise.all(codes), "the ends"), ["disconnected", "unconfirmed"]);
});

Deno.test("Client.request made while disconnected waits for the connection", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await meet(fake, { reconnect: QUICK });
  const first = client.request("price", 1, { timeoutMs: 60_000 });
  const inbox = await takeInbox(peer);
  await peer.lines.next();
  await peer.say(`/ok 1 ${RECEIPT}`, `/event 03 shop ${inbox}.1 250`);
  assertEquals((await soon(first, "the answer")).data, 250);
  const disconnected = happened(client, "disconnect");
  peer.close();
  await soon(disconnected, "the disconnect");
  const second = client.request("price", 2, { timeoutMs: 60_000 });
  const next = await welcome(fake, `${inbox}.>`);
  await next.expect(`/pub 2 {"reply":"${inbox}.2"} price 2`);
  await next.say(`/ok 2 ${RECEIPT}`, `/event 04 shop ${inbox}.2 500`);
  assertEquals((await soon(second, "the answer")).data, 500);
});

Deno.test("Client.request that timed out while disconnected is not sent after the reconnect", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await meet(fake, { reconnect: QUICK });
  const disconnected = happened(client, "disconnect");
  peer.close();
  await soon(disconnected, "the disconnect");
  await assertRejects(() => soon(client.request("price", 1, { timeoutMs: 1 }), "the end"), TimeoutError);
  const next = await fake.accept();
  assertEquals((await next.lines.next())?.startsWith("/hello"), true);
  await next.expect("/unsub >");
  await next.lines.next(); // The pattern of the answers.
  await next.say(`/ok hello ${JSON.stringify({ ...HELLO, inbox: "_INBOX" })}`, "/ok unsub", "/ok sub");
  client.publish("create", "next");
  await next.expect("create next");
});

Deno.test("Client.request stops waiting when its signal is aborted or the client is closed", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await meet(fake);
  const ending = new AbortController();
  const [aborted, closed] = [client.request("price", 1, { signal: ending.signal }), client.request("price", 2)];
  const inbox = await takeInbox(peer);
  for (const number of [1, 2]) await peer.expect(`/pub ${number} {"reply":"${inbox}.${number}"} price ${number}`);
  const reason = new Error("Changed my mind");
  ending.abort(reason);
  assertEquals(await assertRejects(() => soon(aborted, "the end")), reason);
  assertEquals(await assertRejects(() => client.request("price", 3, { signal: ending.signal })), reason);
  await peer.say(`/ok 1 ${RECEIPT}`, `/ok 2 ${RECEIPT}`);
  const closing = client.close();
  await peer.expect("/quit");
  await peer.say("/bye");
  peer.close();
  assertEquals((await assertRejects(() => soon(closed, "the end"), ConnectionError)).code, "closed");
  await closing;
  assertEquals((await assertRejects(() => client.request("price"), ConnectionError)).code, "closed");
});

Deno.test("Client.request rejects with unsupported if the broker does not support requests", async () => {
  await using fake = new FakeBroker();
  const { client } = await fake.meet();
  for (const ask of [() => client.request("price"), () => client.publishConfirmed("price", 1, { reply: "a" })]) {
    const error = await assertRejects(ask, MqError);
    const message = `The broker at 127.0.0.1:${fake.port} (fake/1) does not support requests; mq 0.7 or later does`;
    assertEquals([error.code, error.message], ["unsupported", message]);
  }
});

Deno.test("Client.request refuses an invalid timeout, an invalid name and data that JSON cannot represent", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await meet(fake);
  for (const timeoutMs of [0, -1, NaN, Infinity, 2 ** 31]) {
    await assertRejects(() => client.request("price", 1, { timeoutMs }), RangeError, "it takes 1 to 2147483647");
  }
  assertEquals((await assertRejects(() => client.request("a b"), ProtocolError)).code, "bad-name");
  await assertRejects(() => client.request("price", 1n as unknown as number), TypeError);
  await assertRejects(
    () => client.publishConfirmed("price", 1, { reply: "mq.x" }),
    ProtocolError,
    "belong to the broker",
  );
  client.publish("create");
  await peer.expect("create");
});

Deno.test("MqEvent.reply replies through the client that received the event", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await meet(fake);
  const events = client.subscribe("price");
  await peer.expect("/sub price");
  await peer.say("/ok sub", '/event 02 till {"reply":"_INBOX.x.1"} price tea', "/event 03 till price cake");
  const [asking, plain] = [await soon(events.next(), "an event"), await soon(events.next(), "an event")];
  const event: MqEvent = asking.value;
  assertEquals([event.data, event.replyTo, plain.value.replyTo], ["tea", "_INBOX.x.1", undefined]);
  event.reply({ cents: 250 });
  event.replyError("There is no more tea");
  await peer.expect('_INBOX.x.1 {"cents":250}', "_INBOX.x.1.error There is no more tea");
  const error = assertThrows(() => plain.value.reply(1), MqError);
  assertInstanceOf(error, MqError);
  assertEquals(error.code, "not-a-request");
});

Deno.test("Client.request reaches a handler through a broker with a catalog, and each request gets its own reply", async () => {
  const catalog = await parseCatalog('{"price":{"schema":{"type":"string"}}}');
  await using server = await startBroker({ catalog });
  await using shop = await connect({ hostname: "127.0.0.1", port: server.port });
  await using till = await connect({ hostname: "127.0.0.1", port: server.port });
  const handler = (event: MqEvent) => event.reply({ of: event.text });
  await shop.subscribe("price", { handler }).ready;
  const things = Array.from({ length: 100 }, (_, number) => `thing ${number}`);
  const replies = await soon(Promise.all(things.map((thing) => till.request("price", thing))), "the replies");
  assertEquals(replies.map((reply) => reply.json<{ of: string }>().of), things);
  assertEquals((await assertRejects(() => till.request("price", 7), ProtocolError)).code, "invalid-data");
  assertEquals(server.broker.clients().map(({ patterns }) => patterns.length), [1, 1]);
});

Deno.test("Client.request is refused to a client that may not publish or may not subscribe", async () => {
  await using server = await startBroker({
    tokens: [{ token: "writer", scope: "publish" }, { token: "reader", scope: "listen" }],
  });
  for (const token of ["writer", "reader"]) {
    await using client = await connect({ hostname: "127.0.0.1", port: server.port, token });
    const error = await assertRejects(() => soon(client.request("create"), "the end"), ProtocolError);
    assertEquals([token, error.code], [token, "forbidden"]);
  }
  assertEquals(server.broker.stats().published, 0);
});

Deno.test("Client.request rejects at once without receivers, and after the timeout without a reply", async () => {
  await using server = await startBroker();
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  assertEquals((await assertRejects(() => client.request("create"), MqError)).code, "no-responders");
  await server.connect(1); // It receives the request, and knows nothing of replies.
  await assertRejects(() => client.request("create", 1, { timeoutMs: 20 }), TimeoutError);
});
