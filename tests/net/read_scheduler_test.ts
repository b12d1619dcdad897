import { assertEquals } from "@std/assert";
import { ReadScheduler } from "../../lib/net/read_scheduler.ts";

Deno.test("ReadScheduler deal with about as many bytes as there is room for, however many ask, in the order in which they ask", async () => {
  const scheduler = new ReadScheduler({ roomBytes: 100, maxMs: Infinity });
  const order: number[] = [];
  const dealWith = async (index: number) => {
    await scheduler.admit(40);
    order.push(index);
  };
  const all = Array.from({ length: 7 }, (_, index) => dealWith(index));
  await Promise.resolve();
  assertEquals(order, [0, 1, 2]); // 120 bytes: the last one of a turn may go beyond its room.
  await all[3];
  assertEquals(order, [0, 1, 2, 3, 4, 5]);
  await all[6];
  assertEquals(order, [0, 1, 2, 3, 4, 5, 6]);
});

Deno.test("ReadScheduler are over after some time, and not in the turn that begins then", async () => {
  const { now } = Date;
  let time = 0;
  Date.now = () => time;
  try {
    const scheduler = new ReadScheduler({ roomBytes: 100, maxMs: 10 });
    assertEquals(scheduler.isOver(), false);
    time = 10;
    assertEquals(scheduler.isOver(), false);
    time = 11;
    assertEquals(scheduler.isOver(), true);
    await scheduler.next();
    assertEquals([scheduler.isOver(), scheduler.admit(1)], [false, undefined]);
  } finally {
    Date.now = now;
  }
});

Deno.test("ReadScheduler share their room among those who waited for one", async () => {
  const KIB = 1024;
  const scheduler = new ReadScheduler({ roomBytes: 128 * KIB, maxMs: Infinity });
  assertEquals(scheduler.shareBytes, 128 * KIB);
  await Promise.all([scheduler.next(), scheduler.next()]);
  assertEquals(scheduler.shareBytes, 64 * KIB);
  await Promise.all(Array.from({ length: 20 }, () => scheduler.next()));
  assertEquals(scheduler.shareBytes, 16 * KIB); // It is not worth a read otherwise.
});
