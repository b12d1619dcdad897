/** Server-sent events of a broker with a store: docs/protocol.md, 13.5. */
import { assertEquals, assertMatch } from "@std/assert";
import { openStore } from "../../lib/store/sqlite.ts";
import { MqError } from "../../lib/protocol/errors.ts";
import { Lines } from "../helpers.ts";
import { tempFolder } from "../store/folder.ts";
import { startWeb, type TestWeb } from "./fixtures.ts";

/** A reader of `/events`. */
interface Listener {
  readonly lines: Lines;
  leave(): Promise<void>;
}

async function listen(test: TestWeb, query: string, headers: Record<string, string> = {}): Promise<Listener> {
  const response = await fetch(`http://${test.host}/events?pattern=n${query}`, { headers });
  assertEquals(response.status, 200);
  const reader = response.body!.getReader();
  return { lines: new Lines(async () => (await reader.read()).value ?? null), leave: () => reader.cancel() };
}

/** The next events: the length of their data, and the id of the last one. */
async function take({ lines }: Listener, count: number): Promise<{ lengths: number[]; last: string }> {
  const lengths: number[] = [];
  let last = "";
  while (lengths.length < count) {
    assertEquals(await lines.next(), "event: n");
    const data = (await lines.next())!;
    assertMatch(data, /^data: x*$/);
    lengths.push(data.length - "data: ".length);
    last = (await lines.next())!.slice("id: ".length);
    assertEquals(await lines.next(), "");
  }
  return { lengths, last };
}

Deno.test("13.5 /events sends what is stored behind Last-Event-ID or since, and then what is published", async () => {
  await using folder = tempFolder();
  await using test = await startWeb({ events: [">"], store: await openStore({ folder: folder.path }) });
  const lengths = [3, 0, 100_000, 5, 40_000, 40_000, 7]; // More than is sent at once.
  for (const length of lengths) {
    await test.pub("n", "x".repeat(length));
    await test.pub("other", "y");
  }
  const first = await listen(test, "&since=first");
  const { last } = await take(first, 2);
  await first.leave();
  for (const query of ["", `&lastEventId=${last}`]) {
    const listener = await listen(test, query, query === "" ? { "last-event-id": last } : {});
    assertEquals((await take(listener, lengths.length - 2)).lengths, lengths.slice(2));
    await test.pub("n", "xx");
    assertEquals((await take(listener, 1)).lengths, [2]);
    await listener.leave();
    lengths.push(2);
  }
});

Deno.test("5.10 what /events sends of the store counts as delivered", async () => {
  await using folder = tempFolder();
  await using test = await startWeb({ events: [">"], store: await openStore({ folder: folder.path }) });
  for (const length of [3, 100_000, 4]) await test.pub("n", "x".repeat(length));
  const listener = await listen(test, "&since=first");
  await take(listener, 3);
  assertEquals(test.server.broker.clients().map(({ delivered }) => delivered), [3]);
  await listener.leave();
});

Deno.test("13.6 /events ends, and says why, if what is stored cannot be read", async () => {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path });
  store.read = () => Promise.reject(new MqError("store-failed", "The disk has failed"));
  await using test = await startWeb({ events: [">"], store });
  const { lines } = await listen(test, "&since=first");
  assertEquals([await lines.next(), await lines.next(), await lines.next()], [": The disk has failed", "", null]);
  assertEquals(test.server.told("mq.disconnect").map(({ reason }) => reason), ["store-failed"]);
});
