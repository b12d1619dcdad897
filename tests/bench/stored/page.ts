/** How the comparison is written, in Markdown. Everything here is pure. */
import { count } from "../../../cmd/shared/format.ts";
import { formatFigure, median, ratios } from "../report.ts";
import type { Sample } from "./readings.ts";
import { AHEAD, MEMBERS } from "./working.ts";

/** All samples of a broker in a case, one a round. */
export interface Result {
  readonly case: string;
  readonly subject: string;
  readonly samples: readonly Sample[];
}

/** A whole comparison. */
export interface Comparison {
  readonly machine: readonly (readonly [name: string, value: string])[];
  readonly subjects: readonly { readonly name: string; readonly version: string; readonly settings: string }[];
  readonly missing: readonly string[];
  readonly rounds: number;
  readonly results: readonly Result[];
}

/** The broker that the others are compared with. */
export const BASE = "mq";

const METHOD = [
  "publish C x W: publishes of 64 bytes that are acknowledged a second, on C connections with up to W unacknowledged each.",
  `acknowledge jobs: jobs of 64 bytes, all published before, that are acknowledged a second by ${MEMBERS} members with up`,
  `to ${AHEAD} each, from the first acknowledgement to the last. For each figure, the broker starts with an empty folder.`,
];

/** The page: versions and settings, and then the figures. */
export function formatComparison({ machine, subjects, missing, rounds, results }: Comparison): string {
  return [
    ...table(["what", "which"], machine),
    "",
    ...table(["broker", "version", "settings"], subjects.map((each) => [each.name, each.version, each.settings])),
    "",
    ...missing.map((name) => `Not compared, because it is not on this machine: ${name}.\n`),
    ...METHOD,
    "",
    `Medians of ${count(rounds, "round")}, with the least and the greatest in brackets; a ratio is`,
    "the median of those of each round. CPU time is that of the whole broker process and of the load generator.",
    "",
    ...table(
      ["case", "broker", "events a second", "ratio of mq to it", "broker CPU (µs/event)", "load CPU (µs/event)"],
      results.map((result) => row(result, results)),
    ),
    "",
  ].join("\n");
}

function row(result: Result, results: readonly Result[]): string[] {
  const base = results.find(({ case: name, subject }) => name === result.case && subject === BASE);
  const of = (key: keyof Sample) => result.samples.map((sample) => sample[key]);
  return [
    result.case,
    result.subject,
    withSpread([median(of("perSecond")), Math.min(...of("perSecond")), Math.max(...of("perSecond"))]),
    base === undefined || base === result ? "" : withSpread(ratiosOf(base, result)),
    formatFigure(median(of("brokerUs"))),
    formatFigure(median(of("ownUs"))),
  ];
}

/** The median ratio of the rates of one to those of another, round by round, and the least and the greatest. */
export function ratiosOf(one: Pick<Result, "samples">, other: Pick<Result, "samples">): [number, number, number] {
  const [mq, peer] = [one, other].map(({ samples }) => samples.map(({ perSecond }) => perSecond));
  return ratios({ mq, peer });
}

function withSpread([middle, least, greatest]: [number, number, number]): string {
  return `${formatFigure(middle)} (${formatFigure(least)} to ${formatFigure(greatest)})`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column].length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)];
}
