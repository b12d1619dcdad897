/**
 * `deno task soak`: a broker under load for minutes or hours, and an account of every event.
 *
 * Around one `mq server`, a process of its own, there are
 *
 * - publishers that number their events and ask for a receipt for each. So each event was accepted, refused, not sent,
 *   or is unconfirmed: the connection broke before the receipt came, and it may have been published or not;
 * - listeners that stay, and others that come and go. A listener publishes a mark with a receipt when it has subscribed,
 *   and another before it leaves. The broker's ids grow from event to event, so what it must have heard are exactly the
 *   accepted events with an id between those of its marks;
 * - a real `mq logger`, `mq app` and `mq pub -`, and hostile connections.
 *
 * At random times the broker is ended, in turns by SIGTERM and SIGKILL, and started again on the same port. All come back
 * by themselves. In between, when every connection has noticed the end, the accounts are closed (ledger.ts):
 *
 * - lost: accepted, and not heard by a listener that must have heard it. Whoever was listening at the end must have heard
 *   everything from its first mark on;
 * - lost in a kill: the same, where the broker was killed, and nothing after it was heard on that connection either: the
 *   end of what the broker was about to send;
 * - duplicated: heard twice on one connection;
 * - unexplained: all else that should not be. Events heard that nobody published, or that are not as they were published,
 *   or in another order; connections that break without a restart; errors of an unexpected kind; commands that crash; a
 *   broker that reports an error of its own or ends by itself. Each is told in a sentence on stderr.
 *
 * In the end all must be settled, and nothing lost, duplicated or unexplained: exit code 0, else 1.
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { defineCommand, duration, integer, option, toggle } from "../../cmd/command.ts";
import { count } from "../../cmd/shared/format.ts";
import type { Output } from "../../cmd/shared/stdio.ts";
import { HOSTILE_EVENTS } from "./hostile_clients.ts";
import { Hostiles } from "./hostiles.ts";
import { Random } from "./random.ts";
import { runTask } from "./task.ts";
import { pause, type Restart, Trial } from "./trial.ts";

/** How long the broker runs before it is ended again, and how long it is down, at least and at most, in milliseconds. */
const [LIFE_MS, DOWN_MS] = [[3000, 20_000], [0, 1500]] as const;

/** How often the figures are printed, in milliseconds. */
const REPORT_MS = 60_000;

/** Room for the honest, but not for long for the slow; and who does not let itself be drained is not waited for. */
const BROKER_FLAGS = ["--max-queue", "4MiB", "--drain-time", "2s"];

/** How long hostile connections pause after each write, in milliseconds: they are to annoy, not to take all the time. */
const HOSTILE_PACE_MS = 20;

const flags = {
  for: option("DURATION", "How long it goes on.", duration, { defaultValue: ["10m", 600_000] }),
  rate: option("N", "How many events are published a second.", integer(1, 100_000), { defaultValue: ["3000", 3000] }),
  hostiles: option("N", "How many hostile connections there are.", integer(0, 1000), { defaultValue: ["18", 18] }),
  seed: option("N", "Makes the same random choices again.", integer(0, 2 ** 31)),
  json: toggle("Print one JSON object a line."),
};

/** The task. */
const soak = defineCommand({
  name: "soak",
  summary: "a broker under load and through restarts, with an account of every event",
  description:
    "Publishers, listeners that stay and others that come and go, the commands of mq and hostile connections\n" +
    "around a broker that is ended in turns by SIGTERM and SIGKILL, and comes back. Prints the accounts every\n" +
    "minute. Fails unless nothing was lost, duplicated or unexplained. MQ_BIN names the executable to try.",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [
    ["mq soak --for 10m", "ten minutes"],
    ["mq soak --for 1m --seed 7 --json", "a minute, for programs, with the choices of another run"],
  ],
  permissions: ["net", "run", "env"],
  async run({ flags }, io) {
    const seed = flags.seed ?? crypto.getRandomValues(new Uint16Array(1))[0];
    const report = new Report(io.stdout, flags.json, seed);
    const trial = await Trial.start({
      publishers: 4,
      rate: flags.rate,
      listeners: 4,
      comers: 3,
      commands: true,
      seed,
      otherEvents: [HOSTILE_EVENTS],
      brokerFlags: BROKER_FLAGS,
      tell: (sentence) => io.stderr.line(sentence),
    });
    await using _ = trial;
    const hostiles = new Hostiles({ port: trial.port, connections: flags.hostiles, paceMs: HOSTILE_PACE_MS, seed });
    const timer = setInterval(() => report.figures(trial), REPORT_MS);
    const over = AbortSignal.any([io.signal, AbortSignal.timeout(flags.for)]);
    try {
      await restartAgainAndAgain(trial, new Random(seed), over, (restart) => report.restart(restart, trial));
      await hostiles.end();
      await trial.finish();
    } catch (error) {
      trial.ledger.unexplained(`The soak cannot go on: ${error}`);
    }
    clearInterval(timer);
    report.figures(trial);
    return trial.ledger.isClean ? 0 : 1;
  },
});

async function restartAgainAndAgain(
  trial: Trial,
  random: Random,
  over: AbortSignal,
  onRestart: (restart: Restart) => void,
): Promise<void> {
  for (let index = 0;; index++) {
    await pause(random.between(...LIFE_MS), over);
    if (over.aborted) return;
    onRestart(await trial.restart(index % 2 === 0 ? "SIGKILL" : "SIGTERM", random.between(...DOWN_MS)));
  }
}

/** What is printed, for people or for programs. */
class Report {
  readonly #stdout: Output;
  readonly #isJson: boolean;
  readonly #start = performance.now();

  constructor(stdout: Output, isJson: boolean, seed: number) {
    this.#stdout = stdout;
    this.#isJson = isJson;
    this.#print({ seed }, `Seed ${seed}`);
  }

  restart(restart: Restart, { ledger: { counts } }: Trial): void {
    const { signal, endMs, members, backMs } = restart;
    const sentence = `restart ${counts.restarts}: ${signal} ended the broker in ${Math.round(endMs)} ms; ` +
      `all ${members} were back ${Math.round(backMs)} ms after it listened again`;
    this.#print({ restart: counts.restarts, ...restart }, sentence);
  }

  figures({ ledger: { counts }, rssBytes }: Trial): void {
    const { sent, accepted, refused, unconfirmed, notSent, delivered, ...rest } = counts;
    const sentence = [
      `${
        count(sent, "event")
      } sent: ${accepted} accepted, ${refused} refused, ${unconfirmed} unconfirmed, ${notSent} not sent`,
      `${delivered} delivered, ${rest.duplicated} duplicated, ${rest.lost} lost, ${rest.lostInKill} lost in a kill`,
      `${rest.unexplained} unexplained, ${count(rest.restarts, "restart")}, broker ${formatBytes(rssBytes)}`,
    ].join("; ");
    this.#print({ ...counts, rssBytes }, sentence);
  }

  #print(figures: Record<string, number | string>, sentence: string): void {
    const seconds = Math.round((performance.now() - this.#start) / 1000);
    this.#stdout.line(this.#isJson ? JSON.stringify({ seconds, ...figures }) : `${seconds} s  ${sentence}`);
  }
}

if (import.meta.main) await runTask(soak);
