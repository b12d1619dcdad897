/** Publishing and listening over HTTP. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Catalog, parseCatalog } from "../../mod.ts";
import { Lines, until } from "../helpers.ts";
import { refusalIn, startWeb, type TestWeb } from "../web/fixtures.ts";

Deno.test("13.4 POST /pub/NAME publishes its body, and answers with the receipt", async () => {
  await using test = await startWeb({ events: [">"] });
  const [listener] = await test.server.connect(1);
  const bodies: [body: string, line: string][] = [
    ['{"id":1}', 'create {"id":1}'],
    ['{ "id":  1 }\n', 'create { "id":  1 }'],
    ["two  words ", "create two  words "],
    ["", "create"],
    ['{\r\n  "id": 1\r\n}', 'create {"id": 1}'],
    ["two\nlines\n", 'create "two\\nlines"'],
    ["/quit", "create /quit"],
  ];
  for (const [body, line] of bodies) {
    const answer = await test.pub("create", body);
    assertEquals(answer.status, 202);
    assertMatch(answer.body, /^\{"id":"[0-9A-Z]{26}","receivers":1\}\n$/);
    await listener.expect(line);
  }
  assertEquals((await test.pub("commande.cr%C3%A9%C3%A9e", "1")).status, 202);
  await listener.expect("commande.créée 1");
  assertEquals(test.server.broker.stats().connections, 1);
});

Deno.test("13.3 a POST is seen as a program that comes, publishes and leaves", async () => {
  await using test = await startWeb();
  await test.pub("create", "1");
  const told = test.server.activities.filter(({ data }) => data.name !== undefined);
  assertEquals(told.map(({ name, data }) => [name, data.name]), [
    ["mq.connect", "client-1"],
    ["mq.hello", "http"],
    ["mq.subscribe", "http"],
    ["mq.disconnect", "http"],
  ]);
  const [{ reason, published, delivered }] = test.server.told("mq.disconnect");
  assertEquals([reason, published, delivered], ["quit", 1, 0]);
  assertMatch(String(test.server.told("mq.connect")[0].address), /^127\.0\.0\.1:\d+$/);
});

const CATALOG: Catalog = await parseCatalog('{"create":{"schema":{"type":"object"}}}');

Deno.test("13.8 a POST that breaks a rule is refused with the reason, and publishes nothing", async () => {
  await using test = await startWeb({ catalog: CATALOG, limits: { lineBytes: 1000 } });
  const [listener] = await test.server.connect(1);
  const refused: [path: string, body: BodyInit, status: number, code: string][] = [
    ["archive", "1", 404, "unrecognized"],
    ["create", "1", 422, "invalid-data"],
    ["a..b", "1", 400, "bad-name"],
    ["", "1", 400, "bad-name"],
    ["create/more", "1", 400, "bad-name"],
    ["create%20x", "1", 400, "bad-name"],
    ["create%0Acreate%20%7B%7D", "1", 400, "bad-name"],
    ["%ff", "1", 400, "bad-name"],
    ["mq.connect", "1", 400, "reserved-name"],
    ["create", new Uint8Array([0xff]), 400, "invalid-utf8"],
    ["create", "x".repeat(1001), 413, "line-too-long"],
    ["create", "x".repeat(990), 413, "line-too-long"],
  ];
  for (const [path, body, status, code] of refused) {
    assertEquals(refusalIn(await test.pub(path, body)), [status, code], `${path} ${String(body).slice(0, 10)}`);
  }
  assertEquals((await test.pub("create", "{}")).status, 202);
  await listener.expect("create {}");
});

Deno.test("13.4 a POST whose body is not the data as it stands is refused with what is taken, and publishes nothing", async () => {
  await using test = await startWeb();
  const post = (headers: Record<string, string>, body: BodyInit = "1") =>
    test.ask("/pub/create", { method: "POST", headers, body });
  const zipped = new Response("1").body!.pipeThrough(new CompressionStream("gzip"));
  const gzip = await post({ "content-encoding": "gzip" }, await new Response(zipped).bytes());
  assertEquals(refusalIn(gzip), [415, "unsupported-encoding"]);
  assertEquals(gzip.headers.get("accept-encoding"), "identity");
  assertStringIncludes(gzip.body, String.raw`Cannot read a body in \"gzip\": send it without an encoding`);
  const form = new FormData();
  form.set("id", "1");
  const parts = await test.ask("/pub/create", { method: "POST", body: form });
  assertEquals(refusalIn(parts), [415, "unsupported-type"]);
  assertEquals(parts.headers.get("accept"), "application/json, text/plain");
  for (const charset of ["utf-16", '"iso-8859-1"']) {
    const type = `application/json; charset=${charset}`;
    assertEquals(refusalIn(await post({ "content-type": type })), [415, "unsupported-type"]);
  }
  for (const coding of ["GZIP", "br", "identity, gzip", "x"]) {
    assertEquals(refusalIn(await post({ "content-encoding": coding })), [415, "unsupported-encoding"]);
  }
  assertEquals(test.server.broker.stats().published, 0);
});

Deno.test("13.4 a POST of any type of text is taken as it stands, and one that waits to be told to go on", async () => {
  await using test = await startWeb();
  const [listener] = await test.server.connect(1);
  for (
    const type of [
      "application/x-www-form-urlencoded",
      "application/json",
      'text/plain; charset="UTF-8"',
      "TEXT/PLAIN;charset=us-ascii",
      "application/octet-stream",
      "nonsense",
      "",
    ]
  ) {
    const headers = { "content-type": type, "content-encoding": "identity" };
    assertEquals((await test.ask("/pub/create", { method: "POST", headers, body: "a=1" })).status, 202, type);
    await listener.expect("create a=1");
  }
  const patient = await test.raw();
  const head = `POST /pub/create HTTP/1.1\r\nhost: ${test.host}\r\ncontent-length: 1\r\nexpect: 100-continue\r\n\r\n`;
  await patient.send(head);
  assertEquals(await patient.lines.next(), "HTTP/1.1 100 Continue\r");
  await patient.send("7");
  await listener.expect("create 7");
});

Deno.test("13.5 HEAD of /events answers as GET would, and listens to nothing", async () => {
  await using test = await startWeb();
  const { status, headers, body } = await test.ask("/events?pattern=create", { method: "HEAD" });
  assertEquals([status, headers.get("content-type"), body], [200, "text/event-stream", ""]);
  assertEquals((await test.ask("/events?pattern=a..b", { method: "HEAD" })).status, 400);
  assertEquals(test.server.told("mq.connect"), []);
});

Deno.test("13.5 /events takes a lastEventId, as polyfills of EventSource send it, and looks at none", async () => {
  await using test = await startWeb();
  const { lines, leave } = await listen(test, "?pattern=create&lastEventId=01JD3K5E8Q5V1M4S3R6T7W8X9Y");
  await test.pub("create", "1");
  await lines.find("event: create");
  await leave();
});

Deno.test("13.8 a POST finds no room where there is none for a connection", async () => {
  await using test = await startWeb({ limits: { connections: 1 } });
  await test.server.connect(1);
  assertEquals(refusalIn(await test.pub("create", "1")), [503, "too-many-connections"]);
  assertEquals(await test.refused("/events"), [503, "too-many-connections"]);
  assertEquals((await test.ask("/stats")).status, 200);
});

/** The lines of an event stream. */
async function listen(test: TestWeb, query: string): Promise<{ lines: Lines; leave(): Promise<void> }> {
  const response = await fetch(`http://${test.host}/events${query}`);
  assertEquals([response.status, response.headers.get("content-type")], [200, "text/event-stream"]);
  const reader = response.body!.getReader();
  return { lines: new Lines(async () => (await reader.read()).value ?? null), leave: () => reader.cancel() };
}

