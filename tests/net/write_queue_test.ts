import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { giveAway } from "../../lib/net/buffers.ts";
import { MemoryBudget } from "../../lib/net/memory.ts";
import { afterCurrentTick } from "../../lib/net/ticks.ts";
import { WriteQueue, type WriteQueueOptions } from "../../lib/net/write_queue.ts";
import { until } from "../helpers.ts";

const KIB = 1024;
const NO_LIMIT = { limitBytes: Number.MAX_SAFE_INTEGER };

/** Records what is written to it; a write is done once the gate is open. */
class Sink {
  readonly written: Uint8Array[] = [];
  readonly writable: WritableStream<Uint8Array>;
  readonly #gate = Promise.withResolvers<void>();
  readonly #firstWrite = Promise.withResolvers<void>();

  constructor() {
    this.writable = new WritableStream({
      write: (chunk) => {
        this.written.push(chunk);
        this.#firstWrite.resolve();
        return this.#gate.promise;
      },
    });
  }

  /** Resolves when a write is under way. */
  get busy(): Promise<void> {
    return this.#firstWrite.promise;
  }

  get sizes(): number[] {
    return this.written.map(({ length }) => length);
  }

  open(): this {
    this.#gate.resolve();
    return this;
  }

  fail(): this {
    this.#gate.reject(new Error("broken"));
    return this;
  }
}

Deno.test("WriteQueue writes nothing before it is flushed", async () => {
  const sink = new Sink().open();
  const queue = new WriteQueue(sink, NO_LIMIT);
  queue.push(bytes(1));
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(sink.written, []);
});

Deno.test("WriteQueue writes everything pushed in one write, in order", async () => {
  const sink = new Sink().open();
  const queue = new WriteQueue(sink, NO_LIMIT);
  for (const chunk of [bytes(1), bytes(2, 3), bytes(4)]) queue.push(chunk);
  await queue.drained();
  assertEquals(sink.written, [bytes(1, 2, 3, 4)]);
});

Deno.test("WriteQueue writes a single chunk without copying it", async () => {
  const sink = new Sink().open();
  const queue = new WriteQueue(sink, NO_LIMIT);
  const chunk = new Uint8Array(1000);
  queue.push(chunk);
  await queue.drained();
  assert(sink.written[0] === chunk);
});

Deno.test("WriteQueue writes what is pushed during a write in the next one, without another flush", async () => {
  const sink = new Sink();
  const queue = new WriteQueue(sink, NO_LIMIT);
  queue.push(bytes(1));
  queue.flush();
  await sink.busy;
  queue.push(bytes(2));
  queue.push(bytes(3));
  sink.open();
  await queue.drained();
  assertEquals(sink.written, [bytes(1), bytes(2, 3)]);
});

Deno.test("WriteQueue writes what is pushed during a write in the next one, however often it is flushed", async () => {
  const sink = new Sink();
  const queue = new WriteQueue(sink, NO_LIMIT);
  for (const chunk of [bytes(1), bytes(2), bytes(3)]) {
    queue.push(chunk);
    queue.flush();
    await sink.busy;
  }
  sink.open();
  await queue.drained();
  assertEquals(sink.written, [bytes(1), bytes(2, 3)]);
});

Deno.test("WriteQueue can be flushed again after it has drained", async () => {
  const sink = new Sink().open();
  const queue = new WriteQueue(sink, NO_LIMIT);
  for (const chunk of [bytes(1), bytes(2)]) {
    queue.push(chunk);
    await queue.drained();
  }
  assertEquals(sink.written, [bytes(1), bytes(2)]);
});

const JOINED: [what: string, pushed: number[], written: number[]][] = [
  ["joins chunks up to 64 KiB", [32 * KIB, 32 * KIB], [64 * KIB]],
  ["joins no chunks beyond 64 KiB", [32 * KIB, 32 * KIB, 1], [64 * KIB, 1]],
  ["does not join two big chunks", [50 * KIB, 25 * KIB], [50 * KIB, 25 * KIB]],
  ["writes a chunk beyond 64 KiB whole and alone", [75 * KIB, 1, 1], [75 * KIB, 2]],
  ["joins the small chunks before a big one", [1, 1, 75 * KIB], [2, 75 * KIB]],
];

for (const [what, pushed, written] of JOINED) {
  Deno.test(`WriteQueue ${what}`, async () => {
    const sink = new Sink().open();
    const queue = new WriteQueue(sink, NO_LIMIT);
    for (const size of pushed) queue.push(new Uint8Array(size));
    await queue.drained();
    assertEquals(sink.sizes, written);
  });
}

