/**
 * Draws the store of a broker in `mq top`: its log in one line, and its groups as a table. Everything here is pure.
 *
 * @module
 */
import { decodeTime } from "@std/ulid";
import { format as formatBytes } from "@std/fmt/bytes";
import { dim, red } from "@std/fmt/colors";
import type { GroupReport, LogReport } from "../../lib/protocol/responses.ts";
import { type Column, drawLine, type Piece } from "../shared/cells.ts";
import { count, formatPatternList, formatTime, printable } from "../shared/format.ts";
import { drawTable, plain } from "./table.ts";

const names = new Intl.Collator("en", { numeric: true });

/** What the broker answers of its store. */
export interface StoreFigures {
  readonly log: LogReport;
  /** Undefined if the broker cannot read them. */
  readonly groups: readonly GroupReport[] | undefined;
}

/** How many lines a store has: its log, the titles, and its groups. */
export function storeHeight(store: StoreFigures | undefined): number {
  if (store === undefined) return 0;
  return store.groups === undefined || store.groups.length === 0 ? 1 : 2 + store.groups.length;
}

/**
 * Draws a store.
 *
 * @param store The store.
 * @param height How many lines there may be: if there are more groups, it says so.
 * @param isStale Whether it is out of date: then all of it is dim.
 * @param width The width; infinite for a pipe.
 */
export function drawStore(store: StoreFigures, height: number, isStale: boolean, width: number): string[] {
  if (height < 1) return [];
  const groups = sorted(store.groups ?? []).slice(0, Math.max(0, height - 2));
  const isCut = groups.length < (store.groups?.length ?? 0);
  const head = drawLine([groupsOf(store, isCut ? ` (${groups.length} shown)` : ""), logOf(store.log)], width);
  if (groups.length === 0) return [isStale ? dim(head) : head];
  const table = drawTable(columnsOf(groups), groups.map(({ dead }) => dead > 0 ? red : plain), isStale, width);
  return [isStale ? dim(head) : head, ...table];
}

function groupsOf({ groups }: StoreFigures, shown: string): Piece {
  return groups === undefined
    ? ["groups unknown: the store cannot be read", red]
    : [`${count(groups.length, "group")}${shown}`];
}

/** What the log has; while it cannot be written, why. */
function logOf({ events, bytes, first, failed }: LogReport): Piece {
  if (failed !== undefined) return [`  ! ${printable(failed)}`, red];
  const text = `  events in the log: ${events.toLocaleString("en-US")}`;
  return first === undefined
    ? [text]
    : [`${text}  ${formatBytes(bytes)}  since ${formatDate(new Date(decodeTime(first)))}`];
}

/** The local date and time: `2026-03-01 13:05:59`. */
function formatDate(date: Date): string {
  const [month, day] = [date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, "0"));
  return `${date.getFullYear()}-${month}-${day} ${formatTime(date)}`;
}

/** Groups with dead jobs come first, for there may be no room for all; then by name. */
function sorted(groups: readonly GroupReport[]): GroupReport[] {
  const isDead = ({ dead }: GroupReport) => Number(dead > 0);
  return groups.toSorted((a, b) => isDead(b) - isDead(a) || names.compare(a.group, b.group));
}

function columnsOf(groups: readonly GroupReport[]): Column[] {
  const text = (title: string, priority: number, minWidth: number, cell: (group: GroupReport) => string): Column => ({
    cells: [title, ...groups.map(cell)],
    isNumber: false,
    priority,
    minWidth,
  });
  const number = (title: string, priority: number, value: (group: GroupReport) => number): Column => ({
    cells: [title, ...groups.map((group) => value(group).toLocaleString("en-US"))],
    isNumber: true,
    priority,
  });
  return [
    text("  group", 8, 12, ({ group, dead }) => `${dead > 0 ? "!" : " "} ${printable(group)}`),
    number("members", 5, ({ members }) => members.length),
    number("lag", 6, ({ lag }) => lag),
    number("ready", 3, ({ ready }) => ready),
    number("in flight", 4, ({ inFlight }) => inFlight),
    number("delayed", 2, ({ delayed }) => delayed),
    number("dead", 7, ({ dead }) => dead),
    text("names", 1, 8, namesOf),
  ];
}

/** The broker's order of members changes with each job. */
function namesOf({ members }: GroupReport): string {
  return members.length === 0 ? "" : formatPatternList([...new Set(members)].sort(names.compare));
}
