/**
 * How the figures of a benchmark are shown. Everything here is pure.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { bold } from "@std/fmt/colors";
import { type Flag, toggle } from "../command.ts";
import type { Shares } from "./subject.ts";

/** From this share of a core on a process has no time left. */
const BUSY = 0.9;

/** Who kept a benchmark from being faster. */
export type Limit = "broker" | "load generator" | "neither";

/** Who kept a benchmark from being faster: who had no time left, and of two such the busier. */
export function limitOf({ broker, own }: Shares): Limit {
  if (Math.max(broker, own) < BUSY) return "neither";
  return broker >= own ? "broker" : "load generator";
}

/** The same as a sentence. */
export function formatLimit(shares: Shares): string {
  switch (limitOf(shares)) {
    case "broker":
      return "The broker was the limit.";
    case "load generator":
      return "This process was the limit, not the broker: it could not make more load.";
    case "neither":
      return "Neither was the limit: both had to wait, for the network, each other or other programs.";
  }
}

/** Rows of a name and a value, the values in one column, and how busy both sides were. */
export function formatTable(title: string, rows: readonly (readonly [string, string])[], shares: Shares): string {
  const busy: [string, string][] = [
    ["broker", `${percent(shares.broker)} of a core, ${formatBytes(shares.brokerRssBytes)} of memory`],
    ["this process", `${percent(shares.own)} of a core`],
  ];
  const all = [...rows, ...busy];
  const width = Math.max(...all.map(([name]) => name.length));
  return [bold(title), ...all.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)].join("\n");
}

/** `--json`. */
export const benchJsonFlag: Flag<boolean> = toggle("Print the figures as one JSON object.");

/** Figures for programs: one JSON object, which ends with how busy both sides were. */
export function formatFigures(
  figures: Record<string, string | number>,
  shares: Shares,
  limit = limitOf(shares),
): string {
  const busy = { brokerCpu: shares.broker, ownCpu: shares.own, brokerRssBytes: shares.brokerRssBytes, limit };
  const rounded = (_key: string, value: unknown) => typeof value === "number" ? Number(value.toPrecision(6)) : value;
  return JSON.stringify({ ...figures, ...busy }, rounded);
}

/** A number for people, to three digits: `1,930,000`, `0.213`. */
export function formatNumber(value: number): string {
  return value.toLocaleString("en-US", { maximumSignificantDigits: 3 });
}

/** A length of time for people, to three digits: `213 µs`, `1.04 ms`, `2.5 s`. */
export function formatMicroseconds(us: number): string {
  if (us < 1000) return `${formatNumber(us)} µs`;
  return us < 1e6 ? `${formatNumber(us / 1000)} ms` : `${formatNumber(us / 1e6)} s`;
}

/** A line that shows how far a load is, drawn over the one before. */
export function formatProgress(done: number, columns = 30): string {
  const filled = Math.round(Math.min(1, done) * columns);
  return `${"█".repeat(filled)}${"░".repeat(columns - filled)} ${percent(Math.min(1, done))}`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
