/**
 * Compares durable publishing and work queues of mq with those of JetStream, redis-server and beanstalkd on this machine,
 * which has to be a Linux. All write to disk before they acknowledge:
 *
 *     deno run -A tests/bench/stored/stored.ts [--brief]
 *
 * Each measurement starts a broker with an empty folder. In each round, every broker is measured once in each case, mq
 * first. MQ_BIN names the executable of mq, else the source runs.
 *
 * @module
 */
import { defineCommand, integer, list, option, toggle, UsageError, type Values } from "../../../cmd/command.ts";
import type { Io } from "../../../cmd/shared/stdio.ts";
import { runTask } from "../../soak/task.ts";
import { formatFigure } from "../report.ts";
import { findBeanstalkd } from "./beanstalkd.ts";
import { type Case, CASES, casesNamed, type Extent } from "./cases.ts";
import { describeMachine } from "./machine.ts";
import { findMq } from "./mq.ts";
import { findNats } from "./nats.ts";
import { type Comparison, formatComparison, type Result } from "./page.ts";
import type { Sample } from "./readings.ts";
import { findRedis } from "./redis.ts";
import type { Subject } from "./subject.ts";

const FULL = { rounds: 5, seconds: 3, jobs: 60_000, warmUpMs: 1000 };
/** Enough to see that everything runs; its figures mean little. */
const BRIEF = { rounds: 1, seconds: 0.3, jobs: 2000, warmUpMs: 100 };

const PEERS = ["nats", "redis", "beanstalkd"];

const flags = {
  rounds: option("N", "How often everything is measured.", integer(1, 1000), { defaultValue: ["5", undefined] }),
  seconds: option("N", "How long publishes are counted, after 1 s of warm-up.", integer(1, 120), {
    defaultValue: ["3", undefined],
  }),
  jobs: option("N", "How many jobs are published and then taken.", integer(2000), {
    defaultValue: ["60000", undefined],
  }),
  peers: option("NAMES", `The other brokers: ${PEERS.join(",")}.`, list, { defaultValue: ["all", PEERS] }),
  cases: option("NAMES", `The cases: ${CASES.map(({ name }) => name).join(",")}.`, list, {
    defaultValue: ["all", CASES.map(({ name }) => name)],
  }),
  brief: toggle("One short round to see that everything runs; downloads nothing."),
  "without-store": toggle("mq without --store and without work queues, to try this program."),
};

type Settings = Values<typeof flags>;

const stored = defineCommand({
  name: "bench:stored",
  summary: "durable publishing and work queues, beside other brokers",
  description: "Writes a table in Markdown to stdout, and its progress to stderr.",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [
    ["mq bench:stored", "five rounds of everything"],
    ["mq bench:stored --peers redis --cases 1x1,10x100", "one peer, two cases"],
  ],
  permissions: ["net", "run", "read", "write", "env", "sys"],
  async run({ flags }, io) {
    try {
      io.stdout.line(formatComparison(await compare(flags, io)));
      return 0;
    } catch (error) {
      if (!io.signal.aborted) throw error;
      return 1;
    }
  },
});

async function compare(settings: Settings, io: Io): Promise<Comparison> {
  const cases = casesNamed(settings.cases);
  const { rounds, ...extent } = extentOf(settings);
  const { subjects, missing } = await findSubjects(settings);
  for (const name of missing) io.stderr.line(`${name} is not on this machine: left out`);
  const machine = await describeMachine();
  const results = new Results();
  for (let round = 1; round <= rounds; round++) {
    for (const each of cases) {
      await measure(each, subjects, extent, results, `round ${round} of ${rounds}, ${each.name}`, io);
    }
  }
  return { machine, subjects, missing, rounds, results: results.list() };
}

/** What is given replaces what `--brief` means. */
function extentOf({ brief, rounds, seconds, jobs }: Settings): Extent & { rounds: number } {
  const preset = brief ? BRIEF : FULL;
  return {
    rounds: rounds ?? preset.rounds,
    ms: (seconds ?? preset.seconds) * 1000,
    jobs: jobs ?? preset.jobs,
    warmUpMs: preset.warmUpMs,
  };
}

async function findSubjects(settings: Settings): Promise<{ subjects: Subject[]; missing: string[] }> {
  const unknown = settings.peers.find((name) => !PEERS.includes(name));
  if (unknown !== undefined) throw new UsageError(`there is no peer ${unknown}`, `--peers ${PEERS.join(",")}`);
  const find: Record<string, () => Promise<Subject | undefined>> = {
    nats: () => findNats({ isCached: settings.brief }),
    redis: findRedis,
    beanstalkd: findBeanstalkd,
  };
  const names = PEERS.filter((name) => settings.peers.includes(name));
  const found = await Promise.all(names.map((name) => find[name]()));
  return {
    subjects: [await findMq(!settings["without-store"]), ...found.filter((subject) => subject !== undefined)],
    missing: names.filter((_name, index) => found[index] === undefined),
  };
}

/** Measures every broker once. */
async function measure(
  each: Case,
  subjects: readonly Subject[],
  extent: Extent,
  results: Results,
  where: string,
  io: Io,
): Promise<void> {
  for (const subject of subjects) {
    for (const { label, run } of each.of(subject, extent)) {
      io.signal.throwIfAborted();
      const name = label === "" ? subject.name : `${subject.name}, ${label}`;
      const sample = await run(io.signal);
      results.add(each.title, name, sample);
      io.stderr.line(`${where}: ${name} ${formatFigure(sample.perSecond)}/s`);
    }
  }
}

/** The samples by case and broker. */
class Results {
  readonly #results = new Map<string, { case: string; subject: string; samples: Sample[] }>();

  add(title: string, subject: string, sample: Sample): void {
    const key = JSON.stringify([title, subject]);
    const result = this.#results.get(key) ?? { case: title, subject, samples: [] };
    this.#results.set(key, result);
    result.samples.push(sample);
  }

  list(): Result[] {
    return [...this.#results.values()];
  }
}

if (import.meta.main) await runTask(stored);
