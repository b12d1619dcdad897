import { assert, assertEquals } from "@std/assert";
import { borrowBuffer, freeBuffer } from "../../lib/net/buffers.ts";

Deno.test("freeBuffer empties a large buffer, and leaves small ones and parts of others as they are", () => {
  const [large, small, whole] = [200_000, 1000, 400_000].map((bytes) => new Uint8Array(bytes));
  const part = whole.subarray(0, 300_000);
  for (const buffer of [large, small, part]) freeBuffer(buffer);
  assertEquals([large.length, small.length, part.length], [0, 1000, 300_000]);
});

Deno.test("borrowBuffer lends no buffer twice, however many are borrowed, and one that was given back again", () => {
  const borrowed = Array.from({ length: 100 }, () => borrowBuffer());
  for (const [index, buffer] of borrowed.entries()) buffer.fill(index);
  assert(borrowed.every((buffer, index) => buffer.every((byte) => byte === index)));
  const [first] = borrowed;
  for (const buffer of borrowed) freeBuffer(buffer);
  const again = [borrowBuffer(), borrowBuffer()];
  assert(again[0] !== again[1]);
  assertEquals(first.length, again[0].length); // It is whole.
  for (const buffer of again) freeBuffer(buffer);
});