Deno.test("WriteQueue writes a single small chunk without a copy, and copies no large one", async () => {
  const sink = new Sink().open();
  const queue = new WriteQueue(sink, NO_LIMIT);
  const shared = bytes(1, 2, 3);
  queue.push(shared);
  await queue.drained();
  assert(sink.written[0] === shared);
});

Deno.test("WriteQueue writes a very large chunk in parts, whose bytes are those of the chunk", async () => {
  const sink = new Sink().open();
  const queue = new WriteQueue(sink, NO_LIMIT);
  const large = Uint8Array.from({ length: 300_000 }, (_, index) => index);
  queue.push(large);
  await queue.drained();
  assertEquals(sink.sizes, [131_072, 131_072, 37_856]);
  assert(sink.written.every(({ buffer }) => buffer === large.buffer));
  assertEquals(queue.queuedBytes, 0);
});

Deno.test("WriteQueue accepts bytes up to its limit once some are queued", () => {
  const queue = filled(bytes(1, 2, 3), { limitBytes: 4, burstMs: 0 });
  assertEquals(queue.roomBytes, 1);
  assertEquals([queue.push(bytes(4)), queue.roomBytes, queue.push(bytes(5))], [true, 0, false]);
});

Deno.test("WriteQueue accepts everything until a burst has lasted too long", () => {
  for (const [waiting, room] of [[0, 8], [4, 8], [5, 3], [8, 0]]) {
    const queue = filled(new Uint8Array(waiting), { limitBytes: 8, burstMs: 0 });
    assertEquals(queue.roomBytes, room);
    const taken = [6, 8, 20].map((size) => queue.push(new Uint8Array(size)));
    assertEquals(taken, Array(3).fill(waiting <= 4), `${waiting} wait`);
  }
});

Deno.test("WriteQueue accepts everything in a burst, however often it is flushed", () => {
  const queue = filled(new Uint8Array(5), { limitBytes: 8, burstMs: Infinity });
  for (let count = 0; count < 3; count++) {
    assertEquals([queue.push(new Uint8Array(8)), queue.isBurst, queue.roomBytes], [true, true, 8]);
    queue.flush();
  }
});

Deno.test("WriteQueue.isBurst is true until the burst has lasted too long or the queue is low", async () => {
  for (const burstMs of [0, Infinity]) {
    const sink = new Sink();
    const queue = new WriteQueue(sink, { limitBytes: 8, burstMs });
    queue.push(new Uint8Array(4));
    assertEquals([queue.isBurst, queue.isLow], [false, false]);
    queue.push(new Uint8Array(1));
    queue.flush();
    assertEquals(
      [queue.isBurst, queue.isLow, queue.roomBytes],
      burstMs === 0 ? [false, false, 3] : [true, false, 8],
    );
    sink.open();
    await queue.drained();
    assertEquals([queue.isBurst, queue.isLow, queue.roomBytes], [false, true, 8]);
  }
});

Deno.test("WriteQueue with a pace has no bursts, since it cannot write faster", () => {
  const queue = new WriteQueue(new Sink(), { limitBytes: 8, paceMs: 1 });
  assertEquals([queue.push(new Uint8Array(5)), queue.isBurst, queue.roomBytes], [true, false, 3]);
});

Deno.test("WriteQueue queues nothing of a push that it refuses", async () => {
  const sink = new Sink();
  const queue = new WriteQueue(sink, { limitBytes: 4, burstMs: 0 });
  queue.push(bytes(1, 2, 3));
  queue.flush();
  queue.push(bytes(4, 5));
  assertEquals(queue.queuedBytes, 3);
  sink.open();
  await queue.drained();
  assertEquals(sink.written, [bytes(1, 2, 3)]);
});

Deno.test("WriteQueue refuses everything after a push that it refused until half of its room is free", async () => {
  const sink = new Sink();
  let rooms = 0;
  const queue = new WriteQueue(sink, { limitBytes: 4, burstMs: 0, onRoom: () => rooms++ });
  queue.push(bytes(1, 2, 3));
  queue.flush();
  assertEquals([queue.push(bytes(4, 5)), queue.push(bytes(4)), queue.roomBytes, rooms], [false, false, 0, 0]);
  sink.open();
  await queue.drained();
  assertEquals([rooms, queue.push(bytes(4))], [1, true]);
});

