/** The client library against a real broker. What it does when the broker misbehaves is in session_test.ts. */
import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects, assertThrows } from "@std/assert";
import {
  type BrokerOptions,
  type BrokerStats,
  Client,
  type ClientEventMap,
  connect,
  ConnectionError,
  type ConnectOptions,
  type Json,
  MqError,
  type MqEvent,
  ProtocolError,
  type Subscription,
} from "../mod.ts";
import { soon, startBroker, TestBroker, until } from "./helpers.ts";

const QUICK = { minDelayMs: 1, maxDelayMs: 10 };

function join({ port }: { port: number }, options: ConnectOptions = {}): Promise<Client> {
  return connect({ hostname: "127.0.0.1", port, ...options });
}

/** A port of 127.0.0.1 that nobody listens on. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function startBrokerAt(hostname: string, port: number, options: BrokerOptions = {}): Promise<TestBroker> {
  const server = new TestBroker(options);
  await server.broker.listen({ hostname, port });
  return server;
}

/** A signal that counts who listens to it. */
class ListenedSignal extends EventTarget implements AbortSignal {
  added = 0;
  removed = 0;
  readonly aborted = false;
  readonly reason = undefined;
  readonly onabort = null;

  throwIfAborted(): void {}

  override addEventListener(...args: Parameters<EventTarget["addEventListener"]>): void {
    this.added++;
    super.addEventListener(...args);
  }

  override removeEventListener(...args: Parameters<EventTarget["removeEventListener"]>): void {
    this.removed++;
    super.removeEventListener(...args);
  }
}

/** The data of the next events. */
async function take(events: AsyncIterator<MqEvent>, count: number): Promise<unknown[]> {
  const data: unknown[] = [];
  while (data.length < count) {
    const { value, done } = await soon(events.next(), "an event");
    if (done) throw new Error(`The subscription ended after ${data.length} events, ${count} were to come`);
    data.push(value.data);
  }
  return data;
}

/** The data of what still comes until the subscription ends. */
async function takeRest(events: AsyncIterable<MqEvent>): Promise<unknown[]> {
  const data: unknown[] = [];
  for await (const event of events) data.push(event.data);
  return data;
}

async function happened<T extends keyof ClientEventMap>(client: Client, type: T): Promise<ClientEventMap[T]["detail"]> {
  const { promise, resolve } = Promise.withResolvers<ClientEventMap[T]>();
  client.addEventListener(type, resolve, { once: true });
  return (await promise).detail;
}

/** What the broker holds of a client after it has read everything the client sent. */
async function patternsOf(client: Client, { broker }: TestBroker): Promise<string[] | undefined> {
  await client.flush();
  return broker.clients().find(({ id }) => id === client.hello.id)?.patterns;
}

function hasIpv6Loopback(): boolean {
  try {
    using _listener = Deno.listen({ hostname: "::1", port: 0 });
    return true;
  } catch {
    return false;
  }
}

Deno.test("connect connects to a broker by URL", async () => {
  await using server = await startBroker();
  await using client = await connect({ url: `mq://127.0.0.1:${server.port}` });
  assertEquals(client.address, `127.0.0.1:${server.port}`);
  assertEquals(client.connected, true);
});

Deno.test("connect connects to a broker by host name and port", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  assertEquals(client.address, `127.0.0.1:${server.port}`);
  assertEquals(server.broker.stats().connections, 1);
});

Deno.test("connect rejects an invalid mq URL", async () => {
  for (const url of ["", "http://127.0.0.1:3001", "mq://127.0.0.1:0", "mq://127.0.0.1:65536", "mq://a b:3001"]) {
    const error = await assertRejects(() => connect({ url }), MqError, JSON.stringify(url));
    assertEquals(error.code, "bad-address");
  }
});

Deno.test("connect rejects with unreachable when no broker answers", async () => {
  const port = freePort();
  const error = await assertRejects(() => join({ port }), ConnectionError, `No broker answers at 127.0.0.1:${port}`);
  assertEquals(error.code, "unreachable");
  assertInstanceOf(error.cause, Deno.errors.ConnectionRefused);
});

Deno.test("connect with localhost connects to a broker that listens only on 127.0.0.1", async () => {
  await using server = await startBrokerAt("127.0.0.1", 0);
  await using client = await join(server, { hostname: "localhost" });
  await client.flush();
});

Deno.test({
  name: "connect with localhost connects to a broker that listens only on ::1",
  ignore: !hasIpv6Loopback(),
  async fn() {
    await using server = await startBrokerAt("::1", 0);
    await using client = await join(server, { hostname: "localhost" });
    await client.flush();
  },
});

Deno.test({
  name: "connect accepts an IPv6 address in a URL",
  ignore: !hasIpv6Loopback(),
  async fn() {
    await using server = await startBrokerAt("::1", 0);
    await using client = await connect({ url: `mq://[::1]:${server.port}` });
    assertEquals(client.address, `[::1]:${server.port}`);
    await client.flush();
  },
});

Deno.test("connect with wait waits for a broker that starts later", async () => {
  const port = freePort();
  await assertRejects(() => join({ port }), ConnectionError);
  const waiting = join({ port }, { wait: true, reconnect: QUICK });
  await using _server = await startBrokerAt("127.0.0.1", port);
  await using client = await soon(waiting, "the connection");
  await client.flush();
});

