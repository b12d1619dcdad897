import { assertEquals } from "@std/assert";
import { JobQueue } from "../../../lib/broker/job_queue.ts";
import { MemoryBudget } from "../../../lib/net/memory.ts";

const job = (key: number, characters: number) => ({ key, tries: 0, record: "r".repeat(characters) });

Deno.test("JobQueue counts what it holds for the budget, until it is taken", () => {
  const memory = new MemoryBudget();
  const queue = new JobQueue(memory, () => {});
  queue.push([job(1, 10), job(2, 20)]);
  queue.push([]);
  assertEquals([queue.length, queue.heldBytes, memory.usedBytes], [2, 30, 30]);
  assertEquals(queue.shift().key, 1);
  assertEquals([queue.length, queue.heldBytes, memory.usedBytes], [1, 20, 20]);
  queue.push([job(3, 5)]);
  assertEquals(queue.takeAll().map(({ key }) => key), [2, 3]);
  assertEquals([queue.length, queue.heldBytes, memory.usedBytes], [0, 0, 0]);
});

Deno.test("JobQueue takes as many jobs at once as there are", () => {
  const queue = new JobQueue(new MemoryBudget(), () => {});
  queue.push(Array.from({ length: 200_000 }, (_, key) => job(key, 1)));
  assertEquals([queue.length, queue.heldBytes], [200_000, 200_000]);
});

Deno.test("JobQueue is to give its jobs back when the budget is used up", async () => {
  const memory = new MemoryBudget(100);
  const evicted = Promise.withResolvers<void>();
  const queue = new JobQueue(memory, evicted.resolve);
  const other = new JobQueue(memory, () => {
    throw new Error("It holds less");
  });
  other.push([job(1, 40)]);
  queue.push([job(2, 90)]);
  await evicted.promise;
  queue.takeAll();
  assertEquals(memory.usedBytes, 40);
});
