import { assert, assertEquals } from "@std/assert";
import stringWidth from "string-width";
import { type Column, cut, drawLine, layOutTable, pad, wrap } from "../../../cmd/shared/cells.ts";

for (
  const [text, width, expected] of [
    ["create", 6, "create"],
    ["create", 5, "crea…"],
    ["create", 1, "…"],
    ["create", 0, ""],
    ["", 0, ""],
    ["注文", 4, "注文"],
    ["注文", 3, "注…"],
    ["注文", 2, "…"], // Half of a character cannot be shown.
    ["e\u0301e\u0301e\u0301", 2, "e\u0301…"],
    ["👩‍🚀👩‍🚀", 3, "👩‍🚀…"],
    ["create", Infinity, "create"],
  ] as const
) {
  Deno.test(`cut makes ${JSON.stringify(text)} ${JSON.stringify(expected)} in ${width} columns`, () => {
    assertEquals(cut(text, width), expected);
    assert(stringWidth(expected) <= width);
  });
}

Deno.test("pad counts the columns that text takes", () => {
  assertEquals([pad("注文", 6), pad("ab", 6), pad("too long", 3)], ["注文  ", "ab    ", "too long"]);
});

Deno.test("drawLine colours what remains of each piece after the line is cut", () => {
  const marked = (text: string) => `<${text}>`;
  const pieces = [["one ", marked], ["two "], ["three", marked]] as const;
  assertEquals(drawLine(pieces, 13), "<one >two <three>");
  assertEquals(drawLine(pieces, 12), "<one >two <thr…>");
  assertEquals(drawLine(pieces, 7), "<one >tw…");
  assertEquals(drawLine(pieces, 0), "");
});

/** A table of three columns that are as wide as their cells: 8, 5 and 3. */
const COLUMNS: Column[] = [
  { cells: ["name", "warehous", "注文"], isNumber: false, priority: 3, minWidth: 4 },
  { cells: ["where", "here", "there"], isNumber: false, priority: 1 },
  { cells: ["N", "1", "100"], isNumber: true, priority: 2 },
];

for (
  const [width, ...expected] of [
    [Infinity, "name      where    N", "warehous  here     1", "注文      there  100"],
    [20, "name      where    N", "warehous  here     1", "注文      there  100"],
    [18, "name    where    N", "wareh…  here     1", "注文    there  100"],
    [16, "name  where    N", "war…  here     1", "注文  there  100"],
    [15, "name        N", "warehous    1", "注文      100"],
    [9, "name    N", "war…    1", "注文  100"],
    [8, "name", "warehous", "注文"],
    [3, "na…", "wa…", "注…"],
  ] as const
) {
  Deno.test(`layOutTable cuts text, then omits the columns of lowest priority, to fit ${width} columns`, () => {
    assertEquals(layOutTable(COLUMNS, width), expected);
  });
}

Deno.test("wrap breaks text between words, and within a word only if it is too wide", () => {
  assertEquals(wrap("a short text", 20), ["a short text"]);
  assertEquals(wrap("a text of words that wraps", 10), ["a text of", "words that", "wraps"]);
  assertEquals(wrap("a text of words", 10, "  "), ["a text of", "  words"]);
  assertEquals(wrap("an extraordinary word", 8), ["an", "extraord", "inary", "word"]);
  assertEquals(wrap("create,read,update,delete", 12), ["create,read,", "update,", "delete"]);
  assertEquals(wrap("記録係 は 注文 を 聞く", 9), ["記録係 は", "注文 を", "聞く"]);
  assertEquals(wrap("記録係記録係", 5), ["記録", "係記", "録係"]);
  assertEquals(wrap("", 5), [""]);
});
