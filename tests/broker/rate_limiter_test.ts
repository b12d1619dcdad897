import { assert, assertEquals } from "@std/assert";
import { RateLimiter } from "../../lib/broker/rate_limiter.ts";

Deno.test("RateLimiter allows one second's worth at once, then pauses for each event", () => {
  const limiter = new RateLimiter(10, () => 0);
  assertEquals(Array.from({ length: 12 }, () => limiter.take()), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 200]);
});

Deno.test("RateLimiter keeps to its rate in the long run, even if timers are late", () => {
  let now = 0;
  const limiter = new RateLimiter(1000, () => now);
  let taken = 0;
  while (now < 10_000) {
    now += limiter.take() * 1.3; // Timers come late.
    taken++;
  }
  assert(taken > 9_900 && taken <= 11_001, `${taken} in ${now} ms`);
});

Deno.test("RateLimiter accumulates at most one second's worth", () => {
  let now = 0;
  const limiter = new RateLimiter(2, () => now);
  now = 60_000;
  assertEquals([limiter.take(), limiter.take(), limiter.take()], [0, 0, 500]);
});
