/**
 * `deno task soak:slow`: one listener that never reads, beside ten healthy ones at full rate.
 *
 * The load of `mq bench throughput` is put on a broker with and without the one that never reads, in turns, and the median
 * rates are compared; so are the most memory that the broker held with it and what it held before it first came. By
 * default the broker closes a slow listener; this one comes back whenever it is closed. With `--slow drop` it stays.
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { formatNumber } from "../../cmd/shared/format.ts";
import { runLoad } from "../../cmd/bench/load.ts";
import { mqWire } from "../../cmd/bench/mq_wire.ts";
import { defineCommand, duration, integer, option, toggle } from "../../cmd/command.ts";
import { type Client, connect } from "../../mod.ts";
import { DEFAULT_LIMITS } from "../../lib/protocol/limits.ts";
import { BrokerProcess } from "./process.ts";
import { runTask } from "./task.ts";
import { pause } from "./trial.ts";

const LOAD = { pubs: 1, subs: 10, topics: 1, size: 64 };
const NAME = "never-reads";

/** The least rate with it, as a share of that without it, and the most that it may cost in memory, in bytes. */
const MIN_RATE = 0.9;
const MAX_GROWTH_BYTES = DEFAULT_LIMITS.outboxBytes + 64 * 1024 * 1024;

/** How long the broker is warmed up, how often its memory is asked for, and how often the slow one shows that it lives. */
const [WARM_UP_MS, WATCH_MS, ALIVE_MS] = [3000, 100, 50];

const encoder = new TextEncoder();

/** Subscribes and never reads, and comes back whenever it is closed. */
class NeverReads {
  #isEnding = false;
  #connections = 0;
  readonly #living: Promise<void>;

  constructor(port: number) {
    this.#living = this.#live(port);
  }

  /** Leaves; returns how often it had to connect. */
  async end(): Promise<number> {
    this.#isEnding = true;
    await this.#living;
    return this.#connections;
  }

  async #live(port: number): Promise<void> {
    while (!this.#isEnding) await this.#connect(port).catch(() => {});
  }

  /** A blank line is ignored; when it cannot be sent any more, the broker has closed the connection. */
  async #connect(port: number): Promise<void> {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    this.#connections++;
    await conn.write(encoder.encode(`/hello {"name":"${NAME}"}\n/sub bench.>\n`));
    while (!this.#isEnding) {
      await pause(ALIVE_MS);
      await conn.write(encoder.encode("\n"));
    }
  }
}

/** The most memory a broker held, from when this is made. */
class MemoryWatch {
  highest = 0;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(client: Client) {
    const look = async () => this.highest = Math.max(this.highest, (await client.stats()).rssBytes);
    this.#timer = setInterval(() => look().catch(() => {}), WATCH_MS);
  }

  end(): number {
    clearInterval(this.#timer);
    return this.highest;
  }
}

/** What was found with one way to treat who is slow. */
interface Finding {
  readonly policy: string;
  /** Deliveries a second, the medians. */
  readonly alone: number;
  readonly beside: number;
  /** The broker's memory, in bytes. */
  readonly rssBefore: number;
  readonly rssHighest: number;
  /** How often the one that never reads connected, and how many lines of the broker's log name it as slow. */
  readonly connections: number;
  readonly named: number;
  readonly isWell: boolean;
}

async function measure(policy: string, rounds: number, forMs: number, tell: (line: string) => void): Promise<Finding> {
  let named = 0;
  const onLog = (line: string) => line.includes(NAME) && line.includes("reads too slowly") ? named++ : 0;
  const flags = ["--events", "bench.>", "--slow", policy];
  const { broker, port } = await BrokerProcess.start(0, flags, { onTrouble: tell, onLog });
  await using _ = broker;
  await using client = await connect({ hostname: "127.0.0.1", port, name: "watcher" });
  await rate(port, WARM_UP_MS);
  const { rssBytes: rssBefore } = await client.stats();
  const [alone, beside, highest]: number[][] = [[], [], []];
  let connections = 0;
  for (let round = 0; round < 2 * rounds; round++) {
    const isAlone = [0, 3].includes(round % 4); // Neither is always the first of the two.
    if (isAlone) {
      alone.push(await rate(port, forMs));
      continue;
    }
    const slow = new NeverReads(port);
    const memory = new MemoryWatch(client);
    beside.push(await rate(port, forMs));
    highest.push(memory.end());
    connections += await slow.end();
  }
  const rates = { alone: median(alone), beside: median(beside) };
  const found = { policy, ...rates, rssBefore, rssHighest: Math.max(...highest), connections, named };
  return { ...found, isWell: isWell(found) };
}

/** Deliveries a second. */
async function rate(port: number, forMs: number): Promise<number> {
  const { delivered, ms } = await runLoad({ hostname: "127.0.0.1", port }, mqWire(), LOAD, { forMs });
  return delivered / ms * 1000;
}

function isWell({ alone, beside, rssBefore, rssHighest, named }: Omit<Finding, "isWell">): boolean {
  return beside >= alone * MIN_RATE && rssHighest <= rssBefore + MAX_GROWTH_BYTES && named > 0;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

const flags = {
  rounds: option("N", "How often it is measured with it and without it.", integer(1, 1000), { defaultValue: ["9", 9] }),
  for: option("DURATION", "How long each time.", duration, { defaultValue: ["3s", 3000] }),
  json: toggle("Print one JSON object for each way to treat who is slow."),
};

const slow = defineCommand({
  name: "soak:slow",
  summary: "one listener that never reads, beside ten healthy ones at full rate",
  description:
    "Fails unless the healthy ones keep 90 % of their rate, the broker's memory grows by no more than what may\n" +
    "wait for one connection (16 MiB) and 64 MiB, and its log names the one that never reads.",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [["mq soak:slow", "nine rounds of each, closing the slow one and dropping events"]],
  permissions: ["net", "run", "env"],
  async run({ flags }, io) {
    let code = 0;
    for (const policy of ["disconnect", "drop"]) {
      const finding = await measure(policy, flags.rounds, flags.for, (line) => io.stderr.line(line));
      io.stdout.line(flags.json ? JSON.stringify(finding) : format(finding));
      if (!finding.isWell) code = 1;
    }
    return code;
  },
});

function format({ policy, alone, beside, rssBefore, rssHighest, connections, named, isWell }: Finding): string {
  return [
    `--slow ${policy}`,
    `  rate    ${formatNumber(alone)} deliveries/s without it, ${formatNumber(beside)} beside it: ` +
    `${Math.round(beside / alone * 100)} %`,
    `  memory  ${formatBytes(rssBefore)} before, ${formatBytes(rssHighest)} at the highest: ` +
    `${formatBytes(rssHighest - rssBefore)} more, of ${formatBytes(MAX_GROWTH_BYTES)} allowed`,
    `  log     named it ${named} times; it connected ${connections} times`,
    isWell ? "  All is well." : "  That is not as it should be.",
  ].join("\n");
}

if (import.meta.main) await runTask(slow);
