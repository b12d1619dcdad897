/** How the comparison is written: docs/benchmarks.md. Everything here is pure. */
import type { Figure } from "./cases.ts";

/** What was measured of mq and a peer, one after the other, as many times as there are pairs. */
export interface Row {
  readonly figure: Figure;
  readonly mq: readonly number[];
  readonly peer: readonly number[];
}

/** A whole comparison. */
export interface Report {
  readonly date: string;
  readonly machine: readonly (readonly [name: string, value: string])[];
  readonly pairs: number;
  readonly loadMs: number;
  readonly peers: readonly { readonly name: string; readonly rows: readonly Row[] }[];
  readonly missing: readonly string[];
  readonly alone: readonly (readonly [what: string, value: string])[];
}

/** The middle of some numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median ratio of mq to a peer, pair by pair, and the least and the greatest. */
export function ratios({ mq, peer }: Pick<Row, "mq" | "peer">): [median: number, least: number, greatest: number] {
  const each = mq.map((value, index) => value / peer[index]);
  return [median(each), Math.min(...each), Math.max(...each)];
}

/** A number to three digits. */
export function formatFigure(value: number): string {
  return value.toLocaleString("en-US", { maximumSignificantDigits: 3 });
}

/** One row in one line, for a terminal. */
export function formatRow(row: Row): string {
  const [middle, least, greatest] = ratios(row).map(formatFigure);
  const { label, unit } = row.figure;
  const medians = `${formatFigure(median(row.mq))} against ${formatFigure(median(row.peer))} ${unit}`;
  return `${middle} (${least} to ${greatest})  ${label}: ${medians}`;
}

/** The page. */
export function formatPage(report: Report): string {
  const { date, machine, pairs, loadMs, peers, missing, alone } = report;
  return [
    "# Benchmarks",
    "",
    `\`deno task bench:peers\` wrote this page on ${date}; no number here was typed by hand.`,
    "",
    "## Machine and versions",
    "",
    ...table(["what", "which"], machine),
    "",
    ...missing.map((name) => `Not compared, because it was not on this machine: ${name}.\n`),
    "## Method",
    "",
    "One process makes the load, with the same code for all brokers (`cmd/bench/load.ts`), on TCP sockets of 127.0.0.1.",
    "It sends bytes that were made beforehand and counts the bytes that come back. Publishers send as fast as they can,",
    `but never more than 4 MiB ahead of the slowest listener; a load goes on for ${
      loadMs / 1000
    } s and is measured until its last`,
    `event has arrived. Data is 64 bytes unless said. mq and a peer take turns (mq, peer, mq, peer ...), ${pairs} pairs after`,
    "one that is not counted; a ratio is the median of the pairs, with the least and the greatest in brackets. Both",
    "brokers run all the while, but for the cases of many connections, in which each is started anew.",
    "",
    "All brokers keep nothing on disk and confirm nothing: mosquitto with QoS 0 and without its limit on queued messages,",
    "redis-server with PUBLISH and `CLIENT REPLY OFF`, nats-server as it comes, mq with `--events '>' --json`.",
    "",
    ...peers.flatMap(({ name, rows }) => [...section(name, rows), ""]),
    "## mq against itself",
    "",
    ...table(["what", "figure"], alone),
    "",
  ].join("\n");
}

function section(name: string, rows: readonly Row[]): string[] {
  const cells = rows.map((row) => {
    const [middle, least, greatest] = ratios(row).map(formatFigure);
    const { label, unit, better } = row.figure;
    const ratio = `**${middle}** (${least} to ${greatest})${better === "less" ? ", less is better" : ""}`;
    return [`${label} (${unit})`, formatFigure(median(row.mq)), formatFigure(median(row.peer)), ratio];
  });
  return [`## mq and ${name}`, "", ...table(["case", "mq", name, "ratio of mq to it"], cells)];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column].length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)];
}
