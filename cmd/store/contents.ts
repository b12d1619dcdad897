/**
 * What is in a store, for people and as JSON. Everything here is pure.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { bold, green, red } from "@std/fmt/colors";
import { decodeTime } from "@std/ulid";
import type { StoreContents } from "../../lib/store/inspect.ts";
import { drawGroups } from "../groups/drawing.ts";
import { count, formatDateTime, printable } from "../shared/format.ts";

/** The width of the column with the names of what is shown. */
const LABEL_COLUMNS = 10;

/** How many problems are shown. */
const MAX_PROBLEMS = 10;

/**
 * Describes a store.
 *
 * @param problems What is wrong with it.
 * @param contents What is in it; undefined if that cannot be read.
 * @param width The width of the terminal, in columns.
 * @returns Lines of text.
 */
export function describeStore(
  problems: readonly string[],
  contents: StoreContents | undefined,
  width?: number,
): string[] {
  return [
    problems.length === 0 ? green("The store is whole.") : bold(red("The store is damaged.")),
    ...problems.slice(0, MAX_PROBLEMS).map((problem) => `  ${printable(problem)}`),
    ...problems.length > MAX_PROBLEMS ? [`  and ${problems.length - MAX_PROBLEMS} more`] : [],
    ...contents === undefined ? [] : describeContents(contents, width),
  ];
}

function describeContents({ version, log, groups, delayed, nextDue }: StoreContents, width?: number): string[] {
  const { events, deleted, bytes, first, last } = log;
  const dead = groups.reduce((sum, group) => sum + group.dead, 0);
  const next = nextDue === undefined ? "" : `, the next at ${formatDateTime(new Date(nextDue))}`;
  const rows: [label: string, value: string][] = [
    ["version", String(version)],
    ["events", `${events.toLocaleString("en-US")}, ${formatBytes(bytes)}; ${deleted.toLocaleString("en-US")} deleted`],
    ["first", first === undefined ? "none" : describeId(first)],
    ["last", last === undefined ? "none" : describeId(last)],
    ["delayed", `${delayed.toLocaleString("en-US")}${next}`],
    ["groups", `${groups.length}, with ${count(dead, "dead job")}`],
  ];
  return [
    ...rows.map(([label, value]) => `${label.padEnd(LABEL_COLUMNS)}${value}`),
    ...groups.length > 0 ? ["", ...drawGroups(groups, width)] : [],
  ];
}

/** The time of an id, and the id. */
function describeId(id: string): string {
  return `${formatDateTime(new Date(decodeTime(id)))}  ${id}`;
}

/**
 * A store as JSON.
 *
 * @param folder Its folder.
 * @param problems What is wrong with it.
 * @param contents What is in it; undefined if that cannot be read.
 */
export function formatStoreJson(
  folder: string,
  problems: readonly string[],
  contents: StoreContents | undefined,
): string {
  const ok = problems.length === 0;
  if (contents === undefined) return JSON.stringify({ store: folder, ok, problems });
  const { version, log, groups, delayed, nextDue } = contents;
  const { events, deleted, bytes, first, last } = log;
  return JSON.stringify({
    store: folder,
    ok,
    problems,
    version,
    events,
    deleted,
    bytes,
    first: first ?? null,
    firstAt: isoOf(first && decodeTime(first)),
    last: last ?? null,
    lastAt: isoOf(last && decodeTime(last)),
    delayed,
    nextDue: isoOf(nextDue),
    groups,
  });
}

function isoOf(time: number | string | undefined): string | null {
  return time === undefined ? null : new Date(time).toISOString();
}
