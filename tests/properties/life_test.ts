/** What a broker tells of its own life is in order, whatever its connections do and in whatever order. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Broker, type SlowPolicy, type SystemEvent } from "../../mod.ts";
import { until } from "../helpers.ts";
import { MemoryClient } from "../memory.ts";
import { brokerRuns } from "./arbitraries.ts";

const CLIENTS = 4;

/** Each fits into a line; an answer of this broker is long, too, since its events are many. */
const LONG = "x".repeat(250);

/** What a client does, with others or by itself. */
interface Deed {
  client: number;
  lines: string[];
  end: "quit" | "end" | "reset" | null;
  /** Whether all that happens before the next deed waits until this is done. */
  isAwaited: boolean;
}

const line = fc.oneof(
  fc.constantFrom("/sub create", "/sub mq.>", "/sub > mq.*", "/unsub >", "/unsub create", "/sub a*", "/nothing"),
  fc.constantFrom('/hello {"name":"ann"}', '/hello {"echo":false}', '/hello {"meta":true}', "/hello 1", "/ping"),
  fc.constantFrom(`create ${LONG}`, `/pub 1 create ${LONG}`, "bogus", "a..b", "/quit"),
);
/** More changes of patterns than are told one by one in a turn. */
const manyChanges = fc.nat({ max: 150 }).map((count) => Array.from({ length: count }, (_, index) => `/sub a.${index}`));
const deed: fc.Arbitrary<Deed> = fc.record({
  client: fc.nat({ max: CLIENTS - 1 }),
  lines: fc.oneof({ weight: 4, arbitrary: fc.array(line, { maxLength: 8 }) }, { weight: 1, arbitrary: manyChanges }),
  end: fc.constantFrom(null, null, null, "quit", "end", "reset"),
  isAwaited: fc.boolean(),
});
const scene = fc.record({
  deeds: fc.array(deed, { maxLength: 25, size: "max" }),
  slow: fc.constantFrom<SlowPolicy>("drop", "disconnect"),
  slowness: fc.array(fc.boolean(), { minLength: CLIENTS, maxLength: CLIENTS }),
  /** The event at which the program around the broker closes it. */
  closesAt: fc.constantFrom(
    undefined,
    "mq.connect",
    "mq.subscribe",
    "mq.hello",
    "mq.slow",
    "mq.disconnect",
    "mq.drain",
  ),
});

Deno.test("Broker reports mq.disconnect last of a connection, except mq.dropped, for any actions", async () => {
  const property = fc.asyncProperty(scene, async ({ deeds, slow, slowness, closesAt }) => {
    const told: [name: string, id: unknown][] = [];
    let count = 0;
    const onSystemEvent = (name: string, { id }: SystemEvent) => {
      told.push([name, id]);
      if (name === closesAt && ++count === 3) broker.close();
    };
    const limits = { lineBytes: 300, outboxBytes: 900, patterns: 200 };
    const errors: unknown[] = [];
    const broker: Broker = new Broker({ slow, onSystemEvent, onError: (error) => errors.push(error), limits });
    const watcher = new MemoryClient(broker);
    await watcher.ask("/ok sub", "/sub mq.>");
    const firstHeard = told.length;
    const clients = slowness.map((isSlow) => new MemoryClient(broker, isSlow));
    for (const { client, lines, end, isAwaited } of deeds) {
      clients[client].readWrites(1);
      clients[client].send(...lines, ...end === "quit" ? ["/quit"] : []);
      if (end === "end") clients[client].end();
      if (end === "reset") clients[client].reset();
      if (isAwaited) await new Promise((resolve) => setTimeout(resolve));
    }
    for (const client of clients) client.readWrites(Infinity);
    await broker.close();
    assertInOrder(told);
    assertHeard(watcher.lines, told.slice(firstHeard));
    assertEquals(errors, []);
  });
  await fc.assert(property, brokerRuns(100));
});

/** A connection's life begins with `mq.connect` and ends with `mq.disconnect`, behind which only `mq.dropped` may come. */
function assertInOrder(told: readonly [name: string, id: unknown][]): void {
  const lives = Map.groupBy(told.filter(([, id]) => id !== undefined), ([, id]) => id);
  for (const life of lives.values()) {
    const names = life.map(([name]) => name);
    assertEquals(names[0], "mq.connect");
    const end = names.indexOf("mq.disconnect");
    assert(end > 0, names.join(" "));
    assert(names.slice(end + 1).every((name) => name === "mq.dropped"), names.join(" "));
  }
  assertEquals(told.filter(([name]) => name === "mq.drain").length, 1);
}

/** Whoever hears the broker's events hears them in the order in which the program is told, until it has left itself. */
function assertHeard(lines: readonly string[], told: readonly [name: string, id: unknown][]): void {
  const heard = lines.filter((line) => line.startsWith("mq.")).map((line): [string, unknown] => {
    const [, name, json] = /^(\S+) (.*)$/.exec(line)!;
    return [name, JSON.parse(json).id];
  });
  const hasMissed = lines.some((line) => /^\/dropped |^\/err - slow-consumer /.test(line));
  if (!hasMissed) {
    assertEquals(heard, told.slice(0, heard.length));
    return assert(heard.some(([name]) => name === "mq.drain"));
  }
  let next = 0;
  for (const event of heard) {
    while (next < told.length && !(told[next][0] === event[0] && told[next][1] === event[1])) next++;
    assert(next++ < told.length, `${event[0]} comes in another order`);
  }
}

Deno.test("Broker reports nothing about subscriptions of a connection after its mq.disconnect", async () => {
  // Its echo is more than it has room for, and is found to be when it subscribes.
  for (const line of ["/sub create", "/unsub >", '/hello {"name":"ann"}']) {
    const told: string[] = [];
    const onSystemEvent = (name: string) => void told.push(name);
    await using broker = new Broker({ onSystemEvent, limits: { lineBytes: 300, outboxBytes: 900 } });
    const client = new MemoryClient(broker, true);
    client.send("/sub > mq.slow");
    await until(() => told.includes("mq.subscribe"), "it has subscribed");
    for (let index = 0; !told.includes("mq.disconnect"); index++) {
      client.send("/sub > mq.slow", `create ${LONG} ${index}`, line);
      await new Promise((resolve) => setTimeout(resolve));
    }
    client.readWrites(Infinity);
    client.send(line);
    await broker.close();
    assertEquals(told.slice(told.indexOf("mq.disconnect") + 1).filter((name) => !/drain|dropped/.test(name)), []);
  }
});
