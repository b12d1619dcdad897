import { assertEquals } from "@std/assert";
import { Tally } from "../lib/tally.ts";

Deno.test("Tally counts a thousand causes apart, and all others together", () => {
  const tally = new Tally();
  for (let cause = 0; cause < 1000; cause++) assertEquals(tally.count(`cause ${cause}`), 1);
  assertEquals([tally.count("one more"), tally.count("yet another"), tally.count("cause 7")], [1, 2, 2]);
});

Deno.test("Tally counts causes that JavaScript knows like any other", () => {
  const tally = new Tally();
  assertEquals([tally.count("constructor"), tally.count("__proto__"), tally.count("__proto__")], [1, 1, 2]);
});
