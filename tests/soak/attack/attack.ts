/**
 * `deno task soak:attack [KIND...]`: what the honest notice of attackers, of one kind at a time.
 *
 * An honest client publishes, ten listen, and beside them are attackers: how late the honest hear, and what the broker's
 * memory and descriptors come to. With `--drain` each broker is ended in the middle of it instead; with `--memory` it may
 * take only so much, and its log says who was refused. `--broker DIR` attacks the mq of another folder, to compare.
 */
import { defineCommand, duration, integer, option, size, toggle, UsageError } from "../../../cmd/command.ts";
import { pad } from "../../../cmd/shared/cells.ts";
import { count as countOf } from "../../../cmd/shared/format.ts";
import { runTask } from "../task.ts";
import type { TrialOptions } from "./arena.ts";
import { KINDS } from "./kinds.ts";
import { hasOwnNetwork, runInOwnNetwork } from "./network.ts";
import { beside, type BesideResult, drain, type DrainResult, memory, type MemoryResult } from "./trials.ts";

/** How long the warm-up goes on, in milliseconds. */
const WARM_UP_MS = 3000;

/** What is aimed at: how late the honest hear, in milliseconds, and what the memory may grow by, in bytes and afterwards. */
const [MAX_P99_MS, MAX_GROWTH_BYTES, MAX_GROWTH] = [150, 200 * 1024 * 1024, 1.2];

/** How much longer than its drain time a broker may take to end, in milliseconds. */
const MAX_LATE_MS = 1000;

const flags = {
  for: option("DURATION", "How long each attack goes on.", duration, { defaultValue: ["13s", 13_000] }),
  connections: option("N", "How many attackers there are at a time.", integer(1, 5000), {
    defaultValue: ["200", 200],
  }),
  rest: option("DURATION", "How long the broker rests before its memory is looked at.", duration, {
    defaultValue: ["30s", 30_000],
  }),
  drain: option("DURATION", "End each broker in the middle of it, with this drain time.", duration),
  memory: option("BYTES", "Have the broker take no more than this, and tell who is refused.", size),
  descriptors: option("N", "How many file descriptors the broker may have.", integer(64)),
  broker: option("DIR", "Attack the mq of this folder.", (text: string) => text),
  seed: option("N", "Makes the same random choices again.", integer(0, 2 ** 31), { defaultValue: ["1", 1] }),
  "system-network": toggle("Attack in the system's own network, with its buffers of sockets."),
  json: toggle("Print one JSON object per kind."),
};

/** What one trial has come to: a row for people, whether it is as it should be, and all of it for programs. */
interface Outcome {
  readonly cells: readonly string[];
  readonly isWell: boolean;
  readonly result: BesideResult | DrainResult | MemoryResult | { kind: string; troubles: string[] };
}

/** A trial of one kind, and the titles of its rows. */
interface Test {
  readonly titles: readonly string[];
  run(kind: string): Promise<Outcome>;
}

/** A broker that has ended or does not answer ends its trial, and the next kind is tried. */
async function outcomeOf(test: Test, kind: string): Promise<Outcome> {
  try {
    return await test.run(kind);
  } catch (error) {
    return { cells: [], isWell: false, result: { kind, troubles: [`The trial failed: ${error}`] } };
  }
}

function besideTest(options: TrialOptions, restMs: number): Test {
  return {
    titles: [
      "heard",
      "p50 ms",
      "p99 ms",
      "max ms",
      "closed",
      "MiB rest",
      "MiB highest",
      "MiB after",
      "fds rest",
      "fds after",
      "attacks",
      "lost",
    ],
    async run(kind) {
      const result = await beside(kind, { ...options, warmUpMs: WARM_UP_MS, restMs });
      const { heard, toHear, p50, p99, max, closed, rss, descriptors, attacks, lost, troubles } = result;
      const numbers = [p50, p99, max].map((ms) => ms.toFixed(ms < 10 ? 1 : 0));
      const memory = [rss.rest, rss.highest, rss.after].map(mebibytes);
      const cells = [
        heard === toHear ? "all" : `${heard}/${toHear}`,
        ...numbers,
        closed,
        ...memory,
        descriptors.rest,
        descriptors.after,
        attacks,
        lost,
      ];
      const all = [...troubles, ...shortfalls(result)];
      return { cells: cells.map(String), isWell: all.length === 0, result: { ...result, troubles: all } };
    },
  };
}