Deno.test("connect with wait makes the given number of attempts", async () => {
  const waiting = join({ port: freePort() }, { wait: true, reconnect: { ...QUICK, attempts: 3 } });
  assertEquals((await assertRejects(() => soon(waiting, "its end"), ConnectionError)).code, "unreachable");
});

Deno.test("connect does nothing with an already aborted signal", async () => {
  await using server = await startBroker();
  const reason = new Error("Changed my mind");
  assertEquals(await assertRejects(() => join(server, { signal: AbortSignal.abort(reason) })), reason);
});

Deno.test("connect can be aborted while it dials", async () => {
  await using server = await startBroker();
  const controller = new AbortController();
  const dialling = join(server, { signal: controller.signal });
  const reason = new Error("Changed my mind");
  controller.abort(reason);
  assertEquals(await assertRejects(() => dialling), reason);
  await until(() => server.broker.stats().connections === 0, "nothing is left of it");
});

Deno.test("connect ignores its signal once it is connected", async () => {
  await using server = await startBroker();
  const controller = new AbortController();
  await using client = await join(server, { signal: controller.signal });
  controller.abort();
  await client.flush();
});

Deno.test("Client.open connects once, however often it is called", async () => {
  await using server = await startBroker();
  const client = new Client({ hostname: "127.0.0.1", port: server.port });
  await Promise.all([client.open(), client.open()]);
  await client.open();
  assertEquals(server.broker.stats().connections, 1);
  await client.close();
  const error = await assertRejects(() => client.open(), ConnectionError);
  assertEquals(error.code, "closed");
});

Deno.test("Client.open can be called again after it failed", async () => {
  const port = freePort();
  await using client = new Client({ hostname: "127.0.0.1", port });
  await assertRejects(() => client.open(), ConnectionError);
  await using _server = await startBrokerAt("127.0.0.1", port);
  await client.open();
  assertEquals(client.connected, true);
});

Deno.test("connect sends the client's name", async () => {
  await using server = await startBroker();
  await using _named = await join(server, { name: "shop" });
  await using _nameless = await join(server);
  assertEquals(server.broker.clients().map(({ name }) => name), ["shop", "client-2"]);
});

Deno.test("connect rejects a name that the broker refuses", async () => {
  await using server = await startBroker();
  for (const name of ["two words", "mq", "x".repeat(65), "line\nend", ""]) {
    const error = await assertRejects(() => join(server, { name }), ProtocolError, "name");
    assertEquals(error.code, "bad-arguments");
  }
  await until(() => server.broker.stats().connections === 0, "nothing is left of it");
});

Deno.test("connect rejects a refused name even with wait", async () => {
  await using server = await startBroker();
  await assertRejects(() => soon(join(server, { name: "mq", wait: true }), "its end"), ProtocolError);
});

Deno.test("Client.hello returns the broker's response to /hello", async () => {
  await using server = await startBroker({ events: ["order.>"], limits: { lineBytes: 100 } });
  await using client = await join(server);
  const { id, server: program, version, limits, events } = client.hello;
  assertEquals(id, server.broker.clients()[0].id);
  assertMatch(program, /^mq\/\d/);
  assertEquals([version, limits.lineBytes, events], [1, 100, ["order.>"]]);
});

Deno.test("connect leaves a client without subscriptions receiving nothing", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  assertEquals(server.broker.clients()[0].patterns, []);
  assertEquals((await client.publishConfirmed("create", 1)).receivers, 0);
});

Deno.test("Client.publish sends every kind of JSON value", async () => {
  const values: Json[] = [
    ...[null, true, false, 0, -1.5, 1e300, 5e-324, Number.MAX_SAFE_INTEGER],
    ...["", "plain", "two words", "42", "null", "{", '"quoted"', " padded ", "tab\t", "line\nend", "\r", "\0", "\\"],
    ...["日本", "🦕", "e\u0301", "\ud800", "\u2028", "\ufeff", "/ping", "x".repeat(100_000)],
    ...[[], {}, [[[]]], [1, "two", null, { three: [3] }], { a: { b: { c: "d" } } }, { "": 0, "a b": 1 }],
    JSON.parse('{"__proto__":1,"constructor":2}'),
  ];
  await using server = await startBroker();
  await using client = await join(server);
  const events = client.subscribe("create");
  for (const value of values) client.publish("create", value);
  assertEquals(await take(events, values.length), values);
});

Deno.test("Client.publish without data sends an event without data", async () => {
  await using server = await startBroker();
  const [raw] = await server.connect(1);
  await using client = await join(server);
  const events = client.subscribe("create");
  client.publish("create");
  await raw.expect("create");
  assertEquals(await take(events, 1), [undefined]);
});

Deno.test("Client.publish writes data as a person would type it", async () => {
  await using server = await startBroker();
  const [raw] = await server.connect(1);
  await using client = await join(server);
  client.publish("create", "hello world");
  client.publish("create", { id: 1 });
  client.publish("create", "42");
  await raw.expect("create hello world", 'create {"id":1}', 'create "42"');
});

