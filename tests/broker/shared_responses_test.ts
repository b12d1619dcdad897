import { assert, assertEquals } from "@std/assert";
import { SharedResponses } from "../../lib/broker/shared_responses.ts";
import { freeIfGivenAway } from "../../lib/net/buffers.ts";
import { afterCurrentTick } from "../../lib/net/ticks.ts";

const LONG = "x".repeat(10_000);

Deno.test("SharedResponses gives a response away when its tick is over, and not before", async () => {
  const responses = new SharedResponses();
  const ask = () => responses.get("clients", 1, () => LONG);
  const bytes = ask();
  freeIfGivenAway(bytes);
  assert(ask() === bytes);
  assertEquals(bytes.length, LONG.length + 1);
  await new Promise<void>(afterCurrentTick);
  freeIfGivenAway(bytes);
  assertEquals(bytes.length, 0);
  assertEquals(ask().length, LONG.length + 1);
});

Deno.test("SharedResponses gives away what has changed, and more than it keeps, at once", () => {
  const responses = new SharedResponses();
  const outdated = responses.get("clients", 1, () => LONG);
  const many = Array.from({ length: 101 }, (_, index) => responses.get(`why ${index}`, 2, () => LONG));
  for (const bytes of [outdated, ...many]) freeIfGivenAway(bytes);
  const isFreed = ({ length }: Uint8Array) => length === 0;
  assertEquals([outdated, ...many].map(isFreed), [true, ...Array(100).fill(false), true]);
});
