/** One who reads too slowly loses events, but never the count of them. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { minOutboxBytes } from "../../lib/protocol/limits.ts";
import { type RawClient, startBroker, type TestBroker } from "../helpers.ts";
import { brokerRuns } from "./arbitraries.ts";

/** What the system buffers for a connection, a few megabytes, has to be full before anything waits in mq. */
const PADDING = "x".repeat(32 * 1024);

/** How many events are published, and how many lines are read meanwhile. */
type Step = [published: number, read: number];

const steps: fc.Arbitrary<Step[]> = fc.array(fc.tuple(fc.nat({ max: 100 }), fc.nat({ max: 60 })), {
  maxLength: 30,
  size: "max",
});
const lineBytes = PADDING.length + 100;
const outboxBytes = fc.integer({ min: minOutboxBytes(lineBytes), max: 200 * PADDING.length });

Deno.test("Broker that drops events reports their number to each slow consumer, in their place", async () => {
  const property = fc.asyncProperty(outboxBytes, steps, async (outboxBytes, steps) => {
    await using server = await startBroker({ slow: "drop", limits: { lineBytes, outboxBytes } });
    const [publisher, listener] = await connectTwo(server);
    let published = 0;
    let told = 0;
    for (const [count, reads] of [...steps, [0, Infinity]]) {
      const publishing = publish(publisher, published, count);
      published += count;
      [told] = await Promise.all([read(listener, told, published, reads), publishing]);
    }
    assertEquals(told, published);
    assertCounted(server, published);
  });
  await fc.assert(property, brokerRuns(12));
});

/** Hears only answers, and hears only events. */
async function connectTwo(server: TestBroker): Promise<RawClient[]> {
  const [publisher, listener] = await server.connect(2);
  assertEquals(await publisher.ask("/unsub >"), "/ok unsub");
  assertEquals(await listener.ask("/sub create"), "/ok sub");
  return [publisher, listener];
}

/** Publishes some events, with numbers from `first` on; returns when the broker has taken them all. */
async function publish(publisher: RawClient, first: number, count: number): Promise<void> {
  const lines = Array.from({ length: count }, (_, index) => `create ${first + index} ${PADDING}\n`);
  await publisher.send(lines.join(""));
  assertEquals(await publisher.ask("/ping"), "/pong");
}

/** Reads some lines: events in the order of their numbers, or how many are missing; returns the number of the next. */
async function read(listener: RawClient, next: number, end: number, lines: number): Promise<number> {
  for (let count = 0; count < lines && next < end; count++) {
    const [word, number] = (await listener.lines.next() ?? "the end").split(" ", 2);
    if (word !== "/dropped") assertEquals([word, number], ["create", `${next}`]);
    next += word === "/dropped" ? Number(number) : 1;
  }
  return next;
}

/** What was dropped is missing among what was delivered, and was told to whoever asks. */
function assertCounted(server: TestBroker, published: number): void {
  const { dropped, droppedBytes, delivered, slow } = server.broker.stats();
  const tellings = server.told("mq.dropped");
  const sum = (key: string) => tellings.reduce((sum, data) => sum + Number(data[key]), 0);
  assertEquals([dropped, dropped, droppedBytes, slow], [
    published - delivered,
    sum("events"),
    sum("bytes"),
    tellings.length,
  ]);
}
