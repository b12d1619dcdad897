/**
 * Draws the screen of `mq top`: the broker, its rates, its connections and its store. Everything here is pure.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { bold, dim, red, yellow } from "@std/fmt/colors";
import { format as formatExactly } from "@std/fmt/duration";
import { INBOX } from "../../lib/protocol/event.ts";
import { groupsOf } from "../../lib/protocol/group.ts";
import type { GroupReport } from "../../lib/protocol/responses.ts";
import { type Column, drawLine, type Piece } from "../shared/cells.ts";
import { count, formatNumber, formatPatternList, printable } from "../shared/format.ts";
import { type ClientFigures, type Figures, type Order, sorted, type SortKey } from "./figures.ts";
import { drawStore, storeHeight } from "./store.ts";
import { drawTable, type Paint, plain } from "./table.ts";
import type { Size } from "../shared/terminal.ts";

/** The rows besides connections and the store: three header lines, the column titles and the keys. */
const OTHER_ROWS = 5;

/** The fewest rows in which a group can be shown: the log, the titles, and the group. */
const MIN_GROUP_ROWS = 3;

/** The keys that sort. */
export const SORTING: ReadonlyMap<string, SortKey> = new Map([
  ["n", "name"],
  ["p", "published"],
  ["d", "delivered"],
  ["u", "queue"],
  ["x", "dropped"],
  ["c", "connected"],
]);

/** The broker whose figures are shown. */
export interface BrokerHeader {
  /** `HOST:PORT`. */
  readonly address: string;
  /** Its program and version. */
  readonly server: string;
  /** Why the figures are out of date, if they are. */
  readonly problem?: string;
}

/** The sort order, and the first row that is shown. */
export interface View extends Order {
  readonly first: number;
}

/** How many connections fit into the terminal. */
export function visibleRows(figures: Figures, size: Size): number {
  return roomOf(size) - storeRows(figures, size);
}

/** The wanted first row, limited so that no empty rows follow the last connection. */
export function firstRow(wanted: number, figures: Figures, size: Size): number {
  return Math.max(0, Math.min(wanted, figures.clients.length - visibleRows(figures, size)));
}

/** How many rows there are for connections and the store. */
function roomOf({ rows }: Size): number {
  return Math.max(0, rows - OTHER_ROWS);
}

/** How many rows the store takes: no more than half of them, unless connections need less than that. */
function storeRows({ store, clients }: Figures, size: Size): number {
  const room = roomOf(size);
  const most = Math.max(Math.floor(room / 2), room - clients.length);
  const height = storeHeight(store);
  return height <= most ? height : Math.min(most < MIN_GROUP_ROWS ? 1 : most, most);
}

/**
 * The whole screen, exactly as many lines as the terminal has. Figures that are out of date are dim; while there are none
 * yet, only the problem is shown.
 */
export function drawScreen(figures: Figures | undefined, broker: BrokerHeader, view: View, size: Size): string[] {
  const { columns, rows } = size;
  const lines = figures
    ? drawFigures(figures, broker, view, size)
    : drawProblem(broker, broker.problem ?? "", [], columns);
  return [...Array.from({ length: rows - 1 }, (_, row) => lines[row] ?? ""), drawKeys(view, columns)];
}

function drawFigures(figures: Figures, broker: BrokerHeader, view: View, size: Size): string[] {
  const { store, clients: { length } } = figures;
  const { columns } = size;
  const first = firstRow(view.first, figures, size);
  const last = Math.min(length, first + visibleRows(figures, size));
  const shown = last > first && last - first < length ? ` (${first + 1}-${last} shown)` : "";
  const isStale = broker.problem !== undefined;
  return [
    ...drawHeader(figures, broker, shown, columns),
    ...drawClients(figures, view, [first, last], isStale, columns),
    ...store === undefined ? [] : drawStore(store, storeRows(figures, size), isStale, columns),
  ];
}

/** The header, a table of all connections, and the whole store. */
export function drawAll(figures: Figures, broker: BrokerHeader, order: Order, width: number): string {
  const { clients, store } = figures;
  return [
    ...drawHeader(figures, broker, "", width),
    ...drawClients(figures, order, [0, clients.length], false, width),
    ...store === undefined ? [] : drawStore(store, Infinity, false, width),
  ].join("\n");
}

