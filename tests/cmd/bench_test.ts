/** mq bench: its loads are complete, its figures add up, and nothing of it is left behind. */
import { setImmediate } from "node:timers";
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { limitOf } from "../../cmd/bench/figures.ts";
import { type Load, runLoad } from "../../cmd/bench/load.ts";
import { mqWire } from "../../cmd/bench/mq_wire.ts";
import { Output } from "../../cmd/shared/stdio.ts";
import { ConnectionError, TimeoutError } from "../../mod.ts";
import { mq, Program, sinkTo, startBroker } from "../helpers.ts";

const LIMITS = ["broker", "load generator", "neither"];

async function figures(args: string): Promise<Record<string, number | string>> {
  const { code, stdout, stderr } = await mq(["bench", ...args.split(" "), "--json"]);
  assertEquals([code, stderr], [0, ""]);
  return JSON.parse(stdout);
}

function assertShares({ brokerCpu, ownCpu, brokerRssBytes, limit }: Record<string, number | string>): void {
  for (const share of [brokerCpu, ownCpu]) assert(Number(share) >= 0 && Number(share) < 16, String(share));
  assert(Number(brokerRssBytes) > 1_000_000, String(brokerRssBytes));
  assert(LIMITS.includes(String(limit)), String(limit));
}

Deno.test("mq bench throughput counts every event and every delivery of its own broker", async () => {
  const { bench, pubs, subs, topics, size, published, delivered, ...rest } = await figures(
    "throughput --pubs 2 --subs 6 --topics 3 --msgs 3000 --size 10",
  );
  assertEquals([bench, pubs, subs, topics, size], ["throughput", 2, 6, 3, 10]);
  assertEquals([published, delivered], [3000, 6000]);
  const { seconds, publishedPerSecond, deliveredPerSecond } = rest;
  assert(Math.abs(Number(publishedPerSecond) * Number(seconds) / 3000 - 1) < 0.001);
  assert(Math.abs(Number(deliveredPerSecond) * Number(seconds) / 6000 - 1) < 0.001);
  assertShares(rest);
});

Deno.test("mq bench throughput measures a running broker", async () => {
  await using server = await startBroker({ events: ["bench.*"] });
  const { published, delivered } = await figures(`throughput -s 127.0.0.1:${server.port} --msgs 1000 --subs 0`);
  assertEquals([published, delivered], [1000, 0]);
  assert(server.broker.stats().published >= 1000);
});

Deno.test("mq bench throughput prints a table and names the bottleneck", async () => {
  const { code, stdout } = await mq(["bench", "throughput", "--msgs", "1000", "--subs", "2"]);
  assertEquals(code, 0);
  assertMatch(stdout, /^1 publisher, 2 listeners, 1 name, 64 bytes of data\n {2}published +[\d,]+ events\/s, .*\n/);
  assertMatch(stdout, /^ {2}delivered .*\n {2}broker +\d+ % of a core, .* MB of memory\n {2}load generator +\d+ %/m);
  assertMatch(stdout, /bottleneck.*\.\n$/);
});

Deno.test("mq bench latency publishes at the given rate, and its percentiles increase", async () => {
  const { published, seconds, p50Us, p90Us, p99Us, p999Us, maxUs, lateP99Us, ...rest } = await figures(
    "latency --rate 400 --for 500ms --subs 2",
  );
  assertEquals(published, 200);
  assert(Number(seconds) >= 0.4975, String(seconds)); // The last event is due then.
  const grown = [0, p50Us, p90Us, p99Us, p999Us, maxUs].map(Number);
  assertEquals(grown, [...grown].sort((a, b) => a - b));
  assert(Number(p50Us) > 0 && Number(lateP99Us) > 0);
  assertShares(rest);
});

