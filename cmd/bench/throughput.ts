/**
 * `mq bench throughput`: measures how many events per second a broker receives and delivers.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { defineCommand, integer, option } from "../command.ts";
import { titleOf } from "../commands.ts";
import { count, formatNumber } from "../shared/format.ts";
import { benchJsonFlag, formatFigures, formatLimit, formatProgress, formatTable } from "./figures.ts";
import { type Extent, type Load, type LoadResult, runLoad, type Watch } from "./load.ts";
import { openSubject, type Shares, subjectFlags } from "./subject.ts";

/** The duration of the load before the measurement, in milliseconds. */
const WARM_UP_MS = 500;

const flags = {
  pubs: option("N", "How many connections publish.", integer(1, 1000), { defaultValue: ["1", 1] }),
  subs: option("N", "How many connections subscribe, each to one name.", integer(0, 10_000), {
    defaultValue: ["1", 1],
  }),
  topics: option("N", "How many event names the publishers use in turn.", integer(1, 10_000), {
    defaultValue: ["1", 1],
  }),
  msgs: option("N", "How many events are published in total.", integer(1), { defaultValue: ["1000000", 1_000_000] }),
  size: option("BYTES", "The size of the data of each event, in bytes.", integer(1, 1_000_000), {
    defaultValue: ["64", 64],
  }),
  ...subjectFlags,
  json: benchJsonFlag,
};

export const benchThroughput = defineCommand({
  ...titleOf("bench throughput"),
  description: "Publishers send as fast as possible, but at most 4 MiB ahead of the slowest listener.\n" +
    "The time is measured from sending the first event to receiving the last, after half a second of warm-up.",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [
    ["mq bench throughput", "one publisher, one listener"],
    ["mq bench throughput --subs 100 --msgs 300000", "every event to 100 listeners"],
    ["mq bench throughput --topics 10 --subs 10", "ten names, one listener each"],
    ["mq bench throughput --size 16384 --msgs 50000 --json", "large events, results as JSON"],
    ["mq bench throughput -s localhost:3001", "a running broker: mq server --events 'bench.*'"],
  ],
  permissions: ["net", "run"],
  async run({ flags }, io) {
    await using subject = await openSubject(flags, "bench throughput", io);
    const onProgress = (published: number) => io.stderr.status(formatProgress(published / flags.msgs));
    const run = (extent: Extent, watch: Watch) => runLoad(subject.target, subject.wire, flags, extent, watch);
    const result = await subject.measure(
      () => run({ msgs: flags.msgs }, { signal: io.signal, onProgress }),
      () => run({ forMs: WARM_UP_MS }, io),
    );
    io.stdout.line(flags.json ? formatThroughputJson(flags, result) : formatThroughput(flags, result));
    return 0;
  },
});

type Result = LoadResult & { shares: Shares };

function formatThroughput(load: Load, { published, delivered, ms, shares }: Result): string {
  const { pubs, subs, topics, size } = load;
  const title = `${count(pubs, "publisher")}, ${count(subs, "listener")}, ${
    count(topics, "name")
  }, ${size} bytes of data`;
  const rate = (events: number) =>
    `${formatNumber(events / ms * 1000)} events/s, ${formatBytes(events * size / ms * 1000)}/s of data`;
  return [
    formatTable(title, [["published", rate(published)], ["delivered", rate(delivered)]], shares),
    formatLimit(shares),
  ].join("\n");
}

function formatThroughputJson(
  { pubs, subs, topics, size }: Load,
  { published, delivered, ms, shares }: Result,
): string {
  const [publishedPerSecond, deliveredPerSecond] = [published / ms * 1000, delivered / ms * 1000];
  const load = { bench: "throughput", pubs, subs, topics, size, published, delivered, seconds: ms / 1000 };
  return formatFigures({ ...load, publishedPerSecond, deliveredPerSecond }, shares);
}
