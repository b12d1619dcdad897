/**
 * Wraps text into lines. Everything here is pure.
 *
 * @module
 */

/** Measures text in columns of a terminal. */
export interface Measure {
  /** The width of a text. */
  widthOf(text: string): number;
  /** The longest beginning of a text that fits the width. */
  startOf(text: string, width: number): string;
}

/** For text in which each character is one column wide. The Unicode tables for other text (cells.ts) take 20 ms to load. */
const PLAIN: Measure = { widthOf: (text) => text.length, startOf: (text, width) => text.slice(0, width) };

/** Wraps text in which each character is one column wide, such as help: see {@linkcode wrapBy}. */
export function wrapPlain(text: string, width: number, indent: string = ""): string[] {
  return wrapBy(PLAIN, text, width, indent);
}

/**
 * Wraps text between words to a width in columns. A word that is wider than that is broken, after a comma if it has one. All
 * lines but the first begin with the indent.
 */
export function wrapBy({ widthOf, startOf }: Measure, text: string, width: number, indent: string): string[] {
  if (widthOf(text) <= width) return [text];
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/ +/)) {
    const isFirst = line === "" || line === indent;
    if (!isFirst && widthOf(`${line} ${word}`) > width) {
      lines.push(line);
      line = indent;
    }
    line = line === "" || line === indent ? line + word : `${line} ${word}`;
    while (widthOf(line) > width && line.length > indent.length + 1) {
      const head = breakable(startOf(line, Math.max(width, indent.length + 2)), indent);
      lines.push(head);
      line = indent + line.slice(head.length);
    }
  }
  return line === indent ? lines : [...lines, line];
}

/** The beginning of a line up to its last comma, if there is one after the indent. */
function breakable(line: string, indent: string): string {
  const comma = line.lastIndexOf(",");
  return comma > indent.length ? line.slice(0, comma + 1) : line;
}
