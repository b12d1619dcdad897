import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../../cmd/command.ts";
import { has } from "../../helpers.ts";
import { ByteWriter } from "./byte_writer.ts";
import { casesNamed } from "./cases.ts";
import { FakeMq } from "./fake_mq.ts";
import { LineSplitter } from "./lines.ts";
import { mqPublishing, mqWorking } from "./mq.ts";
import { canSyncAlways } from "./nats.ts";
import { formatComparison, ratiosOf } from "./page.ts";
import { measurePublishing, publishAll } from "./publishing.ts";
import { cpuMsOf, type Read, type Sample, sampleOf } from "./readings.ts";
import { ReplyCounter } from "./replies.ts";
import { Window } from "./window.ts";
import { AHEAD, measureWorking, MEMBERS } from "./working.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const bytes = (text: string) => encoder.encode(text);

/** Readings without the CPU time of a process, which a test has no permission to read. */
const read: Read = (count) => ({ count, atMs: performance.now(), brokerCpuMs: 0, ownCpuMs: 0 });

const rate = (perSecond: number): Sample => ({ perSecond, brokerUs: 2, ownUs: 1 });

/** The lines that a splitter finds in text that arrives in chunks of some size. */
function linesOf(text: string, size: number): string[] {
  const [splitter, lines]: [LineSplitter, string[]] = [new LineSplitter(), []];
  const all = bytes(text);
  for (let start = 0; start < all.length; start += size) {
    splitter.split(
      all.slice(start, start + size),
      (chunk, from, to) => lines.push(decoder.decode(chunk.subarray(from, to))),
    );
  }
  return lines;
}

Deno.test("LineSplitter finds the same lines, however they are split over chunks", () => {
  const text = "/ok p {}\n\n/ok ack\r\n/job 1 1 x\nunfinished";
  for (let size = 1; size <= text.length; size++) {
    assertEquals(linesOf(text, size), ["/ok p {}", "", "/ok ack\r", "/job 1 1 x"], `chunks of ${size}`);
  }
});

Deno.test("ReplyCounter counts replies when they are complete, and skips other lines that are known", () => {
  const replies = bytes(
    'MSG _INBOX.p0 1 27\r\n{"stream":"bench","seq":1}\r\nPING\r\nMSG _INBOX.p0 1 27\r\n{"stream"\r\n',
  );
  for (let split = 0; split <= replies.length; split++) {
    const counter = new ReplyCounter({ counted: '{"stream"', skipped: ["MSG ", "PING"] });
    const counts = [replies.slice(0, split), replies.slice(split)].map((chunk) => counter.add(chunk));
    const isFirstComplete = split >= replies.indexOf("}".charCodeAt(0)) + 3;
    assertEquals(counts, split === replies.length ? [2, 0] : isFirstComplete ? [1, 1] : [0, 2], `split at ${split}`);
  }
});

Deno.test("ReplyCounter throws at a line of another kind, and quotes it", () => {
  const counter = new ReplyCounter({ counted: "$", skipped: ["1"] });
  assertEquals(counter.add(bytes("$15\r\n17-0\r\n$15\r\n")), 2);
  assertThrows(() => counter.add(bytes("-ERR no space\r\n")), Error, 'Unexpected reply "-ERR no space"');
});

Deno.test("Window has room for what is acknowledged, and for no more than its size", () => {
  const window = new Window(3);
  window.send(3);
  assertEquals([window.free, window.isEmpty], [0, false]);
  assertThrows(() => window.send(1), RangeError, "Sent 1 with room for 0");
  window.acknowledge(2);
  assertEquals(window.free, 2);
  assertThrows(() => window.acknowledge(2), RangeError, "2 acknowledgements of 1 in flight");
  window.acknowledge(1);
  assert(window.isEmpty);
});

Deno.test("ByteWriter returns what was added since the last time, whatever its length", () => {
  const writer = new ByteWriter();
  writer.add(bytes("/ack "));
  writer.add(bytes("/job 12 1"), 5, 7);
  assertEquals(decoder.decode(writer.take()), "/ack 12");
  assertEquals(writer.take().length, 0);
  for (let index = 0; index < 3000; index++) writer.add(bytes(`${index} `));
  assertEquals(decoder.decode(writer.take()), Array.from({ length: 3000 }, (_, index) => `${index} `).join(""));
});

Deno.test("cpuMsOf adds the user and the system time, whatever the program's name", () => {
  const rest = "S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0";
  assertEquals(cpuMsOf(`42 (deno) ${rest}`), 1750);
  assertEquals(cpuMsOf(`42 (a) S 9 (b ) ${rest}`), 1750);
});

