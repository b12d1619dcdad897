import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Outbox, type OutboxOptions } from "../lib/outbox.ts";
import { until } from "./helpers.ts";

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

Deno.test("Outbox writes nothing before it is flushed", async () => {
  const sink = new Sink().open();
  const outbox = new Outbox(sink, NO_LIMIT);
  outbox.push(bytes(1));
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(sink.written, []);
});

Deno.test("Outbox writes what was pushed as one, in order", async () => {
  const sink = new Sink().open();
  const outbox = new Outbox(sink, NO_LIMIT);
  for (const chunk of [bytes(1), bytes(2, 3), bytes(4)]) outbox.push(chunk);
  await outbox.drained();
  assertEquals(sink.written, [bytes(1, 2, 3, 4)]);
});

Deno.test("Outbox writes a single chunk without copying it", async () => {
  const sink = new Sink().open();
  const outbox = new Outbox(sink, NO_LIMIT);
  const chunk = new Uint8Array(1000);
  outbox.push(chunk);
  await outbox.drained();
  assert(sink.written[0] === chunk);
});

Deno.test("Outbox writes what gathers while a write is under way as the next one, without another flush", async () => {
  const sink = new Sink();
  const outbox = new Outbox(sink, NO_LIMIT);
  outbox.push(bytes(1));
  outbox.flush();
  await sink.busy;
  outbox.push(bytes(2));
  outbox.push(bytes(3));
  sink.open();
  await outbox.drained();
  assertEquals(sink.written, [bytes(1), bytes(2, 3)]);
});

Deno.test("Outbox writes what gathers during a write as the next one, however often it is flushed", async () => {
  const sink = new Sink();
  const outbox = new Outbox(sink, NO_LIMIT);
  for (const chunk of [bytes(1), bytes(2), bytes(3)]) {
    outbox.push(chunk);
    outbox.flush();
    await sink.busy;
  }
  sink.open();
  await outbox.drained();
  assertEquals(sink.written, [bytes(1), bytes(2, 3)]);
});