/** Sentences on what is not as it should be. */
function shortfalls({ heard, toHear, closed, p99, rss, descriptors }: BesideResult): string[] {
  const isShort: [boolean, string][] = [
    [heard < toHear, `Of ${toHear} events, ${heard} were heard`],
    [closed > 0, `${countOf(closed, "connection")} of the honest closed`],
    [p99 > MAX_P99_MS, `One event in a hundred was heard after ${p99.toFixed(0)} ms or more, not ${MAX_P99_MS}`],
    [
      rss.highest > rss.rest + MAX_GROWTH_BYTES,
      `Memory grew by ${mebibytes(rss.highest - rss.rest)} MiB, not ${mebibytes(MAX_GROWTH_BYTES)} at most`,
    ],
    [
      rss.after > rss.rest * MAX_GROWTH,
      `Memory came back to ${mebibytes(rss.after)} MiB, not ${
        mebibytes(rss.rest * MAX_GROWTH)
      } (it takes some 30 s: --rest)`,
    ],
    [descriptors.after > descriptors.rest, `${descriptors.after} descriptors were left, and not ${descriptors.rest}`],
  ];
  return isShort.filter(([isSo]) => isSo).map(([, sentence]) => sentence);
}

function drainTest(options: TrialOptions, drainMs: number): Test {
  return {
    titles: ["ended after ms"],
    async run(kind) {
      const result = await drain(kind, drainMs, options);
      const isWell = result.endMs <= drainMs + MAX_LATE_MS && result.troubles.length === 0;
      return { cells: [String(Math.round(result.endMs))], isWell, result };
    },
  };
}

function memoryTest(options: TrialOptions, bytes: number): Test {
  return {
    titles: ["MiB rest", "highest", "after", "told most often"],
    async run(kind) {
      const result = await memory(kind, ["--max-memory", String(bytes)], options);
      const { rss, told, troubles } = result;
      const cells = [...[rss.rest, rss.highest, rss.after].map(mebibytes), told[0] ?? "nothing"];
      return { cells, isWell: troubles.length === 0 && rss.highest <= bytes, result };
    },
  };
}

function mebibytes(bytes: number): string {
  return String(Math.round(bytes / 1024 / 1024));
}

const attack = defineCommand({
  name: "soak:attack",
  summary: "what the honest notice of attackers, of one kind at a time",
  description:
    "An honest client publishes 200 events a second, and ten listen. They must hear all of them, 99 of 100 within 150 ms,\n" +
    "and none of them may be disconnected; the broker's memory may grow by 200 MiB, and must come back to within 20 %.\n" +
    "All are in a network of their own where the system gives them one (unshare), with the buffers of sockets that\n" +
    "docs/security.md advises: those of attackers would be on other machines. `lost` counts TCP segments that the system\n" +
    "threw away because all sockets had too much memory: they delay everybody.\n" +
    `Kinds: ${Object.keys(KINDS).join(", ")}.\nWithout a KIND, all; with --memory, those that aim at it.`,
  operands: { form: "[KIND...]", min: 0, max: Infinity },
  flags,
  examples: [
    ["mq soak:attack clients resets", "two kinds"],
    ["mq soak:attack --drain 3s --for 2s", "ends a broker under each kind"],
    ["mq soak:attack --memory 256MiB", "a broker that may take 256 MiB"],
  ],
  permissions: ["net", "run", "env"],
  async run({ flags, operands }, io) {
    const unknown = operands.find((kind) => !(kind in KINDS));
    if (unknown !== undefined) throw new UsageError(`There is no kind ${unknown}`, "mq soak:attack --help");
    if (!flags["system-network"] && !hasOwnNetwork()) {
      const code = await runInOwnNetwork(import.meta.url);
      if (code !== undefined) return code;
      io.stderr.line(
        "This system gives the trial no network of its own: its attackers share the memory of all sockets",
      );
    }
    const { forMs, connections, seed } = { ...flags, forMs: flags.for };
    const program = flags.broker &&
      [Deno.execPath(), "run", "--quiet", "--cached-only", "--no-check", "--allow-all", `${flags.broker}/cmd/main.ts`];
    const { descriptors } = flags;
    const options = { forMs, connections, seed, descriptors, program: program || undefined };
    const test = flags.drain !== undefined
      ? drainTest(options, flags.drain)
      : flags.memory !== undefined
      ? memoryTest(options, flags.memory)
      : besideTest(options, flags.rest);
    const all = Object.keys(KINDS).filter((kind) => flags.memory === undefined || KINDS[kind].fills);
    const row = (kind: string, cells: readonly string[], mark: string) =>
      [pad(kind, 16), ...cells.map((cell, index) => pad(cell, Math.max(7, test.titles[index].length))), mark]
        .join("  ").trimEnd();
    if (!flags.json) io.stdout.line(row("kind", test.titles, ""));
    let isWell = true;
    for (const kind of operands.length > 0 ? operands : all) {
      const outcome = await outcomeOf(test, kind);
      isWell &&= outcome.isWell;
      io.stdout.line(
        flags.json
          ? JSON.stringify(outcome.result)
          : row(kind, outcome.cells, outcome.isWell ? "" : "not as it should be"),
      );
      if (!flags.json) outcome.result.troubles.forEach((trouble) => io.stderr.line(`${kind}: ${trouble}`));
      await io.stdout.flush();
    }
    return isWell ? 0 : 1;
  },
});

if (import.meta.main) await runTask(attack);
