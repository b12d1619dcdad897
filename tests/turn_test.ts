import { assertEquals } from "@std/assert";
import { Turns } from "../lib/turn.ts";

Deno.test("Turns deal with about as many bytes as there is room for, however many ask, in the order in which they ask", async () => {
  const turns = new Turns({ roomBytes: 100, maxMs: Infinity });
  const order: number[] = [];
  const dealWith = async (index: number) => {
    await turns.admit(40);
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

Deno.test("Turns are over after some time, and not in the turn that begins then", async () => {
  const { now } = Date;
  let time = 0;
  Date.now = () => time;
  try {
    const turns = new Turns({ roomBytes: 100, maxMs: 10 });
    assertEquals(turns.isOver(), false);
    time = 10;
    assertEquals(turns.isOver(), false);
    time = 11;
    assertEquals(turns.isOver(), true);
    await turns.next();
    assertEquals([turns.isOver(), turns.admit(1)], [false, undefined]);
  } finally {
    Date.now = now;
  }
});

Deno.test("Turns share their room among those who waited for one", async () => {
  const KIB = 1024;
  const turns = new Turns({ roomBytes: 128 * KIB, maxMs: Infinity });
  assertEquals(turns.shareBytes, 128 * KIB);
  await Promise.all([turns.next(), turns.next()]);
  assertEquals(turns.shareBytes, 64 * KIB);
  await Promise.all(Array.from({ length: 20 }, () => turns.next()));
  assertEquals(turns.shareBytes, 16 * KIB); // It is not worth a read otherwise.
});