Deno.test("Outbox can be flushed again after it has drained", async () => {
  const sink = new Sink().open();
  const outbox = new Outbox(sink, NO_LIMIT);
  for (const chunk of [bytes(1), bytes(2)]) {
    outbox.push(chunk);
    await outbox.drained();
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
  Deno.test(`Outbox ${what}`, async () => {
    const sink = new Sink().open();
    const outbox = new Outbox(sink, NO_LIMIT);
    for (const size of pushed) outbox.push(new Uint8Array(size));
    await outbox.drained();
    assertEquals(sink.sizes, written);
  });
}

Deno.test("Outbox writes a small chunk that comes alone as it is, and does not copy what others may share", async () => {
  const sink = new Sink().open();
  const outbox = new Outbox(sink, NO_LIMIT);
  const shared = bytes(1, 2, 3);
  outbox.push(shared);
  await outbox.drained();
  assert(sink.written[0] === shared);
});

Deno.test("Outbox takes bytes up to its limit, once some wait", () => {
  const outbox = filled(bytes(1, 2, 3), { limitBytes: 4, burstMs: 0 });
  assertEquals(outbox.roomBytes, 1);
  assertEquals([outbox.push(bytes(4)), outbox.roomBytes, outbox.push(bytes(5))], [true, 0, false]);
});

Deno.test("Outbox takes whatever comes before a burst has lasted too long", () => {
  for (const [waiting, room] of [[0, 8], [4, 8], [5, 3], [8, 0]]) {
    const outbox = filled(new Uint8Array(waiting), { limitBytes: 8, burstMs: 0 });
    assertEquals(outbox.roomBytes, room);
    const taken = [6, 8, 20].map((size) => outbox.push(new Uint8Array(size)));
    assertEquals(taken, Array(3).fill(waiting <= 4), `${waiting} wait`);
  }
});

Deno.test("Outbox takes whatever comes in a burst, however often it is flushed", () => {
  const outbox = filled(new Uint8Array(5), { limitBytes: 8, burstMs: Infinity });
  for (let count = 0; count < 3; count++) {
    assertEquals([outbox.push(new Uint8Array(8)), outbox.isBurst, outbox.roomBytes], [true, true, 8]);
    outbox.flush();
  }
});

Deno.test("Outbox tells of a burst until it has lasted too long or is low again", async () => {
  for (const burstMs of [0, Infinity]) {
    const sink = new Sink();
    const outbox = new Outbox(sink, { limitBytes: 8, burstMs });
    outbox.push(new Uint8Array(4));
    assertEquals([outbox.isBurst, outbox.isLow], [false, false]);
    outbox.push(new Uint8Array(1));
    outbox.flush();
    assertEquals(
      [outbox.isBurst, outbox.isLow, outbox.roomBytes],
      burstMs === 0 ? [false, false, 3] : [true, false, 8],
    );
    sink.open();
    await outbox.drained();
    assertEquals([outbox.isBurst, outbox.isLow, outbox.roomBytes], [false, true, 8]);
  }
});

Deno.test("Outbox with a pace takes no bursts: what it holds cannot leave faster", () => {
  const outbox = new Outbox(new Sink(), { limitBytes: 8, paceMs: 1 });
  assertEquals([outbox.push(new Uint8Array(5)), outbox.isBurst, outbox.roomBytes], [true, false, 3]);
});

Deno.test("Outbox queues nothing of a push that it refuses", async () => {
  const sink = new Sink();
  const outbox = new Outbox(sink, { limitBytes: 4, burstMs: 0 });
  outbox.push(bytes(1, 2, 3));
  outbox.flush();
  outbox.push(bytes(4, 5));
  assertEquals(outbox.queuedBytes, 3);
  sink.open();
  await outbox.drained();
  assertEquals(sink.written, [bytes(1, 2, 3)]);
});

Deno.test("Outbox refuses everything after a push that it refused until half of its room is free", async () => {
  const sink = new Sink();
  let rooms = 0;
  const outbox = new Outbox(sink, { limitBytes: 4, burstMs: 0, onRoom: () => rooms++ });
  outbox.push(bytes(1, 2, 3));
  outbox.flush();
  assertEquals([outbox.push(bytes(4, 5)), outbox.push(bytes(4)), outbox.roomBytes, rooms], [false, false, 0, 0]);
  sink.open();
  await outbox.drained();
  assertEquals([rooms, outbox.push(bytes(4))], [1, true]);
});

Deno.test("Outbox that refused a push while half of its room was free takes the next when something was written", async () => {
  const gates = [0, 1].map(() => Promise.withResolvers<void>());
  let [writes, rooms] = [0, 0];
  const writable = new WritableStream({ write: () => gates[writes++].promise });
  const outbox = new Outbox({ writable }, { limitBytes: 8, burstMs: 0, onRoom: () => rooms++ });
  for (const chunk of [bytes(1, 2), bytes(3, 4, 5)]) {
    outbox.push(chunk);
    outbox.flush();
  }
  gates[0].resolve();
  await until(() => writes === 2, "the first is written");
  assertEquals([outbox.queuedBytes, outbox.push(new Uint8Array(6)), outbox.isFull, rooms], [3, false, true, 0]);
  assertEquals([outbox.push(bytes(4)), rooms], [false, 0]);
  gates[1].resolve();
  await outbox.drained();
  assertEquals([outbox.isFull, outbox.push(bytes(4)), rooms], [false, true, 1]);
});

Deno.test("Outbox writes what onRoom pushes before all that comes later", async () => {
  const sink = new Sink().open();
  const outbox: Outbox = new Outbox(sink, { limitBytes: 4, burstMs: 0, onRoom: () => void outbox.push(bytes(9)) });
  outbox.push(bytes(1, 2, 3));
  outbox.flush();
  outbox.push(bytes(4, 5));
  await outbox.drained();
  outbox.push(bytes(6));
  await outbox.drained();
  assertEquals(sink.written.flatMap((chunk) => [...chunk]), [1, 2, 3, 9, 6]);
});

Deno.test("Outbox.pushUrgent has room beyond the limit, whether the rest is full or not", () => {
  const outbox = filled(bytes(1, 2), { limitBytes: 3, burstMs: 0 });
  assertEquals([1, 2, 3].map((byte) => outbox.pushUrgent(bytes(byte), 1)), [true, true, false]);
  outbox.push(bytes(4));
  assertEquals([outbox.isFull, outbox.pushUrgent(bytes(4), 2)], [true, true]);
});

Deno.test("Outbox counts the bytes being written against its limit", async () => {
  const sink = new Sink();
  const outbox = new Outbox(sink, { limitBytes: 4, burstMs: 0 });
  outbox.push(bytes(1, 2, 3));
  outbox.flush();
  await sink.busy;
  assertEquals([outbox.push(bytes(4)), outbox.push(bytes(5)), outbox.queuedBytes], [true, false, 4]);
});

Deno.test("Outbox has its whole limit again once it has drained", async () => {
  const outbox = new Outbox(new Sink().open(), { limitBytes: 4, burstMs: 0 });
  outbox.push(bytes(1, 2, 3, 4));
  await outbox.drained();
  assertEquals([outbox.queuedBytes, outbox.push(bytes(1, 2, 3, 4))], [0, true]);
});

Deno.test("Outbox.discard throws away what waits, but not what is being written", async () => {
  const sink = new Sink();
  const outbox = new Outbox(sink, NO_LIMIT);
  outbox.push(bytes(1));
  outbox.flush();
  await sink.busy;
  outbox.push(bytes(2, 3));
  outbox.push(bytes(4));
  assertEquals([outbox.discard(), outbox.queuedBytes], [3, 1]);
  outbox.push(bytes(5));
  sink.open();
  await outbox.drained();
  assertEquals([sink.written, outbox.queuedBytes], [[bytes(1), bytes(5)], 0]);
});

Deno.test("Outbox.discard of an empty outbox throws nothing away", () => {
  assertEquals(new Outbox(new Sink(), NO_LIMIT).discard(), 0);
});

Deno.test("Outbox.drained of an empty outbox is true at once", async () => {
  const sink = new Sink();
  assertEquals(await new Outbox(sink, NO_LIMIT).drained(), true);
  assertEquals(sink.written, []);
});

Deno.test("Outbox.drained waits for what is pushed while it waits", async () => {
  const sink = new Sink();
  const outbox = new Outbox(sink, NO_LIMIT);
  outbox.push(bytes(1));
  const drained = outbox.drained();
  outbox.push(bytes(2));
  sink.open();
  assertEquals([await drained, sink.written, outbox.queuedBytes], [true, [bytes(1), bytes(2)], 0]);
});

Deno.test("Outbox.drained is false when the sink fails", async () => {
  const outbox = new Outbox(new Sink().fail(), NO_LIMIT);
  outbox.push(bytes(1));
  assertEquals(await outbox.drained(), false);
});

Deno.test("Outbox writes nothing more after its sink has failed", async () => {
  const sink = new Sink();
  const outbox = new Outbox(sink, NO_LIMIT);
  outbox.push(bytes(1));
  outbox.flush();
  await sink.busy;
  outbox.push(bytes(2));
  sink.fail();
  assertEquals([await outbox.drained(), sink.written], [false, [bytes(1)]]);
});

Deno.test("Outbox goes on counting what its failed sink did not take", async () => {
  const outbox = new Outbox(new Sink().fail(), NO_LIMIT);
  outbox.push(bytes(1));
  outbox.flush();
  outbox.push(bytes(2, 3));
  await outbox.drained();
  assertEquals(outbox.queuedBytes, 3);
});

Deno.test("Outbox takes and forgets what is pushed after its sink has failed", async () => {
  const outbox = new Outbox(new Sink().fail(), { limitBytes: 1 });
  outbox.push(bytes(1));
  await outbox.drained();
  assertEquals([outbox.push(bytes(2, 3)), outbox.queuedBytes], [true, 1]);
});

Deno.test("Outbox writes each byte that it took once and in order, whenever it is flushed", async () => {
  const step = fc.oneof(fc.uint8Array({ maxLength: 6 }), fc.constantFrom("flush", "wait"));
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
    const sink = new Sink().open();
    const outbox = new Outbox(sink, { limitBytes: 16, burstMs: 0 });
    const taken: number[] = [];
    for (const step of steps) {
      if (step === "flush") outbox.flush();
      else if (step === "wait") await Promise.resolve();
      else if (outbox.push(step as Uint8Array)) taken.push(...step as Uint8Array);
    }
    await outbox.drained();
    assertEquals(sink.written.flatMap((chunk) => [...chunk]), taken);
    assertEquals(outbox.queuedBytes, 0);
  }));
});

