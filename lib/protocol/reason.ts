/**
 * Why a job failed: the reason of `/nack` and `/bury`, which stands on one line.
 *
 * @module
 */

/** Between the lines of a reason: the client joins them by it. */
const SEPARATOR = " | ";

/** How the handler of `mq on` has ended, in front of the last of its output. */
const ENDED = /^(exit code \d+|killed by \w+|took longer than \S+ and was killed): (.*)$/s;

/** In front of an error of the output of `mq on`, which says more than the output. */
const NOT_PUBLISHED = "done, but ";

/** A line that names an error, and is not the code that throws it. */
const NAMES_ERROR = /^(?:error:|panic)|^(?!\s*(?:throw|raise)\b)(?:.*[^\w$])?[\w$]*(?:Error|Exception)\b(?!\()/;

/**
 * The lines of why a job failed.
 *
 * @param why The reason.
 * @returns The lines, at least one.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(reasonLines("exit code 1: a | b"), ["exit code 1: a", "b"]);
 * ```
 */
export function reasonLines(why: string): string[] {
  return why.split(SEPARATOR);
}

/**
 * Why a job failed, where there is room for one line: the first that names an error. If none does, it is the last of the output
 * of a handler, and the first of what somebody has written. How a handler has ended is kept in front of it.
 *
 * @param why The reason.
 * @returns The line.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const why = 'exit code 1: /app/mail.js:2 | throw new Error("no id") | ^ | Error: no id | at main (/app/mail.js:2:9)';
 * assertEquals(reasonLine(why), "exit code 1: Error: no id");
 * ```
 */
export function reasonLine(why: string): string {
  if (why.startsWith(NOT_PUBLISHED)) return reasonLines(why)[0];
  const [, ended, output = why] = ENDED.exec(why) ?? [];
  const lines = reasonLines(output).map((line) => line.trim()).filter((line) => line !== "");
  const line = lines.find((line) => NAMES_ERROR.test(line)) ?? lines.at(ended === undefined ? 0 : -1) ?? "";
  return ended === undefined ? line : `${ended}: ${line}`;
}
