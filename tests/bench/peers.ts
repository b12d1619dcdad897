/**
 * `deno task bench:peers`: mq beside other brokers on this machine. Takes about twenty minutes and writes
 * docs/benchmarks.md.
 */
import { parseArgs } from "@std/cli/parse-args";
import { changingAudience, memoryOver, unheard } from "./alone.ts";
import { type Case, comparisons, type Extent } from "./cases.ts";
import { formatFigure, formatPage, formatRow, median, type Report, type Row } from "./report.ts";
import { type Maker, MQ, PEERS, type Server, start } from "./servers.ts";

const PAGE = new URL("../../docs/benchmarks.md", import.meta.url);

const FULL: Extent & Size = {
  pairs: 7,
  loadMs: 1000,
  roundTrips: 3000,
  connections: 5000,
  settleMs: 2000,
  memoryEvents: 20_000_000,
};
/** Enough to see that everything runs; its figures mean nothing. */
const BRIEF: Extent & Size = {
  pairs: 1,
  loadMs: 20,
  roundTrips: 50,
  connections: 50,
  settleMs: 50,
  memoryEvents: 10_000,
};

interface Size {
  readonly pairs: number;
  /** How many events mq's memory is watched over. */
  readonly memoryEvents: number;
}

type Peer = Maker & { found: string };

/** Compares mq with the peers that are on this machine. */
async function compare(extent: Extent & Size, wanted: string | undefined): Promise<Report> {
  const makers = PEERS.filter(({ name }) => wanted === undefined || name === wanted);
  const versions = await Promise.all(makers.map((maker) => maker.version()));
  const peers = makers.flatMap((maker, index): Peer[] => {
    const found = versions[index];
    return found === undefined ? [] : [{ ...maker, found }];
  });
  const missing = makers.filter((_maker, index) => versions[index] === undefined).map(({ name }) => name);
  for (const name of missing) console.log(`${name} is not on this machine: left out`);
  const rows = [];
  for (const peer of peers) rows.push({ name: peer.name, rows: await compareWith(peer, extent) });
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: await describeMachine(peers),
    pairs: extent.pairs,
    loadMs: extent.loadMs,
    peers: rows,
    missing,
    alone: await measureAlone(extent),
  };
}

async function compareWith(peer: Peer, extent: Extent & Size): Promise<Row[]> {
  console.log(`\nmq and ${peer.name} ${peer.found}: ratio (least to greatest)`);
  await using mqServer = await start(MQ);
  await using peerServer = await start(peer);
  const rows: Row[] = [];
  for (const each of comparisons(extent)) {
    const [mq, theirs]: [number[][], number[][]] = [[], []];
    for (let pair = each.isFresh ? 1 : 0; pair <= extent.pairs; pair++) {
      const pairOf = [await measure(each, MQ, mqServer), await measure(each, peer, peerServer)];
      if (pair === 0) continue; // Programs just started are slow.
      mq.push(pairOf[0]);
      theirs.push(pairOf[1]);
    }
    for (const [index, figure] of each.figures.entries()) {
      const row = { figure, mq: mq.map((values) => values[index]), peer: theirs.map((values) => values[index]) };
      console.log(`  ${formatRow(row)}`);
      rows.push(row);
    }
  }
  return rows;
}

async function measure(each: Case, maker: Maker, running: Server): Promise<number[]> {
  if (!each.isFresh) return await each.measure(running);
  await using fresh = await start(maker);
  return await each.measure(fresh);
}

async function measureAlone({ pairs, loadMs, memoryEvents }: Extent & Size): Promise<[string, string][]> {
  console.log("\nmq against itself");
  await using server = await start(MQ);
  const memory = (await memoryOver(server, memoryEvents)).map((bytes) => formatFigure(bytes / 2 ** 20));
  const spread = async (measured: (server: Server, ms: number) => Promise<number>) => {
    const values = [];
    for (let pair = 0; pair <= pairs; pair++) values.push(await measured(server, loadMs));
    const counted = values.slice(1);
    return `${formatFigure(median(counted))} (${formatFigure(Math.min(...counted))} to ${
      formatFigure(Math.max(...counted))
    })`;
  };
  const alone: [string, string][] = [
    ["rate of a publisher nobody hears, to that of one with a listener", await spread(unheard)],
    [
      "rate of 100 listeners while another comes and goes 100 times a second, to that without",
      await spread(changingAudience),
    ],
    [`MiB resident at the start and after each tenth of ${formatFigure(memoryEvents)} events`, memory.join(", ")],
  ];
  for (const [what, value] of alone) console.log(`  ${what}: ${value}`);
  return alone;
}

async function describeMachine(peers: readonly Peer[]): Promise<[string, string][]> {
  const read = (path: string) => Deno.readTextFile(path).catch(() => "");
  const model = /^model name\s*: (.*)$/m.exec(await read("/proc/cpuinfo"))?.[1] ?? "unknown";
  const kib = /^MemTotal:\s+(\d+)/m.exec(await read("/proc/meminfo"))?.[1];
  return [
    ["processor", `${model}, ${navigator.hardwareConcurrency} cores`],
    ["memory", kib === undefined ? "unknown" : `${Math.round(Number(kib) / 2 ** 20)} GiB`],
    ["system", `${Deno.build.os} ${Deno.osRelease()}, ${Deno.build.arch}`],
    ["mq", await MQ.version() ?? ""],
    ...peers.map(({ name, found }): [string, string] => [name, found]),
  ];
}

/** Writes the page as the formatter wants it: the gate checks it, too. */
async function write(page: string): Promise<void> {
  await Deno.writeTextFile(PAGE, page);
  await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", PAGE.pathname] }).output();
}

if (import.meta.main) {
  const { brief, only } = parseArgs(Deno.args, { boolean: ["brief"], string: ["only"] });
  const report = await compare(brief ? BRIEF : FULL, only as string | undefined);
  const page = formatPage(report);
  const isWhole = !brief && only === undefined;
  if (isWhole) await write(page);
  console.log(isWhole ? "\nWrote docs/benchmarks.md" : `\n${page}`);
}
