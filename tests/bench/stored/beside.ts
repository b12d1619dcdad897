/**
 * Whether a slow disk slows down what needs no disk: the round trip of unstored events, beside stored ones, on a disk whose
 * syncs take long and on one whose do not.
 *
 *     deno run -A tests/bench/stored/beside.ts [--rounds 5] [--seconds 3] [--rate 20000] [--sync-ms 20]
 *
 * MQ_BIN names the executable; else the source runs. The slow disk is a preloaded library (tests/store/faults/disk.c).
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { V8_FLAGS } from "../../../cmd/bench/subject.ts";
import { type Disk, makeDisk } from "../../store/faults/disk.ts";

const MAIN = new URL("../../../cmd/main.ts", import.meta.url).pathname;
const HOSTNAME = "127.0.0.1";
const STORED = `stored ${"x".repeat(64)}\n`;

/** How often stored events are published, in milliseconds. */
const PACE_MS = 5;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function startBroker(folder: string, port: number, env: Record<string, string>): Deno.ChildProcess {
  const binary = Deno.env.get("MQ_BIN");
  const line = binary ? [binary] : [Deno.execPath(), "run", "-A", "--quiet", "--cached-only", V8_FLAGS, MAIN];
  const flags = ["--host", HOSTNAME, "--port", String(port), "--events", ">", "--store", folder, "--keep", "stored"];
  const [program, ...args] = [...line, "server", ...flags];
  return new Deno.Command(program, { args, env, stdin: "null", stdout: "null" }).spawn();
}

async function connected(port: number, patterns: string): Promise<Deno.TcpConn> {
  for (;;) {
    try {
      const conn = await Deno.connect({ hostname: HOSTNAME, port });
      await conn.write(encoder.encode(`${patterns}\n/ping\n`));
      for (let text = ""; !text.includes("/pong");) text += await readText(conn);
      return conn;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20)); // It does not listen yet.
    }
  }
}

async function readText(conn: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(65_536);
  return decoder.decode(buffer.subarray(0, await conn.read(buffer) ?? 0));
}

/** Publishes stored events at a rate until the signal is aborted; returns how many. */
async function publishStored(port: number, perSecond: number, signal: AbortSignal): Promise<number> {
  using conn = await connected(port, "/unsub >");
  const startedAt = performance.now();
  let sent = 0;
  while (!signal.aborted) {
    const due = Math.floor((performance.now() - startedAt) * perSecond / 1000) - sent;
    if (due > 0) {
      for (let rest = encoder.encode(STORED.repeat(due)); rest.length > 0;) {
        rest = rest.subarray(await conn.write(rest));
      }
    }
    sent += Math.max(due, 0);
    await new Promise((resolve) => setTimeout(resolve, PACE_MS));
  }
  return sent;
}

/** Publishes unstored events one after another, each when the one before has come back; returns the times. */
async function roundTrips(port: number, forMs: number): Promise<number[]> {
  using conn = await connected(port, "/sub trip");
  const times: number[] = [];
  const bytes = encoder.encode("trip 1\n");
  for (const until = performance.now() + forMs; performance.now() < until;) {
    const startedAt = performance.now();
    await conn.write(bytes);
    await readText(conn);
    times.push(performance.now() - startedAt);
    await new Promise((resolve) => setTimeout(resolve, 1)); // As other clients would: they do not saturate the broker.
  }
  return times.sort((a, b) => a - b);
}

interface Measured {
  readonly p50: number;
  readonly p99: number;
  readonly stored: number;
  readonly syncs: number;
}

async function measure(port: number, disk: Disk, perSecond: number, seconds: number): Promise<Measured> {
  const before = disk.syncs;
  const controller = new AbortController();
  const storing = publishStored(port, perSecond, controller.signal);
  const times = await roundTrips(port, seconds * 1000);
  controller.abort();
  const stored = await storing;
  const at = (share: number) => times[Math.floor(times.length * share)];
  return { p50: at(0.5), p99: at(0.99), stored: stored / seconds, syncs: disk.syncs - before };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

if (import.meta.main) {
  const flags = parseArgs(Deno.args, { string: ["rounds", "seconds", "rate", "sync-ms"] });
  const { rounds = "5", seconds = "3", rate = "20000", "sync-ms": syncMs = "20" } = flags as Record<string, string>;
  const folder = await Deno.makeTempDir({ prefix: "mq-beside-" });
  await using disk = await makeDisk(folder);
  const port = (() => {
    using listener = Deno.listen({ hostname: HOSTNAME, port: 0 });
    return listener.addr.port;
  })();
  const broker = startBroker(folder, port, disk.env);
  try {
    const results: Record<"fast" | "slow", Measured[]> = { fast: [], slow: [] };
    for (let round = 0; round <= Number(rounds); round++) {
      for (const kind of ["fast", "slow"] as const) {
        await disk.delaySyncs(kind === "slow" ? Number(syncMs) : 0);
        const measured = await measure(port, disk, Number(rate), Number(seconds));
        if (round === 0) continue; // The broker has just started.
        results[kind].push(measured);
        const { p50, p99, stored, syncs } = measured;
        console.log(
          `${kind} disk: ${Math.round(stored)} stored a second, ${syncs} syncs; round trip p50 ${p50.toFixed(2)} ms, ` +
            `p99 ${p99.toFixed(2)} ms`,
        );
      }
    }
    const [fast, slow] = [results.fast, results.slow].map((all) => median(all.map(({ p99 }) => p99)));
    console.log(
      `median p99: ${fast.toFixed(2)} ms, with syncs of ${syncMs} ms ${slow.toFixed(2)} ms: ${
        (slow / fast).toFixed(2)
      } times`,
    );
  } finally {
    broker.kill("SIGTERM");
    await broker.status;
    await Deno.remove(folder, { recursive: true });
  }
}
