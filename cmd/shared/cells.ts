/**
 * Text in the columns of a terminal, where a character may be as wide as two. Everything here is pure.
 *
 * @module
 */
// Not @std/cli/unicode-width: it adds up code points, so that 👩‍🚀 would take 4 columns instead of 2 and ❤️ 1 instead of 2, counts
// the escape sequences of colours, and lacks its table in the package that the import map takes it from.
import stringWidth from "string-width";
import { wrapBy } from "./wrap.ts";

/** What stands between two columns of a table. */
const GAP = "  ";

const characters = new Intl.Segmenter();

/** A piece of a line, and how it is coloured. */
export type Piece = readonly [text: string, paint?: (text: string) => string];

/** A column of a table. */
export interface Column {
  /** Its cells, the title first. */
  readonly cells: readonly string[];
  readonly isNumber: boolean;
  /** How narrow it may become; as wide as its cells if that is left out. */
  readonly least?: number;
  /** Where there is no room for all columns, those with the least worth leave first. */
  readonly worth: number;
}

/** Text as wide as so many columns of a terminal, its colours not counted. */
export function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - stringWidth(text)));
}

/** Text that is no wider than so many columns of a terminal: what is too long ends in `…`. It has no colours yet. */
export function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  if (width < 1) return "";
  return `${start(text, width - 1)}…`;
}

/** Text as lines that are no wider than so many columns: see {@linkcode wrapBy}. */
export function wrap(text: string, width: number, indent: string = ""): string[] {
  return wrapBy({ widthOf: stringWidth, startOf: start }, text, width, indent);
}

/** As much of a text as has room in so many columns. */
function start(text: string, width: number): string {
  let kept = "";
  let room = width;
  for (const { segment } of characters.segment(text)) {
    room -= stringWidth(segment);
    if (room < 0) break;
    kept += segment;
  }
  return kept;
}

/** A line of pieces, coloured, and cut to a width. */
export function drawLine(pieces: readonly Piece[], width: number): string {
  let room = width;
  return pieces.map(([text, paint = (text) => text]) => {
    const shown = cut(text, room);
    room = shown === text ? room - stringWidth(text) : 0;
    return shown === "" ? "" : paint(shown);
  }).join("");
}

/** Columns side by side within a width: the rows, the titles first. */
export function layOutTable(columns: readonly Column[], width: number): string[] {
  const shown = fitting(columns, width);
  const widths = shareOut(shown, width);
  return columns[0].cells.map((_, row) =>
    shown.map((column, index) => cellOf(column, row, widths[index])).join(GAP).trimEnd()
  );
}

/** The columns for which there is room; the one with the most worth in any case. */
function fitting(columns: readonly Column[], width: number): Column[] {
  const shown = [...columns];
  while (shown.length > 1 && leastOf(shown) > width) {
    const least = Math.min(...shown.map(({ worth }) => worth));
    shown.splice(shown.findIndex(({ worth }) => worth === least), 1);
  }
  return shown;
}

/** How wide each column becomes: what is left over goes to those with the most worth. */
function shareOut(columns: readonly Column[], width: number): number[] {
  let room = width - leastOf(columns);
  const widths = new Map(columns.map((column) => [column, leastWidth(column)]));
  for (const column of columns.toSorted((a, b) => b.worth - a.worth)) {
    const more = Math.min(room, naturalWidth(column) - leastWidth(column));
    widths.set(column, leastWidth(column) + more);
    room -= more;
  }
  return [...widths.values()];
}

function leastOf(columns: readonly Column[]): number {
  return columns.reduce((sum, column) => sum + leastWidth(column), GAP.length * (columns.length - 1));
}

function leastWidth(column: Column): number {
  return Math.min(column.least ?? Infinity, naturalWidth(column));
}

function naturalWidth({ cells }: Column): number {
  return cells.reduce((width, cell) => Math.max(width, stringWidth(cell)), 0);
}

function cellOf({ cells, isNumber }: Column, row: number, width: number): string {
  const text = cut(cells[row], width);
  return isNumber ? " ".repeat(Math.max(0, width - stringWidth(text))) + text : pad(text, width);
}