Deno.test("Client.publish with raw sends the text as it is", async () => {
  await using server = await startBroker();
  const [raw] = await server.connect(1);
  await using client = await join(server);
  client.publish("create", "42", { raw: true });
  client.publish("create", '{"id": 1 } ', { raw: true });
  client.publish("create", undefined, { raw: true });
  await client.publishConfirmed("create", '"x" ', { raw: true });
  await raw.expect("create 42", 'create {"id": 1 } ', "create", 'create "x" ');
});

Deno.test("Client.publish with raw refuses anything but one line of text", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  for (const data of ["a\ncreate b", "a\r", 42, null, { id: 1 }]) {
    assertThrows(() => client.publish("create", data, { raw: true }), TypeError);
  }
  await client.flush();
  assertEquals(server.broker.stats().published, 0);
});

Deno.test("Client.publish throws at once for an invalid name", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const names = ["", "two words", "a..b", ".a", "create\n", "/ping", "a.*", ">", "x".repeat(256), "é".repeat(128)];
  for (const name of names) {
    const error = assertThrows(() => client.publish(name, 1), ProtocolError);
    assertEquals([name, error.code], [name, "bad-name"]);
  }
  const error = assertThrows(() => client.publish("mq.connect"), ProtocolError);
  assertEquals(error.code, "reserved-name");
  await client.flush();
  assertEquals(server.broker.stats().refused, 0);
});

Deno.test("Client.publish throws for data that JSON cannot represent", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const circle: unknown[] = [];
  circle.push(circle);
  for (const data of [() => {}, Symbol("s"), 1n, circle, { big: 1n }]) {
    assertThrows(() => client.publish("create", data as Json), TypeError);
  }
  await client.flush();
  assertEquals(server.broker.stats().published, 0);
});

Deno.test("Client.publish throws for a line longer than the broker accepts, and stays connected", async () => {
  await using server = await startBroker({ limits: { lineBytes: 64 } });
  await using client = await join(server);
  const events = client.subscribe("create");
  const longest = "x".repeat(64 - "create ".length);
  for (const data of [longest + "x", "é".repeat(29), "日".repeat(20)]) {
    const error = assertThrows(() => client.publish("create", data), ProtocolError, "64");
    assertEquals(error.code, "line-too-long");
  }
  client.publish("create", longest);
  assertEquals(await take(events, 1), [longest]);
  assertEquals(server.broker.stats().refused, 0);
});

Deno.test("Client.publishConfirmed rejects a line longer than the broker accepts, and stays connected", async () => {
  await using server = await startBroker({ limits: { lineBytes: 64 } });
  await using client = await join(server);
  const longest = "x".repeat(64 - "create ".length);
  const publishing = client.publishConfirmed("create", longest);
  const error = await assertRejects(() => soon(publishing, "a refusal"), ProtocolError);
  assertEquals(error.code, "line-too-long");
  assertEquals((await client.stats()).published, 0);
});

Deno.test("Client.publishConfirmed resolves to a receipt: the event's id and the number of receivers", async () => {
  await using server = await startBroker();
  await server.connect(2);
  await using client = await join(server);
  const events = client.subscribe("create");
  const { id, receivers } = await client.publishConfirmed("create", { id: 1 });
  assertEquals(receivers, 3);
  const { value } = await soon(events.next(), "the event");
  assertEquals(value.id, id);
});

Deno.test("Client.publishConfirmed rejects if the broker does not recognize the event", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const error = await assertRejects(
    () => client.publishConfirmed("bogus", 1),
    ProtocolError,
    'Dropped "bogus"',
  );
  assertEquals(error.code, "unrecognized");
  await client.publishConfirmed("create", 1);
});

Deno.test("Client.publishConfirmed rejects for an invalid name", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const error = await assertRejects(() => client.publishConfirmed("a b", 1), ProtocolError);
  assertEquals(error.code, "bad-name");
});

Deno.test("Client.publishConfirmed resolves a thousand receipts in flight, in order", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const resolved: string[] = [];
  const publishing = Array.from({ length: 1000 }, async (_, index) => {
    const { id } = await client.publishConfirmed("create", index);
    resolved.push(id);
    return id;
  });
  const ids = await soon(Promise.all(publishing), "all receipts");
  assertEquals(resolved, ids);
  assertEquals([...new Set(ids)].sort(), ids);
});

Deno.test("Client.publish and publishConfirmed keep the order of events", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const events = client.subscribe("create");
  const receipts: Promise<unknown>[] = [];
  for (let index = 0; index < 100; index++) {
    if (index % 3 === 0) receipts.push(client.publishConfirmed("create", index));
    else client.publish("create", index);
  }
  assertEquals(await take(events, 100), [...Array(100).keys()]);
  await Promise.all(receipts);
});

Deno.test("Client.subscribe receives the events of several patterns", async () => {
  await using server = await startBroker({ events: [">"] });
  await using client = await join(server);
  const events = client.subscribe(["order.*", "user.>", "plain"]);
  for (const name of ["order.paid", "order.item.added", "user.a.b", "user", "plain", "plain.x"]) {
    client.publish(name, name);
  }
  await client.flush();
  assertEquals(await take(events, 3), ["order.paid", "user.a.b", "plain"]);
  await client.close();
  assertEquals(await takeRest(events), []);
});

