import { assertEquals } from "@std/assert";
import { BoundedCounter } from "../../lib/broker/system_events.ts";

Deno.test("BoundedCounter counts a thousand keys separately, and all others together", () => {
  const counter = new BoundedCounter();
  for (let cause = 0; cause < 1000; cause++) assertEquals(counter.count(`cause ${cause}`), 1);
  assertEquals([counter.count("one more"), counter.count("yet another"), counter.count("cause 7")], [1, 2, 2]);
});

Deno.test("BoundedCounter accepts the names of JavaScript's own properties", () => {
  const counter = new BoundedCounter();
  assertEquals([counter.count("constructor"), counter.count("__proto__"), counter.count("__proto__")], [1, 1, 2]);
});