Deno.test("WriteQueue that refused a push while half of its room was free takes the next when something was written", async () => {
  const gates = [0, 1].map(() => Promise.withResolvers<void>());
  let [writes, rooms] = [0, 0];
  const writable = new WritableStream({ write: () => gates[writes++].promise });
  const queue = new WriteQueue({ writable }, { limitBytes: 8, burstMs: 0, onRoom: () => rooms++ });
  for (const chunk of [bytes(1, 2), bytes(3, 4, 5)]) {
    queue.push(chunk);
    queue.flush();
  }
  gates[0].resolve();
  await until(() => writes === 2, "the first is written");
  assertEquals([queue.queuedBytes, queue.push(new Uint8Array(6)), queue.isFull, rooms], [3, false, true, 0]);
  assertEquals([queue.push(bytes(4)), rooms], [false, 0]);
  gates[1].resolve();
  await queue.drained();
  assertEquals([queue.isFull, queue.push(bytes(4)), rooms], [false, true, 1]);
});

Deno.test("WriteQueue writes what onRoom pushes before later bytes", async () => {
  const sink = new Sink().open();
  const queue: WriteQueue = new WriteQueue(sink, {
    limitBytes: 4,
    burstMs: 0,
    onRoom: () => void queue.push(bytes(9)),
  });
  queue.push(bytes(1, 2, 3));
  queue.flush();
  queue.push(bytes(4, 5));
  await queue.drained();
  queue.push(bytes(6));
  await queue.drained();
  assertEquals(sink.written.flatMap((chunk) => [...chunk]), [1, 2, 3, 9, 6]);
});

Deno.test("WriteQueue.pushUrgent has room beyond the limit, whether the queue is full or not", () => {
  const queue = filled(bytes(1, 2), { limitBytes: 3, burstMs: 0 });
  assertEquals([1, 2, 3].map((byte) => queue.pushUrgent(bytes(byte), 1)), [true, true, false]);
  queue.push(bytes(4));
  assertEquals([queue.isFull, queue.pushUrgent(bytes(4), 2)], [true, true]);
});

for (const how of ["written", "discarded", "lost"]) {
  Deno.test(`WriteQueue.urgentWritten waits until the urgent bytes are ${how}, and not for what follows them`, async () => {
    const sink = new Sink();
    const queue = new WriteQueue(sink, { limitBytes: 1000 });
    await queue.urgentWritten(); // There are none.
    queue.pushUrgent(bytes(1), 0);
    queue.flush();
    await sink.busy;
    queue.push(bytes(2, 3));
    queue.pushUrgent(bytes(4, 5), 0);
    queue.push(bytes(6));
    assertEquals(queue.urgentBytes, 3);
    const waiting = queue.urgentWritten();
    if (how === "discarded") queue.discard();
    how === "lost" ? sink.fail() : sink.open();
    await waiting;
    assertEquals(queue.urgentBytes, 0);
  });
}

Deno.test("WriteQueue counts the bytes being written against its limit", async () => {
  const sink = new Sink();
  const queue = new WriteQueue(sink, { limitBytes: 4, burstMs: 0 });
  queue.push(bytes(1, 2, 3));
  queue.flush();
  await sink.busy;
  assertEquals([queue.push(bytes(4)), queue.push(bytes(5)), queue.queuedBytes], [true, false, 4]);
});

Deno.test("WriteQueue has its whole limit again once it has drained", async () => {
  const queue = new WriteQueue(new Sink().open(), { limitBytes: 4, burstMs: 0 });
  queue.push(bytes(1, 2, 3, 4));
  await queue.drained();
  assertEquals([queue.queuedBytes, queue.push(bytes(1, 2, 3, 4))], [0, true]);
});

Deno.test("WriteQueue.discard discards what is queued, but not what is being written", async () => {
  const sink = new Sink();
  const queue = new WriteQueue(sink, NO_LIMIT);
  queue.push(bytes(1));
  queue.flush();
  await sink.busy;
  queue.push(bytes(2, 3));
  queue.push(bytes(4));
  assertEquals([queue.discard(), queue.queuedBytes], [3, 1]);
  queue.push(bytes(5));
  sink.open();
  await queue.drained();
  assertEquals([sink.written, queue.queuedBytes], [[bytes(1), bytes(5)], 0]);
});

Deno.test("WriteQueue.discard of an empty queue discards nothing", () => {
  assertEquals(new WriteQueue(new Sink(), NO_LIMIT).discard(), 0);
});

Deno.test("WriteQueue.drained of an empty queue is true at once", async () => {
  const sink = new Sink();
  assertEquals(await new WriteQueue(sink, NO_LIMIT).drained(), true);
  assertEquals(sink.written, []);
});

Deno.test("WriteQueue.drained waits for what is pushed in the meantime", async () => {
  const sink = new Sink();
  const queue = new WriteQueue(sink, NO_LIMIT);
  queue.push(bytes(1));
  const drained = queue.drained();
  queue.push(bytes(2));
  sink.open();
  assertEquals([await drained, sink.written, queue.queuedBytes], [true, [bytes(1), bytes(2)], 0]);
});

