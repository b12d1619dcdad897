/**
 * Lays out help texts for the width of the terminal. Everything here is pure.
 *
 * @module
 */
import { wrapPlain } from "./wrap.ts";

/** The greatest width of help. Each flag fits it, so that grep shows the whole flag. */
export const HELP_COLUMNS = 120;

/** With less room, the second column is placed below the first. */
const MIN_COLUMN = 30;

/** Lays out rows of two cells in columns, or with the second cell below the first if the width is too small. */
export function columns(
  rows: readonly (readonly [string, string])[],
  width: number,
  wrapFirst: typeof wrapPlain = wrapPlain,
): string[] {
  const first = Math.max(...rows.map(([first]) => first.length));
  const room = width - first - 4;
  const isWide = rows.every(([, second]) => second.length <= room);
  if (!isWide && room < MIN_COLUMN) return rows.flatMap((row) => stacked(row, width, wrapFirst));
  return rows.flatMap(([text, second]) =>
    wrapPlain(second, room).map((line, index) => `  ${(index === 0 ? text : "").padEnd(first)}  ${line}`)
  );
}

function stacked([first, second]: readonly [string, string], width: number, wrapFirst: typeof wrapPlain): string[] {
  const indent = " ".repeat(6);
  const form = first.trimStart();
  return [
    ...wrapFirst(form, width - 2, " ".repeat(6)).map((line) => `  ${line}`),
    ...wrapPlain(second, width - indent.length).map((line) => indent + line),
  ];
}

/** Wraps a command line with a backslash at each line end, so that it can still be pasted. */
export function wrapCommand(line: string, width: number, indent: string = ""): string[] {
  const words = line.match(/(?:'[^']*'|[^\s'])+/g) ?? [];
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    const isFitting = last !== undefined && `${last} ${word}`.length <= width - 2;
    if (isFitting) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(lines.length === 0 ? word : indent + word);
  }
  return lines.map((line, index) => index < lines.length - 1 ? `${line} \\` : line);
}

/**
 * The lines of a text unchanged, if they all fit; else each paragraph is wrapped. An indented line is a paragraph of its own,
 * and so is a line after a full stop or a colon.
 */
export function paragraphs(text: string, width: number): string[] {
  const lines = text.split("\n");
  if (lines.every((line) => line.length <= width)) return lines;
  const joined: string[] = [];
  for (const line of lines) {
    const last = joined.at(-1);
    const isNext = last !== undefined && last !== "" && !/[.:]$/.test(last) && !/^(?: |$)/.test(last) &&
      !/^(?: |$)/.test(line);
    if (isNext) joined[joined.length - 1] = `${last} ${line}`;
    else joined.push(line);
  }
  return joined.flatMap((line) => {
    const [margin] = /^ */.exec(line)!;
    const hanging = margin === "" ? "" : "  ";
    return wrapPlain(line.slice(margin.length), width - margin.length, hanging).map((part) => margin + part);
  });
}
