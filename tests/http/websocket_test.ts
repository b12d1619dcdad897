/** The line protocol over WebSocket: the same rules, the same limits. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { type RawClient, until } from "../helpers.ts";
import { frame, framesOf, startWeb, type TestWeb } from "./fixtures.ts";

Deno.test("13.1 a WebSocket speaks the line protocol, one line a message", async () => {
  await using test = await startWeb();
  const [listener] = await test.server.connect(1);
  const socket = await test.socket();
  assertStringIncludes(await socket.ask('/hello {"name":"page","echo":false}') ?? "", '/ok hello {"id":');
  assertMatch(await socket.ask("/pub 1 create  a  é ") ?? "", /^\/ok 1 \{"id":"\w{26}","receivers":1\}$/);
  await listener.expect("create  a  é ");
  await listener.line("update from TCP");
  await socket.expect("update from TCP");
  socket.line("create 1\ncreate 2\r\n");
  await listener.expect("update from TCP", "create 1", "create 2");
  const [, page] = test.server.broker.clients();
  assertEquals([page.name, page.address.replace(/\d+$/, "PORT")], ["page", "127.0.0.1:PORT"]);
});

Deno.test("13.1 a line that breaks a rule gets the same response on a WebSocket as on TCP", async () => {
  await using test = await startWeb({ limits: { lineBytes: 1000 } });
  const socket = await test.socket();
  await socket.ask("/hello");
  assertStringIncludes(await socket.ask("bad..name") ?? "", "/err - bad-name ");
  assertStringIncludes(await socket.ask("/frobnicate") ?? "", "/err frobnicate bad-verb ");
  assertEquals(
    await socket.ask(`create ${"x".repeat(1000)}`),
    "/err - line-too-long Discarded a line longer than 1000 bytes",
  );
  assertStringIncludes(await socket.ask("/pub 1 archive") ?? "", "/err 1 unrecognized ");
  assertEquals(await socket.ask("/ping still here"), "/pong still here");
  assertEquals(test.server.broker.stats().refused, 3);
});

Deno.test("13.1 /quit closes a WebSocket after what is queued", async () => {
  await using test = await startWeb();
  const socket = await test.socket();
  for (let index = 0; index < 1000; index++) socket.line(`create ${index} ${"x".repeat(1000)}`);
  socket.line("/quit");
  for (let index = 0; index < 1000; index++) assertStringIncludes(await socket.next() ?? "", `create ${index} x`);
  await socket.expect("/bye", undefined);
  assertEquals(await socket.closed, { code: 1000, reason: "" });
  assertEquals(test.server.told("mq.disconnect").map(({ reason }) => reason), ["quit"]);
});

Deno.test("a WebSocket that its client closes, or that breaks, is disconnected", async () => {
  await using test = await startWeb();
  const closing = await test.socket();
  await closing.ask("/ping");
  closing.close();
  await until(() => test.server.broker.stats().connections === 0, "it is disconnected");
  const breaking = await test.upgraded();
  await breaking.lines.find("101");
  await until(() => test.server.broker.stats().connections === 1, "it is connected");
  breaking.close();
  await until(() => test.server.broker.stats().connections === 0, "it is disconnected, too");
  assertEquals(test.server.told("mq.disconnect").map(({ reason }) => reason), ["closed", "reset"]);
});

Deno.test("13.2 a binary message closes a WebSocket with the matching status code", async () => {
  await using test = await startWeb();
  const socket = await test.socket();
  socket.line("create before");
  await socket.expect("create before");
  socket.socket.send(new Uint8Array([0x63]));
  await socket.expect(undefined);
  assertEquals(await socket.closed, { code: 1003, reason: "A line is text: send no binary messages" });
  await until(() => test.server.broker.stats().connections === 0, "it is disconnected");
});

Deno.test("13.11 a WebSocket without the required token is closed", async () => {
  await using test = await startWeb({ tokens: [{ token: "s3cret", scope: "listen" }], limits: { helloMs: 200 } });
  const early = await test.socket();
  assertStringIncludes(await early.ask("create 1") ?? "", "/err hello unauthorized ");
  await early.expect(undefined);
  const wrong = await test.socket();
  assertStringIncludes(await wrong.ask('/hello {"token":"guess"}') ?? "", "/err hello unauthorized ");
  await wrong.expect(undefined);
  const right = await test.socket();
  assertStringIncludes(await right.ask('/hello {"token":"s3cret"}') ?? "", "/ok hello ");
  assertStringIncludes(await right.ask("create 1") ?? "", "/err - forbidden ");
  const silent = await test.socket();
  assertStringIncludes(await silent.next() ?? "", "/err hello unauthorized Cannot let you in: no token came within");
  await silent.expect(undefined);
});

Deno.test("13.8 a WebSocket past the limit of connections gets an error", async () => {
  await using test = await startWeb({ limits: { connections: 1 } });
  const first = await test.socket();
  await first.ask("/ping");
  const second = await test.socket();
  assertStringIncludes(await second.next() ?? "", "/err - too-many-connections ");
  await second.expect(undefined);
  assertEquals(await first.ask("/ping"), "/pong");
});

Deno.test("13.1 a WebSocket that does not answer /ping is closed, and one that does is not", async () => {
  await using test = await startWeb({ limits: { silenceMs: 100, answerMs: 100 } });
  const [answering, silent] = [await test.socket(), await test.socket()];
  await silent.ask("/hello");
  await answering.ask("/hello");
  for (let times = 0; times < 3; times++) {
    await answering.expect("/ping");
    answering.line("/pong");
  }
  await silent.expect("/ping");
  for (let line = await silent.next(); !line?.startsWith("/err - silent "); line = await silent.next()) {
    assertEquals(line, "/ping"); // It may come again before the time is over.
  }
  await silent.expect(undefined);
});

Deno.test("13.1 a WebSocket that is not read is a slow consumer, and other consumers are not affected", async () => {
  await using test = await startWeb({ limits: { lineBytes: 100_000, outboxBytes: 256 * 1024 } });
  const [publisher, listener] = await test.server.connect(2);
  await publisher.ask("/unsub >");
  const slow = await test.upgraded();
  await slow.lines.find("101");
  await slow.send(frame('/hello {"name":"slow"}'));
  await until(() => test.server.told("mq.hello").length === 1, "it has introduced itself");
  const event = `create ${"x".repeat(10_000)}`;
  while (test.server.told("mq.slow").length === 0) {
    await publisher.line(event);
    await listener.expect(event);
  }
  const [{ name, policy }] = test.server.told("mq.slow");
  assertEquals([name, policy], ["slow", "disconnect"]);
  assertEquals(test.server.told("mq.disconnect").map(({ name, reason }) => [name, reason]), [["slow", "slow"]]);
  await publisher.line("create after");
  await listener.expect("create after");
});

Deno.test("4.9 a WebSocket that publishes above its rate waits, as a TCP connection does, and loses nothing", async () => {
  await using test = await startWeb({ limits: { eventsPerSecond: 100 } });
  const socket = await test.socket();
  for (let times = 0; times < 110; times++) socket.line(`create ${times} ${"x".repeat(10_000)}`);
  for (let times = 0; times < 110; times++) assertStringIncludes(await socket.next() ?? "", `create ${times} `);
  assertEquals(test.server.told("mq.throttled").length, 1);
  assertEquals(await socket.ask("/ping still here"), "/pong still here");
});

Deno.test("13.2 a WebSocket that does not answer the pings of its protocol is closed", async () => {
  await using test = await startWeb({ limits: { silenceMs: 50 } });
  const answering = await test.socket();
  const silent = await test.upgraded();
  await silent.lines.find("101");
  await until(() => test.server.told("mq.disconnect").length === 1, "the silent one is closed");
  assertEquals(await answering.ask("/ping still here"), "/pong still here");
});

for (
  const [what, bytes, code] of [
    ["a frame without a mask", [0x81, 0x01, 0x61], 1002],
    ["a reserved bit", [0xc1, 0x80, 0, 0, 0, 0], 1002],
    ["an unknown opcode", [0x83, 0x80, 0, 0, 0, 0], 1002],
    ["the continuation of no message", [0x80, 0x80, 0, 0, 0, 0], 1002],
    ["another message within a message", [0x01, 0x80, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0], 1002],
    ["a ping in parts", [0x09, 0x80, 0, 0, 0, 0], 1002],
    ["a ping that is too long", [0x89, 0xfe, 0, 200, 0, 0, 0, 0], 1002],
    ["a binary message", [0x82, 0x80, 0, 0, 0, 0], 1003],
    ["a close frame without a code", [0x88, 0x80, 0, 0, 0, 0], 1000],
    ["a close frame with a code", [0x88, 0x82, 0, 0, 0, 0, 0x0f, 0xa0], 4000],
  ] as const
) {
  Deno.test(`13.2 ${what} closes a WebSocket with the code ${code}`, async () => {
    await using test = await startWeb();
    const client = await test.upgraded();
    const buffer = new Uint8Array(4096);
    let head = "";
    while (!head.endsWith("\r\n\r\n")) {
      head += new TextDecoder().decode(buffer.subarray(0, await client.conn.read(buffer) ?? 0));
    }
    await client.send(new Uint8Array(bytes));
    const count = await client.conn.read(buffer) ?? 0;
    assertEquals([...buffer.subarray(0, count)].slice(0, 1), [0x88]);
    assertEquals(buffer[2] * 256 + buffer[3], code);
    client.close();
    await until(() => test.server.broker.stats().connections === 0, "it has left");
  });
}

Deno.test("13.1 a message in frames of any size, with pings between them, is one line", async () => {
  await using test = await startWeb();
  const [listener] = await test.server.connect(1);
  const client = await test.upgraded();
  await client.lines.find("101");
  const masked = (first: number, text: string) =>
    new Uint8Array([
      first,
      0x80 | text.length,
      1,
      2,
      3,
      4,
      ...[...text].map((letter, index) => letter.charCodeAt(0) ^ (1 + (index & 3))),
    ]);
  const frames = [masked(0x01, "cre"), masked(0x89, "?"), masked(0x00, ""), masked(0x00, "ate 1"), masked(0x80, "2")];
  for (const frame of frames) for (const byte of frame) await client.send(new Uint8Array([byte]));
  await listener.expect("create 12");
});

Deno.test("a subscriber on a WebSocket receives everything that it reads, however much at once", async () => {
  await using test = await startWeb();
  const [publisher] = await test.server.connect(1);
  const socket = await test.socket();
  await socket.ask("/ping");
  await publisher.ask("/unsub >");
  const count = 20_000;
  await publisher.send(Array.from({ length: count }, (_, index) => `create ${index}\n`).join(""));
  for (let index = 0; index < count; index++) await socket.expect(`create ${index}`);
});

/** Events that fill what the system takes, so that most of them wait in a queue. */
const LONG_EVENTS = Array.from({ length: 15 }, (_, index) => `create ${index} ${"x".repeat(900_000)}`);