Deno.test("Client.subscribe receives an event once when several of its patterns match", async () => {
  await using server = await startBroker({ events: [">"] });
  await using client = await join(server);
  const events = client.subscribe(["order.paid", "order.*", ">", "order.*"]);
  client.publish("order.paid", 1);
  client.publish("order.paid", 2);
  assertEquals(await take(events, 2), [1, 2]);
});

Deno.test("Client.subscribe gives each subscription its own copy of an event", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const [one, two] = [client.subscribe("create"), client.subscribe(["create", "delete"])];
  client.publish("create", 1);
  client.publish("delete", 2);
  client.publish("create", 3);
  assertEquals(await take(one, 2), [1, 3]);
  assertEquals(await take(two, 3), [1, 2, 3]);
});

Deno.test("Client.subscribe throws for a malformed pattern, and does not subscribe", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  for (const patterns of [[], "", "a b", [""], ["a.>.b"], ["create", "*x"], ["create\n/quit"]]) {
    assertEquals(assertThrows(() => client.subscribe(patterns), ProtocolError).code, "bad-pattern");
  }
  assertEquals(await patternsOf(client, server), []);
});

Deno.test("Client.subscribe throws for an invalid maxWaiting, and does not subscribe", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  for (const maxWaiting of [-1, 0, NaN]) assertThrows(() => client.subscribe("create", { maxWaiting }), RangeError);
  assertThrows(() => client.subscribe("create", { maxWaitingBytes: 0 }), RangeError, "maxWaitingBytes of 0");
  assertEquals(await patternsOf(client, server), []);
  client.publish("create");
  await client.flush();
});

Deno.test("Client.subscribe unsubscribes when its loop is left", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const events = client.subscribe(["create", "update"]);
  assertEquals(await patternsOf(client, server), ["create", "update"]);
  client.publish("create");
  for await (const _event of events) break;
  assertEquals(await patternsOf(client, server), []);
  const { hears, ignores } = await client.why("create");
  assertEquals([hears.length, ignores.length], [0, 1]);
});

Deno.test("Client.subscribe unsubscribes when its loop throws", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const events = client.subscribe("create");
  client.publish("create");
  await assertRejects(async () => {
    for await (const { name } of events) throw new RangeError(name);
  }, RangeError);
  assertEquals(await patternsOf(client, server), []);
});

Deno.test("Client.subscribe unsubscribes at the end of its scope", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  {
    await using _events = client.subscribe("create");
    assertEquals(await patternsOf(client, server), ["create"]);
  }
  assertEquals(await patternsOf(client, server), []);
});

Deno.test("Client.subscribe keeps a pattern until its last subscription ends", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const [first, second] = [client.subscribe("create"), client.subscribe(["create", "update"])];
  const third = client.subscribe("create", { handler: () => {} });
  await first.return();
  assertEquals(await patternsOf(client, server), ["create", "update"]);
  await second.return();
  assertEquals(await patternsOf(client, server), ["create"]);
  third.unsubscribe();
  assertEquals(await patternsOf(client, server), []);
});

Deno.test("Client.subscribe receives nothing after it ended, and a later subscription does", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const first = client.subscribe("create");
  client.publish("create", 1);
  assertEquals(await take(first, 1), [1]);
  await first.return();
  const second = client.subscribe("create");
  client.publish("create", 2);
  assertEquals(await take(second, 1), [2]);
  assertEquals(await takeRest(first), []);
});

Deno.test("Client.subscribe receives what others publish once it is ready", async () => {
  await using server = await startBroker();
  await using listener = await join(server);
  await using publisher = await join(server);
  const events = listener.subscribe("create");
  await events.ready;
  assertEquals((await publisher.publishConfirmed("create", 1)).receivers, 1);
  assertEquals(await take(events, 1), [1]);
});

Deno.test("Client.subscribe ends when its signal is aborted, after the queued events", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const controller = new AbortController();
  const events = client.subscribe("create", { signal: controller.signal });
  client.publish("create", 1);
  client.publish("create", 2);
  await client.flush();
  controller.abort();
  assertEquals(await takeRest(events), [1, 2]);
  assertEquals(await patternsOf(client, server), []);
});

Deno.test("Client.subscribe ends a pending next() when its signal is aborted", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const controller = new AbortController();
  const next = client.subscribe("create", { signal: controller.signal }).next();
  controller.abort();
  assertEquals(await soon(next, "the end"), { value: undefined, done: true });
});

Deno.test("Client.subscribe with an already aborted signal ends at once", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const events = client.subscribe("create", { signal: AbortSignal.abort() });
  assertEquals(await takeRest(events), []);
  await soon(Promise.allSettled([events.ready]), "an end of getting ready");
  assertEquals(await patternsOf(client, server), []);
});

Deno.test("Client.subscribe drops the newest events when its queue is full, and counts them", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const events = client.subscribe("create", { maxWaiting: 3 });
  for (let index = 1; index <= 10; index++) client.publish("create", index);
  await client.flush();
  assertEquals(events.dropped, 7);
  assertEquals(await take(events, 3), [1, 2, 3]);
  client.publish("create", 11);
  assertEquals(await take(events, 1), [11]);
  assertEquals(events.dropped, 7);
});

