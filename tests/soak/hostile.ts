/**
 * `deno task soak:hostile`: ten honest clients, and two hundred that are not.
 *
 * The honest ones, two publishers and eight listeners, are held to account as in the soak (ledger.ts): they must hear all
 * that was accepted, in order, none of it twice. The broker's memory, as it tells it in `/stats`, must come back to what it
 * was before the attack. Before it the broker works at full rate for a while, since one that has just started has not got
 * its heap and its code yet; after it the honest rest, for V8 gives memory back only when little is going on, and takes
 * its time to see that.
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { runLoad } from "../../cmd/bench/load.ts";
import { mqWire } from "../../cmd/bench/mq_wire.ts";
import { defineCommand, duration, integer, option, toggle } from "../../cmd/command.ts";
import { count } from "../../cmd/shared/format.ts";
import { HOSTILE_EVENTS, type Tally } from "./hostile_clients.ts";
import { Hostiles } from "./hostiles.ts";
import type { Counts } from "./ledger.ts";
import { runTask } from "./task.ts";
import { pause, Trial } from "./trial.ts";

/** How many events the honest publish a second, all together. */
const RATE = 1000;

/** What the broker is warmed up with. */
const WARM_UP_MS = 5000;
const WARM_UP = { pubs: 4, subs: 20, topics: 4, size: 64 };

/** How much more memory the broker may hold after the attack than before it, as a share of what it held. */
const MAX_GROWTH = 0.2;

/** How long the honest rest before the attack, and how often the broker's memory is looked at, in milliseconds. */
const [REST_MS, LOOK_MS] = [3000, 100];

/** How a trial goes on, in milliseconds where nothing else is said. */
export interface HostileTrial {
  readonly warmUpMs: number;
  readonly forMs: number;
  readonly connections: number;
  /** How long the broker's memory may take to come back. */
  readonly returnMs: number;
  readonly seed: number;
  /** Called with a sentence on each thing that should not be. */
  tell(sentence: string): void;
}

/** What came of it. */
export interface HostileResult {
  readonly counts: Counts;
  readonly isClean: boolean;
  readonly tally: Tally;
  /** The broker's memory, in bytes, and how long it took to come back, in milliseconds. */
  readonly rss: {
    readonly before: number;
    readonly highest: number;
    readonly after: number;
    readonly returnMs: number;
  };
}

/** Attacks a broker, and tells what became of the honest and of its memory. */
export async function runHostileTrial(options: HostileTrial): Promise<HostileResult> {
  const { warmUpMs, forMs, connections, returnMs, seed, tell } = options;
  const trial = await Trial.start({
    publishers: 2,
    rate: RATE,
    listeners: 8,
    comers: 0,
    commands: false,
    seed,
    otherEvents: [HOSTILE_EVENTS, "bench.*"],
    tell,
  });
  await using _ = trial;
  await runLoad({ hostname: "127.0.0.1", port: trial.port }, mqWire(), WARM_UP, { forMs: warmUpMs });
  trial.isCalm = true;
  await pause(REST_MS);
  const before = trial.highestRssBytes = trial.rssBytes;
  trial.isCalm = false;
  const hostiles = new Hostiles({ port: trial.port, connections, paceMs: 0, seed });
  await pause(forMs);
  const tally = await hostiles.end();
  trial.isCalm = true;
  const took = await untilBack(trial, before, returnMs);
  const rss = { before, highest: trial.highestRssBytes, after: trial.rssBytes, returnMs: took };
  await trial.finish();
  const { counts, isClean } = trial.ledger;
  return { counts, isClean, tally, rss };
}

/** Waits until the broker's memory is about what it was; returns how long that took, in milliseconds. */
async function untilBack(trial: Trial, before: number, maxMs: number): Promise<number> {
  const start = performance.now();
  const elapsed = () => performance.now() - start;
  do await pause(LOOK_MS); while (!isBack(before, trial.rssBytes) && elapsed() < maxMs);
  return elapsed();
}

function isBack(before: number, after: number): boolean {
  return after <= before * (1 + MAX_GROWTH);
}

const flags = {
  for: option("DURATION", "How long the attack goes on.", duration, { defaultValue: ["30s", 30_000] }),
  connections: option("N", "How many hostile connections there are at a time.", integer(1, 5000), {
    defaultValue: ["200", 200],
  }),
  return: option("DURATION", "How long its memory may take to come back.", duration, { defaultValue: ["60s", 60_000] }),
  seed: option("N", "Makes the same random choices again.", integer(0, 2 ** 31), { defaultValue: ["1", 1] }),
  json: toggle("Print one JSON object."),
};

const hostile = defineCommand({
  name: "soak:hostile",
  summary: "honest clients of a broker under attack",
  description:
    "Ten honest clients while others send random bytes, endless and half lines, HTTP, invalid UTF-8, 10,000\n" +
    "patterns, a million names, a byte a second, or reset in mid-line. Fails unless the honest hear all that was\n" +
    "published, in order, none of it twice, and the broker's memory comes back to within 20 % of where it was.",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [["mq soak:hostile --for 30s --connections 200", "two hundred, for half a minute"]],
  permissions: ["net", "run", "env"],
  async run({ flags }, io) {
    const tell = (sentence: string) => io.stderr.line(sentence);
    const times = { warmUpMs: WARM_UP_MS, forMs: flags.for, returnMs: flags.return };
    const result = await runHostileTrial({ ...flags, ...times, tell });
    const { before, after } = result.rss;
    const isWell = result.isClean && isBack(before, after);
    io.stdout.line(flags.json ? JSON.stringify({ ...result, isWell }) : format(result, isWell));
    return isWell ? 0 : 1;
  },
});

function format({ counts, tally, rss }: HostileResult, isWell: boolean): string {
  const kinds = Object.entries(tally).map(([kind, times]) => `${times} ${kind}`).join(", ");
  const { sent, accepted, delivered, duplicated, lost, unexplained } = counts;
  return [
    `hostile  ${count(sum(tally), "connection")}: ${kinds}`,
    `honest   ${count(sent, "event")} sent, ${accepted} accepted, ${delivered} delivered, ` +
    `${duplicated} duplicated, ${lost} lost, ${unexplained} unexplained`,
    `memory   ${formatBytes(rss.before)} before, ${formatBytes(rss.highest)} at the highest, ` +
    `${formatBytes(rss.after)} when at rest for ${Math.round(rss.returnMs / 1000)} s: ` +
    `${Math.round(rss.after / rss.before * 100)} % of what it was`,
    isWell ? "All is well." : "That is not as it should be.",
  ].join("\n");
}

function sum(tally: Tally): number {
  return Object.values(tally).reduce((all, times) => all + times, 0);
}

if (import.meta.main) await runTask(hostile);