/** An outbox with something in it that does not leave. */
function filled(chunk: Uint8Array, options: OutboxOptions): Outbox {
  const outbox = new Outbox(new Sink(), options);
  if (chunk.length > 0) outbox.push(chunk);
  outbox.flush();
  return outbox;
}

function bytes(...values: number[]): Uint8Array {
  return new Uint8Array(values);
}

Deno.test("Outbox with a pace writes each line by itself, none sooner after the one before", async () => {
  const paceMs = 20;
  const long = "x".repeat(200);
  const writes: { text: string; at: number }[] = [];
  const writable = new WritableStream<Uint8Array>({
    write: (chunk) => void writes.push({ text: new TextDecoder().decode(chunk), at: performance.now() }),
  });
  const outbox = new Outbox({ writable }, { limitBytes: 1000, paceMs });
  for (const text of ["one\ntwo\n", "three\n", `four\n${long}\n`, "five\n"]) {
    outbox.push(new TextEncoder().encode(text));
  }
  assertEquals(await outbox.drained(), true);
  assertEquals(writes.map(({ text }) => text), ["one\n", "two\n", "three\n", "four\n", `${long}\n`, "five\n"]);
  const gaps = writes.slice(1).map(({ at }, index) => at - writes[index].at);
  assert(gaps.every((gap) => gap >= paceMs - 1), gaps.join());
  assertEquals(outbox.queuedBytes, 0);
});
