import { assertEquals } from "@std/assert";
import type { GroupReport } from "../../lib/protocol/responses.ts";
import { describeMembers, describeWork, FIGURES, sortGroups } from "../../web/groups.ts";
import type { Participant } from "../../web/model.ts";

function group(name: string, more: Partial<GroupReport> = {}): GroupReport {
  const options = { ackMs: 30_000, tries: 5, dead: null };
  const counts = { lag: 1, ready: 2, inFlight: 3, delayed: 4, dead: 0 };
  return { group: name, patterns: [">"], options, ...counts, members: [], ...more };
}

Deno.test("sortGroups sorts by name, but those with dead jobs first", () => {
  const groups = [
    group("mail-10"),
    group("mail-2"),
    group("zoo", { dead: 1 }),
    group("bill"),
    group("ant", { dead: 9 }),
  ];
  assertEquals(sortGroups(groups).map(({ group }) => group), ["ant", "zoo", "bill", "mail-2", "mail-10"]);
});

Deno.test("FIGURES has a label and a value for each count of a group", () => {
  assertEquals(FIGURES.map(([label, of]) => [label, of(group("mail", { dead: 5 }))]), [
    ["lag", 1],
    ["ready", 2],
    ["in flight", 3],
    ["delayed", 4],
    ["dead", 5],
  ]);
});

Deno.test("describeMembers lists the first few names, each once and in order, and counts all", () => {
  assertEquals([[], ["mail"], ["mail-2", "mail-1"], ["on", "on", "b", "d-10", "d-9", "c"]].map(describeMembers), [
    "no members",
    "1 member: mail",
    "2 members: mail-1, mail-2",
    "6 members: b, c, d-9 and 2 more",
  ]);
});

Deno.test("describeWork tells the groups of a connection without patterns, and else its patterns", () => {
  const groups = [group("mail", { members: ["on", "on"] }), group("bill", { members: ["on"] })];
  const work = (name: string, patterns: string[]) => {
    const participant = { name, patterns: new Set(patterns), patternCount: patterns.length } as unknown as Participant;
    return describeWork(participant, groups);
  };
  assertEquals([work("on", []), work("on", ["create"]), work("shop", [])], [
    "works in mail, bill",
    "gets create",
    "gets nothing",
  ]);
});