/** Three lines: the broker and its state, its traffic, its problems; or if they are out of date, why. */
function drawHeader(figures: Figures, broker: BrokerHeader, shown: string, width: number): string[] {
  if (broker.problem !== undefined) return drawProblem(broker, broker.problem, trafficOf(figures, shown), width);
  const state: Piece[] = [...nameOf(broker), [loadOf(figures)]];
  return [state, trafficOf(figures, shown), warningsOf(figures)].map((pieces) => drawLine(pieces, width));
}

/** The broker, why there is nothing new of it in a line of its own, and what was last known. */
function drawProblem(broker: BrokerHeader, problem: string, known: Piece[], width: number): string[] {
  const why: Piece = [printable(problem), (text) => bold(red(text))];
  return [nameOf(broker), [why], known.map(([text]): Piece => [text, dim])].map((pieces) => drawLine(pieces, width));
}

function nameOf({ address, server }: BrokerHeader): Piece[] {
  return [[printable(server), bold], [` at ${printable(address)}  `]];
}

function loadOf({ stats: { uptimeMs, rssBytes, perSecond } }: Figures): string {
  return `up ${formatAge(uptimeMs)}  CPU ${Math.round(perSecond.cpuMs / 10)} %  ${formatBytes(rssBytes)}`;
}

function trafficOf({ stats: { perSecond }, clients }: Figures, shown: string): Piece[] {
  const [published, delivered] = [formatRate(perSecond.published), formatRate(perSecond.delivered)];
  const connections = clients.filter(({ connectedAt }) => connectedAt !== "").length;
  return [[`${count(connections, "connection")}${shown}  ${published} published/s  ${delivered} delivered/s`]];
}

/** Counters that should not grow, and their colour when they do. */
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

/** The titles, and the connections from row `first` to before `last`. */
function drawClients(
  { clients, store }: Figures,
  order: Order,
  [first, last]: readonly [number, number],
  isStale: boolean,
  width: number,
): string[] {
  const shown = sorted(clients, order).slice(first, last);
  return drawTable(columnsOf(shown, store?.groups ?? [], order), shown.map(paintOf), isStale, width);
}

function paintOf({ isSlow, isObserver }: ClientFigures): Paint {
  if (isSlow) return red;
  return isObserver ? dim : plain;
}

/** Slow consumers and observers have a mark besides their colour, for terminals without colours. */
function markOf({ isSlow, isObserver }: ClientFigures): string {
  return isSlow ? "!" : isObserver ? "·" : " ";
}

function columnsOf(clients: readonly ClientFigures[], groups: readonly GroupReport[], order: Order): Column[] {
  const column = (
    title: string,
    cell: (client: ClientFigures) => string,
    layout: Omit<Column, "cells">,
    sort?: SortKey,
  ): Column => ({ cells: [title + arrow(order, sort), ...clients.map(cell)], ...layout });
  const text = (priority: number, minWidth?: number) => ({ isNumber: false, priority, minWidth });
  const number = (priority: number) => ({ isNumber: true, priority });
  return [
    column("  name", (client) => `${markOf(client)} ${printable(client.name)}`, text(8, 12), "name"),
    column("address", ({ address }) => printable(address), text(1)),
    column("patterns", (client) => workIn(groups, client) ?? patternsOf(client), text(4, 8)),
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

/** In which groups a connection without patterns works; undefined if it does not. */
function workIn(groups: readonly GroupReport[], client: ClientFigures): string | undefined {
  const own = groupsOf(client, groups);
  return own.length === 0 ? undefined : `works in ${formatPatternList(own.map(({ group }) => group))}`;
}

function patternsOf({ patterns, patternCount }: ClientFigures): string {
  return formatPatternList([...new Set(patterns.map(groupInbox))], patternCount - patterns.length);
}

/** Reply patterns below `_INBOX` are shown as one, because their random tokens mean nothing to a reader. */
function groupInbox(pattern: string): string {
  return pattern.startsWith(`${INBOX}.`) ? INBOX : pattern;
}

/** Names sort from A to Z, everything else from the highest. */
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

/** A rate per second: `0`, `0.3`, `12`, `1,930,000`. */
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
