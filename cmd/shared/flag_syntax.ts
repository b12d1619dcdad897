/**
 * The syntax of flags on a command line. Everything here is pure.
 *
 * @module
 */
import type { Flag, Flags } from "../command.ts";

/** Whether a flag takes no value. */
export function isSwitch(flag: Flag<unknown>): boolean {
  return flag.placeholder === undefined;
}

/** Whether an argument has the form of a flag. */
export function isFlag(argument: string): boolean {
  return argument.startsWith("-") && argument !== "-";
}

/** Splits `--name=value`, `--name`, `-nVALUE` or `-n` into name and value; undefined if there is no such flag. */
export function splitFlag(flags: Flags, argument: string): [name: string, value: string | undefined] | undefined {
  if (!isFlag(argument)) return undefined;
  const [, long, value] = /^--([^=]+)(?:=([^]*))?$/.exec(argument) ?? [];
  if (long !== undefined) return Object.hasOwn(flags, long) ? [long, value] : undefined;
  const short = Object.keys(flags).find((name) => flags[name].short === argument[1]);
  return short === undefined ? undefined : [short, argument.slice(2).replace(/^=/, "") || undefined];
}
