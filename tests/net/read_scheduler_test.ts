import { assertEquals } from "@std/assert";
import { Flow, ReadScheduler } from "../../lib/net/read_scheduler.ts";

/** A scheduler with a clock that is set by hand. */
function withClock(maxTickMs = 1000): { scheduler: ReadScheduler; pass: (ms: number) => void } {
  let time = 0;
  const scheduler = new ReadScheduler({ tickBytes: 1000, maxTickMs, now: () => time });
  return { scheduler, pass: (ms) => void (time += ms) };
}

Deno.test("ReadScheduler admits about as many bytes in a tick as its limit, in the order of the calls", async () => {
  const scheduler = new ReadScheduler({ tickBytes: 100, maxTickMs: Infinity });
  const order: number[] = [];
  const process = (index: number) => scheduler.run(new Flow(), 40, () => void order.push(index));
  const all = Array.from({ length: 7 }, (_, index) => process(index));
  await all[2];
  assertEquals(order, [0, 1, 2]); // 120 bytes: the last read of a tick may exceed the limit.
  await all[3];
  await all[6];
  assertEquals(order, [0, 1, 2, 3, 4, 5, 6]);
});

Deno.test("ReadScheduler lets one flow work at a time", async () => {
  const { scheduler } = withClock();
  const order: string[] = [];
  const first = scheduler.run(new Flow(), 0, async () => {
    order.push("first begins");
    await Promise.resolve();
    order.push("first ends");
  });
  const second = scheduler.run(new Flow(), 0, () => void order.push("second"));
  await Promise.all([first, second]);
  assertEquals(order, ["first begins", "first ends", "second"]);
});

Deno.test("ReadScheduler lets the flow go first that has taken the least time", async () => {
  const { scheduler, pass } = withClock();
  const order: string[] = [];
  const work = (name: string, flow: Flow, ms: number) =>
    scheduler.run(flow, 0, () => {
      order.push(name);
      pass(ms);
    });
  const [light, heavy] = [new Flow(), new Flow()];
  await work("light", light, 1);
  for (let index = 0; index < 3; index++) await work("heavy", heavy, 100);
  order.length = 0;
  const holder = work("holder", new Flow(), 1);
  await Promise.all([holder, work("heavy", heavy, 1), work("heavy again", heavy, 1), work("light", light, 1)]);
  assertEquals(order, ["holder", "light", "heavy", "heavy again"]);
});

Deno.test("ReadScheduler lets flows go first that have no more to do, but not for more than half of a tick", async () => {
  const { scheduler, pass } = withClock(10);
  const order: string[] = [];
  const work = (name: string, flow: Flow, ms: number) =>
    scheduler.run(flow, 0, () => {
      order.push(name);
      pass(ms);
    });
  const [busy, ...light] = Array.from({ length: 5 }, () => new Flow());
  busy.isBulk = true;
  for (const flow of light) await work("light", flow, 50); // They have taken more time than the busy one.
  order.length = 0;
  await scheduler.nextTick();
  const holder = work("holder", new Flow(), 0);
  await Promise.all([holder, ...[busy, ...light].map((flow) => work(flow.isBulk ? "busy" : "light", flow, 2))]);
  assertEquals(order, ["holder", "light", "light", "light", "busy", "light"]);
});

Deno.test("ReadScheduler gives many flows shorter slices than few", async () => {
  const workingMs = async (others: number) => {
    const { scheduler, pass } = withClock();
    const flow = new Flow();
    scheduler.begin(flow);
    const waiting = Array.from({ length: others }, () => scheduler.run(new Flow(), 0, () => {}));
    let ms = 0;
    for (; !scheduler.isOver(); ms += 0.01) pass(0.01);
    scheduler.end(flow);
    await Promise.all(waiting);
    return Math.round(ms * 10) / 10;
  };
  assertEquals([await workingMs(1), await workingMs(20), await workingMs(500)], [1, 0.5, 0.1]);
});

