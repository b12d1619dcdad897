import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Queue } from "../../lib/client/queue.ts";

Deno.test("Queue is first in, first out, for any number of items", () => {
  const amounts = fc.array(fc.record({ pushed: fc.nat(3000), taken: fc.nat(3000) }), { maxLength: 20 });
  fc.assert(
    fc.property(amounts, (steps) => {
      const queue = new Queue<number>();
      let [pushed, taken] = [0, 0];
      for (const step of steps) {
        for (let left = step.pushed; left > 0; left--) queue.push(pushed++);
        for (let left = Math.min(step.taken, queue.length); left > 0; left--) assertEquals(queue.shift(), taken++);
        assertEquals(queue.length, pushed - taken);
      }
      while (queue.length > 0) assertEquals(queue.shift(), taken++);
      assertEquals([taken, queue.shift()], [pushed, undefined]);
    }),
    { numRuns: 20 },
  );
});

Deno.test("Queue returns undefined that was pushed, and then has one item less", () => {
  const queue = new Queue<undefined>();
  queue.push(undefined);
  assertEquals([queue.length, queue.shift(), queue.length], [1, undefined, 0]);
});
