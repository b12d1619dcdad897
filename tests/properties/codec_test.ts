/** Data survives its way onto a line and back. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { dataFromText, decodeData, encodeData, isJson, type Json } from "../../lib/protocol/data.ts";
import { formatEvent } from "../../lib/protocol/lines.ts";
import { takeWord } from "../../lib/protocol/text.ts";
import { runs, someJson, someText } from "./arbitraries.ts";

Deno.test("decodeData reads every JSON value that encodeData writes", () => {
  fc.assert(fc.property(someJson, (value) => assertEquals(decodeData(encodeData(value)), value)), runs(2000));
});

Deno.test("decodeData reads every text that encodeData writes", () => {
  fc.assert(fc.property(someText, (value) => assertEquals(decodeData(encodeData(value)), value)), runs(5000));
});

Deno.test("encodeData writes well-formed text that survives on a line", () => {
  fc.assert(
    fc.property(someJson, (value) => {
      const text = encodeData(value);
      assert(text.isWellFormed());
      assertMatch(text, /^[^ \t\r\n](?:[^\r\n]*[^ \t\r\n])?$/);
    }),
    runs(2000),
  );
});

Deno.test("encodeData writes no control character", () => {
  fc.assert(fc.property(someJson, (value) => assertEquals(encodeData(value).match(/\p{Cc}/u), null)), runs(2000));
});

Deno.test("decodeData parses JSON as JSON.parse does, and returns any other text unchanged", () => {
  fc.assert(
    fc.property(someText.filter((text) => text !== ""), (text) => {
      const json = parse(text);
      assertEquals(isJson(text), json !== undefined);
      assertEquals(decodeData(text), json === undefined ? text : json.value);
    }),
    runs(5000),
  );
});

Deno.test("dataFromText loses nothing: decodeData returns the value of JSON, and any other text unchanged", () => {
  const laidOut = fc.tuple(someJson, fc.constantFrom("\n", "\r\n")).map(([value, end]) =>
    JSON.stringify(value, null, 2).replaceAll("\n", end)
  );
  const pieces = fc.constantFrom('{"a":', "1", "}", "[", "]", ",", '"x"', "\n", "\r", "\r\n", " ", "\t", "é", "\ud800");
  const text = fc.oneof(someText, laidOut, fc.array(pieces).map((parts) => parts.join("")));
  fc.assert(
    fc.property(text.filter((text) => text !== ""), (text) => {
      const line = formatEvent("create", dataFromText(text));
      assert(line.isWellFormed());
      assertEquals(/\n|\r$/.test(line), false);
      const json = parse(text);
      assertEquals(decodeData(takeWord(line)[1]), json === undefined ? text : json.value);
    }),
    runs(5000),
  );
});

function parse(text: string): { value: Json } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}
