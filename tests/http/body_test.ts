import { assert, assertEquals } from "@std/assert";
import { RequestBody } from "../../lib/http/body.ts";
import { MemoryBudget } from "../../lib/net/memory.ts";

Deno.test("RequestBody takes no more than twice what has come, however small its parts are", () => {
  const memory = new MemoryBudget();
  const body = new RequestBody(memory);
  for (let index = 0; index < 300_000; index++) body.extend(1)[0] = index;
  assertEquals(body.bytes, Uint8Array.from({ length: 300_000 }, (_, index) => index));
  assert(memory.usedBytes <= 600_000, String(memory.usedBytes));
  assertEquals(body.heldBytes, memory.usedBytes);
  body.free();
  assertEquals([body.bytes.length, body.heldBytes, memory.usedBytes], [0, 0, 0]);
});

Deno.test("RequestBody takes exactly what its first part needs, if that is long", () => {
  const memory = new MemoryBudget();
  const body = new RequestBody(memory);
  body.extend(1_000_000);
  assertEquals(memory.usedBytes, 1_000_000);
  body.free();
});
