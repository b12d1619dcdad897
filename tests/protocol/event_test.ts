import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/protocol/errors.ts";
import {
  checkName,
  checkPublishable,
  DEFAULT_EVENTS,
  formatPatterns,
  isReserved,
  MqEvent,
  Pattern,
} from "../../lib/protocol/event.ts";

const ULID = "01ARYZ6S41TSV4RRFFQ69G5FAV";

const GOOD_NAMES = [
  "create",
  "a",
  "order.created",
  "a.b.c.d.e",
  "order_line-2",
  "_",
  "-",
  "2024",
  "٣",
  "commande.créée",
  "cre\u0301ée",
  "注文.作成",
  "हिन्दी",
  "mq",
  "mqtt.x",
  "constructor",
  "__proto__",
  "x".repeat(255),
  "é".repeat(127) + "x",
];

const BAD_NAMES = [
  "",
  ".",
  ".a",
  "a.",
  "a..b",
  "a b",
  "a\tb",
  "a\n",
  "\na",
  "a\nb",
  "a\0",
  "\0",
  "/sub",
  "a/b",
  "a:b",
  "a,b",
  'a"b',
  "*",
  "a.*",
  ">",
  "a.>",
  "½",
  "😀",
  "\ufeffcreate",
  "a\u00a0b",
  "a\u200bb",
  "\ud800",
];

const OVER_LONG = ["x".repeat(256), "é".repeat(128), "a.".repeat(128) + "a"];

for (const name of GOOD_NAMES) {
  Deno.test(`checkName takes ${shown(name)}`, () => checkName(name));
}

for (const name of [...BAD_NAMES, ...OVER_LONG]) {
  Deno.test(`checkName refuses ${shown(name)}`, () => assertRefused(() => checkName(name), "bad-name"));
}

Deno.test("checkName quotes the name it refuses", () => {
  const error = assertThrows(() => checkName("a b"), ProtocolError);
  assertStringIncludes(error.message, '"a b"');
});

Deno.test("checkPublishable takes the names that checkName takes", () => {
  for (const name of GOOD_NAMES) checkPublishable(name);
});

for (const name of ["mq.connect", "mq.a.b"]) {
  Deno.test(`checkPublishable refuses ${name}, which is the broker's`, () => {
    assertRefused(() => checkPublishable(name), "reserved-name");
  });
}

Deno.test("checkPublishable refuses a malformed name as such, even the broker's", () => {
  for (const name of ["", "mq.", "mq.a b"]) assertRefused(() => checkPublishable(name), "bad-name");
});

const RESERVED: [name: string, reserved: boolean][] = [
  ["mq.connect", true],
  ["mq.a.b", true],
  ["mq", false],
  ["mqtt", false],
  ["mq-x.connect", false],
  ["MQ.connect", false],
  ["a.mq.b", false],
];

for (const [name, reserved] of RESERVED) {
  Deno.test(`isReserved is ${reserved} for ${name}`, () => assertEquals(isReserved(name), reserved));
}

Deno.test("DEFAULT_EVENTS are publishable names", () => {
  assertEquals(DEFAULT_EVENTS.length, 5);
  for (const name of DEFAULT_EVENTS) checkPublishable(name);
});

for (const text of ["*", ">", "*.*", "*.>", "a.*", "*.a", "a.*.b", "a.>", "a.*.>", "mq.>", "mq.*", "é.>"]) {
  Deno.test(`Pattern takes ${text}`, () => assertEquals(new Pattern(text).text, text));
}

Deno.test("Pattern takes every name", () => {
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

Deno.test("MqEvent carries what it was made of", () => {
  const { name, text, id, from } = new MqEvent("create", " 1 ", ULID, "shop");
  assertEquals([name, text, id, from], ["create", " 1 ", ULID, "shop"]);
});

Deno.test("MqEvent.data is the text as a JSON value", () => {
  assertEquals(new MqEvent("create", '{"id":1}').data, { id: 1 });
});

Deno.test("MqEvent.data is undefined where there is none", () => {
  assertEquals(new MqEvent("create", "").data, undefined);
});

Deno.test("MqEvent.at is the time within its ULID", () => {
  assertEquals(new MqEvent("create", "", ULID).at?.toISOString(), "2016-07-30T22:36:16.385Z");
});

Deno.test("MqEvent without an id has neither id, sender nor time", () => {
  const { id, from, at } = new MqEvent("create", "1");
  assertEquals([id, from, at], [undefined, undefined, undefined]);
});

function assertRefused(act: () => unknown, code: string): void {
  assertEquals(assertThrows(act, ProtocolError).code, code);
}

function shown(text: string): string {
  const json = JSON.stringify(text).replaceAll(/\p{C}/gu, (unit) => `\\u${unit.charCodeAt(0).toString(16)}`);
  return json.length > 20 ? `${json.slice(0, 20)}… (${text.length} characters)` : json;
}
