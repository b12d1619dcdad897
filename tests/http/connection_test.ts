/** HTTP/1.1 as it stands on the wire: what is read, what is refused, and when a connection is closed. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { parseHead } from "../../lib/http/head.ts";
import { MqError } from "../../mod.ts";
import { RawClient, until } from "../helpers.ts";
import { minMemoryBytes } from "../../lib/protocol/limits.ts";
import { startWeb, type TestWeb } from "./fixtures.ts";

/** Sends text to a gateway; returns all that comes back until the connection is closed. */
async function say(test: TestWeb, ...parts: string[]): Promise<string> {
  const client = await test.raw();
  for (const part of parts) await client.send(part);
  return await client.lines.rest();
}

const statuses = (text: string) => [...text.matchAll(/^HTTP\/1\.1 (\d+) /gm)].map(([, status]) => Number(status));

const HEALTH = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n";
const LAST = `${HEALTH}connection: close\r\n\r\n`;
const POST = "POST /pub/create HTTP/1.1\r\nhost: localhost\r\n";

Deno.test("parseHead reads the first line and the headers", () => {
  const head = parseHead("POST /a?b HTTP/1.1\r\nHost: x\r\nX-A:  1 \r\nx-a:2\r\nContent-Length: 10\r\n\r\n");
  assertEquals([head.method, head.target, head.bodyBytes, head.keepAlive], ["POST", "/a?b", 10, true]);
  assertEquals(["host", "x-a", "none"].map((name) => head.headers.get(name)), ["x", "1, 2", null]);
  assertEquals(parseHead("GET / HTTP/1.0\n\n").keepAlive, false);
  assertEquals(parseHead("GET / HTTP/1.0\nConnection: Keep-Alive\n\n").keepAlive, true);
  assertEquals(parseHead("GET / HTTP/1.1\nHost: x\nConnection: close\n\n").keepAlive, false);
});

