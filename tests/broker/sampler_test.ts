import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Sampler } from "../../lib/broker/subscriber_group.ts";

/** Has events come for some seconds, in turns of five milliseconds; returns which were taken, by their number. */
function sample(sampler: Sampler, perSecond: number, seconds: number, startMs = 0): { taken: number[]; came: number } {
  const taken: number[] = [];
  let came = 0;
  for (let ms = 0; ms < seconds * 1000; ms += 5) {
    for (; came < perSecond * ms / 1000; came++) {
      if (sampler.take() !== undefined) taken.push(came);
    }
    sampler.tick(startMs + ms);
  }
  return { taken, came };
}

Deno.test("Sampler keeps every event at a low rate", () => {
  const { taken, came } = sample(new Sampler(60), 40, 10);
  assertEquals(taken.length, came);
});

for (const perSecond of [100, 1000, 20_000, 200_000]) {
  Deno.test(`Sampler keeps about its share of ${perSecond} events a second`, () => {
    const sampler = new Sampler(60);
    sample(sampler, perSecond, 1);
    const { taken } = sample(sampler, perSecond, 20, 1000);
    assert(taken.length > 20 * 60 * 0.6 && taken.length < 20 * 60 * 1.4, `${taken.length} in 20 s`);
  });
}

Deno.test("Sampler keeps few events of a sudden burst", () => {
  const sampler = new Sampler(60);
  let taken = 0;
  for (let index = 0; index < 1_000_000; index++) if (sampler.take() !== undefined) taken++;
  assert(taken >= 60 && taken < 400, `${taken}`);
});

Deno.test("Sampler keeps every event again soon after a flood", () => {
  const sampler = new Sampler(60);
  sample(sampler, 200_000, 3);
  const { taken, came } = sample(sampler, 10, 10, 3000);
  assert(came - taken.length <= 10, `${taken.length} of ${came}`);
});

Deno.test("Sampler keeps events of each of four publishers that alternate", () => {
  const { taken } = sample(new Sampler(60), 4000, 20);
  const shares = [0, 0, 0, 0];
  for (const event of taken) shares[event % 4]++;
  for (const share of shares) assert(share > taken.length / 4 * 0.6, `${shares}`);
});

Deno.test("Sampler accounts for every event", () => {
  const step = fc.oneof(fc.integer({ min: 1, max: 500 }), fc.record({ ms: fc.integer({ min: 1, max: 1000 }) }));
  fc.assert(fc.property(fc.integer({ min: 1, max: 1000 }), fc.array(step), (perSecond, steps) => {
    const sampler = new Sampler(perSecond);
    let [now, came, accounted] = [0, 0, 0];
    const take = () => {
      came++;
      const skipped = sampler.take();
      if (skipped !== undefined) accounted += skipped + 1;
      return skipped !== undefined;
    };
    for (const step of steps) {
      if (typeof step === "number") { for (let index = 0; index < step; index++) take(); }
      else sampler.tick(now += step.ms);
    }
    for (let more = 0; !take(); more++) assert(more < 1_000_000, "it takes nothing any more");
    assertEquals(accounted, came);
  }));
});
