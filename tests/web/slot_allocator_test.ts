import { assertEquals } from "@std/assert";
import { SlotAllocator } from "../../web/slot_allocator.ts";

Deno.test("SlotAllocator keeps the slots of connections that stay", () => {
  const slots = new SlotAllocator();
  slots.assign(["a", "b", "c"], 4);
  slots.assign(["b", "c", "d", "e", "f"], 4);
  assertEquals([...slots], [["d", 0], ["b", 1], ["c", 2], ["e", 3]]);
  slots.assign(["c", "e"], 2);
  assertEquals([...slots], [["c", 0], ["e", 1]]);
  slots.assign(["c", "e", "a"], 8);
  assertEquals([...slots], [["c", 0], ["e", 1], ["a", 2]]);
});
