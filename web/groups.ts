/**
 * What the page shows of groups, and in which order. Everything here is pure.
 *
 * @module
 */
import { groupsOf } from "../lib/protocol/group.ts";
import type { GroupReport } from "../lib/protocol/responses.ts";
import { count, describePatterns } from "./format.ts";
import type { Participant } from "./model.ts";

const MAX_LISTED = 3;
const NAMES = new Intl.Collator("en", { numeric: true });

/** The figures of a group: each with its label and its value. */
export const FIGURES: readonly (readonly [label: string, of: (group: GroupReport) => number])[] = [
  ["lag", ({ lag }) => lag],
  ["ready", ({ ready }) => ready],
  ["in flight", ({ inFlight }) => inFlight],
  ["delayed", ({ delayed }) => delayed],
  ["dead", ({ dead }) => dead],
];

/** Sorts groups by name, but those with dead jobs first. */
export function sortGroups(groups: readonly GroupReport[]): GroupReport[] {
  const isDead = ({ dead }: GroupReport) => Number(dead > 0);
  return groups.toSorted((a, b) => isDead(b) - isDead(a) || NAMES.compare(a.group, b.group));
}

/**
 * Formats the members of a group: `no members`, `1 member: shop`, `5 members: mail-1, mail-2, mail-3 and 2 more`. They are
 * sorted, since the broker's order changes with each job.
 */
export function describeMembers(members: readonly string[]): string {
  if (members.length === 0) return "no members";
  const names = [...new Set(members)].sort(NAMES.compare);
  const more = names.length > MAX_LISTED ? ` and ${names.length - MAX_LISTED} more` : "";
  return `${count(members.length, "member")}: ${names.slice(0, MAX_LISTED).join(", ")}${more}`;
}

/**
 * Describes what a connection gets: `gets order.*`, or `works in mail` for one without patterns that has the name of a
 * member. `most` is how many patterns are listed.
 */
export function describeWork(participant: Participant, groups: readonly GroupReport[], most?: number): string {
  const own = groupsOf(participant, groups);
  if (own.length === 0) return `gets ${describePatterns(participant.patterns, most, participant.patternCount)}`;
  return `works in ${own.map(({ group }) => group).join(", ")}`;
}
