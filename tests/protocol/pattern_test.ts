import { assertEquals } from "@std/assert";
import { formatPatterns, Pattern } from "../../lib/protocol/pattern.ts";
import { assertRefused, BAD_NAMES, GOOD_NAMES, OVER_LONG, shown } from "./names.ts";

for (const text of ["*", ">", "*.*", "*.>", "a.*", "*.a", "a.*.b", "a.>", "a.*.>", "mq.>", "mq.*", "é.>"]) {
  Deno.test(`Pattern accepts ${text}`, () => assertEquals(new Pattern(text).text, text));
}

Deno.test("Pattern accepts every name", () => {
  for (const name of GOOD_NAMES) assertEquals(new Pattern(name).matches(name), true, name);
});

const WILD_BUT_WRONG = [
  ">.a",
  "a.>.b",
  ">.>",
  "a>",
  "*a",
  "a*",
  "a.b*",
  "**",
  "a.**",
  "*>",
  ".*",
  "*.",
  ".>",
  "> ",
  " *",
];
const BAD_PATTERNS = [...BAD_NAMES.filter((name) => !/[*>]/.test(name)), ...WILD_BUT_WRONG, ...OVER_LONG];

for (const text of BAD_PATTERNS) {
  Deno.test(`Pattern refuses ${shown(text)}`, () => assertRefused(() => new Pattern(text), "bad-pattern"));
}

const MATCHES: [pattern: string, name: string, matches: boolean][] = [
  ["order.created", "order.created", true],
  ["order.created", "order", false],
  ["order", "order.created", false],
  ["order", "Order", false],
  ["order.*", "order.created", true],
  ["order.*", "order", false],
  ["order.*", "order.item.added", false],
  ["*.created", "order.created", true],
  ["*.created", "created", false],
  ["*", "order", true],
  ["*", "order.created", false],
  ["order.>", "order.created", true],
  ["order.>", "order.item.added", true],
  ["order.>", "order", false],
  ["order.>", "orders.created", false],
  ["*.>", "order", false],
  ["*.>", "order.created", true],
  ["a.*.c", "a.b.c", true],
  ["a.*.c", "a.b.d", false],
  [">", "order", true],
  [">", "order.item.added", true],
  [">", "mq.connect", false],
  ["*.*", "mq.connect", false],
  ["*.>", "mq.connect", false],
  ["*.connect", "mq.connect", false],
  ["mq.>", "mq.connect", true],
  ["mq.*", "mq.connect", true],
  ["mq.connect", "mq.connect", true],
  ["mq.>", "mq", false],
  ["mq", "mq", true],
  ["*", "mq", true],
  [">", "mq", true],
  [">", "mqtt.connect", true],
  ["a.*", "a.mq", true],
];

for (const [pattern, name, matches] of MATCHES) {
  Deno.test(`Pattern ${pattern} ${matches ? "matches" : "does not match"} ${name}`, () => {
    assertEquals(new Pattern(pattern).matches(name), matches);
  });
}

const OVERLAPS: [a: string, b: string, overlaps: boolean][] = [
  ["order.*", "*.paid", true],
  ["order.>", "order.paid", true],
  ["ordr.*", "order.>", false],
  ["order", "order.>", false],
  [">", "create", true],
  [">", "mq", true],
  [">", "mq.>", false],
  ["*.*", "mq.connect", false],
  ["mq.*", "mq.connect", true],
];

for (const [a, b, overlaps] of OVERLAPS) {
  Deno.test(`Pattern ${a} ${overlaps ? "overlaps" : "does not overlap"} ${b}`, () => {
    assertEquals(new Pattern(a).overlaps(new Pattern(b)), overlaps);
    assertEquals(new Pattern(b).overlaps(new Pattern(a)), overlaps);
  });
}

const LISTS: [count: number, text: string][] = [
  [0, "nothing"],
  [1, "p1"],
  [2, "p1, p2"],
  [10, "p1, p2, p3, p4, p5, p6, p7, p8, p9, p10"],
  [11, "p1, p2, p3, p4, p5, p6, p7, p8, p9, p10 and 1 more"],
  [1000, "p1, p2, p3, p4, p5, p6, p7, p8, p9, p10 and 990 more"],
];

for (const [count, text] of LISTS) {
  Deno.test(`formatPatterns writes ${count} patterns`, () => {
    assertEquals(formatPatterns(Array.from({ length: count }, (_, index) => `p${index + 1}`)), text);
  });
}