Deno.test("Client.subscribe ends when the client is closed, after the queued events", async () => {
  await using server = await startBroker();
  const client = await join(server);
  const [waiting, idle] = [client.subscribe("create"), client.subscribe("delete")];
  const next = idle.next();
  client.publish("create", 1);
  await client.flush();
  await client.close();
  assertEquals(await takeRest(waiting), [1]);
  assertEquals((await soon(next, "the end")).done, true);
});

Deno.test("Client.subscribe throws after the client is closed", async () => {
  await using server = await startBroker();
  const client = await join(server);
  await client.close();
  assertEquals(assertThrows(() => client.subscribe("create"), ConnectionError).code, "closed");
});

Deno.test("Client.subscribe rejects ready if the broker refuses it, and the client stays connected", async () => {
  await using server = await startBroker({ limits: { patterns: 2 } });
  await using client = await join(server);
  const events = client.subscribe(["create", "update"]);
  const tooMany = client.subscribe("delete");
  assertEquals((await assertRejects(() => tooMany.ready, ProtocolError)).code, "too-many-patterns");
  client.publish("create", 1);
  assertEquals(await take(events, 1), [1]);
});

Deno.test("Client.subscribe throws in its loop if the broker refuses it", async () => {
  await using server = await startBroker({ limits: { patterns: 1 } });
  await using client = await join(server);
  const error = await assertRejects(() => soon(takeRest(client.subscribe(["create", "delete"])), "the end"));
  assertInstanceOf(error, ProtocolError);
  assertEquals(error.code, "too-many-patterns");
});

Deno.test("Client.subscribe with a handler reports a refusal by the broker as a notice", async () => {
  await using server = await startBroker({ limits: { patterns: 1 } });
  await using client = await join(server);
  const noticed = happened(client, "notice");
  client.subscribe("create", { handler: () => {} });
  client.subscribe("delete", { handler: () => {} });
  assertEquals((await soon(noticed, "the notice")).code, "too-many-patterns");
});

Deno.test("Client.subscribe that the broker refuses leaves no subscription at the broker", async () => {
  await using server = await startBroker({ limits: { patterns: 1 } });
  await using client = await join(server);
  const first = client.subscribe("create");
  const tooMany = client.subscribe(["create", "delete"]);
  await first.return();
  await assertRejects(() => tooMany.ready, ProtocolError);
  assertEquals(await patternsOf(client, server), []);
  await client.subscribe("update").ready;
});

Deno.test("Client.subscribe refuses a pattern longer than the broker's line limit, and stays connected", async () => {
  await using server = await startBroker({ limits: { lineBytes: 64 } });
  await using client = await join(server);
  const subscribing = async () => await soon(client.subscribe("x".repeat(64)).ready, "a refusal");
  assertEquals((await assertRejects(subscribing, ProtocolError)).code, "line-too-long");
  assertEquals((await client.stats()).connections, 1);
});

Deno.test("Client.subscribe calls its handler with each event until it is unsubscribed", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const heard: unknown[] = [];
  const subscription = client.subscribe("create", { handler: ({ data }) => heard.push(data) });
  const all = client.subscribe("create");
  client.publish("create", 1);
  client.publish("delete", 2);
  client.publish("create", 3);
  await client.flush();
  assertEquals(heard, [1, 3]);
  subscription.unsubscribe();
  subscription.unsubscribe();
  assertEquals(await patternsOf(client, server), ["create"]);
  client.publish("create", 4);
  assertEquals(await take(all, 3), [1, 3, 4]);
  assertEquals(heard, [1, 3]);
});

Deno.test("Client.subscribe reports what its handler throws or rejects with, and continues", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const errors: unknown[] = [];
  client.addEventListener("error", (event) => {
    event.preventDefault();
    errors.push(event.detail);
  });
  const [thrown, rejected] = [new Error("Thrown"), new Error("Rejected")];
  const throwIt = () => {
    throw thrown;
  };
  client.subscribe("create", { handler: throwIt });
  client.subscribe("create", { handler: () => Promise.reject(rejected) });
  const events = client.subscribe("create");
  client.publish("create", 1);
  client.publish("create", 2);
  assertEquals(await take(events, 2), [1, 2]);
  await until(() => errors.length === 4, "all errors came");
  assertEquals(errors.filter((error) => error === thrown).length, 2);
  assertEquals(errors.filter((error) => error === rejected).length, 2);
});

Deno.test("Client.subscribe reports what its handler throws as uncaught unless that is prevented", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const onUncaught = (event: ErrorEvent) => {
    event.preventDefault();
    resolve(event.error);
  };
  globalThis.addEventListener("error", onUncaught, { once: true });
  try {
    const error = new Error("Thrown");
    const handler = () => {
      throw error;
    };
    client.subscribe("create", { handler });
    client.publish("create");
    assertEquals(await soon(promise, "the uncaught error"), error);
    await client.flush();
  } finally {
    globalThis.removeEventListener("error", onUncaught);
  }
});

