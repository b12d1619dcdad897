/** The rules of the line protocol, in the order of docs/protocol.md, over bare sockets. */
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  Broker,
  type ClientInfo,
  type DirectPublishOptions,
  MqError,
  ProtocolError,
  type SystemEvent,
} from "../mod.ts";
import { CLIENTS_PER_PAGE, DEFAULT_LIMITS, RESPONSE_BYTES } from "../lib/protocol/limits.ts";
import { VERSION } from "../lib/protocol/version.ts";
import { type RawClient, startBroker, type TestBroker, until } from "./helpers.ts";
import { MemoryClient } from "./memory.ts";

/** Data of which few fit into a small queue. */
const LONG = "x".repeat(900);

const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

/** The JSON of an `/ok WHAT JSON` line. */
// deno-lint-ignore no-explicit-any
async function answer(client: RawClient, line: string): Promise<any> {
  const reply = await client.ask(line) ?? "nothing";
  const what = line.startsWith("/pub ") ? line.split(" ")[1] : line.split(" ")[0].slice(1);
  assert(reply.startsWith(`/ok ${what} `), `${line} is answered ${reply}`);
  return JSON.parse(reply.slice(`/ok ${what} `.length));
}

/** A connection that hears nothing but answers. */
async function speaker(server: TestBroker): Promise<RawClient> {
  const [client] = await server.connect(1);
  assertEquals(await client.ask("/unsub >"), "/ok unsub");
  return client;
}

// Lines

Deno.test("lines: an event may have no data", async () => {
  await using server = await startBroker();
  const [client] = await server.connect(1);
  await client.line("create");
  await client.expect("create");
});

Deno.test("lines: data follows the first run of spaces or tabs", async () => {
  await using server = await startBroker();
  const [client] = await server.connect(1);
  await client.line('create\t{"id":1}');
  await client.expect('create\t{"id":1}');
  const asker = await speaker(server);
  assertEquals((await answer(asker, '/pub 1 create \t {"id":1}')).receivers, 1);
  await client.expect('create \t {"id":1}');
});

Deno.test("lines: a blank line is ignored", async () => {
  await using server = await startBroker();
  const client = await speaker(server);
  await client.send("\n \t\r\n");
  assertEquals(await client.ask("/ping"), "/pong");
  assertEquals(server.broker.stats().refused, 0);
});

Deno.test("lines: UTF-8 is delivered unchanged", async () => {
  await using server = await startBroker({ events: [">"] });
  const [client] = await server.connect(1);
  await client.line("naïve.事件 \ufeff„déjà vu“ 🦕");
  await client.expect("naïve.事件 \ufeff„déjà vu“ 🦕");
});

// Names

Deno.test("names: 255 bytes are accepted, 256 are refused", async () => {
  await using server = await startBroker({ events: [">"] });
  const client = await speaker(server);
  assertEquals((await answer(client, `/pub 1 ${"é".repeat(127)}x`)).receivers, 0);
  assertMatch((await client.ask(`/pub 1 ${"é".repeat(128)}`))!, /^\/err 1 bad-name .* longer than 255 bytes$/);
});

for (
  const name of ["", ".", "a.", ".a", "a..b", "a/b", "a*", "*", ">", "a.>", "e\u0007", '"a"', "a:b"]
) {
  Deno.test(`names: ${JSON.stringify(name)} is refused`, async () => {
    await using server = await startBroker({ events: [">"] });
    const client = await speaker(server);
    assertMatch((await client.ask(`/why ${name}`))!, /^\/err why bad-name /);
  });
}

for (
  const name of [
    "a",
    "a.b.c",
    "9",
    "_",
    "-",
    "Ünïcode",
    "事件.创建",
    "e\u0301",
    "constructor",
    "__proto__",
    "mq",
    "mqtt.x",
  ]
) {
  Deno.test(`names: ${JSON.stringify(name)} is accepted`, async () => {
    await using server = await startBroker({ events: [">"] });
    const [listener] = await server.connect(1);
    await listener.line(`${name} data`);
    await listener.expect(`${name} data`);
  });
}

Deno.test("names: reserved names, which begin with mq., cannot be published", async () => {
  await using server = await startBroker({ events: [">"] });
  const client = await speaker(server);
  assertMatch((await client.ask("/pub 1 mq.connect {}"))!, /^\/err 1 reserved-name /);
  assertMatch((await client.ask("mq.connect {}"))!, /^\/err - reserved-name /);
});

// Patterns

for (
  const [pattern, heard, unheard] of [
    ["order.*", ["order.paid"], ["order", "order.item.added", "user.paid"]],
    ["*.paid", ["order.paid"], ["paid", "a.order.paid"]],
    ["order.>", ["order.paid", "order.item.added"], ["order", "user.x"]],
    ["*.*.added", ["order.item.added"], ["order.added"]],
    ["*", ["order"], ["order.paid"]],
    [">", ["order", "order.item.added"], []],
    ["order", ["order"], ["order.paid", "orders"]],
  ] as const
) {
  Deno.test(`patterns: ${pattern} matches the names that it should, and no others`, async () => {
    await using server = await startBroker({ events: [">"] });
    const [listener, sender] = await server.connect(2);
    assertEquals(await listener.ask(`/sub ${pattern}`), "/ok sub");
    for (const name of [...unheard, ...heard]) await sender.line(name);
    await listener.expect(...heard);
  });
}

for (const pattern of ["a.>.b", "a*", ">.a", "a..b", "", "*.", "a b/c", ">>"]) {
  Deno.test(`patterns: ${JSON.stringify(pattern)} is refused`, async () => {
    await using server = await startBroker();
    const client = await speaker(server);
    assertMatch((await client.ask(`/sub ${pattern}`))!, /^\/err sub bad-(pattern|arguments) /);
    assertEquals(server.broker.clients()[0].patterns, []);
  });
}

