import { assertEquals } from "@std/assert";
import { ReadScheduler } from "../../lib/net/read_scheduler.ts";

Deno.test("ReadScheduler admits about as many bytes in a tick as its limit, in the order of the calls", async () => {
  const scheduler = new ReadScheduler({ tickBytes: 100, maxTickMs: Infinity });
  const order: number[] = [];
  const process = async (index: number) => {
    await scheduler.admit(40);
    order.push(index);
  };
  const all = Array.from({ length: 7 }, (_, index) => process(index));
  await Promise.resolve();
  assertEquals(order, [0, 1, 2]); // 120 bytes: the last read of a tick may exceed the limit.
  await all[3];
  assertEquals(order, [0, 1, 2, 3, 4, 5]);
  await all[6];
  assertEquals(order, [0, 1, 2, 3, 4, 5, 6]);
});

Deno.test("ReadScheduler.isTickOver is true once the time of a tick is used up, and false in the next tick", async () => {
  const { now } = Date;
  let time = 0;
  Date.now = () => time;
  try {
    const scheduler = new ReadScheduler({ tickBytes: 100, maxTickMs: 10 });
    assertEquals(scheduler.isTickOver(), false);
    time = 10;
    assertEquals(scheduler.isTickOver(), false);
    time = 11;
    assertEquals(scheduler.isTickOver(), true);
    await scheduler.nextTick();
    assertEquals([scheduler.isTickOver(), scheduler.admit(1)], [false, undefined]);
  } finally {
    Date.now = now;
  }
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