Deno.test("Client gives events their id, time and sender", async () => {
  await using server = await startBroker();
  await using client = await join(server, { name: "shop" });
  const events = client.subscribe("create");
  const before = Date.now();
  client.publish("create", { id: 1 });
  const event = (await soon(events.next(), "the event")).value as MqEvent;
  assertMatch(event.id!, /^[0-9A-HJKMNP-TV-Z]{26}$/);
  assertEquals([event.name, event.text, event.data, event.from], ["create", '{"id":1}', { id: 1 }, "shop"]);
  assert(event.at!.getTime() >= before && event.at!.getTime() <= Date.now());
});

Deno.test("Client publishes with hops, and events have the hops they were published with", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const events = client.subscribe("create");
  const published = [client.publishConfirmed("create", 1, { hops: 255 })];
  published.push(client.publishConfirmed("create", 2, { hops: 0 }));
  client.publish("create", 3);
  for (const [data, hops] of [[1, 255], [2, 0], [3, 0]]) {
    const event = (await soon(events.next(), "the event")).value as MqEvent;
    assertEquals([event.data, event.hops], [data, hops]);
  }
  assertEquals((await Promise.all(published)).map(({ receivers }) => receivers), [1, 1]);
});

Deno.test("Client.publishConfirmed refuses hops out of range", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  for (const hops of [-1, 1.5, 256, NaN]) {
    await assertRejects(() => client.publishConfirmed("create", 1, { hops }), RangeError, `with ${hops} hops`);
  }
  assertEquals(server.broker.stats().published, 0);
});

Deno.test("Client adds one listener to a signal for all its publishes, and removes it after the last", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const signal = new ListenedSignal();
  const publishes = Array.from({ length: 1000 }, (_, id) => client.publishConfirmed("create", id, { signal }));
  assertEquals([signal.added, signal.removed], [1, 0]);
  await Promise.all(publishes);
  assertEquals([signal.added, signal.removed], [1, 1]);
});

Deno.test("Client stops waiting for all receipts with an aborted signal, and for no others", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const [ending, other] = [new AbortController(), new AbortController()];
  const publish = (signal: AbortSignal) => client.publishConfirmed("create", 1, { signal });
  const aborted = [publish(ending.signal), publish(ending.signal)];
  const kept = publish(other.signal);
  ending.abort(new RangeError("enough"));
  for (const receipt of aborted) await assertRejects(() => receipt, RangeError, "enough");
  assertEquals((await kept).receivers, 0);
});

Deno.test("Client without meta gives events neither id nor time nor sender", async () => {
  await using server = await startBroker();
  await using client = await join(server, { name: "shop", meta: false });
  const events = client.subscribe("create");
  client.publish("create", { id: 1 });
  const event = (await soon(events.next(), "the event")).value as MqEvent;
  assertEquals([event.id, event.at, event.from], [undefined, undefined, undefined]);
  assertEquals([event.name, event.data], ["create", { id: 1 }]);
});

Deno.test("Client without echo receives only the events of others", async () => {
  await using server = await startBroker();
  await using client = await join(server, { echo: false });
  await using other = await join(server);
  const [heard, heardByOther] = [client.subscribe("create"), other.subscribe("create")];
  await Promise.all([heard.ready, heardByOther.ready]);
  await client.publishConfirmed("create", "own");
  other.publish("create", "other's");
  assertEquals(await take(heardByOther, 2), ["own", "other's"]);
  assertEquals(await take(heard, 1), ["other's"]);
});

Deno.test("Client.flush resolves when the broker has read everything sent before", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  for (let index = 0; index < 1000; index++) client.publish("create", index);
  await client.flush();
  assertEquals(server.broker.stats().published, 1000);
});

Deno.test("Client.stats, clients and why return the broker's responses", async () => {
  await using server = await startBroker();
  await using client = await join(server, { name: "shop" });
  client.subscribe("create");
  await client.publishConfirmed("create", 1);
  const counts = ({ uptimeMs: _, cpuMs: __, rssBytes: ___, ...rest }: BrokerStats) => rest;
  assertEquals(counts(await client.stats()), counts(server.broker.stats()));
  assertEquals((await client.clients()).map(({ name, patterns }) => ({ name, patterns })), [
    { name: "shop", patterns: ["create"] },
  ]);
  assertEquals(await client.why("create"), server.broker.explainRouting("create"));
});

Deno.test("Client.why rejects for an invalid name, and sends nothing", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  for (const name of ["", "a b", "a..b", "x\ncreate 1", "create\n/stats"]) {
    const error = await assertRejects(() => client.why(name), ProtocolError);
    assertEquals([name, error.code], [name, "bad-name"]);
  }
  assertEquals((await client.stats()).published, 0);
});

Deno.test("Client.close sends everything published before", async () => {
  await using server = await startBroker();
  const client = await join(server);
  for (let index = 0; index < 10_000; index++) client.publish("create", index);
  await client.close();
  const { published, connections } = server.broker.stats();
  assertEquals([published, connections], [10_000, 0]);
  assertEquals(server.told("mq.disconnect")[0].reason, "quit");
});

Deno.test("Client.close waits for pending receipts", async () => {
  await using server = await startBroker();
  const client = await join(server);
  const publishing = client.publishConfirmed("create", 1);
  await client.close();
  assertEquals((await publishing).receivers, 0);
});

