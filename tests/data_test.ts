import { assertEquals, assertThrows } from "@std/assert";
import { decodeData, encodeData, type Json } from "../lib/data.ts";

const ENCODED: [value: Json | undefined, text: string][] = [
  [undefined, ""],
  [null, "null"],
  [true, "true"],
  [0, "0"],
  [-1.5, "-1.5"],
  [[], "[]"],
  [{ id: 1 }, '{"id":1}'],
  ["hello", "hello"],
  ["hello   world", "hello   world"],
  ["héllo 😀", "héllo 😀"],
  ["NaN", "NaN"],
  ["{", "{"],
  ["/sub", "/sub"],
  ["", '""'],
  ["42", '"42"'],
  ["-0", '"-0"'],
  ["1e3", '"1e3"'],
  ["true", '"true"'],
  ["null", '"null"'],
  ['"quoted"', '"\\"quoted\\""'],
  ["[1]", '"[1]"'],
  ["{}", '"{}"'],
  [" x", '" x"'],
  ["x ", '"x "'],
  ["x\t", '"x\\t"'],
  ["x\u00a0", '"x\u00a0"'],
  ["\ufeffx", '"\ufeffx"'],
  ["a\tb", '"a\\tb"'],
  ["a\r\nb", '"a\\r\\nb"'],
  ["\0", '"\\u0000"'],
  ["\ud800", '"\\ud800"'],
  ["a\udc00b", '"a\\udc00b"'],
];

for (const [value, text] of ENCODED) {
  Deno.test(`encodeData writes ${JSON.stringify(value) ?? "nothing"} as ${text || "nothing"}`, () => {
    assertEquals(encodeData(value), text);
  });
}

const DECODED: [text: string, value: Json | undefined][] = [
  ["", undefined],
  ["null", null],
  ["42", 42],
  [" 42 ", 42],
  ['"x"', "x"],
  ['{"id":1}', { id: 1 }],
  ["{id:1}", "{id:1}"],
  ["hello world", "hello world"],
  ["hello ", "hello "],
  ["01", "01"],
  ["'x'", "'x'"],
  [" ", " "],
];

for (const [text, value] of DECODED) {
  Deno.test(`decodeData reads ${JSON.stringify(text)}`, () => assertEquals(decodeData(text), value));
}

const circular: Record<string, unknown> = {};
circular.self = circular;

for (const [what, value] of Object.entries({ function: () => 1, symbol: Symbol("s"), bigint: 1n, circular })) {
  Deno.test(`encodeData refuses what JSON has no form for: ${what}`, () => {
    assertThrows(() => encodeData(value as unknown as Json), TypeError, "JSON has no form for it");
  });
}

for (const control of ["\0", "\t", "\n", "\r", "\x1b", "\x7f", "\x85", "\x9f"]) {
  Deno.test(`encodeData writes U+${control.charCodeAt(0).toString(16)} without a control character`, () => {
    assertEquals(encodeData(`a${control}b`).match(/\p{Cc}/u), null);
    assertEquals(encodeData([control]).match(/\p{Cc}/u), null);
  });
}
