/**
 * How `mq top` shows what goes on in a broker. Everything here is pure.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { bold, dim, inverse, red, yellow } from "@std/fmt/colors";
import { format as formatExactly } from "@std/fmt/duration";
import { INBOX } from "../../lib/protocol/event.ts";
import { formatNumber } from "../bench/figures.ts";
import { type Column, drawLine, layOutTable, pad, type Piece } from "../shared/cells.ts";
import { count, formatSome, layOut } from "../shared/format.ts";
import { type ClientFigures, type Figures, type Order, sorted, type SortKey } from "./figures.ts";
import type { Size } from "../shared/terminal.ts";

/** What the terminal shows besides connections: three lines of head, the titles, and the keys. */
const OTHER_ROWS = 5;

/** The keys that sort. */
export const SORTING: ReadonlyMap<string, SortKey> = new Map([
  ["n", "name"],
  ["p", "published"],
  ["d", "delivered"],
  ["u", "queue"],
  ["x", "dropped"],
  ["c", "connected"],
]);

/** The broker that is shown. */
export interface Subject {
  /** Where it is, as `HOST:PORT`. */
  readonly address: string;
  /** The program and its version. */
  readonly server: string;
  /** Why its figures are out of date, if they are. */
  readonly trouble?: string;
}

/** What of it is shown: connections in an order, from some row on. */
export interface View extends Order {
  readonly first: number;
}

/** How many connections fit into a terminal. */
export function roomFor({ rows }: Size): number {
  return Math.max(0, rows - OTHER_ROWS);
}

/** The row from which on connections are shown: as near as can be to some row, without empty ones at the end. */
export function firstRow(wanted: number, total: number, size: Size): number {
  return Math.max(0, Math.min(wanted, total - roomFor(size)));
}

/** All that a terminal shows: exactly as many lines as it has. What is out of date is dim. */
export function drawScreen(figures: Figures, subject: Subject, view: View, size: Size): string[] {
  const { columns, rows } = size;
  const { length } = figures.clients;
  const first = firstRow(view.first, length, size);
  const last = Math.min(length, first + roomFor(size));
  const shown = last > first && last - first < length ? ` (${first + 1}-${last} shown)` : "";
  const head = drawHead(figures, subject, shown, columns);
  const table = drawTable(figures.clients, view, [first, last], subject.trouble !== undefined, columns);
  const lines = [...head, ...table];
  return [...Array.from({ length: rows - 1 }, (_, row) => lines[row] ?? ""), drawKeys(view, columns)];
}

/** The head and the table of all connections. */
export function drawAll(figures: Figures, subject: Subject, order: Order, width: number): string {
  const head = drawHead(figures, subject, "", width);
  const table = drawTable(figures.clients, order, [0, figures.clients.length], false, width);
  return [...head, ...table].join("\n");
}

/** Three lines: which broker it is and how it is, what goes through it, and what should not. */
function drawHead(figures: Figures, subject: Subject, shown: string, width: number): string[] {
  const lines = [trafficOf(figures, shown), warningsOf(figures)];
  const isOld = subject.trouble !== undefined;
  const counts = isOld ? lines.map((pieces) => pieces.map(([text]): Piece => [text, dim])) : lines;
  return [stateOf(figures, subject), ...counts].map((pieces) => drawLine(pieces, width));
}

function stateOf({ stats }: Figures, { address, server, trouble }: Subject): Piece[] {
  const cpu = Math.round(stats.perSecond.cpuMs / 10);
  const state: Piece = trouble === undefined
    ? [`up ${formatAge(stats.uptimeMs)}  CPU ${cpu} %  ${formatBytes(stats.rssBytes)}`]
    : [layOut(trouble), (text) => bold(red(text))];
  return [[layOut(server), bold], [` at ${layOut(address)}  `], state];
}

function trafficOf({ stats: { perSecond }, clients }: Figures, shown: string): Piece[] {
  const [published, delivered] = [formatRate(perSecond.published), formatRate(perSecond.delivered)];
  const connections = clients.filter(({ connectedAt }) => connectedAt !== "").length;
  return [[`${count(connections, "connection")}${shown}  ${published} published/s  ${delivered} delivered/s`]];
}

/** What should not grow, and how it is shown when it does. */
const WARNINGS = [
  ["unrecognized", yellow],
  ["dropped", red],
  ["slow", red],
  ["refused", yellow],
] as const;