Deno.test("13.5 /events sends events with their ids as server-sent events", async () => {
  await using test = await startWeb({ events: [">"] });
  const { lines, leave } = await listen(test, "?pattern=order.*&pattern=error");
  const ids: string[] = [];
  const events: [name: string, body: string, data: string][] = [
    ["order.paid", '{"id":1}', '{"id":1}'],
    ["error", "a b", "a b"],
    ["order.sent", "", ""],
  ];
  for (const [name, body, data] of events) {
    await test.pub("other", body);
    const { id, receivers } = JSON.parse((await test.pub(name, body)).body);
    ids.push(id);
    assertEquals(receivers, 1);
    for (const line of [`id: ${id}`, `event: ${name}`, `data: ${data}`, ""]) assertEquals(await lines.next(), line);
  }
  assertEquals(ids, ids.toSorted());
  await leave();
  await until(() => test.server.broker.stats().connections === 0, "it has left the pool");
  assertEquals(test.server.told("mq.disconnect").at(-1)?.reason, "closed");
});

Deno.test("13.5 /events without a pattern sends everything that is recognized, and nothing of the broker's own", async () => {
  await using test = await startWeb();
  const { lines, leave } = await listen(test, "");
  assertEquals(test.server.broker.clients().map(({ name, patterns }) => [name, patterns]), [["http", [">"]]]);
  await test.pub("create", "1");
  await lines.next();
  assertEquals(await lines.next(), "event: create");
  await leave();
});

