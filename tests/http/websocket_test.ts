/** The line protocol over WebSocket: the same rules, the same limits. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { until } from "../helpers.ts";
import { frame, startWeb } from "./fixtures.ts";

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

Deno.test("13.2 a WebSocket that publishes above its rate is closed before its data fills the memory", async () => {
  await using test = await startWeb({ limits: { eventsPerSecond: 1, lineBytes: 50_000, outboxBytes: 64 * 1024 } });
  const socket = await test.socket();
  const event = `create ${"x".repeat(10_000)}`;
  for (let times = 0; times < 20; times++) socket.line(event);
  const { code } = await socket.closed;
  assert([1008, 0].includes(code), String(code)); // What it still sends may break it before it learns the code.
  assertEquals(test.server.told("mq.throttled").length, 1);
  await until(() => test.server.broker.stats().connections === 0, "it is disconnected");
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