function warningsOf({ stats }: Figures): Piece[] {
  return WARNINGS.flatMap(([key, paint], index): Piece[] => {
    const rate = formatRate(stats.perSecond[key]);
    const text = `${key} ${stats[key].toLocaleString("en-US")}`;
    return [[index === 0 ? "" : "  "], rate === "0" ? [text] : [`${text} (+${rate}/s)`, paint]];
  });
}

/** The titles and the connections of some rows. */
function drawTable(
  clients: readonly ClientFigures[],
  order: Order,
  [first, last]: readonly [number, number],
  isOld: boolean,
  width: number,
): string[] {
  const shown = sorted(clients, order).slice(first, last);
  const [titles, ...rows] = layOutTable(columnsOf(shown, order), width);
  const title = inverse(Number.isFinite(width) ? pad(titles, width) : titles);
  return [isOld ? dim(title) : title, ...rows.map((row, index) => paintOf(shown[index], isOld)(row))];
}

function paintOf({ isSlow, looksOn }: ClientFigures, isOld: boolean): (text: string) => string {
  if (isOld) return dim;
  if (isSlow) return red;
  return looksOn ? dim : (text) => text;
}

/** One who reads too slowly is marked where there are no colours, too, and so is one that only looks on. */
function markOf({ isSlow, looksOn }: ClientFigures): string {
  return isSlow ? "!" : looksOn ? "·" : " ";
}

function columnsOf(clients: readonly ClientFigures[], order: Order): Column[] {
  const column = (
    title: string,
    cell: (client: ClientFigures) => string,
    layout: Omit<Column, "cells">,
    sort?: SortKey,
  ): Column => ({ cells: [title + arrow(order, sort), ...clients.map(cell)], ...layout });
  const text = (worth: number, least?: number) => ({ isNumber: false, worth, least });
  const number = (worth: number) => ({ isNumber: true, worth });
  return [
    column("  name", (client) => `${markOf(client)} ${layOut(client.name)}`, text(8, 12), "name"),
    column("address", ({ address }) => layOut(address), text(1)),
    column("patterns", ({ patterns }) => formatSome([...new Set(patterns.map(groupInbox))]), text(4, 8)),
    column("published/s", ({ perSecond }) => formatRate(perSecond.published), number(6), "published"),
    column("delivered/s", ({ perSecond }) => formatRate(perSecond.delivered), number(7), "delivered"),
    column("queue", ({ queuedBytes }) => queuedBytes === 0 ? "0" : formatBytes(queuedBytes), number(5), "queue"),
    column("dropped", ({ dropped }) => dropped.toLocaleString("en-US"), number(3), "dropped"),
    column(
      "connected",
      ({ connectedAt, connectedMs }) => connectedAt === "" ? "-" : formatAge(connectedMs),
      number(2),
      "connected",
    ),
  ];
}

/** Each request of a client has a name of its own below `_INBOX`, which tells nothing to a reader. */
function groupInbox(pattern: string): string {
  return pattern.startsWith(`${INBOX}.`) ? INBOX : pattern;
}

/** Names are from A to Z, and of all else the most is first. */
function arrow({ sort, isReversed }: Order, column: SortKey | undefined): string {
  if (sort !== column) return "";
  return (sort === "name") === isReversed ? "▼" : "▲";
}

function drawKeys({ sort }: Order, width: number): string {
  const sorting = [...SORTING].flatMap(([key, name]): Piece[] => [
    [`${key}:`, bold],
    [name, name === sort ? bold : dim],
    [" "],
  ]);
  return drawLine([["q:", bold], ["quit ", dim], ["↑↓:", bold], ["scroll ", dim], ...sorting], width);
}

/** A number a second for people: `0`, `0.3`, `12`, `1,930,000`. */
export function formatRate(perSecond: number): string {
  const tenths = Math.round(perSecond * 10) / 10;
  return tenths < 10 ? String(tenths) : formatNumber(Math.round(perSecond));
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** An age in its two largest units: `12s`, `2m 5s`, `1h 2m`, `3d 4h`. */
export function formatAge(ms: number): string {
  const unitMs = ms >= DAY_MS ? HOUR_MS : ms >= HOUR_MS ? MINUTE_MS : SECOND_MS;
  return formatExactly(ms - ms % unitMs, { ignoreZero: true }) || "0s";
}
