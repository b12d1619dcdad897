/** Events as server-sent events. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { EVENT_STREAM_CODEC, formatMessage } from "../../lib/http/server_sent_events.ts";
import { Lines, until } from "../helpers.ts";
import { startWeb, type TestWeb } from "./fixtures.ts";

Deno.test("13.5 formatMessage makes a server-sent event, with a line of its own for what follows a CR", () => {
  assertEquals(formatMessage("create a b ", "01J"), "event: create\ndata: a b \nid: 01J\n");
  assertEquals(formatMessage("create", "01J"), "event: create\ndata: \nid: 01J\n");
  assertEquals(formatMessage("create \ra\r b", "01J"), "event: create\ndata: \ndata: a\ndata:  b\nid: 01J\n");
});

Deno.test("13.6 control lines become comments of an event stream, or nothing", () => {
  const format = (line: string) => EVENT_STREAM_CODEC.formatControl!(`${line}\n`);
  assertEquals(format("/ping"), ": ping\n\n");
  assertEquals(format("/dropped 7"), ": dropped 7\n\n");
  assertEquals(format("/bye The broker is closing"), ": The broker is closing\n\n");
  assertEquals(format("/err - slow-consumer Too slow"), ": Too slow\n\n");
  assertEquals(format("/ok sub"), "");
  assertEquals(format("/dropped 7\n/bye"), ": dropped 7\n\n: \n\n");
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
    for (const line of [`event: ${name}`, `data: ${data}`, `id: ${id}`, ""]) assertEquals(await lines.next(), line);
  }
  assertEquals(ids, ids.toSorted());
  await leave();
  await until(() => test.server.broker.stats().connections === 0, "its connection is closed");
  assertEquals(test.server.told("mq.disconnect").at(-1)?.reason, "closed");
});

for (const what of ["broker", "gateway"] as const) {
  Deno.test(`13.13 when the ${what} closes, an event stream gets what is queued for it, and then ends`, async () => {
    const test = await startWeb();
    const { lines } = await listen(test, "?pattern=create");
    const texts = Array.from({ length: 40 }, (_, index) => `${index} ${"x".repeat(300_000)}`);
    for (const text of texts) await test.server.broker.publish("create", text, { raw: true });
    const closing = Promise.all([test.web.close(), what === "broker" ? test.server.broker.close() : undefined]);
    const received = (await lines.rest()).split("\n").filter((line) => line.startsWith("data: "));
    assertEquals(received, texts.map((text) => `data: ${text}`));
    await closing;
    await test[Symbol.asyncDispose]();
  });
}

Deno.test("13.5 /events without a pattern sends all recognized events, and no system events", async () => {
  await using test = await startWeb();
  const { lines, leave } = await listen(test, "");
  assertEquals(test.server.broker.clients().map(({ name, patterns }) => [name, patterns]), [["http", [">"]]]);
  await test.pub("create", "1");
  assertEquals(await lines.next(), "event: create");
  await leave();
});

Deno.test("13.8 /events refuses bad patterns before the stream begins", async () => {
  await using test = await startWeb({ limits: { patterns: 1 } });
  for (const pattern of ["a..b", "", "create read", "x%0Acreate%201", ">.a"]) {
    assertEquals(await test.refused(`/events?pattern=${pattern}`), [400, "bad-pattern"], pattern);
  }
  assertEquals(await test.refused("/events?pattern=a&pattern=b"), [400, "too-many-patterns"]);
  await until(() => test.server.broker.stats().connections === 0, "the last connection is closed");
  assertEquals(test.server.broker.stats().published, 0);
});

Deno.test("13.6 /events responds to the broker's /ping, and sends a comment that keeps the stream open", async () => {
  await using test = await startWeb({ limits: { silenceMs: 50, answerMs: 10_000 } });
  const { lines, leave } = await listen(test, "");
  for (let times = 0; times < 3; times++) {
    assertEquals(await lines.next(), ": ping");
    assertEquals(await lines.next(), "");
  }
  await leave();
});

Deno.test("/events that is not read is a slow consumer, and other consumers are not affected", async () => {
  await using test = await startWeb({ limits: { lineBytes: 100_000, outboxBytes: 256 * 1024 } });
  const [publisher, listener] = await test.server.connect(2);
  await publisher.ask("/unsub >");
  const slow = await test.raw();
  await slow.send(`GET /events HTTP/1.1\r\nhost: ${test.host}\r\n\r\n`);
  await until(() => test.server.told("mq.subscribe").length === 2, "it has subscribed");
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

Deno.test("13.6 /events reports how many events were dropped for a slow consumer, and continues", async () => {
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

Deno.test("13.5 HEAD of /events gets the response of GET, and does not subscribe", async () => {
  await using test = await startWeb();
  const { status, headers, body } = await test.ask("/events?pattern=create", { method: "HEAD" });
  assertEquals([status, headers.get("content-type"), body], [200, "text/event-stream", ""]);
  assertEquals((await test.ask("/events?pattern=a..b", { method: "HEAD" })).status, 400);
  assertEquals(test.server.told("mq.connect"), []);
});

Deno.test("13.5 /events accepts the lastEventId of EventSource polyfills, and ignores it", async () => {
  await using test = await startWeb();
  const { lines, leave } = await listen(test, "?pattern=create&lastEventId=01JD3K5E8Q5V1M4S3R6T7W8X9Y");
  await test.pub("create", "1");
  await lines.find("event: create");
  await leave();
});

Deno.test("13.8 /events is refused when the broker has no room for another connection", async () => {
  await using test = await startWeb({ limits: { connections: 1 } });
  await test.server.connect(1);
  assertEquals(await test.refused("/events"), [503, "too-many-connections"]);
  assertEquals((await test.ask("/stats")).status, 200);
});

Deno.test("13.5 /events puts each CR of data into a separate line, and keeps the space after it", async () => {
  await using test = await startWeb();
  const [publisher] = await test.server.connect(1);
  const { lines, leave } = await listen(test, "");
  await publisher.line("create a\r b\rc");
  assertEquals([await lines.next(), await lines.next()], ["event: create", "data: a"]);
  assertEquals([await lines.next(), await lines.next()], ["data:  b", "data: c"]);
  await leave();
});
