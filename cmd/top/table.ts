/**
 * Draws the tables of `mq top`. Everything here is pure.
 *
 * @module
 */
import { dim, inverse } from "@std/fmt/colors";
import { type Column, layOutTable, pad } from "../shared/cells.ts";

/** Colours a text. */
export type Paint = (text: string) => string;

/**
 * Draws a table within a width.
 *
 * @param columns The columns, each with its title.
 * @param paints The colours of the rows.
 * @param isStale Whether it is out of date: then all of it is dim.
 * @param width The width; infinite for a pipe.
 */
export function drawTable(
  columns: readonly Column[],
  paints: readonly Paint[],
  isStale: boolean,
  width: number,
): string[] {
  const [titles, ...rows] = layOutTable(columns, width);
  const title = inverse(Number.isFinite(width) ? pad(titles, width) : titles);
  return [isStale ? dim(title) : title, ...rows.map((row, index) => isStale ? dim(row) : paints[index](row))];
}

/** Text, which is not coloured. */
export function plain(text: string): string {
  return text;
}