for (
  const [what, text, code] of [
    [
      "a length and chunks",
      "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked",
      "bad-request",
    ],
    ["two lengths", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2", "bad-request"],
    ["a length with a sign", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: +1", "bad-request"],
    ["a length in hexadecimal", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0x1", "bad-request"],
    ["a length beyond all numbers", `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${"9".repeat(20)}`, "bad-request"],
    ["a folded header", "GET / HTTP/1.1\r\nhost: x\r\na: b\r\n c", "bad-request"],
    ["a space before the colon", "GET / HTTP/1.1\r\nhost : x", "bad-request"],
    ["a header without a colon", "GET / HTTP/1.1\r\nhost: x\r\nnothing", "bad-request"],
    ["a control character", "GET / HTTP/1.1\r\nhost: x\0y", "bad-request"],
    ["a CR in a header", "GET / HTTP/1.1\r\nhost: x\ry", "bad-request"],
    ["no Host", "GET / HTTP/1.1\r\na: b", "bad-request"],
    ["two Hosts", "GET / HTTP/1.1\r\nhost: x\r\nhost: x", "bad-request"],
    ["no path", "GET x HTTP/1.1\r\nhost: x", "bad-request"],
    ["three words before the version", "GET / x HTTP/1.1\r\nhost: x", "bad-request"],
    ["chunks in HTTP/1.0", "POST / HTTP/1.0\r\ntransfer-encoding: chunked", "bad-request"],
    ["an unknown encoding", "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked", "not-implemented"],
    ["an unknown version", "GET / HTTP/2.0\r\nhost: x", "bad-version"],
  ] as const
) {
  Deno.test(`13.8 parseHead refuses ${what}`, () => {
    assertEquals<string>(assertThrows(() => parseHead(`${text}\r\n\r\n`), MqError).code, code);
  });
}

Deno.test("13.16 requests of one connection are responded to in order, however their bytes arrive", async () => {
  await using test = await startWeb();
  const requests = `${HEALTH}\r\n${POST}content-length: 1\r\n\r\n1\r\n${POST}transfer-encoding: chunked\r\n\r\n` +
    `1\r\n2\r\n2;x=y\r\n34\r\n0\r\ntrailer: 1\r\n\r\n${LAST}`;
  assertEquals(statuses(await say(test, requests)), [200, 202, 202, 200]);
  assertEquals(statuses(await say(test, ...requests)), [200, 202, 202, 200]);
  assertEquals(test.server.broker.stats().published, 4);
});

Deno.test("13.16 HEAD gets the head of the response to GET, and 100 Continue is sent to who waits for it", async () => {
  await using test = await startWeb();
  const head = await say(test, `HEAD /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
  assertMatch(head, /^HTTP\/1\.1 200 OK\r\n(?:.+\r\n)*content-length: 3\r\n\r\n$/);
  const client = await test.raw();
  await client.send(`${POST}content-length: 1\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n`);
  await client.expect("HTTP/1.1 100 Continue\r", "\r");
  await client.send("1");
  assertEquals(statuses(await client.lines.rest()), [202]);
});

for (
  const [what, text, status] of [
    ["the line protocol", '/hello {"name":"x"}\n', 400],
    ["an event line", "create 1\n", 400],
    ["TLS", "\x16\x03\x01\x02\x00\x01", 400],
    ["an endless first line", `GET /${"x".repeat(20_000)}`, 431],
    ["endless headers", `GET / HTTP/1.1\r\n${"a: b\r\n".repeat(3000)}`, 431],
    ["a body that is too long", `${POST}content-length: 2000000\r\n\r\n`, 413],
    ["a chunk that is too long", `${POST}transfer-encoding: chunked\r\n\r\nffffff\r\n`, 413],
    ["a chunk without a length", `${POST}transfer-encoding: chunked\r\n\r\n-1\r\n`, 400],
    ["a line before a chunk that is too long", `${POST}transfer-encoding: chunked\r\n\r\n1;${"x".repeat(300)}`, 400],
  ] as const
) {
  Deno.test(`13.8 ${what} is refused with ${status} at once, and the connection is closed`, async () => {
    await using test = await startWeb();
    assertEquals(statuses(await say(test, text)), [status]);
  });
}

Deno.test("13.16 a body that goes on after its refusal is not read", async () => {
  await using test = await startWeb({ tokens: [{ token: "s3cret", scope: "all" }] });
  const client = await test.raw();
  await client.send(`${POST}authorization: Bearer guess\r\ncontent-length: 1000000\r\n\r\n`);
  const sending = (async () => {
    for (let sent = 0; sent < 100; sent++) await client.send("x".repeat(100_000));
  })().then(() => "sent", () => "broken");
  assertEquals(await sending, "broken");
});

Deno.test("13.16 a connection is closed whose head or body does not arrive in time, or that is idle for too long", async () => {
  await using test = await startWeb({ limits: { helloMs: 100, answerMs: 100, silenceMs: 100 } });
  for (const text of ["", "GET / HT", `${POST}content-length: 10\r\n\r\nhalf`]) assertEquals(await say(test, text), "");
  assertEquals(statuses(await say(test, `${HEALTH}\r\n`)), [200]);
});

Deno.test("13.16 one connection more than there may be takes the place of the one that is idle for longest", async () => {
  await using test = await startWeb({ limits: { httpConnections: 2 } });
  const oldest = await test.raw();
  const younger = await test.raw();
  await younger.send(`${HEALTH}\r\n`);
  assertMatch(await younger.lines.find("ok") ?? "", /ok/);
  assertEquals(statuses(await say(test, LAST)), [200]);
  assertEquals(await oldest.lines.rest(), "");
  await younger.send(LAST);
  assertEquals(statuses(await younger.lines.rest()), [200]);
  const [told] = test.server.told("mq.refused");
  assertEquals([told.code, told.id], ["too-many-connections", ""]);
});

Deno.test("13.16 when the system has no descriptor left, a quarter of the connections is closed, and their number is limited", async () => {
  await using test = await startWeb();
  const clients: RawClient[] = [];
  for (let count = 0; count < 24; count++) {
    const client = await test.raw();
    await client.send(`${HEALTH}\r\n`);
    await client.lines.find("ok");
    clients.push(client);
  }
  for (const makeRoom of test.server.broker.shared.onExhausted) makeRoom();
  for (const client of clients.slice(0, 6)) assertEquals(await client.lines.rest(), "");
  assertEquals(statuses(await say(test, LAST)), [200]); // In the place of the one that is idle for longest.
  assertEquals(await clients[6].lines.rest(), "");
  await clients[7].send(LAST);
  assertEquals(statuses(await clients[7].lines.rest()), [200]);
  assertMatch(String(test.server.told("mq.refused").at(-1)!.text), /has room for 18 HTTP connections/);
});

Deno.test("11.2 where memory is used up, the HTTP connection with the longest body is closed, and that is told", async () => {
  await using test = await startWeb({ limits: { lineBytes: 1e6, memoryBytes: minMemoryBytes(1e6) } });
  const long = await test.raw();
  await long.send(`${POST}content-length: 1000000\r\n\r\n${"x".repeat(999_999)}`);
  const short = await test.raw();
  await short.send(`${POST}content-length: 200000\r\nconnection: close\r\n\r\n1${" ".repeat(150_000)}`);
  assertEquals(await long.lines.rest(), "");
  await short.send(" ".repeat(49_999));
  assertEquals(statuses(await short.lines.rest()), [202]);
  const [{ code, text }] = test.server.told("mq.refused");
  assertEquals(code, "out-of-memory");
  assertMatch(String(text), /^Closed an HTTP connection: the body of its request held 1000000 bytes/);
});

for (const body of ["content-length: 10\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n5\r\nabc"]) {
  Deno.test(`a request whose client ends it within its body is not answered: ${JSON.stringify(body)}`, async () => {
    await using test = await startWeb();
    const client = await test.raw();
    await client.send(POST + body);
    await client.conn.closeWrite();
    assertEquals(await client.lines.rest(), "");
    const { published, errors } = test.server.broker.stats();
    assertEquals([published, errors], [0, 0]);
  });
}

Deno.test("13.11 wrong tokens are told at the first, the tenth and so on, and each ends its connection", async () => {
  await using test = await startWeb({ tokens: [{ token: "s3cret", scope: "all" }] });
  for (let times = 0; times < 11; times++) {
    assertEquals(statuses(await say(test, `${POST}authorization: Bearer ${times}\r\n\r\n${LAST}`)), [401]);
  }
  assertEquals(test.server.told("mq.refused").map(({ code, times }) => [code, times]), [
    ["unauthorized", 1],
    ["unauthorized", 10],
  ]);
});

Deno.test("13.16 a thousand upgrades that are reset leave nothing behind", async () => {
  await using test = await startWeb();
  for (let times = 0; times < 1000; times++) {
    const client = await RawClient.connect(test.port);
    await client.send(
      "GET /ws HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n" +
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    client.close(); // With the response unread, which resets the connection.
  }
  await until(
    () => test.server.told("mq.disconnect").length === test.server.told("mq.connect").length,
    "all have left",
  );
  assert(test.server.broker.stats().connections === 0);
  assertEquals((await test.ask("/healthz")).status, 200);
});