Deno.test("sampleOf returns the rate and the CPU times per event between two readings", () => {
  const from = { count: 100, atMs: 1000, brokerCpuMs: 50, ownCpuMs: 10 };
  const to = { count: 1100, atMs: 1500, brokerCpuMs: 60, ownCpuMs: 12 };
  assertEquals(sampleOf(from, to), { perSecond: 2000, brokerUs: 10, ownUs: 2 });
});

Deno.test("ratiosOf compares rounds, not medians", () => {
  const [mq, peer] = [[300, 200, 400], [100, 200, 100]].map((rates) => ({ samples: rates.map(rate) }));
  assertEquals(ratiosOf(mq, peer), [3, 1, 4]);
});

Deno.test("formatComparison writes machine, settings, figures and ratios, and names missing peers", () => {
  const page = formatComparison({
    machine: [["file system", "ext4"]],
    subjects: [{ name: "mq", version: "1.2.3", settings: "`--store DIR`" }],
    missing: ["redis"],
    rounds: 2,
    results: [
      { case: "publish 1 x 1", subject: "mq", samples: [rate(100), rate(300)] },
      { case: "publish 1 x 1", subject: "nats", samples: [rate(100), rate(100)] },
      { case: "acknowledge jobs", subject: "nats", samples: [rate(7), rate(7)] },
    ],
  });
  for (
    const part of [
      "| file system | ext4  |",
      "| mq     | 1.2.3   | `--store DIR` |",
      "Not compared, because it is not on this machine: redis.",
      "Medians of 2 rounds",
      "| 200 (100 to 300) |",
      "| nats   | 100 (100 to 100) | 2 (1 to 3)        |",
      "| nats   | 7 (7 to 7)       |                   |",
    ]
  ) assertStringIncludes(page, part);
});

Deno.test("canSyncAlways is true from 2.10", () => {
  assertEquals(["2.9.10", "2.10.27", "3.0.0", "1.12.0"].map(canSyncAlways), [false, true, true, false]);
});

Deno.test("casesNamed refuses names of no case", () => {
  assertEquals(casesNamed(["work", "10x100"]).map(({ name }) => name), ["10x100", "work"]);
  assertThrows(() => casesNamed(["2x2"]), UsageError, "there is no case 2x2");
});

Deno.test("measurePublishing counts what is acknowledged, and waits for all of it", async () => {
  await using mq = new FakeMq();
  const load = { connections: 3, window: 10, data: "xxxx" };
  const { perSecond } = await measurePublishing(mq.address, mqPublishing, load, { warmUpMs: 5, ms: 50 }, read);
  assert(perSecond > 0 && mq.published > 0);
});

Deno.test("measurePublishing fails when a publish is refused", async () => {
  await using mq = new FakeMq({ maxPublishes: 25 });
  const load = { connections: 1, window: 10, data: "xxxx" };
  await assertRejects(
    () => measurePublishing(mq.address, mqPublishing, load, { warmUpMs: 5000, ms: 5000 }, read),
    Error,
    'Unexpected reply "/err p out-of-memory The disk is full"',
  );
});

Deno.test("publishAll publishes exactly as many events as it is told", async () => {
  await using mq = new FakeMq();
  await publishAll(mq.address, mqPublishing, { connections: 4, window: 7, data: "xxxx" }, 1001);
  assertEquals(mq.published, 1001);
});

Deno.test("measureWorking acknowledges each job, up to 100 in a line", async () => {
  const jobs = 3 * AHEAD * MEMBERS;
  await using mq = new FakeMq({ jobs });
  const { perSecond } = await measureWorking(mq.address, mqWorking, { members: MEMBERS, jobs }, read);
  assert(perSecond > 0);
  assertEquals(mq.acknowledged.size, jobs);
  assert(Math.max(...mq.acks) <= 100);
});

for (const [peer, program] of [["nats", "nats-server"], ["redis", "redis-server"], ["beanstalkd", "beanstalkd"]]) {
  Deno.test(`stored.ts --brief --peers ${peer} runs to its end`, { ignore: !has(program) }, async () => {
    const script = new URL("./stored.ts", import.meta.url).pathname;
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", script, "--brief", "--without-store", "--peers", peer, "--cases", "1x100,work"],
      env: { NO_COLOR: "1" },
    }).output();
    assert(success, decoder.decode(stderr));
    const page = decoder.decode(stdout);
    for (const broker of ["mq", peer]) assertMatch(page, new RegExp(`^\\| publish 1 x 100 +\\| ${broker} `, "m"));
    assertEquals(/^\| acknowledge jobs \| /m.test(page), peer !== "redis");
  });
}
