/**
 * Measures, cuts, wraps and tabulates text in columns of a terminal, where some characters are two columns wide. Everything
 * here is pure.
 *
 * @module
 */
// Not @std/cli/unicode-width: it adds up code points, so that 👩‍🚀 would take 4 columns instead of 2 and ❤️ 1 instead of 2, counts
// the escape sequences of colours, and lacks its table in the package that the import map takes it from.
import stringWidth from "string-width";
import { wrapBy } from "./wrap.ts";

/** The space between two columns of a table. */
const GAP = "  ";

const graphemes = new Intl.Segmenter();

/** A piece of a line and its colour. */
export type Piece = readonly [text: string, paint?: (text: string) => string];

/** A column of a table. */
export interface Column {
  /** The title, then the cells. */
  readonly cells: readonly string[];
  readonly isNumber: boolean;
  /** The width to which it may be narrowed. Default: the width of its widest cell. */
  readonly minWidth?: number;
  /** If not all columns fit, those with the lowest priority are left out first. */
  readonly priority: number;
}

/** Pads text with spaces to a width in columns; colours are not counted. */
export function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - stringWidth(text)));
}

/** Truncates text without colours to a width in columns; truncated text ends in `…`. */
export function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  if (width < 1) return "";
  return `${fittingStart(text, width - 1)}…`;
}

/** Wraps text to a width in columns: see {@linkcode wrapBy}. */
export function wrap(text: string, width: number, indent: string = ""): string[] {
  return wrapBy({ widthOf: stringWidth, startOf: fittingStart }, text, width, indent);
}

/** The longest beginning of a text that fits the width. */
function fittingStart(text: string, width: number): string {
  let kept = "";
  let room = width;
  for (const { segment } of graphemes.segment(text)) {
    room -= stringWidth(segment);
    if (room < 0) break;
    kept += segment;
  }
  return kept;
}

/** Joins pieces to one line, coloured and truncated to the width. */
export function drawLine(pieces: readonly Piece[], width: number): string {
  let room = width;
  return pieces.map(([text, paint = (text) => text]) => {
    const shown = cut(text, room);
    room = shown === text ? room - stringWidth(text) : 0;
    return shown === "" ? "" : paint(shown);
  }).join("");
}

/** Lays out a table within a width: the titles, then the rows. */
export function layOutTable(columns: readonly Column[], width: number): string[] {
  const shown = fittingColumns(columns, width);
  const widths = distributeWidth(shown, width);
  return columns[0].cells.map((_, row) =>
    shown.map((column, index) => cellOf(column, row, widths[index])).join(GAP).trimEnd()
  );
}

/** The columns that fit; at least the one with the highest priority. */
function fittingColumns(columns: readonly Column[], width: number): Column[] {
  const shown = [...columns];
  while (shown.length > 1 && minTotalWidth(shown) > width) {
    const lowest = Math.min(...shown.map(({ priority }) => priority));
    shown.splice(shown.findIndex(({ priority }) => priority === lowest), 1);
  }
  return shown;
}

/** The width of each column: the remaining space goes to those with the highest priority. */
function distributeWidth(columns: readonly Column[], width: number): number[] {
  let room = width - minTotalWidth(columns);
  const widths = new Map(columns.map((column) => [column, minWidthOf(column)]));
  for (const column of columns.toSorted((a, b) => b.priority - a.priority)) {
    const more = Math.min(room, naturalWidth(column) - minWidthOf(column));
    widths.set(column, minWidthOf(column) + more);
    room -= more;
  }
  return [...widths.values()];
}

function minTotalWidth(columns: readonly Column[]): number {
  return columns.reduce((sum, column) => sum + minWidthOf(column), GAP.length * (columns.length - 1));
}

function minWidthOf(column: Column): number {
  return Math.min(column.minWidth ?? Infinity, naturalWidth(column));
}

function naturalWidth({ cells }: Column): number {
  return cells.reduce((width, cell) => Math.max(width, stringWidth(cell)), 0);
}

function cellOf({ cells, isNumber }: Column, row: number, width: number): string {
  const text = cut(cells[row], width);
  return isNumber ? " ".repeat(Math.max(0, width - stringWidth(text))) + text : pad(text, width);
}
