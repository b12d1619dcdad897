import { assertEquals } from "@std/assert";
import {
  count,
  formatBytes,
  formatCompactRate,
  formatRate,
  hearing,
  laidOut,
  leaving,
  summary,
  timeOf,
} from "../../web/words.ts";

Deno.test("count knows one from many", () => {
  assertEquals([0, 1, 2000].map((number) => count(number, "event")), ["0 events", "1 event", "2,000 events"]);
});

Deno.test("formatRate has a decimal where there are few", () => {
  assertEquals([0, 0.25, 9.9, 26.4, 200_000].map(formatRate), ["0", "0.3", "9.9", "26", "200,000"]);
});

Deno.test("formatCompactRate fits beside a chart", () => {
  assertEquals([26.4, 9999, 200_000, 1_500_000].map(formatCompactRate), ["26", "9,999", "200K", "1.5M"]);
});

Deno.test("formatBytes never shows a thousand of a unit", () => {
  assertEquals(
    [1, 999, 1000, 99_400, 999_499, 999_500, 16_777_216].map(formatBytes),
    ["1 byte", "999 bytes", "1.0 kB", "99 kB", "999 kB", "1.0 MB", "17 MB"],
  );
});

Deno.test("timeOf reads the time of day out of a ULID", () => {
  assertEquals(timeOf("01ARYZ6S41TSV4RRFFQ69G5FAV"), new Date(1469918176385).toLocaleTimeString("en-GB"));
});

Deno.test("hearing says everything, some and nothing", () => {
  assertEquals([[], [">"], [">", "mq.>"]].map((patterns) => hearing(patterns)), [
    "nothing",
    "everything",
    "everything, mq.>",
  ]);
  assertEquals(hearing(["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
  assertEquals(hearing(["a", "b"], 1), "a and 1 more");
});

Deno.test("leaving puts a reason in words, and a code as it is", () => {
  assertEquals(leaving("slow"), "was closed: it reads too slowly");
  assertEquals(leaving("line-too-long"), "was closed: line-too-long");
});

Deno.test("laidOut breaks JSON into lines, and leaves what it holds as it is", () => {
  assertEquals(
    laidOut('{"id":12345678901234567890,"a":[1, {"b":"}, {"}],"none":{ },"few":[\n]}'),
    '{\n  "id": 12345678901234567890,\n  "a": [\n    1,\n    {\n      "b": "}, {"\n    }\n  ],\n  "none": {},\n  "few": []\n}',
  );
  assertEquals(laidOut(' "a\\" b" '), '"a\\" b"');
});

Deno.test("summary tells of two by name, and how many more there are", () => {
  const joined = (name: string) => ({ kind: "joined" as const, id: name, text: `${name} connected` });
  assertEquals(summary([joined("a"), joined("b")]), "a connected. b connected");
  assertEquals(summary([joined("a"), joined("b"), joined("c")]), "3 programs connected");
});

Deno.test("summary tells last what befell somebody, and nothing more of those who left", () => {
  const slow = (name: string) => ({ kind: "other" as const, id: name, text: `${name} is too slow` });
  const left = { kind: "left" as const, id: "a", text: "a left" };
  assertEquals(summary([slow("a"), slow("b"), left]), "a left. b is too slow");
  assertEquals(summary([slow("a"), left]), "a left");
});