Deno.test("WriteQueue.drained is false when the sink fails", async () => {
  const queue = new WriteQueue(new Sink().fail(), NO_LIMIT);
  queue.push(bytes(1));
  assertEquals(await queue.drained(), false);
});

Deno.test("WriteQueue writes nothing more after its sink has failed", async () => {
  const sink = new Sink();
  const queue = new WriteQueue(sink, NO_LIMIT);
  queue.push(bytes(1));
  queue.flush();
  await sink.busy;
  queue.push(bytes(2));
  sink.fail();
  assertEquals([await queue.drained(), sink.written], [false, [bytes(1)]]);
});

Deno.test("WriteQueue continues to count what its failed sink did not accept", async () => {
  const queue = new WriteQueue(new Sink().fail(), NO_LIMIT);
  queue.push(bytes(1));
  queue.flush();
  queue.push(bytes(2, 3));
  await queue.drained();
  assertEquals(queue.queuedBytes, 3);
});

Deno.test("WriteQueue accepts and discards what is pushed after its sink has failed", async () => {
  const queue = new WriteQueue(new Sink().fail(), { limitBytes: 1 });
  queue.push(bytes(1));
  await queue.drained();
  assertEquals([queue.push(bytes(2, 3)), queue.queuedBytes], [true, 1]);
});

Deno.test("WriteQueue writes each accepted byte once and in order, whenever it is flushed", async () => {
  const step = fc.oneof(fc.uint8Array({ maxLength: 6 }), fc.constantFrom("flush", "wait"));
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
    const sink = new Sink().open();
    const queue = new WriteQueue(sink, { limitBytes: 16, burstMs: 0 });
    const taken: number[] = [];
    for (const step of steps) {
      if (step === "flush") queue.flush();
      else if (step === "wait") await Promise.resolve();
      else if (queue.push(step as Uint8Array)) taken.push(...step as Uint8Array);
    }
    await queue.drained();
    assertEquals(sink.written.flatMap((chunk) => [...chunk]), taken);
    assertEquals(queue.queuedBytes, 0);
  }));
});

/** An queue with something in it that does not leave. */
function filled(chunk: Uint8Array, options: WriteQueueOptions): WriteQueue {
  const queue = new WriteQueue(new Sink(), options);
  if (chunk.length > 0) queue.push(chunk);
  queue.flush();
  return queue;
}

function bytes(...values: number[]): Uint8Array {
  return new Uint8Array(values);
}

Deno.test("WriteQueue with a pace writes each line separately, with at least the pace between them", async () => {
  const paceMs = 20;
  const long = "x".repeat(200);
  const writes: { text: string; at: number }[] = [];
  const writable = new WritableStream<Uint8Array>({
    write: (chunk) => void writes.push({ text: new TextDecoder().decode(chunk), at: performance.now() }),
  });
  const queue = new WriteQueue({ writable }, { limitBytes: 1000, paceMs });
  for (const text of ["one\ntwo\n", "three\n", `four\n${long}\n`, "five\n"]) {
    queue.push(new TextEncoder().encode(text));
  }
  assertEquals(await queue.drained(), true);
  assertEquals(writes.map(({ text }) => text), ["one\n", "two\n", "three\n", "four\n", `${long}\n`, "five\n"]);
  const gaps = writes.slice(1).map(({ at }, index) => at - writes[index].at);
  assert(gaps.every((gap) => gap >= paceMs - 1), gaps.join());
  assertEquals(queue.queuedBytes, 0);
});

Deno.test("WriteQueue writes some mebibytes in one tick, whoever has them, but what is short at once", async () => {
  const long = Array.from({ length: 10 }, () => new Sink().open());
  const short = new Sink().open();
  const flushed = (sink: Sink, size: number) => {
    const queue = new WriteQueue(sink, NO_LIMIT);
    queue.push(new Uint8Array(size));
    queue.flush();
    return queue;
  };
  await endOfTick(); // Others may have used up this one.
  const queues = long.map((sink) => flushed(sink, 1024 * KIB));
  flushed(short, 1 * KIB);
  const total = () => long.flatMap(({ sizes }) => sizes).reduce((sum, size) => sum + size, 0);
  for (let index = 0; index < 1000; index++) await Promise.resolve();
  assertEquals([total(), short.sizes], [4096 * KIB, [1 * KIB]]);
  await Promise.all(queues.map((queue) => queue.drained()));
  assertEquals(total(), 10_240 * KIB);
  assertEquals(new Set(long.flatMap(({ sizes }) => sizes)), new Set([128 * KIB]));
});

