import { assert, assertEquals } from "@std/assert";
import { RequestBody } from "../../lib/http/body.ts";
import { MemoryBudget } from "../../lib/net/memory.ts";

Deno.test("RequestBody takes no more than twice what has come, however small its parts are", () => {
  const memory = new MemoryBudget();
  const body = new RequestBody(memory);
  body.maxBytes = 2_000_000;
  for (let index = 0; index < 300_000; index++) body.extend(1)[0] = index;
  assertEquals(body.bytes, Uint8Array.from({ length: 300_000 }, (_, index) => index));
  assert(memory.usedBytes <= 600_000, String(memory.usedBytes));
  assertEquals(body.heldBytes, memory.usedBytes);
  body.free();
  assertEquals([body.bytes.length, body.heldBytes, memory.usedBytes], [0, 0, 0]);
});

Deno.test("RequestBody takes no more than it may have to, however long its parts are", () => {
  const memory = new MemoryBudget();
  const body = new RequestBody(memory);
  body.maxBytes = 1_000_000;
  for (let index = 0; index < 10; index++) body.extend(100_000).fill(index);
  assertEquals(memory.usedBytes, 1_000_000);
  assertEquals(body.bytes, Uint8Array.from({ length: 1_000_000 }, (_, index) => Math.floor(index / 100_000)));
  body.free();
  assertEquals(memory.usedBytes, 0);
});
