/** `POST /pub/NAME`: what is published, what is refused, and what the broker tells of it. */
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import type { Broker } from "../../lib/broker.ts";
import { type Catalog, parseCatalog } from "../../lib/catalog/catalog.ts";
import { decodeBody, publishRequest } from "../../lib/http/publish.ts";
import { ProtocolError } from "../../lib/protocol/errors.ts";
import type { Token } from "../../lib/protocol/tokens.ts";
import { until } from "../helpers.ts";
import { type Answer, refusalIn, startWeb } from "./fixtures.ts";

Deno.test("13.4 POST /pub/NAME publishes its body, and responds with the receipt", async () => {
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

Deno.test("13.3 a POST is reported as one mq.http, and is not a connection", async () => {
  await using test = await startWeb();
  const [observer, listener] = await test.server.connect(2);
  assertEquals(await observer.ask("/sub mq.http"), "/ok sub");
  test.server.activities.length = 0;
  const { id, receivers } = JSON.parse((await test.pub("create", "1")).body);
  assertEquals(test.server.activities.map(({ name }) => name), ["mq.http"]);
  const [{ address, ...told }] = test.server.told("mq.http");
  assertEquals(told, { name: "http", event: "create", id, receivers });
  assertMatch(String(address), /^127\.0\.0\.1:\d+$/);
  await listener.expect("create 1");
  assertEquals(await observer.lines.next(), `mq.http ${JSON.stringify(test.server.told("mq.http")[0])}`);
  assertEquals(test.server.broker.stats().published, 1);
});

Deno.test("13.3 a POST does not count against the limit of connections", async () => {
  await using test = await startWeb({ limits: { connections: 1 } });
  const [listener] = await test.server.connect(1);
  assertEquals((await test.pub("create", "1")).status, 202);
  await listener.expect("create 1");
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
    ["create", "x".repeat(994), 413, "line-too-long"],
  ];
  for (const [path, body, status, code] of refused) {
    assertEquals(refusalIn(await test.pub(path, body)), [status, code], `${path} ${String(body).slice(0, 10)}`);
  }
  assertEquals((await test.pub("create", "{}")).status, 202);
  await listener.expect("create {}");
});

Deno.test("13.4 a POST whose body is not raw data is refused with a hint, and publishes nothing", async () => {
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

Deno.test("13.4 a POST of any text type is accepted unchanged, also with Expect: 100-continue", async () => {
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
  const waiting = await test.raw();
  const head = `POST /pub/create HTTP/1.1\r\nhost: ${test.host}\r\ncontent-length: 1\r\nexpect: 100-continue\r\n\r\n`;
  await waiting.send(head);
  assertEquals(await waiting.lines.next(), "HTTP/1.1 100 Continue\r");
  await waiting.send("7");
  await listener.expect("create 7");
});

Deno.test("13.3 refused and unrecognized POSTs are reported", async () => {
  await using test = await startWeb({ catalog: CATALOG, limits: { lineBytes: 1000 } });
  await test.pub("archive", "1");
  await test.pub("create", "1");
  await test.pub("a..b", "1");
  await test.pub("mq.connect", "1");
  await test.pub("create", "x".repeat(994));
  assertEquals(test.server.told("mq.unrecognized"), [{ id: "", name: "http", event: "archive", times: 1 }]);
  const refused = test.server.told("mq.refused").map(({ id, name, code }) => [id, name, code]);
  const codes = ["invalid-data", "bad-name", "reserved-name", "line-too-long"];
  assertEquals(refused, codes.map((code) => ["", "http", code]));
  assertEquals(test.server.told("mq.http"), []);
  const { unrecognized, refused: count, published } = test.server.broker.stats();
  assertEquals([unrecognized, count, published], [1, 4, 0]);
});

/** Publishes until the rate is exceeded; returns that response, and checks that no more came through than may. */
async function exceed(publish: () => Promise<Answer>, perSecond: number): Promise<Answer> {
  const startedAt = performance.now();
  for (let published = 0;; published++) {
    const answer = await publish();
    const atMost = perSecond * (1 + (performance.now() - startedAt) / 1000);
    if (answer.status === 429) return answer;
    assertEquals(answer.status, 202);
    assert(published < atMost, `${published + 1} events came through`);
  }
}

Deno.test("13.15 the rate limit applies to the POSTs of an address, over all connections and tokens", async () => {
  await using test = await startWeb({ limits: { eventsPerSecond: 1 } });
  let times = 0;
  const publish = () => {
    const authorization = `Bearer made-up-${++times}`;
    return test.forged("POST /pub/create", { connection: "close", authorization }, "1");
  };
  const answer = await exceed(publish, 1);
  assertEquals(refusalIn(answer), [429, "rate-limited"]);
  assertEquals(answer.headers.get("retry-after"), "1");
  const [{ text: _, ...told }] = test.server.told("mq.refused");
  assertEquals(told, { id: "", name: "http", code: "rate-limited", event: "create", times: 1 });
  await until(async () => (await publish()).status === 202, "the rate has recovered");
});

Deno.test("13.15 each address has its own rate limit", async () => {
  await using test = await startWeb({ limits: { eventsPerSecond: 1 } });
  const { broker } = test.server;
  await exceedFrom(broker, "192.0.2.1");
  assertEquals((await post(broker, "192.0.2.2")).status, 202);
});

/** Publishes without a gateway, so that an address can be made up. */
function post(broker: Broker, hostname: string): Promise<{ status: number }> {
  const request = { headers: new Headers(), body: () => Promise.resolve(new Uint8Array()) };
  const remoteAddr: Deno.NetAddr = { transport: "tcp", hostname, port: 50_000 };
  return publishRequest(broker, request, "create", { remoteAddr, token: undefined });
}

async function exceedFrom(broker: Broker, hostname: string): Promise<void> {
  const error = await assertRejects(async () => {
    for (;;) await post(broker, hostname);
  }, ProtocolError);
  assertEquals<string>(error.code, "rate-limited");
}

const TOKENS: Token[] = [{ token: "one", scope: "publish" }, { token: "two", scope: "all" }];

Deno.test("13.15 the rate limit applies to each token separately, if the broker has tokens", async () => {
  await using test = await startWeb({ tokens: TOKENS, limits: { eventsPerSecond: 1 } });
  const publish = (token: string) =>
    test.forged("POST /pub/create", { connection: "close", authorization: `Bearer ${token}` }, "1");
  assertEquals(refusalIn(await exceed(() => publish("one"), 1)), [429, "rate-limited"]);
  assertEquals((await publish("two")).status, 202);
});

Deno.test("13.3 13.11 a POST with a token for listening only is refused, and that is reported", async () => {
  await using test = await startWeb({ tokens: [{ token: "listens", scope: "listen" }] });
  const headers = { authorization: "Bearer listens" };
  const answer = await test.ask("/pub/create", { method: "POST", headers, body: "1" });
  assertEquals(refusalIn(answer), [403, "forbidden"]);
  assertEquals(test.server.told("mq.refused").map(({ name, code }) => [name, code]), [["http", "forbidden"]]);
});

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("decodeBody removes one line end, and no more", () => {
  const bodies = ["x", "x\n", "x\r\n", "x\n\n", "x\r", ""];
  assertEquals(bodies.map((body) => decodeBody(encode(body))), ["x", "x", "x", "x\n", "x\r", ""]);
});

Deno.test("decodeBody removes a byte order mark at the beginning, and nowhere else", () => {
  assertEquals(decodeBody(encode('\ufeff{"id":1}\n')), '{"id":1}');
  assertEquals(decodeBody(encode("\ufeff\ufeffx\n\ufeff")), "\ufeffx\n\ufeff");
});

Deno.test("decodeBody refuses what is not UTF-8", () => {
  const error = assertThrows(() => decodeBody(new Uint8Array([0xff])), ProtocolError);
  assertEquals(error.code, "invalid-utf8");
});

Deno.test("13.4 a body is read up to the maximum size, with a Content-Length or in chunks", async () => {
  await using test = await startWeb({ limits: { lineBytes: 1000 } });
  const name = "create ".length;
  const longest = "x".repeat(1000 - name);
  assertEquals((await test.pub("create", longest)).status, 202);
  assertEquals((await test.pub("create", ReadableStream.from([encode(longest)]))).status, 202);
  assertEquals(await test.refused("/pub/create", { method: "POST", body: "x".repeat(1001) }), [413, "line-too-long"]);
  const client = await test.raw();
  await client.send(`POST /pub/create HTTP/1.1\r\nhost: ${test.host}\r\ntransfer-encoding: chunked\r\n\r\n`);
  await client.send(`1f4\r\n${"x".repeat(500)}\r\n1f5\r\n`); // The rest is not waited for.
  assertMatch(await client.lines.next() ?? "", /^HTTP\/1\.1 413 /);
  assertEquals(test.server.told("mq.refused"), []); // The broker was not asked.
});

Deno.test("13.4 a body in very many chunks is one event, and is forgotten when it is published", async () => {
  await using test = await startWeb();
  const data = "0123456789".repeat(5000);
  const client = await test.raw();
  await client.send(`POST /pub/create HTTP/1.1\r\nhost: ${test.host}\r\ntransfer-encoding: chunked\r\n\r\n`);
  await client.send([...data].map((byte) => `1\r\n${byte}\r\n`).join(""));
  const { memory } = test.server.broker.shared;
  await until(() => memory.usedBytes > data.length / 2, "most of it has come");
  await client.send("0\r\n\r\n");
  assertMatch(await client.lines.next() ?? "", /^HTTP\/1\.1 202 /);
  assertEquals([test.server.broker.stats().published, memory.usedBytes], [1, 0]);
});
