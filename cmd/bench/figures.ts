/**
 * Formats the results of benchmarks. Everything here is pure.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { bold } from "@std/fmt/colors";
import { type Flag, toggle } from "../command.ts";
import { formatNumber } from "../shared/format.ts";
import type { Shares } from "./subject.ts";

/** A process that uses at least this share of a core is a bottleneck. */
const BUSY = 0.9;

/** The bottleneck of a benchmark. */
export type Limit = "broker" | "load generator" | "neither";

/** The bottleneck: the busier process, if it had no CPU time left. */
export function limitOf({ broker, own }: Shares): Limit {
  if (Math.max(broker, own) < BUSY) return "neither";
  return broker >= own ? "broker" : "load generator";
}

/** The bottleneck, as a sentence. */
export function formatLimit(shares: Shares): string {
  switch (limitOf(shares)) {
    case "broker":
      return "The broker was the bottleneck.";
    case "load generator":
      return "The load generator was the bottleneck, not the broker: it could not generate more load.";
    case "neither":
      return "Neither process was the bottleneck: both waited for the network, each other or other programs.";
  }
}

/** A table of names and values, ending with the CPU and memory use of both processes. */
export function formatTable(title: string, rows: readonly (readonly [string, string])[], shares: Shares): string {
  const busy: [string, string][] = [
    ["broker", `${percent(shares.broker)} of a core, ${formatBytes(shares.brokerRssBytes)} of memory`],
    ["load generator", `${percent(shares.own)} of a core`],
  ];
  const all = [...rows, ...busy];
  const width = Math.max(...all.map(([name]) => name.length));
  return [bold(title), ...all.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)].join("\n");
}

export const benchJsonFlag: Flag<boolean> = toggle("Print the results as one JSON object.");

/** The results as one JSON object, which ends with the CPU and memory use of both processes. */
export function formatFigures(
  figures: Record<string, string | number>,
  shares: Shares,
  limit = limitOf(shares),
): string {
  const busy = { brokerCpu: shares.broker, ownCpu: shares.own, brokerRssBytes: shares.brokerRssBytes, limit };
  const rounded = (_key: string, value: unknown) => typeof value === "number" ? Number(value.toPrecision(6)) : value;
  return JSON.stringify({ ...figures, ...busy }, rounded);
}

/** A duration with three significant digits: `213 µs`, `1.04 ms`, `2.5 s`. */
export function formatMicroseconds(us: number): string {
  if (us < 1000) return `${formatNumber(us)} µs`;
  return us < 1e6 ? `${formatNumber(us / 1000)} ms` : `${formatNumber(us / 1e6)} s`;
}

/** A progress bar. */
export function formatProgress(done: number, columns = 30): string {
  const filled = Math.round(Math.min(1, done) * columns);
  return `${"█".repeat(filled)}${"░".repeat(columns - filled)} ${percent(Math.min(1, done))}`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
