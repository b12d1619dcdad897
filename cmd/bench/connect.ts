/**
 * `mq bench connect`: compares one connection for all events with a connection for each event.
 *
 * @module
 */
import { bold } from "@std/fmt/colors";
import { defineCommand, integer, option } from "../command.ts";
import { titleOf } from "../commands.ts";
import { formatNumber } from "../shared/format.ts";
import {
  benchJsonFlag,
  formatFigures,
  formatLimit,
  formatMicroseconds,
  formatProgress,
  formatTable,
} from "./figures.ts";
import { open, read, type Target, topicName, writeAll } from "./load.ts";
import type { MqWire } from "./mq_wire.ts";
import { openSubject, type Shares, subjectFlags } from "./subject.ts";

/** The share of additional events before the measurement, while the program is being compiled. */
const WARM_UP = 0.1;

const flags = {
  msgs: option("N", "How many events are published each way.", integer(10), { defaultValue: ["2000", 2000] }),
  size: option("BYTES", "The size of the data of each event, in bytes.", integer(1, 1_000_000), {
    defaultValue: ["64", 64],
  }),
  ...subjectFlags,
  json: benchJsonFlag,
};

export const benchConnect = defineCommand({
  ...titleOf("bench connect"),
  description: "Publishes events one after another, each when a listener has received the previous one:\n" +
    "first all on one connection, then each on a connection of its own.",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [
    ["mq bench connect", "2,000 events each way"],
    ["mq bench connect --msgs 200 --json", "fewer events, results as JSON"],
    ["mq bench connect -s localhost:3001", "a running broker: mq server --events 'bench.*'"],
  ],
  permissions: ["net", "run"],
  async run({ flags }, io) {
    await using subject = await openSubject(flags, "bench connect", io);
    const onEvent = (done: number) => {
      if (done % 50 === 0) io.stderr.status(formatProgress(done / flags.msgs / 2));
      io.signal.throwIfAborted();
    };
    const result = await subject.measure(() => compare(subject, flags, onEvent));
    io.stdout.line(flags.json ? formatConnectJson(flags, result) : formatConnect(flags, result));
    return 0;
  },
});

interface Options {
  readonly msgs: number;
  readonly size: number;
}

/** The mean time per event, in microseconds. */
interface Comparison {
  readonly keptUs: number;
  readonly eachUs: number;
}

async function compare(
  { target, wire }: { target: Target; wire: MqWire },
  { msgs, size }: Options,
  onEvent: (done: number) => void,
): Promise<Comparison> {
  const [name, data] = [topicName(0), "x".repeat(size)];
  const event = wire.publish(name, data);
  using listener = await open(target, wire.listener(name));
  const buffer = new Uint8Array(64 * 1024);
  const arrival = async () => {
    for (let left = wire.deliver(name, data).length; left > 0;) left -= await read(listener, buffer);
  };
  using kept = await open(target, wire.publisher);
  const onKept = async () => {
    await writeAll(kept, event);
    await arrival();
  };
  const onOwn = async () => {
    using conn = await open(target, wire.hello);
    await writeAll(conn, event);
    await arrival();
  };
  const keptUs = await average(msgs, onKept, (done) => onEvent(done));
  const eachUs = await average(msgs, onOwn, (done) => onEvent(msgs + done));
  return { keptUs, eachUs };
}

/** Repeats some work; resolves to its mean time, in microseconds. */
async function average(times: number, work: () => Promise<void>, onDone: (done: number) => void): Promise<number> {
  const first = Math.ceil(times * WARM_UP);
  let start = 0;
  for (let done = 0; done < first + times; done++) {
    if (done === first) start = performance.now();
    await work();
    onDone(Math.max(0, done - first));
  }
  return (performance.now() - start) * 1000 / times;
}

type Result = Comparison & { shares: Shares };

function formatConnect({ msgs, size }: Options, { keptUs, eachUs, shares }: Result): string {
  const row = (us: number) => `${formatMicroseconds(us)} per event, ${formatNumber(1e6 / us)} events/s`;
  const rows: [string, string][] = [["one connection", row(keptUs)], ["one for each event", row(eachUs)]];
  const ratio = eachUs / keptUs;
  const answer = ratio > 1
    ? `Keep the connection: one for each event takes ${formatNumber(ratio)} times as long.`
    : "Here a connection for each event costs no time.";
  return [
    formatTable(`${formatNumber(msgs)} events of ${size} bytes each way, one after another`, rows, shares),
    formatLimit(shares),
    bold(answer),
  ].join("\n");
}

function formatConnectJson({ msgs, size }: Options, { keptUs, eachUs, shares }: Result): string {
  return formatFigures({ bench: "connect", msgs, size, keptUs, eachUs, ratio: eachUs / keptUs }, shares);
}
