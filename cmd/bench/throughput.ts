/**
 * `mq bench throughput`: how many events a broker takes in and hands out.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { defineCommand, integer, option } from "../command.ts";
import { titleOf } from "../commands.ts";
import { count } from "../shared/format.ts";
import { benchJsonFlag, formatFigures, formatLimit, formatNumber, formatProgress, formatTable } from "./figures.ts";
import { type Extent, type Load, type LoadResult, runLoad, type Watch } from "./load.ts";
import { openSubject, type Shares, subjectFlags } from "./subject.ts";

/** How long a load goes on before one is measured, in milliseconds. */
const WARM_UP_MS = 500;

const flags = {
  pubs: option("N", "How many connections publish.", integer(1, 1000), { fallback: ["1", 1] }),
  subs: option("N", "How many connections listen, each to one name.", integer(0, 10_000), { fallback: ["1", 1] }),
  topics: option("N", "How many names the publishers cycle through.", integer(1, 10_000), { fallback: ["1", 1] }),
  msgs: option("N", "How many events are published in all.", integer(1), { fallback: ["1000000", 1_000_000] }),
  size: option("BYTES", "The data of each event.", integer(1, 1_000_000), { fallback: ["64", 64] }),
  ...subjectFlags,
  json: benchJsonFlag,
};

/** The command. */
export const benchThroughput = defineCommand({
  ...titleOf("bench throughput"),
  description: "Publishers send as fast as they can, but never more than 4 MiB ahead of the slowest listener.\n" +
    "The clock runs from the first event sent to the last one that arrives, after half a second to warm up.",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [
    ["mq bench throughput", "one publisher, one listener"],
    ["mq bench throughput --subs 100 --msgs 300000", "every event to a hundred listeners"],
    ["mq bench throughput --topics 10 --subs 10", "ten names, a listener for each"],
    ["mq bench throughput --size 16384 --msgs 50000 --json", "large events, figures for programs"],
    ["mq bench throughput -s localhost:3001", "a broker that runs: mq server --events 'bench.*'"],
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

/** The result for people. */
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