Deno.test("Client.close can be called again, also while it closes", async () => {
  await using server = await startBroker();
  const client = await join(server);
  client.publish("create");
  await soon(Promise.all([client.close(), client.close()]), "both");
  await client.close();
  assertEquals(server.broker.stats().published, 1);
  assertEquals(client.connected, false);
});

Deno.test("Client refuses everything after it is closed", async () => {
  await using server = await startBroker();
  const client = await join(server);
  await client.close();
  assertEquals(assertThrows(() => client.publish("create"), ConnectionError).code, "closed");
  const refused = [
    () => client.publishConfirmed("create", 1),
    () => client.flush(),
    () => client.stats(),
    () => client.clients(),
    () => client.why("create"),
  ];
  for (const call of refused) assertEquals((await assertRejects<ConnectionError>(call)).code, "closed");
});

Deno.test("Client.closed resolves to undefined once the client is closed", async () => {
  await using server = await startBroker();
  const [closed, drained] = [await join(server), await join(server)];
  await Promise.all([closed.close(), drained.drain()]);
  assertEquals(await soon(Promise.all([closed.closed, drained.closed]), "the ends"), [undefined, undefined]);
});

/** A handler that takes as long as a test wants. */
function slowHandler(): { handler: (event: MqEvent) => Promise<void>; begun: Promise<void>; end(): void } {
  const [begun, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const handler = async () => {
    begun.resolve();
    await ended.promise;
  };
  return { handler, begun: begun.promise, end: ended.resolve };
}

Deno.test("Client.drain waits for handlers, and lets them publish and make requests", async () => {
  await using server = await startBroker();
  const client = await join(server);
  const { handler, begun, end } = slowHandler();
  const sums: number[] = [];
  const answer = async (event: MqEvent) => {
    await handler(event);
    client.publish("update", event.data);
    sums.push((await client.stats()).published);
  };
  client.subscribe("create", { handler: answer });
  client.publish("create", 1);
  client.publish("create", 2);
  await begun;
  const drained = client.drain();
  await until(() => server.broker.clients()[0].patterns.length === 0, "it has unsubscribed");
  assertEquals(assertThrows(() => client.subscribe("create"), ConnectionError).code, "draining");
  end();
  await soon(drained, "the end");
  assertEquals([sums, server.broker.stats().published], [[3, 4], 4]);
});

Deno.test("Client.drain handles what the broker sent before it unsubscribed", async () => {
  await using server = await startBroker();
  const [client, publisher] = [await join(server), await join(server)];
  const heard: unknown[] = [];
  const iterated = client.subscribe("update");
  const { ready } = client.subscribe("create", { handler: ({ data }) => heard.push(data) });
  await Promise.all([ready, iterated.ready]);
  for (let number = 0; number < 1000; number++) publisher.publish(number % 2 ? "create" : "update", number);
  await publisher.flush();
  await client.drain();
  const numbers = Array.from({ length: 1000 }, (_, number) => number);
  assertEquals(heard, numbers.filter((number) => number % 2 === 1));
  assertEquals(await takeRest(iterated), numbers.filter((number) => number % 2 === 0));
  await publisher.close();
});

Deno.test("Client.drain sends everything published before, and can be called again", async () => {
  await using server = await startBroker();
  const client = await join(server);
  for (let number = 0; number < 10_000; number++) client.publish("create", number);
  await Promise.all([client.drain(), client.drain()]);
  await client.drain();
  await client.close();
  assertEquals([server.broker.stats().published, client.connected], [10_000, false]);
});

Deno.test("Client.close during Client.drain does not wait for handlers", async () => {
  await using server = await startBroker();
  const client = await join(server);
  const { handler, begun, end } = slowHandler();
  client.subscribe("create", { handler });
  client.publish("create");
  await begun;
  const drained = client.drain();
  await soon(client.close(), "the end");
  end();
  await soon(drained, "the end");
});

Deno.test("Subscription.drain does not affect other subscriptions, even to the same pattern", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const [first, second] = [client.subscribe("create"), client.subscribe(["create", "update"])];
  client.publish("create", 1);
  await first.drain();
  client.publish("create", 2);
  assertEquals(await patternsOf(client, server), ["create", "update"]);
  assertEquals([await takeRest(first), await take(second, 2)], [[1], [1, 2]]);
});

Deno.test("Client reports which subscription is slow, once", async () => {
  await using server = await startBroker();
  await using client = await join(server);
  const told: ClientEventMap["slow"]["detail"][] = [];
  client.addEventListener("slow", ({ detail }) => told.push(detail));
  const [slow, other] = [client.subscribe("create", { maxWaiting: 3 }), client.subscribe("create")];
  for (let number = 1; number <= 10; number++) client.publish("create", number);
  await client.flush();
  assertEquals(told.map(({ waiting, dropped }) => [waiting, dropped]), [[3, 1]]);
  assertEquals([told[0].subscription === slow, slow.dropped, slow.waiting, other.dropped], [true, 7, 3, 0]);
});

Deno.test("Client drains and closes itself at the end of its scope", async () => {
  await using server = await startBroker();
  let events: Subscription;
  {
    await using client = await join(server);
    events = client.subscribe("create");
    client.subscribe("create", { handler: () => Promise.resolve().then(() => client.publish("update")) });
    client.publish("create", 1);
  }
  assertEquals(server.broker.stats().connections, 0);
  assertEquals(server.broker.stats().published, 2);
  assertEquals(await takeRest(events), [1]);
});