Deno.test("13.8 /events refuses what is no pattern before the stream begins", async () => {
  await using test = await startWeb({ limits: { patterns: 1 } });
  for (const pattern of ["a..b", "", "create read", "x%0Acreate%201", ">.a"]) {
    assertEquals(await test.refused(`/events?pattern=${pattern}`), [400, "bad-pattern"], pattern);
  }
  assertEquals(await test.refused("/events?pattern=a&pattern=b"), [400, "too-many-patterns"]);
  await until(() => test.server.broker.stats().connections === 0, "the last one has left");
  assertEquals(test.server.broker.stats().published, 0);
});

Deno.test("13.6 /events answers the broker's /ping, and has its comment keep the stream alive", async () => {
  await using test = await startWeb({ limits: { silenceMs: 50, answerMs: 10_000 } });
  const { lines, leave } = await listen(test, "");
  for (let times = 0; times < 3; times++) {
    assertEquals(await lines.next(), ": ping");
    assertEquals(await lines.next(), "");
  }
  await leave();
});

Deno.test("/events that is not read is a slow consumer, and nobody waits for it", async () => {
  await using test = await startWeb({ limits: { lineBytes: 100_000, outboxBytes: 256 * 1024 } });
  const [publisher, listener] = await test.server.connect(2);
  await publisher.ask("/unsub >");
  const deaf = await test.raw();
  await deaf.send(`GET /events HTTP/1.1\r\nhost: ${test.host}\r\n\r\n`);
  await until(() => test.server.told("mq.subscribe").length === 2, "it listens");
  const event = `create ${"x".repeat(10_000)}`;
  while (test.server.told("mq.slow").length === 0) {
    await publisher.line(event);
    await listener.expect(event);
  }
  assertEquals(test.server.told("mq.slow").map(({ name }) => name), ["http"]);
  assertEquals(test.server.told("mq.disconnect").map(({ name, reason }) => [name, reason]), [["http", "slow"]]);
  await publisher.line("create after");
  await listener.expect("create after");
});

Deno.test("13.6 /events of a broker that drops events tells how many, and goes on", async () => {
  await using test = await startWeb({ limits: { lineBytes: 50_000, outboxBytes: 64 * 1024 }, slow: "drop" });
  const [publisher] = await test.server.connect(1);
  await publisher.ask("/unsub >");
  const { lines, leave } = await listen(test, "");
  const batch = `create ${"x".repeat(10_000)}\n`.repeat(5);
  while (test.server.broker.stats().dropped === 0) {
    await publisher.send(batch);
    await publisher.ask("/ping");
  }
  assertMatch(await lines.find(": dropped"), /^: dropped \d+$/);
  await publisher.line("create after");
  assertStringIncludes(await lines.find("data: after"), "data: after");
  await leave();
});
