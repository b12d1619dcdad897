/** What the broker does when all connections together hold too much. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { minMemoryBytes, minOutboxBytes } from "../../lib/protocol/limits.ts";
import { RawClient, startBroker, type TestBroker, until } from "../helpers.ts";

const LINE_BYTES = 100_000;
const LIMITS = { lineBytes: LINE_BYTES, outboxBytes: 16e6, memoryBytes: minMemoryBytes(LINE_BYTES) + 4e6 };
const EVENT = `create ${"x".repeat(90_000)}`;

/** Connections that are subscribed and do not read. */
async function unread(server: TestBroker, count: number): Promise<RawClient[]> {
  const clients = await server.connect(count);
  for (const client of clients) await client.ask("/sub create");
  return clients;
}

Deno.test("out-of-memory: the connections that hold the most are closed, and told why; others notice nothing", async () => {
  await using server = await startBroker({ limits: LIMITS });
  const [honest, sender] = await server.connect(2);
  await honest.ask("/sub honest delete");
  await sender.ask("/unsub >");
  await unread(server, 5);
  await until(async () => {
    for (let count = 0; count < 20; count++) await sender.line(EVENT);
    await sender.ask("/ping");
    return server.told("mq.disconnect").length === 5;
  }, "all that do not read are closed");
  assertEquals(server.told("mq.disconnect").map(({ reason }) => reason), Array(5).fill("out-of-memory"));
  assertEquals(server.told("mq.refused").map(({ code }) => code), Array(5).fill("out-of-memory"));
  assertMatch(String(server.told("mq.refused")[0].text), /^Closed: it held \d+ bytes, the most of all/);
  await sender.line("delete 1");
  assertEquals(await honest.lines.next(), "delete 1");
});

/** A connection with patterns that take more than half of the memory; it may be closed for that. */
async function fill(server: TestBroker): Promise<RawClient> {
  const patterns = Array.from({ length: 900 }, (_, index) => `p${index}.${"x".repeat(200)}`);
  const client = await RawClient.connect(server.port);
  for (const start of [0, 450]) await client.line(`/sub ${patterns.slice(start, start + 450).join(" ")}`);
  return client;
}

Deno.test("out-of-memory: patterns count, and those of a connection that has gone do not", async () => {
  await using server = await startBroker({ limits: LIMITS });
  const [first, second] = [await fill(server), await fill(server)];
  await until(() => server.told("mq.disconnect").length === 1, "one of two is closed");
  assertEquals(server.told("mq.disconnect")[0].reason, "out-of-memory");
  for (const client of [first, second]) client.close();
  for (let gone = 2; gone < 10; gone++) {
    await until(() => server.told("mq.disconnect").length === gone, "those before have gone");
    const client = await fill(server);
    await client.expect("/ok sub", "/ok sub");
    client.close();
  }
  assertEquals(server.told("mq.refused").length, 1);
});

Deno.test("out-of-memory: unfinished lines count", async () => {
  await using server = await startBroker({ limits: { ...LIMITS, lineBytes: 1e6, memoryBytes: minMemoryBytes(1e6) } });
  const clients = await server.connect(10);
  for (const client of clients) client.send("x".repeat(900_000)).catch(() => {});
  await until(() => server.told("mq.disconnect").length > 0, "one is closed");
  assert(server.told("mq.refused").every(({ code }) => code === "out-of-memory"));
});

for (const lineBytes of [1024, 65_536, 204_800, 1_048_576]) {
  Deno.test(`with the least memory, a line of ${lineBytes} bytes is read in two parts, and heard`, async () => {
    const limits = { lineBytes, outboxBytes: minOutboxBytes(lineBytes), memoryBytes: minMemoryBytes(lineBytes) };
    await using server = await startBroker({ limits });
    const [client] = await server.connect(1);
    const line = `create ${"x".repeat(lineBytes - "create ".length)}`;
    await client.send(line);
    await until(() => server.broker.shared.memory.usedBytes >= lineBytes, "all but its end has been read");
    await client.send("\n");
    assertEquals(await client.lines.next(), line);
  });
}