Deno.test("mq bench connect compares one connection with one per event, in one sentence", async () => {
  const { keptUs, eachUs, ratio, ...rest } = await figures("connect --msgs 20");
  assert(Math.abs(Number(eachUs) / Number(keptUs) / Number(ratio) - 1) < 0.001);
  assertShares(rest);
  const { stdout } = await mq(["bench", "connect", "--msgs", "20"]);
  assertMatch(stdout, /\n(Keep the connection: .* [\d.]+ times as long|Here a connection for each .*)\.\n$/);
});

Deno.test("mq bench ends at once when it is interrupted, without any output", async () => {
  await using server = await startBroker({ events: ["bench.*"] });
  await using program = new Program(["bench", "latency", "--for", "1h", "-s", `127.0.0.1:${server.port}`]);
  while (server.broker.stats().published < 1200) await new Promise((resolve) => setTimeout(resolve, 10));
  program.kill("SIGINT");
  assertEquals(await program.outcome(), { code: 1, stdout: "", stderr: "" });
});

for (const [isTerminal, shown] of [[true, "\r\x1b[K1 %\r\x1b[K2 %\r\x1b[Kdone\n"], [false, "done\n"]] as const) {
  Deno.test(`progress on ${isTerminal ? "a terminal is one line, drawn again" : "a pipe is not shown"}`, async () => {
    let written = "";
    const can = { colors: false, cursor: isTerminal };
    const output = new Output(sinkTo((text) => written += text), { isTerminal, can });
    for (const text of ["1 %", "2 %", ""]) output.status(text);
    output.line("done");
    await new Promise((resolve) => void setImmediate(resolve)); // It writes at the end of the turn.
    await output.flush();
    assertEquals(written, shown);
  });
}

const LOAD: Load = { pubs: 1, subs: 1, topics: 1, size: 8 };

Deno.test("a load publishes whole cycles of names, and its listeners receive theirs", async () => {
  await using server = await startBroker({ events: [">"] });
  const load = { pubs: 3, subs: 25, topics: 20, size: 8 };
  const { published, delivered } = await runLoad(server.broker.addr!, mqWire(), load, { msgs: 61 });
  assertEquals([published, delivered], [120, 6 * 25]);
  assertEquals([server.broker.stats().published, server.broker.stats().delivered], [120, 6 * 25]);
});

Deno.test("a load runs for the given time", async () => {
  await using server = await startBroker({ events: [">"] });
  const { published, delivered, ms } = await runLoad(server.broker.addr!, mqWire(), LOAD, { forMs: 30 });
  assertEquals(published, delivered);
  assert(published > 0 && ms >= 30);
});

Deno.test("a load on a broker that delivers nothing times out", async () => {
  await using server = await startBroker({ events: ["other"] });
  const run = runLoad(server.broker.addr!, mqWire(), LOAD, { msgs: 10 }, { stallMs: 200 });
  const { message } = await assertRejects(() => run, TimeoutError);
  assertStringIncludes(message, "1 of 1 listeners have not received everything");
});

Deno.test("a load fails if its broker shuts down", async () => {
  await using server = await startBroker({ events: [">"] });
  const run = runLoad(server.broker.addr!, mqWire(), LOAD, { forMs: 60_000 });
  run.catch(() => {});
  while (server.broker.stats().published === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await server.broker.close();
  await assertRejects(() => run, ConnectionError);
});

Deno.test("a load without listeners fails", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = listener.addr;
  listener.close();
  await assertRejects(() => runLoad(address, mqWire(), LOAD, { msgs: 1 }), ConnectionError);
});

for (
  const [broker, own, limit] of [[1, 0.3, "broker"], [1.3, 1, "broker"], [0.5, 1, "load generator"], [
    0.7,
    0.8,
    "neither",
  ]] as const
) {
  Deno.test(`with the broker at ${broker} and the load at ${own} of a core, the limit is ${limit}`, () => {
    assertEquals(limitOf({ broker, own, brokerRssBytes: 0 }), limit);
  });
}