Deno.test("patterns: > does not match the broker's own events", async () => {
  await using server = await startBroker();
  const [all, own] = await server.connect(2);
  assertEquals(await all.ask("/sub > *.*"), "/ok sub");
  assertEquals(await own.ask("/sub mq.connect"), "/ok sub");
  const [newcomer] = await server.connect(1);
  await newcomer.line("create x");
  assertMatch((await own.lines.next())!, /^mq\.connect \{"id":"\w+","name":"client-3"/);
  await all.expect("create x");
});

// Recognized events

Deno.test("recognized: create, read, update, delete and error by default", async () => {
  await using server = await startBroker();
  const [client] = await server.connect(1);
  for (const name of ["create", "read", "update", "delete", "error"]) {
    await client.line(`${name} x`);
    await client.expect(`${name} x`);
  }
});

Deno.test("recognized: other patterns replace the default ones", async () => {
  await using server = await startBroker({ events: ["order.*", "user.>"] });
  const [client] = await server.connect(1);
  await client.send("create 1\norder.paid 2\norder.a.b 3\nuser.a.b 4\n");
  await client.expect("order.paid 2", "user.a.b 4");
});

Deno.test("recognized: an unrecognized event is dropped, counted and reported each time", async () => {
  await using server = await startBroker();
  const [watcher, client] = await server.connect(2);
  await watcher.ask("/sub mq.unrecognized");
  await client.send("bogus 1\nbogus 2\ncreate 3\n");
  await client.expect("create 3");
  assertEquals(server.told("mq.unrecognized").map(({ event, times }) => [event, times]), [["bogus", 1], ["bogus", 2]]);
  assertMatch((await watcher.lines.next())!, /^mq\.unrecognized \{.*"event":"bogus","times":1\}$/);
  assertEquals(server.broker.stats().unrecognized, 2);
});

Deno.test("recognized: /pub of an unrecognized event gets an error", async () => {
  await using server = await startBroker();
  const client = await speaker(server);
  const reply = await client.ask("/pub 7 bogus x");
  assertEquals(
    reply,
    '/err 7 unrecognized Dropped "bogus": this broker recognizes create, read, update, delete, error',
  );
});

Deno.test("recognized: Broker refuses an empty list, a malformed pattern and reserved names", () => {
  assertThrows(() => new Broker({ events: [] }), RangeError);
  assertThrows(() => new Broker({ events: ["a..b"] }), ProtocolError);
  assertThrows(() => new Broker({ events: ["mq.>"] }), ProtocolError);
});

// Who hears it

Deno.test("subscriptions: the first /sub replaces the default", async () => {
  await using server = await startBroker();
  const [client, sender] = await server.connect(2);
  assertEquals(await client.ask("/sub create"), "/ok sub");
  await sender.send("delete 1\ncreate 2\n");
  await client.expect("create 2");
});

Deno.test("subscriptions: a second /sub adds to the first", async () => {
  await using server = await startBroker();
  const [client, sender] = await server.connect(2);
  await client.ask("/sub create");
  await client.ask("/sub delete");
  await sender.send("read 0\ndelete 1\ncreate 2\n");
  await client.expect("delete 1", "create 2");
});

Deno.test("subscriptions: /unsub > removes all patterns", async () => {
  await using server = await startBroker();
  const [first, second, sender] = await server.connect(3);
  assertEquals(await first.ask("/unsub >"), "/ok unsub");
  await second.ask("/sub create mq.>");
  assertEquals(await second.ask("/unsub >"), "/ok unsub");
  await sender.line("create 1");
  await sender.expect("create 1");
  assertEquals(await first.ask("/ping"), "/pong");
  assertEquals(await second.ask("/ping"), "/pong");
});

Deno.test("subscriptions: /unsub removes the patterns it names", async () => {
  await using server = await startBroker();
  const [client, sender] = await server.connect(2);
  await client.ask("/sub create delete");
  assertEquals(await client.ask("/unsub create"), "/ok unsub");
  await sender.send("create 1\ndelete 2\n");
  await client.expect("delete 2");
});

Deno.test("subscriptions: /unsub of a pattern that is not subscribed is refused, and changes nothing", async () => {
  await using server = await startBroker();
  const [client] = await server.connect(1);
  await client.ask("/sub create delete");
  assertEquals(
    await client.ask("/unsub create bogus"),
    '/err unsub not-subscribed Cannot unsubscribe from "bogus": this connection is subscribed to create, delete',
  );
  assertEquals(server.broker.clients()[0].patterns, ["create", "delete"]);
});

Deno.test("subscriptions: one malformed pattern among many changes nothing", async () => {
  await using server = await startBroker();
  const [client] = await server.connect(1);
  await client.ask("/sub create");
  assertMatch((await client.ask("/sub delete a..b"))!, /^\/err sub bad-pattern /);
  assertEquals(server.broker.clients()[0].patterns, ["create"]);
});

Deno.test("subscriptions: an event is delivered once, however many patterns match", async () => {
  await using server = await startBroker();
  const [client, sender] = await server.connect(2);
  await client.ask("/sub create * >");
  await sender.send("create 1\ncreate 2\n");
  await client.expect("create 1", "create 2");
});

Deno.test("subscriptions: every subscriber receives one publisher's events in order", async () => {
  await using server = await startBroker();
  const [all, some, one, sender] = await server.connect(4);
  await some.ask("/sub create delete");
  await one.ask("/sub delete");
  const lines = Array.from({ length: 3000 }, (_, index) => `${["create", "read", "delete"][index % 3]} ${index}`);
  await sender.send(lines.join("\n") + "\n");
  await all.expect(...lines);
  await some.expect(...lines.filter((line) => !line.startsWith("read")));
  await one.expect(...lines.filter((line) => line.startsWith("delete")));
});

Deno.test("subscriptions: a subscription takes effect at its response", async () => {
  await using server = await startBroker();
  const [client] = await server.connect(1);
  await client.send("/unsub >\ncreate 1\n/sub create\ncreate 2\n/unsub create\ncreate 3\n/ping\n");
  await client.expect("/ok unsub", "/ok sub", "create 2", "/ok unsub", "/pong");
});

Deno.test("subscriptions: the number of patterns per connection is limited", async () => {
  await using server = await startBroker({ limits: { patterns: 2 } });
  const [client] = await server.connect(1);
  assertEquals(await client.ask("/sub create delete"), "/ok sub");
  assertEquals(await client.ask("/sub create"), "/ok sub");
  assertMatch((await client.ask("/sub read"))!, /^\/err sub too-many-patterns .* 2 patterns/);
  assertEquals(server.broker.clients()[0].patterns, ["create", "delete"]);
});

// Control lines

Deno.test("control: a connection that never sent a control line receives none", async () => {
  await using server = await startBroker();
  const [plain] = await server.connect(1);
  await plain.send("a..b\nbogus\nmq.x\ncreate 1\n");
  await plain.expect("create 1");
  const closed = server.broker.close();
  await plain.expectEnd();
  plain.close();
  await closed;
  assertEquals(server.broker.stats().refused, 2);
});

Deno.test("control: each control line gets exactly one response, in order", async () => {
  await using server = await startBroker();
  const [client] = await server.connect(1);
  await client.send("/hello\n/sub create\n/pub 1 create x\n/ping a\n/nope\n/unsub\n/pub 2 bogus\n/ping b\n");
  assertMatch((await client.lines.next())!, /^\/ok hello \{/);
  await client.expect("/ok sub", "create x");
  assertMatch((await client.lines.next())!, /^\/ok 1 \{/);
  await client.expect("/pong a");
  assertMatch((await client.lines.next())!, /^\/err nope bad-verb /);
  assertMatch((await client.lines.next())!, /^\/err unsub bad-arguments /);
  assertMatch((await client.lines.next())!, /^\/err 2 unrecognized /);
  await client.expect("/pong b");
});

Deno.test("control: a response comes after the events published before it", async () => {
  await using server = await startBroker();
  const [client] = await server.connect(1);
  await client.send("create 1\ncreate 2\n/ping\ncreate 3\n");
  await client.expect("create 1", "create 2", "/pong", "create 3");
});

Deno.test("control: the response to an unknown verb names it", async () => {
  await using server = await startBroker();
  const client = await speaker(server);
  assertEquals(await client.ask("/subb x"), '/err subb bad-verb Unknown verb "/subb": /help lists those there are');
  assertMatch((await client.ask("/"))!, /^\/err - bad-verb /);
  assertMatch((await client.ask(`/${"x".repeat(1000)}`))!, /^\/err - bad-verb /);
  assertMatch((await client.ask("/constructor"))!, /^\/err constructor bad-verb /);
  assertMatch((await client.ask("/event ID me create x"))!, /^\/err event bad-verb /);
});

Deno.test("/hello: returns the connection's id, the server, the version, the limits and the events", async () => {
  await using server = await startBroker({ events: ["order.*"], limits: { lineBytes: 4096 } });
  const [client] = await server.connect(1);
  const hello = await answer(client, '/hello {"name":"shop"}');
  assertEquals(Object.keys(hello), ["id", "server", "version", "limits", "events", "hops", "inbox"]);
  assertEquals(hello.id, server.broker.clients()[0].id);
  assertMatch(hello.id, ULID);
  assertEquals([hello.server, hello.version, hello.events], [`mq/${VERSION}`, 1, ["order.*"]]);
  assertEquals(hello.limits, { ...DEFAULT_LIMITS, lineBytes: 4096 });
  assertEquals(server.broker.clients()[0].name, "shop");
});

Deno.test("/hello: omitted fields keep their values", async () => {
  await using server = await startBroker();
  const [client, sender] = await server.connect(2);
  await answer(client, '/hello {"name":"shop","meta":true}');
  await answer(client, "/hello");
  await answer(client, '/hello {"echo":false,"color":"blue"}');
  assertEquals(server.broker.clients()[0].name, "shop");
  await sender.line("create 1");
  assertMatch((await client.lines.next())!, /^\/event \w+ client-2 create 1$/);
});

for (
  const [json, reason] of [
    ["{", "JSON object"],
    ["[]", "JSON object"],
    ["null", "JSON object"],
    ['{"name":7}', '"name"'],
    ['{"name":""}', '"name"'],
    ['{"name":"two words"}', '"name"'],
    ['{"name":"a\\nb"}', '"name"'],
    ['{"name":"mq"}', '"name"'],
    [`{"name":"${"x".repeat(65)}"}`, '"name"'],
    ['{"meta":1}', '"meta"'],
    ['{"echo":"no"}', '"echo"'],
  ]
) {
  Deno.test(`/hello: ${json.slice(0, 30)} is refused`, async () => {
    await using server = await startBroker();
    const client = await speaker(server);
    const reply = (await client.ask(`/hello ${json}`))!;
    assert(reply.startsWith("/err hello bad-arguments ") && reply.includes(reason), reply);
    assertEquals(server.broker.clients()[0].name, "client-1");
  });
}

Deno.test("/hello: with meta an event has its id and its sender's name", async () => {
  await using server = await startBroker();
  const [listener, sender] = await server.connect(2);
  await answer(listener, '/hello {"meta":true}');
  await answer(sender, '/hello {"name":"shop"}');
  await sender.send("create\ncreate  two  words\n");
  const [first, second] = [await listener.lines.next(), await listener.lines.next()];
  assertMatch(first!, /^\/event [0-9A-Z]{26} shop create$/);
  assertMatch(second!, /^\/event [0-9A-Z]{26} shop create {2}two {2}words$/);
  assert(first!.slice(7, 33) < second!.slice(7, 33), "ids increase");
});

Deno.test("/hello: the sender of the broker's own events is mq", async () => {
  await using server = await startBroker();
  const [listener] = await server.connect(1);
  await answer(listener, '/hello {"meta":true}');
  await listener.ask("/sub mq.connect");
  await server.connect(1);
  assertMatch((await listener.lines.next())!, /^\/event \w+ mq mq\.connect \{/);
});

Deno.test("/hello: ids increase strictly from event to event", async () => {
  await using server = await startBroker();
  const [listener] = await server.connect(1);
  await answer(listener, '/hello {"meta":true}');
  await listener.send("create\n".repeat(2000));
  let last = "";
  for (let index = 0; index < 2000; index++) {
    const id = (await listener.lines.next())!.split(" ")[1];
    assert(id > last, `${id} comes after ${last}`);
    last = id;
  }
});

Deno.test("/hello: without echo a client receives others' events and not its own", async () => {
  await using server = await startBroker();
  const [quiet, twin, other] = await server.connect(3);
  await answer(quiet, '/hello {"echo":false}');
  await answer(twin, '/hello {"echo":false}');
  await quiet.line("create mine");
  await twin.expect("create mine");
  await other.expect("create mine");
  await other.line("create theirs");
  await quiet.expect("create theirs");
});

Deno.test("/pub: the receipt has the event's id and the number of receivers", async () => {
  await using server = await startBroker();
  const client = await speaker(server);
  const [plain, meta, deaf] = await server.connect(3);
  await answer(meta, '/hello {"meta":true}');
  await deaf.ask("/sub delete");
  const receipt = await answer(client, "/pub ref-1 create hello");
  assertMatch(receipt.id, ULID);
  assertEquals(receipt.receivers, 2);
  await plain.expect("create hello");
  await meta.expect(`/event ${receipt.id} client-1 create hello`);
});

Deno.test("/pub: the sender counts among the receivers only if it has echo", async () => {
  await using server = await startBroker();
  const [client] = await server.connect(1);
  await client.line("/pub 1 create");
  await client.expect("create");
  assertMatch((await client.lines.next())!, /"receivers":1\}$/);
  await answer(client, '/hello {"echo":false}');
  assertEquals((await answer(client, "/pub 2 create")).receivers, 0);
});

for (const line of ["/pub", "/pub 1", `/pub ${"x".repeat(65)} create`]) {
  Deno.test(`/pub: ${line.slice(0, 12)} is refused`, async () => {
    await using server = await startBroker();
    const client = await speaker(server);
    assertMatch((await client.ask(line))!, /^\/err (pub|-) bad-arguments /);
    assertEquals(server.broker.stats().published, 0);
  });
}

Deno.test("/ping: the response repeats its text", async () => {
  await using server = await startBroker();
  const client = await speaker(server);
  assertEquals(await client.ask("/ping"), "/pong");
  assertEquals(await client.ask("/ping  a  b "), "/pong a  b ");
});

Deno.test("/pong: gets no response", async () => {
  await using server = await startBroker();
  const client = await speaker(server);
  await client.line("/pong x");
  assertEquals(await client.ask("/ping"), "/pong");
});

Deno.test("/stats: returns the broker's counters", async () => {
  await using server = await startBroker();
  const client = await speaker(server);
  const [listener] = await server.connect(1);
  await client.send("create 1\nbogus\na..b\n");
  await listener.expect("create 1");
  assertMatch((await client.lines.next())!, /^\/err - bad-name /);
  const { uptimeMs, cpuMs, rssBytes, ...stats } = await answer(client, "/stats");
  assert(uptimeMs >= 0 && cpuMs > 0 && rssBytes > 1_000_000);
  assertEquals(stats, {
    connections: 2,
    published: 1,
    delivered: 1,
    unrecognized: 1,
    refused: 1,
    slow: 0,
    dropped: 0,
    droppedBytes: 0,
    errors: 0,
  });
});

Deno.test("/clients: lists the connections, the oldest first", async () => {
  await using server = await startBroker();
  const [client, other] = await server.connect(2);
  await answer(client, '/hello {"name":"shop"}');
  await client.ask("/sub create order.*");
  await other.line("create 1");
  await client.expect("create 1");
  const [first, second] = await answer(client, "/clients");
  assertEquals([first.name, first.patterns, first.delivered, first.published], ["shop", ["create", "order.*"], 1, 0]);
  assertEquals([second.name, second.patterns, second.published], ["client-2", [">"], 1]);
  assertMatch(first.address, /^127\.0\.0\.1:\d+$/);
  assertEquals(new Date(first.connectedAt).toISOString(), first.connectedAt);
  assertMatch(first.id, ULID);
  assertEquals(typeof first.queuedBytes, "number");
});

/** Connects as many clients as a page has, and 20 more, with the longest names and patterns that there are. */
async function longClients(server: TestBroker): Promise<MemoryClient[]> {
  const name = "界".repeat(64);
  const patterns = (id: number) => Array.from({ length: 20 }, (_, index) => `${"x".repeat(248)}.${id}.${index}`);
  const clients = Array.from({ length: CLIENTS_PER_PAGE + 20 }, (_, id) => {
    const client = new MemoryClient(server.broker);
    client.send(`/hello ${JSON.stringify({ name })}`, `/sub create ${patterns(id % 10).join(" ")}`);
    return client;
  });
  await until(() => clients.every(({ text }) => text.includes("/ok sub")), "all have subscribed");
  return clients;
}

Deno.test("/clients: a page has a hundred connections, and is short however long their names and patterns are", async () => {
  await using server = await startBroker();
  await longClients(server);
  const client = await speaker(server);
  const pages = [];
  for (let after = ""; pages.length < 2; after = pages[0].at(-1).id) {
    const response = await client.ask(`/clients ${after}`) ?? "";
    assert(new TextEncoder().encode(response).length < RESPONSE_BYTES);
    pages.push(JSON.parse(response.slice("/ok clients ".length)));
  }
  assertEquals(pages.map(({ length }) => length), [CLIENTS_PER_PAGE, 21]);
  const all = server.broker.clients();
  assertEquals(pages.flat().map(({ id }) => id), all.map(({ id }) => id));
  assertEquals(pages.flat().map(({ patternCount }) => patternCount), all.map(({ patterns }) => patterns.length));
  for (const { patterns } of pages.flat()) assert(patterns.every((pattern: string) => pattern.length < 256));
  assertEquals(pages[1].at(-1).patterns, []);
});

Deno.test("/clients: what follows a connection that has left is known", async () => {
  await using server = await startBroker();
  const [first, second, third] = await server.connect(3);
  const [, { id }, { id: last }] = await answer(first, "/clients");
  second.close();
  await until(() => server.broker.stats().connections === 2, "it has left");
  assertEquals((await answer(first, `/clients ${id}`)).map(({ id }: ClientInfo) => id), [last]);
  assertEquals(await answer(third, `/clients ${last}`), []);
  for (const wrong of ["shop", `${id} ${id}`, id.toLowerCase(), "8".repeat(26)]) {
    assertMatch((await first.ask(`/clients ${wrong}`))!, /^\/err clients bad-arguments Cannot list what follows "/);
  }
});

Deno.test("/clients: a response is made once for all who ask at the same time", async () => {
  await using server = await startBroker();
  const clients = Array.from({ length: 3 }, () => new MemoryClient(server.broker));
  await until(() => server.broker.stats().connections === 3, "all are there");
  for (const client of clients) client.send("/clients", "/stats", "/why create", "/clients");
  await until(() => clients.every(({ lines }) => lines.length === 4), "all have an answer");
  const [{ text }] = clients;
  assertEquals(clients.map((client) => client.text), [text, text, text]);
});

Deno.test("/events: a long response is the same for all who ask, one after another and at once", async () => {
  const events = Array.from({ length: 3000 }, (_, index) => `shop.${"x".repeat(80)}.${index}`);
  await using server = await startBroker({ events });
  const expected = "/ok events " + JSON.stringify(server.broker.describeEvents());
  assert(expected.length > 256 * 1024);
  for (let round = 0; round < 3; round++) {
    const clients = [await speaker(server), await speaker(server)];
    const asked = clients.map((client) => client.ask("/events"));
    assertEquals(await Promise.all(asked), [expected, expected]);
    for (const client of clients) assertEquals(await client.ask("/ping x"), "/pong x");
  }
});

Deno.test("/clients, /why and /stats: tell what the same client did just before, even in one write", async () => {
  await using server = await startBroker();
  const client = new MemoryClient(server.broker);
  await until(() => server.broker.stats().connections === 1, "it is there");
  const acts = ["/sub order.*", "/unsub order.*", '/hello {"name":"shop"}', "create", "bogus", "a..b"];
  const questions = ["/clients", "/why create", "/stats"];
  client.send(...questions, ...acts.flatMap((act) => [act, ...questions]), "/ping end");
  await until(() => client.text.includes("/pong end"), "all is answered");
  const told = (verb: string) => {
    const start = `/ok ${verb} `;
    return client.lines.filter((line) => line.startsWith(start)).map((line) => JSON.parse(line.slice(start.length)));
  };
  const clients = told("clients").map(([{ name, patterns, published }]) => [name, patterns.join(), published]);
  assertEquals(clients, [
    ["client-1", ">", 0],
    ["client-1", "order.*", 0],
    ["client-1", "", 0],
    ["shop", "", 0],
    ["shop", "", 1],
    ["shop", "", 1],
    ["shop", "", 1],
  ]);
  assertEquals(told("why").map(({ hearsCount }) => hearsCount), [1, 0, 0, 0, 0, 0, 0]);
  const stats = told("stats").map(({ published, unrecognized, refused }) => [published, unrecognized, refused]);
  assertEquals(stats.slice(3), [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]]);
});

Deno.test("/why: the lists are short, however many there are and however long their names and patterns are", async () => {
  await using server = await startBroker();
  await longClients(server);
  const client = await speaker(server);
  for (const name of ["create", "update"]) {
    const response = await client.ask(`/why ${name}`) ?? "";
    assert(new TextEncoder().encode(response).length < RESPONSE_BYTES);
    const why = JSON.parse(response.slice("/ok why ".length));
    const hears = name === "create" ? CLIENTS_PER_PAGE + 20 : 0;
    assertEquals([why.receivers, why.hearsCount, why.ignoresCount], [hears, hears, CLIENTS_PER_PAGE + 21 - hears]);
    for (const list of [why.hears, why.ignores]) assert(list.length <= 100);
  }
});

Deno.test("/why: looks for the matching patterns of only so many", async () => {
  await using server = await startBroker({ events: [">"] });
  const never = Array.from({ length: 999 }, (_, index) => `*.${index}`).join(" ");
  const clients = await server.connect(10);
  for (const client of clients) assertEquals(await client.ask(`/sub ${never} a.*`), "/ok sub");
  const { receivers, hears, hearsCount } = await answer(clients[0], "/why a.b");
  assertEquals([receivers, hears.length, hearsCount], [10, 5, 10]);
});

Deno.test("/why: returns what recognizes a name, who receives it by which pattern, and who does not", async () => {
  await using server = await startBroker({ events: ["order.>"] });
  const [all, orders, users] = await server.connect(3);
  await orders.ask("/sub user.x order.*");
  await users.ask("/sub user.*");
  const why = await answer(users, "/why order.paid");
  const [a, b, c] = server.broker.clients();
  assertEquals(why, {
    name: "order.paid",
    recognized: true,
    by: "order.>",
    receivers: 2,
    hears: [
      { id: a.id, name: "client-1", pattern: ">", queuedBytes: 0 },
      { id: b.id, name: "client-2", pattern: "order.*", queuedBytes: 0 },
    ],
    hearsCount: 2,
    ignores: [{ id: c.id, name: "client-3", patterns: ["user.*"], patternCount: 1 }],
    ignoresCount: 1,
  });
  all.close();
});

Deno.test("/why: an unrecognized name has no receivers, even with matching subscribers", async () => {
  await using server = await startBroker();
  const [client] = await server.connect(1);
  const why = await answer(client, "/why bogus");
  assertEquals([why.recognized, why.by, why.receivers, why.hears.length], [false, null, 0, 1]);
});

Deno.test("/why: the broker's own events are always recognized", async () => {
  await using server = await startBroker();
  const [client] = await server.connect(1);
  await client.ask("/sub mq.*");
  const why = await answer(client, "/why mq.connect");
  assertEquals([why.recognized, why.by, why.receivers], [true, "mq.>", 1]);
});

Deno.test("/help: returns a few lines that begin with /#", async () => {
  await using server = await startBroker();
  const client = await speaker(server);
  await client.send("/help\n/ping\n");
  const lines: string[] = [];
  for (let line = await client.lines.next(); line !== "/pong"; line = await client.lines.next()) lines.push(line!);
  assert(lines.length > 3 && lines.every((line) => line.startsWith("/# ")), lines.join("\n"));
  for (const verb of ["hello", "sub", "unsub", "pub", "why", "clients", "stats", "ping", "quit"]) {
    assert(lines.some((line) => line.includes(`/${verb}`)), `/help names /${verb}`);
  }
});

Deno.test("/quit: sends what is queued, then /bye, then closes", async () => {
  await using server = await startBroker();
  const [client, other] = await server.connect(2);
  await client.send("create 1\n/quit\ncreate 2\n");
  await client.expect("create 1", "/bye");
  await client.expectEnd();
  await other.expect("create 1");
  await until(() => server.broker.stats().connections === 1, "it left");
  await other.line("create 3");
  await other.expect("create 3");
});

// The broker's own events

Deno.test("mq.*: connect, hello, subscribe, refused and disconnect follow a connection", async () => {
  await using server = await startBroker();
  const [watcher] = await server.connect(1);
  await watcher.ask("/sub mq.>");
  const [client] = await server.connect(1);
  await client.send('/hello {"name":"shop"}\n/sub create\n/nope\ncreate 1\n/quit\n');
  const { id } = server.told("mq.connect")[1] as { id: string };
  const told = [];
  for (let index = 0; index < 5; index++) {
    const [, name, json] = /^(\S+) (.*)$/.exec((await watcher.lines.next())!)!;
    const data = JSON.parse(json);
    assertEquals(data.id, id);
    told.push([name, data.name, data.added ?? data.code ?? data.reason ?? data.was ?? "-"]);
  }
  assertEquals(told, [
    ["mq.connect", "client-2", "-"],
    ["mq.hello", "shop", "client-2"],
    ["mq.subscribe", "shop", ["create"]],
    ["mq.refused", "shop", "bad-verb"],
    ["mq.disconnect", "shop", "quit"],
  ]);
});

Deno.test("mq.subscribe: more than a hundred changes at the same time are reported as one", async () => {
  await using server = await startBroker();
  const [client] = await server.connect(1);
  await client.send(Array.from({ length: 400 }, (_, index) => `/sub a.${index}\n`).join(""));
  for (let index = 0; index < 400; index++) await client.expect("/ok sub");
  const told = server.told("mq.subscribe");
  assertEquals(told.slice(0, 100).map(({ total }) => total), Array.from({ length: 100 }, (_, index) => index + 1));
  assert(told.length < 400, `${told.length} times`);
  assertEquals(told.at(-1)?.total, 400);
  assertEquals(told.flatMap(({ added }) => added), Array.from({ length: 400 }, (_, index) => `a.${index}`));
  assertEquals(told.flatMap(({ removed }) => removed), [">"]);
});

Deno.test("mq.drain: reports that the broker is shutting down", async () => {
  await using server = await startBroker();
  const [watcher] = await server.connect(1);
  await watcher.ask("/sub mq.drain");
  const closed = server.broker.close();
  await watcher.expect('mq.drain {"connections":1,"deadlineMs":10000}', "/bye The broker is going down");
  await watcher.expectEnd();
  watcher.close();
  await closed;
});

Deno.test("mq.drain: comes before mq.disconnect of connections accepted at that moment, and counts them", async () => {
  const told: string[] = [];
  const onSystemEvent = (name: string, data: SystemEvent) => {
    told.push(`${name} ${data.name ?? data.connections}`);
    if (name === "mq.connect") void broker.close();
    if (name === "mq.disconnect" && told.length < 6) new MemoryClient(broker);
  };
  const broker = new Broker({ onSystemEvent });
  new MemoryClient(broker);
  await broker.close();
  const events = ["mq.connect client-1", "mq.drain 1", "mq.disconnect client-1", "mq.connect client-2"];
  assertEquals(told.slice(0, 5), [...events, "mq.disconnect client-2"]);
});

Deno.test("mq.slow and mq.dropped: report a slow consumer that is disconnected", async () => {
  await using server = await startBroker({ limits: { outboxBytes: 200_000, lineBytes: 100_000 } });
  const [slow, sender] = await server.connect(2);
  await sender.ask("/sub mq.>");
  await slow.ask("/sub create");
  const line = `create ${"x".repeat(90_000)}\n`;
  await until(async () => {
    await sender.send(line);
    return server.told("mq.slow").length > 0;
  }, "the outbox is full");
  await until(() => server.told("mq.dropped").length > 0, "the loss is told");
  const [told] = server.told("mq.slow");
  assertEquals([told.name, told.patterns], ["client-1", ["create"]]);
  assert(Number(told.queuedBytes) > 200_000);
  assertEquals(server.told("mq.disconnect")[0].reason, "slow");
  assertEquals(server.broker.stats().slow, 1);
  assertEquals(server.broker.stats().droppedBytes, server.told("mq.dropped")[0].bytes);
  await sender.lines.find("mq.slow {");
  await sender.lines.find("mq.dropped {");
});

Deno.test("a subscriber that does not read does not block others", async () => {
  await using server = await startBroker({ limits: { lineBytes: 100_000, outboxBytes: 1_000_000 } });
  const [_stuck, listener, sender] = await server.connect(3);
  await sender.ask("/unsub >");
  const line = `create ${"x".repeat(10_000)}`;
  for (let index = 0; index < 2000; index++) {
    await sender.line(line);
    await listener.expect(line);
  }
});

// Bad input

Deno.test("bad input: a malformed name gets an error on a connection that uses control lines", async () => {
  await using server = await startBroker();
  const client = await speaker(server);
  assertMatch((await client.ask("cre@te x"))!, /^\/err - bad-name Cannot read "cre@te" as an event's name/);
  assertEquals(await client.ask("/ping"), "/pong");
  assertEquals(server.told("mq.refused")[0].code, "bad-name");
});

Deno.test("bad input: an over-long line is discarded to its end, and gets an error in its place", async () => {
  await using server = await startBroker({ limits: { lineBytes: 1000 } });
  const [client] = await server.connect(1);
  await client.ask("/sub create");
  await client.send(`create 1\ncreate ${"x".repeat(5000)}\ncreate 2\n`);
  await client.expect("create 1", "/err - line-too-long Discarded a line longer than 1000 bytes", "create 2");
});

Deno.test("bad input: an endless line uses no memory and does not affect others", async () => {
  await using server = await startBroker({ limits: { lineBytes: 1000 } });
  const [endless, other] = await server.connect(2);
  await endless.line("create 0");
  await other.expect("create 0");
  for (let index = 0; index < 200; index++) await endless.send("x".repeat(50_000));
  await other.line("create 1");
  await other.expect("create 1");
  await endless.send("\ncreate 2\n");
  await other.expect("create 2");
});

Deno.test("bad input: invalid UTF-8 closes the connection with a reason, after the lines before it", async () => {
  await using server = await startBroker();
  const [client, other] = await server.connect(2);
  await client.send(new Uint8Array([...new TextEncoder().encode("create 1\ncreate "), 0xff, 0x0a]));
  await client.expect("create 1", "/err - invalid-utf8 Cannot read on: a line is not UTF-8");
  await client.expectEnd();
  await other.expect("create 1");
  await until(() => server.broker.stats().connections === 1, "it left");
});

Deno.test("bad input: nothing is read after an over-long first line, which may be HTTP", async () => {
  await using server = await startBroker({ limits: { lineBytes: 1000 } });
  const [browser, other] = await server.connect(2);
  await browser.send(`POST /${"a".repeat(2000)} HTTP/1.1\r\n\r\ncreate {"from":"a web page"}\n`);
  await browser.expect("/err - line-too-long Discarded a line longer than 1000 bytes, and it was the first");
  await browser.expectEnd();
  await other.line("create 1");
  await other.expect("create 1");
});

Deno.test("bad input: an unfinished line at the end of a connection is discarded and reported", async () => {
  await using server = await startBroker();
  const [client] = await server.connect(1);
  await client.send("create without a line end");
  await client.conn.closeWrite();
  await client.expectEnd();
  assertEquals(server.told("mq.refused").map(({ code }) => code), ["unfinished-line"]);
  assertEquals(server.broker.stats().published, 0);
});

Deno.test("bad input: a response too long for the queue becomes an error, and the connection stays open", async () => {
  const events = Array.from({ length: 1000 }, (_, index) => `${"x".repeat(90)}${index}`);
  await using server = await startBroker({ events, limits: { lineBytes: 30_000, outboxBytes: 70_000 } });
  const client = await speaker(server);
  assertMatch(
    (await client.ask("/events"))!,
    /^\/err events answer-too-long Cannot answer: that would take \d+ bytes, and there is room for \d+/,
  );
  assertEquals(await client.ask("/ping"), "/pong");
});

Deno.test("bad input: a client that asks for much and reads no response waits, and nobody else does", async () => {
  await using server = await startBroker();
  const [flooder, other] = await server.connect(2);
  await flooder.send("/help\n".repeat(20_000)); // 16 MB of responses: more than the system holds for it.
  const queuedBytes = () => server.broker.clients()[0].queuedBytes;
  await until(() => queuedBytes() > RESPONSE_BYTES, "it is held back");
  for (let count = 0; count < 10; count++) {
    await other.line(`create ${count}`);
    await other.expect(`create ${count}`);
    assert(queuedBytes() < 2 * RESPONSE_BYTES);
  }
  assertEquals(server.broker.stats().slow, 0);
  flooder.close();
  await until(() => server.broker.stats().connections === 1, "it has left");
});

Deno.test("bad input: cached names do not keep the lines they came from in memory", async () => {
  await using server = await startBroker({ events: [">"] });
  const [client] = await server.connect(1);
  await client.ask("/unsub >");
  const data = "x".repeat(100_000);
  const { heapUsed } = Deno.memoryUsage();
  for (let index = 0; index < 2000; index++) await client.line(`a-name-that-is-long-enough.${index} ${data}`);
  assertEquals(await client.ask("/ping"), "/pong");
  const grown = Deno.memoryUsage().heapUsed - heapUsed;
  assert(grown < 100_000_000, `200 MB of lines went by, and ${grown} bytes of them are still there`);
});

for (const request of ["GET / HTTP/1.1", "POST /create HTTP/1.0", "PRI * HTTP/2.0"]) {
  Deno.test(`bad input: ${request} gets 400 with one sentence, and nothing is published`, async () => {
    await using server = await startBroker();
    const [browser, other] = await server.connect(2);
    await browser.send(`${request}\r\nHost: localhost\r\n\r\ncreate {"from":"a web page"}\n`);
    await browser.expect("HTTP/1.1 400 Bad Request\r", "Content-Type: text/plain; charset=utf-8\r");
    const response = await browser.lines.rest();
    const [, length, body] = /^Content-Length: (\d+)\r\nConnection: close\r\n\r\n(.*)$/s.exec(response)!;
    assertEquals(body.length, Number(length));
    assertMatch(body, /^This is an mq broker.*\.\n$/);
    await other.line("create 1");
    await other.expect("create 1");
    assertEquals(server.broker.stats().published, 1);
  });
}

Deno.test("bad input: the names of JavaScript's own properties are ordinary names", async () => {
  await using server = await startBroker();
  const client = await speaker(server);
  for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
    assertMatch((await client.ask(`/pub 1 ${name}`))!, /^\/err 1 unrecognized /);
  }
});

// The broker itself

Deno.test("Broker.listen on localhost listens on both loopback addresses, on one port", async () => {
  await using broker = new Broker();
  const { port } = await broker.listen({ port: 0 });
  assertEquals(broker.addrs[0].hostname, "127.0.0.1");
  for (const { hostname, port: same } of broker.addrs) {
    assertEquals(same, port);
    (await Deno.connect({ hostname, port })).close();
  }
});

Deno.test("Broker.listen reports a port that is in use", async () => {
  await using server = await startBroker();
  await using second = new Broker();
  const error = await assertRejects(() => second.listen({ hostname: "127.0.0.1", port: server.port }), MqError);
  assertEquals(error.code, "address-in-use");
  assertEquals(error.message, `Cannot listen on 127.0.0.1:${server.port}: the port is in use`);
});

Deno.test("Broker.listen rejects an address that is not local with cannot-listen", async () => {
  await using broker = new Broker();
  const error = await assertRejects(() => broker.listen({ hostname: "192.0.2.1", port: 0 }), MqError);
  assertEquals(error.code, "cannot-listen");
});

Deno.test("Broker.close sends what is queued before it closes connections", async () => {
  await using server = await startBroker();
  const [listener, sender] = await server.connect(2);
  const lines = Array.from({ length: 500 }, (_, index) => `create ${index} ${"x".repeat(1000)}`);
  await sender.ask("/unsub >");
  await sender.send(lines.join("\n") + "\n/ping\n");
  await sender.expect("/pong");
  const closed = server.broker.close();
  await listener.expect(...lines);
  await listener.expectEnd();
  listener.close();
  sender.close();
  await closed;
});

Deno.test("Broker.close does not wait beyond the deadline for a client that does not read", async () => {
  const server = await startBroker({ limits: { drainMs: 100 } });
  const [_stuck, sender] = await server.connect(2);
  await sender.ask("/unsub >");
  for (let index = 0; index < 100; index++) await sender.line(`create ${"x".repeat(100_000)}`);
  assertEquals(await sender.ask("/ping"), "/pong");
  await server.broker.close();
  assert(server.broker.stats().droppedBytes > 0);
  assertEquals(server.broker.stats().connections, 0);
  await server[Symbol.asyncDispose]();
});

Deno.test("Broker.close sends /dropped before /bye to a client that missed events", async () => {
  await using server = await startBroker({ slow: "drop", limits: { lineBytes: 1000, outboxBytes: 2000 } });
  const slow = new MemoryClient(server.broker, true);
  slow.send("/sub create");
  const publisher = new MemoryClient(server.broker);
  publisher.send("/unsub >");
  for (let number = 0; number < 5; number++) {
    await publisher.ask(`/pong ${number}`, `create ${LONG}`, `/ping ${number}`);
  }
  const closed = server.broker.close();
  slow.readWrites(Infinity);
  await closed;
  const words = slow.lines.map((line) => line.split(" ")[0]);
  const missing = 5 - words.filter((word) => word === "create").length;
  assert(missing > 0);
  assertEquals(slow.lines.slice(-2), [`/dropped ${missing}`, "/bye The broker is going down"]);
});

for (const when of ["mq.connect", "mq.hello", "mq.subscribe", "mq.refused", "mq.drain", "mq.disconnect"]) {
  Deno.test(`Broker can be closed and called from onSystemEvent, here at ${when}`, async () => {
    const told: string[] = [];
    const outcomes: Promise<unknown>[] = [];
    let late: MemoryClient | undefined;
    const onSystemEvent = (name: string) => {
      told.push(name);
      if (name !== when || late) return;
      outcomes.push(broker.close(), broker.listen({ hostname: "127.0.0.1", port: 0 }).catch((error) => error.code));
      late = new MemoryClient(broker);
      broker.stats();
      broker.clients();
    };
    const broker: Broker = new Broker({ onSystemEvent });
    const client = new MemoryClient(broker);
    client.send('/hello {"name":"ann"}', "/sub mq.>", "/nothing");
    await until(() => told.includes(when) || told.includes("mq.refused"), "it is told");
    await broker.close();
    assertEquals(await Promise.all(outcomes), [undefined, "closed"]);
    assertEquals([late?.isEnded, client.isEnded], [true, true]);
    assertEquals(told.filter((name) => name === "mq.drain"), ["mq.drain"]);
    assertEquals(broker.stats().connections, 0);
  });
}

Deno.test("Broker can be closed from onPublish, and the event still reaches its subscribers", async () => {
  const broker: Broker = new Broker({ onPublish: () => void broker.close() });
  const [listener, publisher] = [new MemoryClient(broker), new MemoryClient(broker)];
  publisher.send("/pub 1 create x", "/pub 2 create y");
  await until(() => publisher.isEnded && listener.isEnded, "both are closed");
  await broker.close();
  assertEquals(listener.lines[0], "create x");
  assertMatch(publisher.text, /^\/ok 1 \{.*"receivers":2\}$/m);
  assertEquals(broker.stats().delivered, 2 * broker.stats().published);
});

Deno.test("Broker reports what its callbacks throw to onError, and continues", async () => {
  const errors: string[] = [];
  const onError = (error: unknown) => void errors.push((error as Error).message);
  const fail = (what: string) => () => {
    throw new Error(what);
  };
  {
    await using server = await startBroker({ onSystemEvent: fail("activity"), onPublish: fail("publish"), onError });
    const [client] = await server.connect(1);
    await client.line("create 1");
    await client.expect("create 1");
    assertEquals(errors, ["activity", "publish"]);
    assertEquals(server.broker.stats().errors, 2);
  }
  assertEquals(errors, ["activity", "publish", "activity", "activity"]);
});

Deno.test("Broker reports the rejections of async callbacks to onError", async () => {
  const errors: string[] = [];
  const onError = (error: unknown) => void errors.push((error as Error).message);
  const fail = (what: string) => () => Promise.reject(new Error(what));
  await using server = await startBroker({ onSystemEvent: fail("activity"), onPublish: fail("publish"), onError });
  const [client] = await server.connect(1);
  await client.line("create 1");
  await client.expect("create 1");
  await until(() => errors.length === 2, "both are told");
  assertEquals([errors, server.broker.stats().errors], [["activity", "publish"], 2]);
});

Deno.test("Broker reports an internal error to onError, and closes only that connection", async () => {
  const errors: unknown[] = [];
  await using server = await startBroker({ onError: (error) => errors.push(error) });
  const [other] = await server.connect(1);
  const client = new MemoryClient(server.broker);
  client.read = () => Promise.resolve(1n as unknown as number); // What nobody has thought of.
  client.send("/ping");
  await until(() => client.isEnded, "it is closed");
  assertMatch(client.text, /^\/err - internal-error The broker failed: Cannot mix BigInt/m);
  assertEquals([errors.length, errors[0] instanceof TypeError, server.broker.stats().errors], [1, true, 1]);
  assertEquals(server.told("mq.disconnect").map(({ reason }) => reason), ["internal-error"]);
  assertEquals(await other.ask("/ping"), "/pong");
});

Deno.test("Broker continues when callbacks throw and there is no onError", async () => {
  const reported: unknown[] = [];
  const report = (event: ErrorEvent) => {
    event.preventDefault();
    reported.push(event.error);
  };
  globalThis.addEventListener("error", report);
  const fail = () => {
    throw new Error("A bug around the broker");
  };
  {
    await using server = await startBroker({ onSystemEvent: fail, onPublish: fail });
    const [client] = await server.connect(1);
    await client.line("create 1");
    await client.expect("create 1");
  }
  globalThis.removeEventListener("error", report);
  assert(reported.length >= 3, "connect, publish and disconnect are reported");
});

Deno.test("Broker reports repeated subscriptions to the same pattern once", async () => {
  await using server = await startBroker();
  const [client] = await server.connect(1);
  for (let times = 0; times < 3; times++) await client.ask("/sub create");
  assertEquals(server.told("mq.subscribe").length, 1);
});

Deno.test("Broker keeps no trace of a connection that is closed as slow while it subscribes", async () => {
  await using server = await startBroker({ limits: { lineBytes: 100, outboxBytes: 700 } });
  const slow = new MemoryClient(server.broker, true);
  await until(() => {
    slow.send(`create ${"x".repeat(90)}`, "/sub create");
    return server.told("mq.slow").length > 0;
  }, "it is slow");
  slow.readWrites(Infinity);
  await until(() => slow.isEnded, "it is closed");
  assertStringIncludes(slow.text, "/err - slow-consumer Closed: more than 700 bytes waited to be read");
  const [other] = await server.connect(1);
  await other.ask("/unsub >");
  assertEquals((await answer(other, "/pub 1 create")).receivers, 0);
});

Deno.test("Broker refuses limits that are not positive whole numbers", () => {
  assertThrows(() => new Broker({ limits: { lineBytes: 0 } }), RangeError, "lineBytes");
  assertThrows(() => new Broker({ limits: { drainMs: 1.5 } }), RangeError, "drainMs");
});

Deno.test("Broker refuses a queue smaller than the longest line needs, and accepts the minimum", async () => {
  for (const limits of [{ outboxBytes: 64 * 1024 }, { lineBytes: 1000, outboxBytes: 1511 }]) {
    const error = assertThrows(() => new Broker({ limits }), RangeError);
    assertMatch(error.message, /outboxBytes to \d+: with lineBytes at \d+ it takes \d+ or more/);
  }
  await using server = await startBroker({ limits: { lineBytes: 1000, outboxBytes: 1512 } });
  const [listener, publisher] = await server.connect(2);
  const name = "\u{20000}".repeat(32); // 64 UTF-16 code units, 128 bytes: the longest that a client can give itself.
  await listener.ask('/hello {"meta":true,"hops":true}');
  await publisher.ask(`/hello {"name":"${name}","echo":false}`);
  const line = `create ${"x".repeat(993)}`;
  assertEquals((await answer(publisher, `/pub 7 ${line.slice(0, -7)}`)).receivers, 1);
  await publisher.line(line);
  for (const data of [line.slice(0, -7), line]) assertEquals((await listener.lines.next())!.endsWith(` ${data}`), true);
});

Deno.test("/pub: a receipt counts connections that queued the event, not those with a full queue", async () => {
  await using server = await startBroker({ slow: "drop", limits: { lineBytes: 1000, outboxBytes: 2000 } });
  const [reader, publisher] = await server.connect(2);
  await publisher.ask("/unsub >");
  const slow = new MemoryClient(server.broker, true);
  const receivers: number[] = [];
  const dropping = () => receivers.filter((count) => count === 1).length;
  for (let number = 0; dropping() < 3; number++) {
    receivers.push((await answer(publisher, `/pub ${number} create ${number} ${"x".repeat(900)}`)).receivers as number);
    assertEquals((await reader.lines.next())?.slice(0, `create ${number} `.length), `create ${number} `);
  }
  const queued = receivers.length - 3;
  assertEquals([receivers, queued >= 2], [[...Array(queued).fill(2), 1, 1, 1], true]);
  const why = await answer(publisher, "/why create");
  assertEquals([why.receivers, (why.hears as { full?: true }[]).map(({ full }) => full)], [1, [undefined, true]]);
  const { delivered, dropped } = server.broker.stats();
  assertEquals([delivered, dropped], [2 * queued + 3, 3]);
  slow.readWrites(Infinity);
  await until(() => slow.lines.length === queued, "it has read what was queued for it");
  assertEquals((await answer(publisher, "/pub 9 create")).receivers, 2);
});

Deno.test("Broker does not count events sent to observers as delivered", async () => {
  await using server = await startBroker();
  const [observer, listener] = await server.connect(2);
  await observer.ask('/hello {"name":"page","observe":100}');
  await listener.line("create 1");
  await listener.expect("create 1");
  assertEquals((await observer.lines.next())?.split(" ").slice(-2), ["create", "1"]);
  assertEquals(server.broker.stats().delivered, 1);
  assertEquals(server.broker.clients().map(({ delivered }) => delivered), [1, 1]);
});

Deno.test("Broker.publish checks permission and rate before the form of an event, as for a line", async () => {
  await using broker = new Broker({ limits: { eventsPerSecond: 1 } });
  const codeOf = (name: string, options: DirectPublishOptions) =>
    assertThrows(() => broker.publish(name, 1, options), ProtocolError).code;
  assertEquals(codeOf("a..b", { scope: "listen" }), "forbidden");
  assertEquals(codeOf("a..b", { limitBy: "ada" }), "bad-name");
  assertEquals(codeOf("a..b", { limitBy: "ada" }), "rate-limited");
  assertEquals(codeOf("create", { limitBy: "ada" }), "rate-limited");
});
