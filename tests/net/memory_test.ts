import { assertEquals } from "@std/assert";
import { MemoryBudget } from "../../lib/net/memory.ts";
import { afterCurrentTick } from "../../lib/net/ticks.ts";
import { WriteQueue } from "../../lib/net/write_queue.ts";

const endOfTick = () => new Promise<void>((resolve) => afterCurrentTick(resolve));

/** A holder that gives back all it has when it is evicted. */
function holderOf(memory: MemoryBudget, bytes: number) {
  const holder = {
    heldBytes: bytes,
    evict() {
      memory.give(holder.heldBytes);
      holder.heldBytes = 0;
    },
  };
  memory.add(holder);
  memory.take(bytes);
  return holder;
}

Deno.test("MemoryBudget evicts who holds the most, and no more than it takes to be within the limit", async () => {
  const memory = new MemoryBudget(100);
  const holders = [10, 60, 20, 50].map((bytes) => holderOf(memory, bytes));
  await endOfTick();
  assertEquals(holders.map(({ heldBytes }) => heldBytes), [10, 0, 20, 50]);
  assertEquals(memory.usedBytes, 80);
});

Deno.test("MemoryBudget evicts nobody while the limit is kept", async () => {
  const memory = new MemoryBudget(100);
  const holder = holderOf(memory, 100);
  await endOfTick();
  assertEquals([holder.heldBytes, memory.fits(0), memory.fits(1)], [100, true, false]);
});

Deno.test("MemoryBudget counts a buffer once that several hold", () => {
  const memory = new MemoryBudget();
  const buffer = new Uint8Array(1000);
  for (let times = 0; times < 3; times++) memory.hold(buffer);
  const used = [memory.usedBytes];
  for (let times = 0; times < 3; times++) {
    memory.release(buffer);
    used.push(memory.usedBytes);
  }
  assertEquals(used, [1000, 1000, 1000, 0]);
});

Deno.test("WriteQueue takes what waits from its budget, and gives it back when it is written or discarded", async () => {
  const memory = new MemoryBudget();
  const written: number[] = [];
  const writable = new WritableStream<Uint8Array>({ write: (bytes) => void written.push(bytes.length) });
  const queue = new WriteQueue({ writable }, { limitBytes: 1e6, memory });
  for (const size of [1000, 70_000, 10, 200]) queue.push(new Uint8Array(size));
  assertEquals(memory.usedBytes >= 71_200, true);
  await queue.drained();
  assertEquals([memory.usedBytes, written.reduce((sum, bytes) => sum + bytes)], [0, 71_210]);
  queue.push(new Uint8Array(1000));
  queue.discard();
  assertEquals(memory.usedBytes, 0);
});

Deno.test("WriteQueue gives back what its sink failed to write", async () => {
  const memory = new MemoryBudget();
  const writable = new WritableStream<Uint8Array>({ write: () => Promise.reject(new Error("broken")) });
  const queue = new WriteQueue({ writable }, { limitBytes: 1e6, memory });
  for (const size of [100_000, 100_000, 10]) queue.push(new Uint8Array(size));
  assertEquals([await queue.drained(), memory.usedBytes], [false, 0]);
});

Deno.test("MemoryBudget.release tells who was the last to hold a buffer", () => {
  const memory = new MemoryBudget();
  const buffer = new Uint8Array(1000);
  memory.hold(buffer);
  memory.hold(buffer);
  assertEquals([memory.release(buffer), memory.usedBytes], [false, 1000]);
  assertEquals([memory.release(buffer), memory.usedBytes], [true, 0]);
});
