import { assert, assertEquals } from "@std/assert";
import { borrowBuffer, freeBuffer, LARGE_BYTES } from "../../lib/net/buffers.ts";

Deno.test("freeBuffer empties a buffer, and leaves small ones and parts of others as they are", () => {
  const [large, small, whole] = [200_000, 1000, 400_000].map((bytes) => new Uint8Array(bytes));
  const part = whole.subarray(0, 300_000);
  for (const buffer of [large, small, part]) freeBuffer(buffer);
  assertEquals([large.length, small.length, part.length], [0, 1000, 300_000]);
});

Deno.test("borrowBuffer lends no buffer twice, however many are borrowed, and one that was given back again", () => {
  const borrowed = Array.from({ length: 400 }, () => borrowBuffer());
  for (const [index, buffer] of borrowed.entries()) buffer.fill(index % 251);
  assert(borrowed.every((buffer, index) => buffer.every((byte) => byte === index % 251)));
  for (const buffer of borrowed) freeBuffer(buffer);
  const again = [borrowBuffer(), borrowBuffer()];
  assert(again[0] !== again[1]);
  assertEquals(again.map(({ length }) => length), [LARGE_BYTES, LARGE_BYTES]);
  for (const buffer of again) freeBuffer(buffer);
});

Deno.test("the memory of buffers that many have borrowed goes back to the system when all have given them back", () => {
  const before = Deno.memoryUsage().external;
  const borrowed = Array.from({ length: 300 }, () => borrowBuffer());
  const { buffer: memory } = borrowed[0];
  for (const buffer of borrowed) freeBuffer(buffer);
  assertEquals(memory.byteLength, 0);
  assert(Deno.memoryUsage().external <= before);
});
