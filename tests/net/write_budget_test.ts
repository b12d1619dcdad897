import { assertEquals } from "@std/assert";
import { afterCurrentTick } from "../../lib/net/ticks.ts";
import { WriteBudget } from "../../lib/net/write_budget.ts";

Deno.test("WriteBudget has whoever exceeds it wait for the next tick, in the order in which they came", async () => {
  const budget = new WriteBudget(100);
  const order: string[] = [];
  const take = async (name: string, bytes: number) => {
    const turn = budget.take(bytes);
    if (turn === undefined) return order.push(name);
    await turn;
    order.push(`then ${name}`);
  };
  const all = [take("a", 60), take("b", 60), take("c", 250), take("d", 1)];
  assertEquals(order, ["a", "b"]);
  await Promise.all(all);
  assertEquals(order, ["a", "b", "then c", "then d"]);
});

Deno.test("WriteBudget is whole again after a tick in which nobody waits", async () => {
  const budget = new WriteBudget(100);
  assertEquals(budget.take(500), undefined);
  await budget.take(500);
  await budget.take(100);
  await new Promise<void>((resolve) => afterCurrentTick(resolve)); // Behind the end of that tick.
  assertEquals([budget.take(99), budget.take(1), budget.take(1) instanceof Promise], [undefined, undefined, true]);
  await budget.take(1);
});
