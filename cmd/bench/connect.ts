/**
 * `mq bench connect`: one connection that is kept against one that is made for each event.
 *
 * @module
 */
import { bold } from "@std/fmt/colors";
import { defineCommand, integer, option } from "../command.ts";
import { titleOf } from "../commands.ts";
import {
  benchJsonFlag,
  formatFigures,
  formatLimit,
  formatMicroseconds,
  formatNumber,
  formatProgress,
  formatTable,
} from "./figures.ts";
import { open, read, type Target, topicName, writeAll } from "./load.ts";
import type { MqWire } from "./mq_wire.ts";
import { openSubject, type Shares, subjectFlags } from "./subject.ts";

/** The share of the events that come first and are not counted: a program just started is slow. */
const WARM_UP = 0.1;

const flags = {
  msgs: option("N", "How many events are published each way.", integer(10), { fallback: ["2000", 2000] }),
  size: option("BYTES", "The data of each event.", integer(1, 1_000_000), { fallback: ["64", 64] }),
  ...subjectFlags,
  json: benchJsonFlag,
};

/** The command. */
export const benchConnect = defineCommand({
  ...titleOf("bench connect"),
  description: "Publishes events one after another, each when the one before has arrived at a listener:\n" +
    "first all on one connection, then each on a connection of its own.",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [
    ["mq bench connect", "two thousand events each way"],
    ["mq bench connect --msgs 200 --json", "fewer, figures for programs"],
    ["mq bench connect -s localhost:3001", "a broker that runs: mq server --events 'bench.*'"],
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

/** How long an event took each way, in microseconds, on the average. */
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
  const onItsOwn = async () => {
    using conn = await open(target, wire.hello);
    await writeAll(conn, event);
    await arrival();
  };
  const keptUs = await average(msgs, onKept, (done) => onEvent(done));
  const eachUs = await average(msgs, onItsOwn, (done) => onEvent(msgs + done));
  return { keptUs, eachUs };
}

/** Does something again and again; returns how long it takes, in microseconds. */
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

/** The result for people. */
function formatConnect({ msgs, size }: Options, { keptUs, eachUs, shares }: Result): string {
  const row = (us: number) => `${formatMicroseconds(us)} an event, ${formatNumber(1e6 / us)} events/s`;
  const rows: [string, string][] = [["one connection kept", row(keptUs)], ["one for each event", row(eachUs)]];
  const ratio = eachUs / keptUs;
  const answer = ratio > 1
    ? `Keep the connection: making one for each event takes ${formatNumber(ratio)} times as long.`
    : "Here a connection for each event cost nothing.";
  return [
    formatTable(`${formatNumber(msgs)} events of ${size} bytes each way, one after another`, rows, shares),
    formatLimit(shares),
    bold(answer),
  ].join("\n");
}

function formatConnectJson({ msgs, size }: Options, { keptUs, eachUs, shares }: Result): string {
  return formatFigures({ bench: "connect", msgs, size, keptUs, eachUs, ratio: eachUs / keptUs }, shares);
}
