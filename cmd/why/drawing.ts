/**
 * What becomes of an event, as a drawing: its name, the broker, and then who hears it and who does not. Everything here is
 * pure.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { bold, dim, green, red } from "@std/fmt/colors";
import stringWidth from "string-width";
import type { EventInfo, Why } from "../../lib/protocol/responses.ts";
import { cut, drawLine, pad, type Piece, wrap } from "../shared/cells.ts";
import { colorOf, count, formatSome, howToAdmit, layOut } from "../shared/format.ts";
import { suggest } from "../shared/mistakes.ts";

/** Connections that must be cut to stand beside the broker stand below it, unless they get as many columns as this. */
const MIN_BESIDE = 60;

/** How wide a terminal must be for a drawing; in a narrower one it is a list. */
const MIN_DRAWN = 24;

/** A line, before it is coloured and cut. */
type Line = readonly Piece[];

/**
 * Draws the answer to `/why`. An event that is not recognized ends at the broker.
 *
 * @param why The answer.
 * @param events What the broker recognizes.
 * @param most How many are shown of the connections that hear it, and how many of those that do not.
 * @param width How wide the terminal is.
 */
export function drawWhy(why: Why, events: readonly EventInfo[], most: number, width: number = Infinity): string {
  const { recognized, receivers, hears, ignores } = why;
  const name = layOut(why.name);
  const names = events.map(({ pattern }) => layOut(pattern)).filter((event) => !/[*>]/.test(event));
  const meant = recognized ? undefined : suggest(name, names);
  const advice = recognized ? [] : [
    ...meant === undefined ? [] : [`Did you mean ${meant}?`],
    `To admit it: ${howToAdmit(events, [name])}`,
  ];
  const sentence = `${receivers} of ${count(hears.length + ignores.length, "connection")} would get it now`;
  return [
    ...drawPath(why, most, width),
    ...[...advice, sentence].flatMap((text) => wrap(text, width, "  ")),
  ].join("\n");
}

/** The path of the event: side by side, one below the other, or as a list, as there is room. */
function drawPath(why: Why, most: number, width: number): string[] {
  if (width < MIN_DRAWN) return asList(why, most).flatMap((text) => wrap(text, width, "  "));
  const [name, color] = [layOut(why.name), colorOf(why.name)];
  const third = Math.floor(width / 3);
  const [shortName, shortVerdict] = [cut(name, third), verdict(why, third)];
  const room = width - stringWidth(shortName) - ARROW.length - widthOf(shortVerdict) - BORDERS - STEM;
  const wanted = Math.max(0, ...connections(why, most, Infinity).map(lengthOf));
  const lines = room >= Math.min(wanted, MIN_BESIDE)
    ? sideBySide([shortName, color], shortVerdict, connections(why, most, room))
    : oneBelowTheOther([name, color], verdict(why, width - BORDERS), connections(why, most, width - MARGIN));
  return lines.map((line) => drawLine(line, width).trimEnd());
}

const ARROW = " ──▶";

/** How wide the stem of the branches is, with the margin before it where it stands below, and the borders of the box. */
const STEM = 2;
const MARGIN = 3;
const BORDERS = 4;

/** What the broker makes of it. */
function verdict({ recognized, by }: Why, width: number): Piece[] {
  return recognized ? [["recognized by", green], [cut(layOut(by!), width), bold]] : [["not recognized", red]];
}

/** Those who hear it, by which pattern and what waits for them; then those who do not, and what they hear instead. */
function connections({ recognized, hears, ignores }: Why, most: number, width: number): Line[] {
  if (!recognized) return [];
  const [listening, deaf] = [hears.slice(0, most), ignores.slice(0, most)];
  const widths = [...listening, ...deaf].map(({ name }) => stringWidth(layOut(name)));
  const who = widths.reduce((a, b) => Math.max(a, b), 0);
  const room = Math.min(who, Math.floor((width - HEARS.length) / 2));
  const named = (name: string) => pad(cut(layOut(name), room), room);
  const hearing = listening.map(({ name, pattern, queuedBytes, full }): Line => [
    [named(name), bold],
    [`  by ${layOut(pattern)}`],
    [`${waiting(queuedBytes)}${full ? ", so it misses this" : ""}`, red],
  ]);
  const ignoring = deaf.map(({ name, patterns }): Line => [[`${named(name)}  hears ${formatSome(patterns)}`, dim]]);
  return [
    ...[...hearing, ...more(hears, most)].map((line): Line => [[HEARS, green], ...line]),
    ...[...ignoring, ...more(ignores, most, dim)].map((line): Line => [[IGNORES, dim], ...line]),
  ];
}

const HEARS = "──▶ ";
const IGNORES = "──× ";

function waiting(bytes: number): string {
  return bytes > 0 ? `, ${formatBytes(bytes)} wait for it` : "";
}

function more({ length }: readonly unknown[], most: number, paint?: Piece[1]): Line[] {
  return length > most ? [[[`and ${(length - most).toLocaleString("en-US")} more (--all shows them)`, paint]]] : [];
}

/** The name, the broker in a box, and to the right of it the connections as branches of one stem. */
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

/** The name, below it the broker in a box, and below that the connections as branches of a stem. */
function oneBelowTheOther(name: Piece, verdict: readonly Piece[], connections: readonly Line[]): Line[] {
  const { length } = connections;
  return [
    [name],
    [["  ▼"]],
    ...boxed("broker", verdict, length > 0 ? "┬" : "─"),
    ...connections.map((line, index): Line => [[index < length - 1 ? "  ├" : "  └"], ...line]),
  ];
}

/** Pieces in a box with a title, a line each; from its bottom a stem may go down. */
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

/** The same where there is no room for a drawing. */
function asList(why: Why, most: number): string[] {
  const path = verdict(why, Infinity).map(([text]) => text).join(" ");
  const lines = connections(why, most, Infinity).map((line) => line.map(([text]) => text).join(""));
  return [`${layOut(why.name)}: ${path}`, ...lines.map((line) => line.replaceAll(/ {2,}/g, " "))];
}
