/**
 * How commands print events: for people, for pipes, or as JSON.
 *
 * @module
 */
import type { MqEvent } from "../../lib/protocol/event.ts";
import { type Flag, toggle } from "../command.ts";
import { formatForPeople, formatJson, formatPlain } from "./format.ts";
import type { Io } from "./stdio.ts";

/** `--verbose`. */
export const verboseFlag: Flag<boolean> = toggle("Show time and sender in a pipe, too.", { short: "v" });

/**
 * Chooses the format of events.
 *
 * @param flags The values of `--json` and `--verbose`.
 * @param io Tells whether stdout is a terminal.
 * @returns Formats an event.
 */
export function chooseFormat(
  { json, verbose }: { json: boolean; verbose: boolean },
  { stdout }: Io,
): (event: MqEvent) => string {
  if (json) return (event) => formatJson(event);
  return stdout.isTerminal || verbose ? formatForPeople : formatPlain;
}