Deno.test("Client reports that the broker shuts down, reconnects and resubscribes", async () => {
  const first = await startBroker();
  const { port } = first;
  await using client = await join(first, { name: "shop", reconnect: QUICK });
  const events = client.subscribe(["create", "update"]);
  client.subscribe("delete", { handler: () => {} }).unsubscribe();
  await client.flush();
  const [disconnected, reconnected] = [happened(client, "disconnect"), happened(client, "reconnect")];
  await first.broker.close();
  const reason = await soon(disconnected, "the disconnect");
  assertInstanceOf(reason, ConnectionError);
  assertEquals([reason.code, reason.message], ["disconnected", "The broker is going down"]);
  assertEquals(client.connected, false);

  await using second = await startBrokerAt("127.0.0.1", port);
  assert((await soon(reconnected, "the reconnect")).attempts >= 1);
  assertEquals(client.connected, true);
  assertEquals(second.broker.clients().map(({ name, patterns }) => ({ name, patterns })), [
    { name: "shop", patterns: ["create", "update"] },
  ]);
  client.publish("create", "again");
  assertEquals(await take(events, 1), ["again"]);
  await client.flush();
});

Deno.test("Client sends what was published while the broker was down", async () => {
  const first = await startBroker();
  const { port } = first;
  await using client = await join(first, { reconnect: QUICK });
  const events = client.subscribe("create");
  const disconnected = happened(client, "disconnect");
  await first.broker.close();
  await soon(disconnected, "the disconnect");
  client.publish("create", 1);
  const publishing = client.publishConfirmed("create", 2);
  client.publish("create", 3);
  const asked = client.why("create");

  await using _second = await startBrokerAt("127.0.0.1", port);
  assertEquals((await soon(publishing, "the receipt")).receivers, 1);
  assertEquals((await soon(asked, "the answer")).recognized, true);
  assertEquals(await take(events, 3), [1, 2, 3]);
});

Deno.test("Client reconnects without a subscription that the broker refused", async () => {
  const limits = { patterns: 1 };
  const first = await startBroker({ limits });
  const { port } = first;
  await using client = await join(first, { reconnect: QUICK });
  const events = client.subscribe("create");
  await assertRejects(() => client.subscribe("delete").ready, ProtocolError);
  const back = Promise.race([happened(client, "reconnect"), client.closed]);
  await first.broker.close();
  await using _second = await startBrokerAt("127.0.0.1", port, { limits });
  assert(!(await soon(back, "the reconnect") instanceof Error));
  client.publish("create", 1);
  assertEquals(await take(events, 1), [1]);
  await client.flush();
});

Deno.test("Client reconnects with more patterns than fit one line", async () => {
  const limits = { lineBytes: 64 };
  const patterns = ["x".repeat(40), "y".repeat(40)];
  const first = await startBroker({ limits });
  const { port } = first;
  await using client = await join(first, { reconnect: QUICK });
  for (const pattern of patterns) await client.subscribe(pattern).ready;
  const reconnected = happened(client, "reconnect");
  await first.broker.close();
  await using second = await startBrokerAt("127.0.0.1", port, { limits });
  await soon(reconnected, "the reconnect");
  assertEquals(await patternsOf(client, second), patterns);
});

for (
  const [what, end] of [
    ["whose signal was aborted", (_subscription: Subscription, controller: AbortController) => controller.abort()],
    ["that drains", (subscription: Subscription) => void subscription.drain()],
  ] as const
) {
  for (const method of ["close", "drain"] as const) {
    Deno.test(`Client.${method} ${method === "close" ? "stops" : "waits for"} the handler of a subscription ${what}`, async () => {
      await using server = await startBroker();
      const client = await join(server);
      const controller = new AbortController();
      const gates = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
      const handled: unknown[] = [];
      const handler = ({ data }: MqEvent) => {
        handled.push(data);
        return gates[handled.length - 1].promise;
      };
      const subscription = client.subscribe("create", { handler, signal: controller.signal });
      await subscription.ready;
      for (const data of [1, 2, 3]) client.publish("create", data);
      await client.flush();
      assertEquals([handled, subscription.waiting], [[1], 2]);
      end(subscription, controller);
      const ended = client[method]();
      if (method === "close") await ended;
      for (const { resolve } of gates) resolve();
      await ended;
      await client.closed;
      assertEquals([handled, subscription.waiting], [method === "close" ? [1] : [1, 2, 3], 0]);
    });
  }
}

Deno.test("Client.request that timed out while there was no connection is not sent later", async () => {
  const server = await startBroker();
  const { port } = server;
  await using client = await join(server, { reconnect: QUICK });
  await server[Symbol.asyncDispose]();
  await assertRejects(() => client.request("create", 1, { timeoutMs: 20 }), MqError, "No reply");
  const published: string[] = [];
  await using _again = await startBrokerAt("127.0.0.1", port, { onPublish: (name) => published.push(name) });
  await client.flush();
  client.publish("create", 2);
  await client.flush();
  assertEquals(published, ["create"]);
});