Deno.test("ReadScheduler.hasCredit tells who has worked little from who is busy, and from who is alone", async () => {
  const { scheduler, pass } = withClock();
  const [light, busy, alone] = [new Flow(), new Flow(), new Flow()];
  await scheduler.run(light, 0, () => pass(1));
  for (let index = 0; index < 100; index++) await scheduler.run(busy, 0, () => pass(10));
  await scheduler.run(light, 0, () => assertEquals(scheduler.hasCredit(light), true));
  await scheduler.run(busy, 0, () => assertEquals(scheduler.hasCredit(busy), false));
  assertEquals(scheduler.hasCredit(alone), false);
  await scheduler.run(alone, 0, () => assertEquals(scheduler.hasCredit(alone), false));
});

Deno.test("ReadScheduler gives a flow that has rested no more than a little time in hand", async () => {
  const { scheduler, pass } = withClock();
  const rested = new Flow();
  const busy = new Flow();
  await scheduler.run(rested, 0, () => pass(1));
  for (let index = 0; index < 100; index++) await scheduler.run(busy, 0, () => pass(10));
  const taken = { rested: 0, busy: 0 };
  const compete = async (name: "rested" | "busy", flow: Flow) => {
    while (taken.rested + taken.busy < 100) {
      await scheduler.run(flow, 0, () => {
        taken[name]++;
        pass(1);
      });
    }
  };
  await Promise.all([compete("rested", rested), compete("busy", busy)]);
  assertEquals(Math.abs(taken.rested - taken.busy) < 30, true);
});

Deno.test("ReadScheduler counts all that one flow does together, whoever does it", async () => {
  const { scheduler, pass } = withClock();
  const taken = { shared: 0, alone: 0 };
  const [shared, alone] = [new Flow(), new Flow()];
  const compete = async (name: "shared" | "alone", flow: Flow) => {
    while (taken.shared + taken.alone < 200) {
      await scheduler.run(flow, 0, () => {
        taken[name]++;
        pass(1);
      });
    }
  };
  const many = Array.from({ length: 50 }, () => compete("shared", shared));
  await Promise.all([...many, compete("alone", alone)]);
  assertEquals(taken.alone > 60, true); // About a half, and not a 51st.
});

Deno.test("ReadScheduler.isOver is true once the time of a tick is used up, and false in the next tick", async () => {
  const { scheduler, pass } = withClock(10);
  const flow = new Flow();
  await scheduler.begin(flow);
  pass(10);
  assertEquals(scheduler.isOver(), false);
  pass(1);
  assertEquals(scheduler.isOver(), true);
  await scheduler.yield(flow);
  assertEquals(scheduler.isOver(), false);
  scheduler.end(flow);
});

Deno.test("ReadScheduler.isOver is true after a short time where another flow waits", async () => {
  const { scheduler, pass } = withClock();
  const [first, second] = [new Flow(), new Flow()];
  await scheduler.begin(first);
  pass(2);
  assertEquals(scheduler.isOver(), false);
  const turn = scheduler.run(second, 0, () => {});
  assertEquals(scheduler.isOver(), true);
  await scheduler.yield(first);
  await turn; // It has worked before the first went on.
  scheduler.end(first);
});

Deno.test("ReadScheduler.pause lets others work until a promise is settled", async () => {
  const { scheduler } = withClock();
  const order: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const flow = new Flow();
  const first = scheduler.run(flow, 0, async () => {
    await scheduler.pause(flow, promise);
    order.push("first");
  });
  await scheduler.run(new Flow(), 0, () => void order.push("second"));
  resolve();
  await first;
  assertEquals(order, ["second", "first"]);
});

Deno.test("ReadScheduler goes on after work that throws", async () => {
  const { scheduler } = withClock();
  const failed = await scheduler.run(new Flow(), 0, () => {
    throw new Error("failed");
  }).catch((error) => error.message);
  const worked = await scheduler.run(new Flow(), 0, () => {}).then(() => "worked");
  assertEquals([failed, worked], ["failed", "worked"]);
});

Deno.test("ReadScheduler.shareBytes divides a tick among the readers that waited for it", async () => {
  const KIB = 1024;
  const scheduler = new ReadScheduler({ tickBytes: 128 * KIB, maxTickMs: Infinity });
  assertEquals(scheduler.shareBytes, 128 * KIB);
  await Promise.all([scheduler.nextTick(), scheduler.nextTick()]);
  assertEquals(scheduler.shareBytes, 64 * KIB);
  await Promise.all(Array.from({ length: 20 }, () => scheduler.nextTick()));
  assertEquals(scheduler.shareBytes, 16 * KIB); // It is not worth a read otherwise.
});
