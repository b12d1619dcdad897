/**
 * Draws a table of groups. Everything here is pure.
 *
 * @module
 */
import { bold } from "@std/fmt/colors";
import type { GroupInfo } from "../../lib/store/store.ts";
import { type Column, layOutTable } from "../shared/cells.ts";
import { formatPatternList, printable } from "../shared/format.ts";

/** A group; its members are not known if its broker does not run. */
type DrawnGroup = Omit<GroupInfo, "last"> & { readonly members?: readonly string[] };

/**
 * Draws a table of groups.
 *
 * @param groups The groups.
 * @param width The width of the terminal, in columns.
 * @returns The lines, of which the first has the titles.
 */
export function drawGroups(groups: readonly DrawnGroup[], width: number = Infinity): string[] {
  const column = (title: string, priority: number, cell: (group: DrawnGroup) => string | number): Column => {
    const cells = groups.map(cell);
    const isNumber = typeof cells[0] === "number";
    return { cells: [title, ...cells.map((cell) => cell.toLocaleString("en-US"))], isNumber, priority };
  };
  const hasMembers = groups.some(({ members }) => members !== undefined);
  const [titles, ...rows] = layOutTable([
    { ...column("group", 8, ({ group }) => printable(group)), minWidth: 12 },
    ...hasMembers ? [column("members", 5, ({ members = [] }) => members.length)] : [],
    column("lag", 6, ({ lag }) => lag),
    column("ready", 3, ({ ready }) => ready),
    column("in flight", 4, ({ inFlight }) => inFlight),
    column("delayed", 2, ({ delayed }) => delayed),
    column("dead", 7, ({ dead }) => dead),
    { ...column("patterns", 1, ({ patterns }) => formatPatternList(patterns)), minWidth: 8 },
  ], width);
  return [bold(titles), ...rows];
}