function endOfTick(): Promise<void> {
  return new Promise((resolve) => afterCurrentTick(resolve));
}

Deno.test("WriteQueue gives the memory of a large chunk back once the last queue has written it, and not before", async () => {
  const memory = new MemoryBudget();
  const [fast, slow] = [new Sink().open(), new Sink()];
  const queues = [fast, slow].map((sink) => new WriteQueue(sink, { ...NO_LIMIT, memory }));
  const chunk = giveAway(new Uint8Array(500 * KIB).fill(7));
  for (const queue of queues) queue.push(chunk);
  await queues[0].drained();
  assertEquals(chunk.length, 500 * KIB);
  queues[1].flush();
  slow.open();
  await queues[1].drained();
  assertEquals([chunk.length, memory.usedBytes], [0, 0]);
});

Deno.test("WriteQueue tells its sink while it writes a chunk in parts", async () => {
  const told: (number | boolean)[] = [];
  const sink = {
    writable: new WritableStream<Uint8Array>({ write: (part) => void told.push(part.length / KIB) }),
    set isCut(isCut: boolean) {
      told.push(isCut);
    },
  };
  const queue = new WriteQueue(sink, NO_LIMIT);
  for (const kibibytes of [128, 300, 1]) queue.push(new Uint8Array(kibibytes * KIB));
  await queue.drained();
  assertEquals(told, [128, true, 128, 128, 44, false, 1]);
});

Deno.test("WriteQueue with a pace writes the rest of a chunk that another queue has discarded", async () => {
  const memory = new MemoryBudget();
  const sinks = [new Sink().open(), new Sink()];
  const queues = sinks.map((sink) => new WriteQueue(sink, { ...NO_LIMIT, paceMs: 100, memory }));
  const line = `${"x".repeat(3 * KIB)}\n`;
  const chunk = giveAway(new TextEncoder().encode(line.repeat(2)));
  queues[1].push(bytes(1));
  for (const queue of queues) queue.push(chunk);
  for (const queue of queues) queue.flush();
  await until(() => sinks[0].written.length === 1, "the first line is written");
  queues[1].fail();
  await queues[0].drained();
  assertEquals(sinks[0].written.map((part) => new TextDecoder().decode(part)), [line, line]);
});

Deno.test("WriteQueue that joins chunks for a write gives them back, and then what it has joined", async () => {
  const memory = new MemoryBudget();
  const sink = new Sink();
  const queue = new WriteQueue(sink, { ...NO_LIMIT, memory });
  const chunks = [5, 6].map((kibibytes) => giveAway(new Uint8Array(kibibytes * KIB).fill(7)));
  for (const chunk of chunks) queue.push(chunk);
  queue.flush();
  await sink.busy;
  assertEquals([...chunks, ...sink.written].map(({ length }) => length), [0, 0, 11 * KIB]);
  assertEquals(memory.usedBytes, 11 * KIB);
  sink.open();
  await queue.drained();
  assertEquals([sink.sizes, memory.usedBytes], [[0], 0]);
});

Deno.test("WriteQueue leaves a large chunk as it is that was not given away: it may be queued again", async () => {
  const memory = new MemoryBudget();
  const chunk = new Uint8Array(500 * KIB).fill(7);
  for (let index = 0; index < 2; index++) {
    const sink = new Sink().open();
    const queue = new WriteQueue(sink, { ...NO_LIMIT, memory });
    queue.pushUrgent(chunk, 0);
    await queue.drained();
    assertEquals(sink.sizes.reduce((sum, size) => sum + size, 0), 500 * KIB);
  }
  assertEquals([chunk.length, memory.usedBytes], [500 * KIB, 0]);
});

Deno.test("WriteQueue.urgentWritten refuses nobody what there was room for in a burst", async () => {
  const sink = new Sink();
  const queue = new WriteQueue(sink, { limitBytes: 8, burstMs: 0 });
  queue.pushUrgent(bytes(1, 2, 3, 4, 5, 6), 0);
  const written = queue.urgentWritten();
  assertEquals(queue.roomBytes, 8);
  assertEquals(queue.push(bytes(1, 2, 3, 4, 5, 6, 7, 8)), true);
  sink.open();
  await written;
  await queue.drained();
});

Deno.test("WriteQueue is low when nothing can be written any more, so that nobody waits for it", () => {
  const queue = new WriteQueue(new Sink(), { limitBytes: 8 });
  queue.push(bytes(1, 2, 3, 4, 5, 6));
  assertEquals(queue.isLow, false);
  queue.fail();
  assertEquals(queue.isLow, true);
});
