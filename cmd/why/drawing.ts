/**
 * Draws the route of an event: its name, the broker, the connections that receive it and those that do not. Everything here
 * is pure.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { bold, dim, green, red } from "@std/fmt/colors";
import stringWidth from "string-width";
import type { EventInfo, Why } from "../../lib/protocol/responses.ts";
import { cut, drawLine, pad, type Piece, wrap } from "../shared/cells.ts";
import { admitHint, colorOf, count, formatPatternList, printable } from "../shared/format.ts";
import { suggest } from "../shared/suggestions.ts";

/** Connections that do not fit beside the broker are drawn below it, unless they get at least this many columns. */
const MIN_BESIDE = 60;

/** In a terminal narrower than that, a list replaces the drawing. */
const MIN_DRAWN = 24;

/** A line, not yet coloured and truncated. */
type Line = readonly Piece[];

/**
 * Draws the response to `/why`. The route of an unrecognized event ends at the broker.
 *
 * @param why The response.
 * @param events What the broker recognizes.
 * @param most How many receivers are shown, and how many other connections.
 * @param width The width of the terminal, in columns.
 */
export function drawWhy(why: Why, events: readonly EventInfo[], most: number, width: number = Infinity): string {
  const { recognized, receivers, hearsCount, ignoresCount } = why;
  const name = printable(why.name);
  const names = events.map(({ pattern }) => printable(pattern)).filter((event) => !/[*>]/.test(event));
  const meant = recognized ? undefined : suggest(name, names);
  const advice = recognized ? [] : [
    ...meant === undefined ? [] : [`Did you mean ${meant}?`],
    `To admit it: ${admitHint(events, [name])}`,
  ];
  const sentence = `${receivers} of ${count(hearsCount + ignoresCount, "connection")} would receive it now`;
  return [
    ...drawPath(why, most, width),
    ...[...advice, sentence].flatMap((text) => wrap(text, width, "  ")),
  ].join("\n");
}

/** The route of the event: from left to right, from top to bottom, or as a list, depending on the width. */
function drawPath(why: Why, most: number, width: number): string[] {
  if (width < MIN_DRAWN) return asList(why, most).flatMap((text) => wrap(text, width, "  "));
  const [name, color] = [printable(why.name), colorOf(why.name)];
  const third = Math.floor(width / 3);
  const [shortName, shortVerdict] = [cut(name, third), verdict(why, third)];
  const room = width - stringWidth(shortName) - ARROW.length - widthOf(shortVerdict) - BORDERS - STEM;
  const wanted = Math.max(0, ...connections(why, most, Infinity).map(lengthOf));
  const lines = room >= Math.min(wanted, MIN_BESIDE)
    ? sideBySide([shortName, color], shortVerdict, connections(why, most, room))
    : stacked([name, color], verdict(why, width - BORDERS), connections(why, most, width - MARGIN));
  return lines.map((line) => drawLine(line, width).trimEnd());
}

const ARROW = " ──▶";

/** Widths: the stem of the branches, the margin before it in the vertical drawing, and the borders of the box. */
const STEM = 2;
const MARGIN = 3;
const BORDERS = 4;

/** Whether the broker recognizes the event, and by which entry. */
function verdict({ recognized, by }: Why, width: number): Piece[] {
  return recognized ? [["recognized by", green], [cut(printable(by!), width), bold]] : [["not recognized", red]];
}

