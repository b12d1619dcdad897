/**
 * `mq bench latency`: measures the time from publisher to listener at a fixed rate.
 *
 * @module
 */
import type { Histogram } from "hdr-histogram-js";
import { defineCommand, duration, integer, option } from "../command.ts";
import { titleOf } from "../commands.ts";
import { count, formatNumber } from "../shared/format.ts";
import {
  benchJsonFlag,
  formatFigures,
  formatMicroseconds,
  formatProgress,
  formatTable,
  type Limit,
  limitOf,
} from "./figures.ts";
import { type Pace, type PacedResult, runPaced } from "./pace.ts";
import { openSubject, type Shares, subjectFlags } from "./subject.ts";

/** The duration of the load before the measurement, in milliseconds. */
const WARM_UP_MS = 1000;

const PERCENTILES = [50, 90, 99, 99.9];

const flags = {
  rate: option("N", "How many events are published per second.", integer(1, 1_000_000), {
    defaultValue: ["1000", 1000],
  }),
  for: option("DURATION", "How long events are published.", duration, { defaultValue: ["5s", 5000] }),
  subs: option("N", "How many connections subscribe.", integer(1, 1000), { defaultValue: ["1", 1] }),
  size: option("BYTES", "The size of the data of each event, in bytes.", integer(1, 1_000_000), {
    defaultValue: ["64", 64],
  }),
  ...subjectFlags,
  json: benchJsonFlag,
};

export const benchLatency = defineCommand({
  ...titleOf("bench latency"),
  description:
    "The latency of an event counts from the time at which it is due, even if it is sent late, so that a broker\n" +
    "that stalls the publisher cannot hide its latency (no coordinated omission).",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [
    ["mq bench latency", "1,000 events a second for 5 s"],
    ["mq bench latency --rate 50000 --subs 10", "50,000 events a second, each to ten listeners"],
    ["mq bench latency --rate 100 --for 1m --json", "100 events a second for 1 min, results as JSON"],
    ["mq bench latency -s localhost:3001", "a running broker: mq server --events 'bench.*'"],
  ],
  permissions: ["net", "run"],
  async run({ flags }, io) {
    await using subject = await openSubject(flags, "bench latency", io);
    const total = flags.rate * flags.for / 1000;
    const onProgress = (published: number) => io.stderr.status(formatProgress(published / total));
    const result = await subject.measure(
      () => runPaced(subject.target, subject.wire, flags, { signal: io.signal, onProgress }),
      () => runPaced(subject.target, subject.wire, { ...flags, for: WARM_UP_MS }, io),
    );
    io.stdout.line(flags.json ? formatLatencyJson(flags, result) : formatLatency(flags, result));
    return 0;
  },
});

type Result = PacedResult & { shares: Shares };

/** The histogram returns the upper end of a bucket, which may be above the maximum. */
function percentileOf(histogram: Histogram, percentile: number): number {
  return Math.min(histogram.getValueAtPercentile(percentile), histogram.maxValue);
}

/** If events were sent late, the load generator was the bottleneck. */
function latencyLimit({ latency, lateness, shares }: Result): Limit {
  const isLate = percentileOf(lateness, 99) > percentileOf(latency, 99) / 2;
  return isLate ? "load generator" : limitOf({ ...shares, own: 0 });
}

function formatLatency(pace: Pace, result: Result): string {
  const { published, ms, latency, lateness, shares } = result;
  const title = `${count(pace.subs, "listener")}, ${formatNumber(pace.rate)} events/s, ${pace.size} bytes of data`;
  const lateP99 = formatMicroseconds(percentileOf(lateness, 99));
  const rows: [string, string][] = [
    ["published", `${count(published, "event")} in ${formatMicroseconds(ms * 1000)}`],
    ...PERCENTILES.map((p) => [`p${p}`, formatMicroseconds(percentileOf(latency, p))] as [string, string]),
    ["max", formatMicroseconds(latency.maxValue)],
    ["sent late, p99", lateP99],
  ];
  return [formatTable(title, rows, shares), verdict(latencyLimit(result), lateP99)].join("\n");
}

function verdict(limit: Limit, late: string): string {
  switch (limit) {
    case "load generator":
      return `The load generator was the bottleneck, not the broker: it sent events up to ${late} late (p99).`;
    case "broker":
      return "The broker was the bottleneck: at this rate its CPU time was used up.";
    case "neither":
      return "There was no bottleneck: at this rate both had CPU time left.";
  }
}

function formatLatencyJson({ rate, subs, size }: Pace, result: Result): string {
  const { published, ms, latency, lateness, shares } = result;
  const percentiles = PERCENTILES.map((p) => [`p${p}Us`.replace(".", ""), percentileOf(latency, p)]);
  const figures = { ...Object.fromEntries(percentiles), maxUs: latency.maxValue };
  const lateP99Us = percentileOf(lateness, 99);
  const load = { bench: "latency", rate, subs, size, published, seconds: ms / 1000 };
  return formatFigures({ ...load, ...figures, lateP99Us }, shares, latencyLimit(result));
}
