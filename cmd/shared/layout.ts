/**
 * How help, which is text of mq itself, is laid out as wide as there is room. Everything here is pure.
 *
 * @module
 */
import { wrapOwn } from "./wrap.ts";

/** How wide help is that nobody's terminal sets narrower: no flag takes more, so that each is one line for grep. */
export const HELP_COLUMNS = 120;

/** The least room for a second column: with less, it stands below the first. */
const MIN_COLUMN = 30;

/** Lays rows of two cells out in columns, or the second cell of each below the first where there is no room for that. */
export function columns(
  rows: readonly (readonly [string, string])[],
  width: number,
  wrapFirst: typeof wrapOwn = wrapOwn,
): string[] {
  const first = Math.max(...rows.map(([first]) => first.length));
  const room = width - first - 4;
  const isWide = rows.every(([, second]) => second.length <= room);
  if (!isWide && room < MIN_COLUMN) return rows.flatMap((row) => stacked(row, width, wrapFirst));
  return rows.flatMap(([text, second]) =>
    wrapOwn(second, room).map((line, index) => `  ${(index === 0 ? text : "").padEnd(first)}  ${line}`)
  );
}

function stacked([first, second]: readonly [string, string], width: number, wrapFirst: typeof wrapOwn): string[] {
  const indent = " ".repeat(6);
  const form = first.trimStart();
  return [
    ...wrapFirst(form, width - 2, " ".repeat(6)).map((line) => `  ${line}`),
    ...wrapOwn(second, width - indent.length).map((line) => indent + line),
  ];
}

/** A command line over as many lines as it takes; it can be pasted still. */
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
 * A text as its author has broken it into lines, if they all fit; else each paragraph is broken anew. A line that is
 * indented stays by itself, and so does one behind a full stop or a colon.
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
    return wrapOwn(line.slice(margin.length), width - margin.length, hanging).map((part) => margin + part);
  });
}