/** The receivers, with their pattern and queue; then the other connections, with their patterns. */
function connections(
  { recognized, hears, hearsCount, ignores, ignoresCount }: Why,
  most: number,
  width: number,
): Line[] {
  if (!recognized) return [];
  const [receivers, others] = [hears.slice(0, most), ignores.slice(0, most)];
  const widths = [...receivers, ...others].map(({ name }) => stringWidth(printable(name)));
  const who = widths.reduce((a, b) => Math.max(a, b), 0);
  const room = Math.min(who, Math.floor((width - RECEIVES.length) / 2));
  const named = (name: string) => pad(cut(printable(name), room), room);
  const receiving = receivers.map(({ name, pattern, queuedBytes, full }): Line => [
    [named(name), bold],
    [`  by ${printable(pattern)}`],
    [`${waiting(queuedBytes)}${full ? ", so it would be dropped" : ""}`, red],
  ]);
  const ignoring = others.map((
    { name, patterns, patternCount = patterns.length },
  ): Line => [[`${named(name)}  hears ${formatPatternList(patterns, patternCount - patterns.length)}`, dim]]);
  return [
    ...[...receiving, ...more(hears, hearsCount, most)].map((line): Line => [[RECEIVES, green], ...line]),
    ...[...ignoring, ...more(ignores, ignoresCount, most, dim)].map((line): Line => [[IGNORES, dim], ...line]),
  ];
}

const RECEIVES = "──▶ ";
const IGNORES = "──× ";

function waiting(bytes: number): string {
  return bytes > 0 ? `, ${formatBytes(bytes)} queued` : "";
}

function more({ length }: readonly unknown[], total: number, most: number, paint?: Piece[1]): Line[] {
  const others = total - Math.min(length, most);
  if (others === 0) return [];
  const hint = length > most ? ` (--all shows ${length < total ? length.toLocaleString("en-US") : "them"})` : "";
  return [[[`and ${others.toLocaleString("en-US")} more${hint}`, paint]]];
}

/** The name, the broker in a box, and the connections as branches to its right. */
function sideBySide(name: Piece, verdict: readonly Piece[], connections: readonly Line[]): Line[] {
  const box = boxed("broker", verdict, "─");
  const margin = " ".repeat(stringWidth(name[0]) + ARROW.length);
  const nothing = " ".repeat(widthOf(verdict) + BORDERS);
  const { length } = connections;
  const stems = connections.map((_, index) => index === 0 ? "─┬" : index < length - 1 ? " ├" : " └");
  return Array.from({ length: Math.max(box.length, length + 1) }, (_, row) => [
    ...row === 1 ? [name, [ARROW] as const] : [[margin] as const],
    ...box[row] ?? [[nothing]],
    ...row > 0 && row <= length ? [[length === 1 ? "──" : stems[row - 1]] as const, ...connections[row - 1]] : [],
  ]);
}

/** The name, below it the broker in a box, and below that the connections as branches. */
function stacked(name: Piece, verdict: readonly Piece[], connections: readonly Line[]): Line[] {
  const { length } = connections;
  return [
    [name],
    [["  ▼"]],
    ...boxed("broker", verdict, length > 0 ? "┬" : "─"),
    ...connections.map((line, index): Line => [[index < length - 1 ? "  ├" : "  └"], ...line]),
  ];
}

/** A box with a title and one line per piece; `stem` is the character of its bottom border where branches may begin. */
function boxed(title: string, pieces: readonly Piece[], stem: string): Line[] {
  const width = widthOf(pieces);
  return [
    [[`┌─ ${title} ${"─".repeat(width - title.length - 1)}┐`]],
    ...pieces.map(([text, paint]): Line => [["│ "], [text, paint], [`${" ".repeat(width - stringWidth(text))} │`]]),
    [[`└─${stem}${"─".repeat(width)}┘`]],
  ];
}

function lengthOf(line: Line): number {
  return line.reduce((sum, [text]) => sum + stringWidth(text), 0);
}

function widthOf(pieces: readonly Piece[]): number {
  return Math.max(...pieces.map(([text]) => stringWidth(text)));
}

/** The same as plain lines. */
function asList(why: Why, most: number): string[] {
  const path = verdict(why, Infinity).map(([text]) => text).join(" ");
  const lines = connections(why, most, Infinity).map((line) => line.map(([text]) => text).join(""));
  return [`${printable(why.name)}: ${path}`, ...lines.map((line) => line.replaceAll(/ {2,}/g, " "))];
}
