/** A receipt tells for how many connections the event was queued: no more, and no less. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { minOutboxBytes } from "../../lib/protocol/limits.ts";
import { Broker, type SlowPolicy } from "../../mod.ts";
import { until } from "../helpers.ts";
import { MemoryClient } from "../memory.ts";
import { brokerRuns } from "./arbitraries.ts";

const LINE_BYTES = 300;

/** What listeners say first; the last ones have never sent a control line. */
const GREETINGS = [["/sub create"], ['/hello {"meta":true}', "/sub create *"], ["/sub >"], []];

/** Events that come at once, each with some padding; then a listener reads some writes of the broker. */
interface Step {
  paddings: string[];
  reader: number;
  writes: number;
}

const padding = fc.oneof(
  fc.nat({ max: 250 }).map((length) => "x".repeat(length)),
  fc.nat({ max: 85 }).map((length) => "事".repeat(length)),
);
const step: fc.Arbitrary<Step> = fc.record({
  paddings: fc.array(padding, { maxLength: 12 }),
  reader: fc.nat({ max: GREETINGS.length - 1 }),
  writes: fc.nat({ max: 3 }),
});
const steps = fc.array(step, { maxLength: 20, size: "max" });
const room = fc.integer({ min: minOutboxBytes(LINE_BYTES), max: 4000 });
const slowness = fc.array(fc.boolean(), { minLength: GREETINGS.length, maxLength: GREETINGS.length });

for (const slow of ["drop", "disconnect"] as const) {
  Deno.test(`--slow ${slow}: a receipt's receivers are the connections that queued the event`, async () => {
    const property = fc.asyncProperty(
      steps,
      room,
      slowness,
      (steps, room, slowness) => play(slow, steps, room, slowness),
    );
    await fc.assert(property, brokerRuns(60));
  });
}

async function play(slow: SlowPolicy, steps: Step[], outboxBytes: number, slowness: boolean[]): Promise<void> {
  const told: number[] = [];
  const slowOnes = new Set<unknown>();
  const broker = new Broker({
    slow,
    limits: { lineBytes: LINE_BYTES, outboxBytes },
    onSystemEvent: (name, { id }) => void (name === "mq.slow" && slow === "disconnect" && slowOnes.add(id)),
    onPublish: (_name, _line, _from, receivers) => told.push(receivers),
  });
  const listeners = GREETINGS.map((lines, index) => {
    const client = new MemoryClient(broker, slowness[index]);
    client.readWrites(1); // The answers to its greeting.
    client.send(...lines);
    return client;
  });
  const ids = broker.clients().map(({ id }) => id);
  const publisher = new MemoryClient(broker);
  await publisher.ask("/ok unsub", "/unsub >");
  let published = 0;
  for (const { paddings, reader, writes } of steps) {
    const lines = paddings.map((padding) => `/pub r${published} create ${published++} ${padding}`);
    await publisher.ask(published === 0 ? "" : `/ok r${published - 1} `, ...lines);
    listeners[reader].readWrites(writes);
  }
  for (const listener of listeners) listener.readWrites(Infinity);
  await until(() => broker.clients().every(({ queuedBytes }) => queuedBytes === 0), "all is read");
  const { delivered, dropped, errors } = broker.stats();
  const ended = ids.map((id) => slowOnes.has(id));
  await broker.close();
  const receipts = [...publisher.text.matchAll(/^\/ok r\d+ .*"receivers":(\d+)/gm)].map(([, count]) => Number(count));
  assertEquals(receipts, told);
  assertEquals([receipts.reduce((a, b) => a + b, 0), receipts.length, errors], [delivered, published, 0]);
  if (slow === "drop") assertEquals(dropped, published * listeners.length - delivered);
  const heard = listeners.map(({ lines }) => new Set(lines.map(numberOf).filter((number) => number !== undefined)));
  for (const [number, receivers] of receipts.entries()) {
    const sure = heard.filter((numbers) => numbers.has(number)).length;
    const lost = ended.filter((isEnded, index) => isEnded && !heard[index].has(number)).length; // With its queue, perhaps.
    assert(sure <= receivers && receivers <= sure + lost, `event ${number}: ${receivers}, heard by ${sure}`);
  }
  for (const [index, { lines }] of listeners.entries()) if (!ended[index] && index < 3) assertTold(lines, published);
}

/** The number of an event; undefined for any other line. */
function numberOf(line: string): number | undefined {
  const number = /^(?:\/event \S+ \S+ )?create (\d+)/.exec(line)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** Where events are missing, and only there, one who speaks control lines is told how many. */
function assertTold(lines: string[], published: number): void {
  let next = 0;
  for (const line of lines) {
    const missing = /^\/dropped (\d+)$/.exec(line)?.[1];
    if (missing !== undefined) next += Number(missing);
    const number = numberOf(line);
    if (number !== undefined) assertEquals(number, next++);
  }
  assertEquals(next, published);
}
