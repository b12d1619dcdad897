/**
 * `deno task soak:page`: the live page, while the broker passes on many events.
 *
 * A broker gets a flood of events at a set rate, once with the page open in Chromium and once without it, in turns. The
 * page is to stay usable meanwhile, and the listeners are to get what they get without it.
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { formatNumber } from "../../cmd/shared/format.ts";
import { defineCommand, duration, integer, option, toggle } from "../../cmd/command.ts";
import type { Io } from "../../cmd/shared/stdio.ts";
import { connect } from "../../mod.ts";
import { BrokerProcess, Child } from "../soak/process.ts";
import { runTask } from "../soak/task.ts";
import { pause } from "../soak/trial.ts";
import { TestBrowser } from "./browser.ts";

const LISTENERS = 4;

/** What the page may do at the most, and the least rate of the listeners, as a share of that without it. */
const MAX_TASK_MS = 200;
const MAX_NODES = 2000;
const MAX_GROWTH_BYTES = 4 * 1024 * 1024;
const MIN_RATE = 0.95;

/** How long the flood goes on before anything is measured. */
const WARM_UP_MS = 3000;

/** In the page: notes each task that keeps it busy for 50 ms or more. */
const NOTE_LONG_TASKS = `globalThis.longTasks = [];
new PerformanceObserver((list) => globalThis.longTasks.push(...list.getEntries().map(({ duration }) => duration)))
  .observe({ type: "longtask" });`;

/** What was seen of the page. */
interface Sight {
  readonly longestTaskMs: number;
  readonly nodes: number;
  /** What its scripts hold, after their garbage was collected, at the beginning and at the end. */
  readonly heapBytes: [before: number, after: number];
  readonly note: string;
}

/** What was seen of the listeners, events a second each, and of the broker. */
interface Figures {
  readonly received: number;
  readonly brokerCpu: number;
}

class Flood implements AsyncDisposable {
  sent = 0;
  received = 0;
  readonly #child: Child;

  constructor(port: number, rate: number) {
    const script = new URL("./flood.ts", import.meta.url).pathname;
    const program = [Deno.execPath(), "run", "--quiet", "--allow-net", script];
    this.#child = new Child([port, rate, LISTENERS].map(String), (line) => this.#line(line), program);
  }

  #line(line: string): void {
    [this.sent, this.received] = line.split(" ").map(Number);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.end("SIGKILL");
  }
}

async function look(browser: TestBrowser, url: string, forMs: number): Promise<Sight> {
  await using opened = await browser.open(url);
  const { page } = opened;
  const devTools = await page.context().newCDPSession(page);
  const heap = async () => {
    await devTools.send("HeapProfiler.collectGarbage");
    return (await devTools.send("Runtime.getHeapUsage")).usedSize;
  };
  await page.getByText(/of [\d,. ]+ shown/).first().waitFor();
  await pause(WARM_UP_MS);
  const before = await heap();
  await page.evaluate(NOTE_LONG_TASKS);
  await pause(forMs);
  const tasks = await page.evaluate("globalThis.longTasks") as number[];
  const note = await page.getByText(/of [\d,. ]+ shown/).first().textContent();
  return {
    longestTaskMs: Math.max(0, ...tasks),
    nodes: await page.evaluate("document.querySelectorAll('*').length") as number,
    heapBytes: [before, await heap()],
    note: note ?? "",
  };
}

/** Has the page open, or nothing, for a while; tells what the listeners got meanwhile. */
async function round(stage: { port: number; flood: Flood }, work: () => Promise<void>): Promise<Figures> {
  await using client = await connect({ hostname: "127.0.0.1", port: stage.port, name: "watcher" });
  const [before, received, start] = [await client.stats(), stage.flood.received, performance.now()];
  await work();
  const [after, seconds] = [await client.stats(), (performance.now() - start) / 1000];
  return {
    received: (stage.flood.received - received) / seconds,
    brokerCpu: (after.cpuMs - before.cpuMs) / seconds / 1000,
  };
}

