import { assert, assertEquals } from "@std/assert";
import { Throttle } from "../lib/throttle.ts";

Deno.test("Throttle lets a second's worth through at once, then pauses for each", () => {
  const throttle = new Throttle(10, () => 0);
  assertEquals(Array.from({ length: 12 }, () => throttle.take()), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 200]);
});

Deno.test("Throttle keeps to its rate in the long run, whatever the timers do", () => {
  let now = 0;
  const throttle = new Throttle(1000, () => now);
  let taken = 0;
  while (now < 10_000) {
    now += throttle.take() * 1.3; // Timers come late.
    taken++;
  }
  assert(taken > 9_900 && taken <= 11_001, `${taken} in ${now} ms`);
});

Deno.test("Throttle saves up no more than a second's worth", () => {
  let now = 0;
  const throttle = new Throttle(2, () => now);
  now = 60_000;
  assertEquals([throttle.take(), throttle.take(), throttle.take()], [0, 0, 500]);
});