/** A WebSocket that has not read any of them yet. */
async function withoutReading(test: TestWeb): Promise<RawClient> {
  const client = await test.upgraded();
  await client.send(frame("/sub create"));
  await until(() => test.server.told("mq.subscribe").length === 1, "it is subscribed");
  for (const line of LONG_EVENTS) {
    await test.server.broker.publish("create", line.slice("create ".length), { raw: true });
  }
  return client;
}

Deno.test("13.1 a pong is sent between the messages of a WebSocket, however long they are", async () => {
  await using test = await startWeb();
  const client = await withoutReading(test);
  let waiting = 0;
  await until(async () => {
    await delay(50);
    return waiting === (waiting = test.server.broker.queuedBytes);
  }, "the system takes no more");
  const ping = new Uint8Array([0x89, 0x85, 0, 0, 0, 0, ...new TextEncoder().encode("PING!")]);
  for (let times = 0; times < 3; times++) await client.send(ping);
  await client.send(frame("/ping"));
  const frames = await framesOf(client, ({ text }) => text === "/pong");
  const texts = frames.filter(({ opcode }) => opcode === 1).map(({ text }) => text);
  assertEquals(texts, ["/ok sub", ...LONG_EVENTS, "/pong"]);
  const pongs = frames.filter(({ opcode }) => opcode === 10).map(({ text }) => text);
  assertEquals(new Set(pongs), new Set(["PING!"]));
});

for (const what of ["broker", "gateway"] as const) {
  Deno.test(`13.13 when the ${what} closes, a WebSocket gets what is queued for it, and then the end`, async () => {
    const test = await startWeb();
    const client = await withoutReading(test);
    const closing = Promise.all([test.web.close(), what === "broker" ? test.server.broker.close() : undefined]);
    const frames = await framesOf(client, ({ opcode }) => opcode === 8);
    const texts = frames.filter(({ opcode }) => opcode === 1).map(({ text }) => text);
    assertEquals(texts, ["/ok sub", ...LONG_EVENTS, "/bye The broker is going down"]);
    client.close();
    await closing;
    await test[Symbol.asyncDispose]();
  });
}