const flags = {
  rate: option("N", "How many events are published a second.", integer(1), { defaultValue: ["200000", 200_000] }),
  rounds: option("N", "How often it is measured with the page and without it.", integer(1, 1000), {
    defaultValue: ["3", 3],
  }),
  for: option("DURATION", "How long each time.", duration, { defaultValue: ["10s", 10_000] }),
  json: toggle("Print the findings as one JSON object."),
};

const soakPage = defineCommand({
  name: "soak:page",
  summary: "the live page in Chromium, while the broker passes on many events",
  description: `Fails unless the page has no task longer than ${MAX_TASK_MS} ms and fewer than ${MAX_NODES} nodes, ` +
    "holds no more memory\nthan before, and the listeners keep 95 % of their rate.",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [["mq soak:page", "200,000 events a second, three rounds of ten seconds with the page and without it"]],
  permissions: ["net", "read", "write", "run", "env", "sys"],
  async run({ flags }, io) {
    const finding = await measure(flags, io);
    io.stdout.line(flags.json ? JSON.stringify(finding) : format(finding));
    return finding.isWell ? 0 : 1;
  },
});

interface Finding {
  readonly rate: number;
  readonly alone: Figures;
  readonly beside: Figures;
  readonly sights: Sight[];
  readonly isWell: boolean;
}

async function measure(
  { rate, rounds, for: forMs }: { rate: number; rounds: number; for: number },
  io: Io,
): Promise<Finding> {
  let url: string | undefined;
  const { broker, port } = await BrokerProcess.start(0, ["--events", "flood.*", "--web", "127.0.0.1:0"], {
    onTrouble: (line) => io.stderr.line(line),
    onLog: (line) => url ??= /http:\/\/127\.0\.0\.1:\d+\//.exec(line)?.[0],
  });
  await using _ = broker;
  await using flood = new Flood(port, rate);
  await using browser = await TestBrowser.launch();
  while (url === undefined || flood.sent === 0) await pause(100);
  await pause(WARM_UP_MS);
  const [alone, beside]: Figures[][] = [[], []];
  const sights: Sight[] = [];
  for (let index = 0; index < 2 * rounds; index++) {
    const isAlone = [0, 3].includes(index % 4); // Neither is always the first of the two.
    io.stderr.status(`Round ${index + 1} of ${2 * rounds}`);
    if (isAlone) alone.push(await round({ port, flood }, () => pause(forMs)));
    else {
      const open = async () => void sights.push(await look(browser, url!, forMs));
      beside.push(await round({ port, flood }, open));
    }
  }
  io.stderr.status("");
  const found = { rate, alone: middle(alone), beside: middle(beside), sights };
  return { ...found, isWell: isWell(found) };
}

function isWell({ alone, beside, sights }: Omit<Finding, "isWell">): boolean {
  return beside.received >= alone.received * MIN_RATE &&
    sights.every((sight) =>
      sight.longestTaskMs <= MAX_TASK_MS && sight.nodes < MAX_NODES &&
      sight.heapBytes[1] - sight.heapBytes[0] <= MAX_GROWTH_BYTES
    );
}

function middle(figures: Figures[]): Figures {
  return {
    received: median(figures.map((each) => each.received)),
    brokerCpu: median(figures.map((each) => each.brokerCpu)),
  };
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

function format({ rate, alone, beside, sights, isWell }: Finding): string {
  const percent = (share: number) => `${Math.round(share * 1000) / 10} %`;
  return [
    `${formatNumber(rate)} events/s to ${LISTENERS} listeners`,
    `  each gets  ${formatNumber(alone.received)} events/s without the page, ${
      formatNumber(beside.received)
    } beside it: ` +
    percent(beside.received / alone.received),
    `  broker     ${percent(alone.brokerCpu)} of a core without it, ${percent(beside.brokerCpu)} beside it`,
    ...sights.map(({ longestTaskMs, nodes, heapBytes: [before, after], note }) =>
      `  page       longest task ${Math.round(longestTaskMs)} ms, ${nodes} nodes, ` +
      `${formatBytes(before)} held before and ${formatBytes(after)} after; it says "${note}"`
    ),
    isWell ? "  All is well." : "  That is not as it should be.",
  ].join("\n");
}

if (import.meta.main) await runTask(soakPage);
