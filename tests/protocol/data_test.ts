import { assertEquals, assertThrows } from "@std/assert";
import { dataFromText, decodeData, encodeData, type Json, likelyJsonError } from "../../lib/protocol/data.ts";

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
  Deno.test(`encodeData refuses what JSON cannot represent: ${what}`, () => {
    assertThrows(() => encodeData(value as unknown as Json), TypeError, "JSON has no form for it");
  });
}

for (const control of ["\0", "\t", "\n", "\r", "\x1b", "\x7f", "\x85", "\x9f"]) {
  Deno.test(`encodeData writes U+${control.charCodeAt(0).toString(16)} without a control character`, () => {
    assertEquals(encodeData(`a${control}b`).match(/\p{Cc}/u), null);
    assertEquals(encodeData([control]).match(/\p{Cc}/u), null);
  });
}

const WRITTEN: [text: string, data: string][] = [
  ["", ""],
  ["hello", "hello"],
  ["two  words  ", "two  words  "],
  ["a\tb", "a\tb"],
  ['"', '"'],
  ['{ "id" : 1.0 }', '{ "id" : 1.0 }'],
  ["12345678901234567890", "12345678901234567890"],
  ["[\r\n  1,\r\n  12345678901234567890\r\n]", "[1,12345678901234567890]"],
  ['{\n  "a": "b  c"\n}\n', '{"a": "b  c"}'],
  ['  {"id":1}\n', '{"id":1}'],
  ["  indented", '"  indented"'],
  ["\t", '"\\t"'],
  ["two\nlines", '"two\\nlines"'],
  ["ends in CR\r", '"ends in CR\\r"'],
  ["\n", '"\\n"'],
  ["half \ud83d", '"half \\ud83d"'],
  ['["half \ud83d"]', '["half \\ud83d"]'],
];

for (const [text, data] of WRITTEN) {
  Deno.test(`dataFromText writes ${JSON.stringify(text)} as ${data || "nothing"}`, () => {
    assertEquals(dataFromText(text), data);
  });
}

Deno.test("dataFromText takes linear time", () => {
  const spaces = " ".repeat(4_000_000); // At a square of that, this would take hours.
  assertEquals(dataFromText(`{${spaces}\n}`), "{}");
  assertEquals(dataFromText(`[${spaces}1]\n`), `[${spaces}1]`);
});

const MISTAKES: [text: string, mistake: string | undefined][] = [
  ["{id:1}", "Expected property name or '}'"],
  ['{"id":1', "Expected ',' or '}' after property value"],
  ["  [1,", "Unexpected end of JSON input"],
  ["'{id:1}'", `Unexpected token ''', "'{id:1}'" is not valid JSON`],
  ['"a" b', "Unexpected non-whitespace character after JSON"],
  ["[\x1b]", `Unexpected token '\\u{1b}', "[\\u{1b}]" is not valid JSON`],
  ['{"id":1}', undefined],
  ["disk full", undefined],
  ["it's", undefined],
  ["", undefined],
];

for (const [text, mistake] of MISTAKES) {
  Deno.test(`likelyJsonError reports ${mistake ? "a mistake" : "no mistake"} in ${JSON.stringify(text)}`, () => {
    assertEquals(likelyJsonError(text), mistake);
  });
}
