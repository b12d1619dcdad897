/**
 * Groups: what a member says of one, `/join GROUP [OPTIONS] PATTERN...`, and in which of them a client works.
 *
 * @module
 */
import { ProtocolError, quote } from "./errors.ts";
import { isName, isReserved } from "./event.ts";
import { parseJsonObject } from "./lines.ts";
import type { ClientInfo, GroupReport } from "./responses.ts";
import { takeWord } from "./text.ts";

/** The name of a group: it is part of names elsewhere, so that only these characters are safe. */
const GROUP_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** How many jobs a member may have at once, unless it names another number. */
const DEFAULT_AHEAD = 10;

/** The largest numbers of the options. */
const MAX = { ackMs: 24 * 3_600_000, tries: 1000, ahead: 1000 };

/** The options of `/join`. What is left out is as the group has it, or as the defaults of the broker. */
export interface JoinOptions {
  /** Where a new group begins: `new`, or as {@linkcode parseReplayStart} reads it. */
  readonly from: string;
  /** How long a member has to acknowledge a job, in milliseconds. */
  readonly ackMs?: number;
  /** How often a job is delivered before it is dead. */
  readonly tries?: number;
  /** How many jobs the member may have at once. */
  readonly ahead: number;
  /** The name of the event that is published for a dead job; null for none. */
  readonly dead?: string | null;
}

/**
 * Reads the name of a group.
 *
 * @param name The name.
 * @returns The name.
 * @throws {ProtocolError} With the code `bad-arguments`.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { ProtocolError } from "./errors.ts";
 *
 * assertThrows(() => checkGroupName("order.mail"), ProtocolError, "Cannot have a group");
 * ```
 */
export function checkGroupName(name: string): string {
  if (GROUP_NAME.test(name)) return name;
  const form = "1 to 64 of the characters A-Z, a-z, 0-9, _ and -";
  throw new ProtocolError("bad-arguments", `Cannot have a group ${quote(name)}: its name is ${form}`);
}

/**
 * Splits the options off.
 *
 * @param text What follows the name of the group.
 * @returns The options, and the patterns.
 * @throws {ProtocolError} With the code `bad-arguments`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(takeJoinOptions('{"tries":3} order.*'), [{ from: "new", ahead: 10, tries: 3 }, "order.*"]);
 * ```
 */
export function takeJoinOptions(text: string): [options: JoinOptions, patterns: string] {
  const [word, rest] = text.startsWith("{") ? takeWord(text) : ["{}", text];
  const { from = "new", ahead = DEFAULT_AHEAD, ackMs, tries, dead, ...others } = parseJsonObject(word) ?? { "": 1 };
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw badOptions(word, 'it takes {"from","ackMs","tries","ahead","dead"} or a part of that, without spaces');
  }
  if (typeof from !== "string") throw badOptions(word, '"from" takes "new", "first", an id, a time or a duration');
  for (const [name, value] of Object.entries({ ackMs, tries, ahead })) {
    if (value === undefined || isWithin(value, MAX[name as keyof typeof MAX])) continue;
    throw badOptions(word, `"${name}" takes a whole number, 1 to ${MAX[name as keyof typeof MAX]}`);
  }
  const isEvent = typeof dead === "string" && isName(dead) && !isReserved(dead);
  if (dead !== undefined && dead !== null && !isEvent) {
    throw badOptions(word, '"dead" takes the name of an event, or null');
  }
  const named = Object.entries({ ackMs, tries, dead }).filter(([, value]) => value !== undefined);
  return [{ from, ahead, ...Object.fromEntries(named) } as JoinOptions, rest];
}

/**
 * The groups in which a client works that has no patterns: those with a member of its name.
 *
 * @param client The client. If it has patterns, nobody can tell.
 * @param groups The groups of the broker.
 * @returns These groups.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(groupsOf({ name: "mailer", patternCount: 0 }, []), []);
 * ```
 */
export function groupsOf(
  { name, patternCount }: Pick<ClientInfo, "name" | "patternCount">,
  groups: readonly GroupReport[],
): GroupReport[] {
  return patternCount > 0 ? [] : groups.filter(({ members }) => members.includes(name));
}

function isWithin(value: unknown, max: number): boolean {
  return Number.isInteger(value) && value as number >= 1 && value as number <= max;
}

function badOptions(word: string, why: string): ProtocolError {
  return new ProtocolError("bad-arguments", `Cannot read the options ${quote(word)}: ${why}`);
}
