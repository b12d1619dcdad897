/**
 * What becomes of an event, as a drawing: its name, the broker, and to the right who hears it and who does not.
 * Everything here is pure.
 *
 * @module
 */
import { bold, dim, green, red } from "@std/fmt/colors";
import stringWidth from "string-width";
import type { Why } from "../mod.ts";
import { formatBytes } from "./bench/figures.ts";
import { pad } from "./cells.ts";
import { suggest } from "./mistakes.ts";
import { admittingFlag, colorOf, count, formatSome, layOut } from "./format.ts";

/**
 * Draws the answer to `/why`. An event that is not recognized ends at the broker.
 *
 * @param why The answer.
 * @param events The patterns that the broker recognizes.
 * @param most How many are shown of the connections that hear it, and how many of those that do not.
 */
export function drawWhy(why: Why, events: readonly string[], most: number): string {
  const { recognized, by, receivers, hears, ignores } = why;
  const name = layOut(why.name);
  const verdict = recognized ? [green("recognized by"), bold(layOut(by!))] : [red("not recognized")];
  const broker = arrowTo(boxed("broker", verdict), `${colorOf(name)(name)} ──▶`);
  const meant = suggest(name, events.map(layOut).filter((event) => !/[*>]/.test(event)));
  const advice = recognized ? [] : [
    ...meant === undefined ? [] : [`Did you mean ${meant}?`],
    `To admit it: mq server ${admittingFlag(events, name)}`,
  ];
  return [
    ...sideBySide(broker, recognized ? branches(connections(why, most)) : []),
    ...advice,
    `${receivers} of ${count(hears.length + ignores.length, "connection")} would get it now`,
  ].join("\n");
}

/** Those who hear it, by which pattern and what waits for them; then those who do not, and what they hear instead. */
function connections({ hears, ignores }: Why, most: number): string[] {
  const [listening, deaf] = [hears.slice(0, most), ignores.slice(0, most)];
  const widths = [...listening, ...deaf].map(({ name }) => stringWidth(layOut(name)));
  const width = widths.reduce((a, b) => Math.max(a, b), 0);
  const who = (name: string) => pad(layOut(name), width);
  const hearing = listening.map(({ name, pattern, queuedBytes }) =>
    `${bold(who(name))}  by ${layOut(pattern)}${waiting(queuedBytes)}`
  );
  const ignoring = deaf.map(({ name, patterns }) => `${who(name)}  hears ${formatSome(patterns)}`);
  return [
    ...[...hearing, ...more(hears, most)].map((line) => `${green("──▶")} ${line}`),
    ...[...ignoring, ...more(ignores, most)].map((line) => dim(`──× ${line}`)),
  ];
}

function waiting(bytes: number): string {
  return bytes > 0 ? red(`, ${formatBytes(bytes)} wait for it`) : "";
}

function more({ length }: readonly unknown[], most: number): string[] {
  return length > most ? [`and ${length - most} more (--all shows them)`] : [];
}

/** Lines as the branches of one stem. */
function branches(lines: readonly string[]): string[] {
  if (lines.length === 1) return [`──${lines[0]}`];
  return lines.map((line, index) => `${index === 0 ? "─┬" : index < lines.length - 1 ? " ├" : " └"}${line}`);
}

/** Lines in a box with a title. */
function boxed(title: string, lines: readonly string[]): string[] {
  const width = Math.max(title.length + 2, ...lines.map((line) => stringWidth(line)));
  return [
    `┌─ ${title} ${"─".repeat(width - title.length - 1)}┐`,
    ...lines.map((line) => `│ ${pad(line, width)} │`),
    `└${"─".repeat(width + 2)}┘`,
  ];
}

/** A box with an arrow to its first line. */
function arrowTo(box: readonly string[], arrow: string): string[] {
  return box.map((line, index) => pad(index === 1 ? arrow : "", stringWidth(arrow)) + line);
}

/** A box and lines to the right of it, from its first line on. */
function sideBySide(box: readonly string[], lines: readonly string[]): string[] {
  const height = Math.max(box.length, lines.length + 1);
  const width = stringWidth(box[0]);
  return Array.from({ length: height }, (_, row) => (pad(box[row] ?? "", width) + (lines[row - 1] ?? "")).trimEnd());
}
