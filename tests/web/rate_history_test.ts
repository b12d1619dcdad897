import { assertEquals } from "@std/assert";
import type { BrokerStats } from "../../lib/protocol/responses.ts";
import { RateHistory } from "../../web/rate_history.ts";

function stats(uptimeMs: number, published: number, unrecognized = 0): BrokerStats {
  const none = { connections: 0, refused: 0, slow: 0, dropped: 0, droppedBytes: 0, errors: 0, cpuMs: 0, rssBytes: 0 };
  return { ...none, uptimeMs, published, delivered: published * 2, unrecognized };
}

Deno.test("RateHistory computes rates from counters by the broker's own clock", () => {
  const rates = new RateHistory();
  assertEquals(rates.latest, undefined);
  rates.answered(stats(1000, 100), 50_000);
  rates.answered(stats(3000, 300, 5), 51_000);
  assertEquals(rates.latest, [100, 200, 2.5]);
  assertEquals(rates.data[0], [51]);
});

Deno.test("RateHistory ignores a second response of the same time", () => {
  const rates = new RateHistory();
  for (let answer = 0; answer < 2; answer++) rates.answered(stats(1000, 100), 50_000);
  assertEquals(rates.latest, undefined);
});

Deno.test("RateHistory keeps five minutes", () => {
  const rates = new RateHistory();
  for (let second = 0; second <= 1000; second++) rates.answered(stats(second * 1000, second), second * 1000);
  assertEquals(rates.data.map((column) => column.length), [301, 301, 301, 301]);
  assertEquals(rates.data[0][0], 700);
});
