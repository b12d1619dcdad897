import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { mqWire } from "../../cmd/bench/mq_wire.ts";
import { has } from "../helpers.ts";
import { formatPage, formatRow, median, ratios, type Report, type Row } from "./report.ts";
import { mqttWire, natsWire, redisWire } from "./wires.ts";

const decoder = new TextDecoder();

const ROW: Row = {
  figure: { label: "one to one", unit: "deliveries/s", better: "more" },
  mq: [300_000, 200_000, 400_000],
  peer: [100_000, 200_000, 100_000],
};

Deno.test("median is the middle value, or the mean of the two in the middle", () => {
  assertEquals([median([3, 1, 2]), median([4, 1, 2, 3]), median([5])], [2, 2.5, 5]);
});

Deno.test("ratios compares pairs, not medians", () => {
  assertEquals(ratios(ROW), [3, 1, 4]);
});

Deno.test("formatRow returns the ratio, its spread and the medians", () => {
  assertEquals(formatRow(ROW), "3 (1 to 4)  one to one: 300,000 against 100,000 deliveries/s");
});

Deno.test("formatPage writes machine, versions, method and figures, and names missing peers", () => {
  const report: Report = {
    date: "2026-01-02",
    machine: [["processor", "Abacus, 2 cores"], ["nats-server", "2.9.10"]],
    pairs: 3,
    loadMs: 1500,
    peers: [{ name: "nats-server", rows: [ROW, { ...ROW, figure: { ...ROW.figure, better: "less" } }] }],
    missing: ["mosquitto"],
    alone: [["memory", "1, 2"]],
  };
  const page = formatPage(report);
  for (
    const part of [
      "on 2026-01-02",
      "Abacus, 2 cores",
      "Not compared, because it was not on this machine: mosquitto.",
      "a load goes on for 1.5 s",
      "3 pairs",
      "## mq and nats-server",
      "**3** (1 to 4) ",
      "**3** (1 to 4), less is better",
      "| memory | 1, 2   |",
    ]
  ) assertStringIncludes(page, part);
});

Deno.test("an event on the wires of the peers", () => {
  assertEquals(decoder.decode(mqWire().publish("a.b", "xyz")), "a.b xyz\n");
  assertEquals(decoder.decode(natsWire.publish("a.b", "xyz")), "PUB a.b 3\r\nxyz\r\n");
  assertEquals(decoder.decode(natsWire.deliver("a.b", "xyz")), "MSG a.b 1 3\r\nxyz\r\n");
  assertEquals(
    decoder.decode(redisWire.publish("a.b", "xyz")),
    "*3\r\n$7\r\nPUBLISH\r\n$3\r\na.b\r\n$3\r\nxyz\r\n",
  );
  assertEquals([...mqttWire.publish("a.b", "xyz")], [0x30, 8, 0, 3, 97, 46, 98, 120, 121, 122]);
  assertEquals([...mqttWire.publish("a", "x".repeat(200)).subarray(0, 6)], [0x30, 203, 1, 0, 1, 97]);
});

Deno.test("deno task bench:peers runs to its end", { ignore: !has("nats-server") }, async () => {
  const script = new URL("./peers.ts", import.meta.url).pathname;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", script, "--brief", "--only", "nats-server"],
    env: { NO_COLOR: "1" },
  }).output();
  assert(success, decoder.decode(stderr));
  const page = decoder.decode(stdout);
  for (const part of ["1 publisher, 100 listeners", "round trip", "subscribed connections", "mq against itself"]) {
    assertStringIncludes(page, part);
  }
});
