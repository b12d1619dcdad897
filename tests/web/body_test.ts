import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { dataOf, readBody } from "../../lib/web/body.ts";
import { decodeData, type Json, ProtocolError } from "../../mod.ts";

Deno.test("dataOf leaves one line as it is, and makes one of several", () => {
  for (const line of ["", "hello", '{ "id" : 1 }', "two  words  ", '"', "a\tb"]) assertEquals(dataOf(line), line);
  assertEquals(dataOf("[\r\n  1,\r\n  12345678901234567890\r\n]"), "[1,12345678901234567890]");
  assertEquals(dataOf('{\n  "a": "b  c"\n}'), '{"a": "b  c"}');
  assertEquals(dataOf("two\nlines"), '"two\\nlines"');
  assertEquals(dataOf("ends in CR\r"), '"ends in CR\\r"');
  assertEquals(dataOf("  indented"), '"  indented"');
  assertEquals(dataOf("\n"), '"\\n"');
});

Deno.test("dataOf changes no value, and makes one line", () => {
  const lines = fc.array(fc.constantFrom('{"a":', "1", "}", "[", "]", ",", '"x"', "\n", "\r\n", " ", "\t", "é"));
  const text = fc.oneof(
    lines.map((parts) => parts.join("")),
    fc.json().map((json) => JSON.stringify(JSON.parse(json), null, 2)),
    fc.string({ unit: "grapheme" }),
  );
  fc.assert(fc.property(text, (text) => {
    const data = dataOf(text);
    const line = `create ${data}`;
    assertEquals(/[\r\n]/.test(data), false);
    const heard = /^create[ \t]+(.*)$/su.exec(line)?.[1] ?? "";
    assertEquals(decodeData(heard), valueOf(text));
  }));
});

function valueOf(text: string): Json | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return text === "" ? undefined : text;
  }
}

Deno.test("readBody takes one line end off, and no more", async () => {
  const read = (text: string) => readBody(new Response(text).body, 100);
  assertEquals(await read("x"), "x");
  assertEquals(await read("x\n"), "x");
  assertEquals(await read("x\r\n"), "x");
  assertEquals(await read("x\n\n"), "x\n");
  assertEquals(await read("\ufeffx"), "\ufeffx");
  assertEquals(await readBody(null, 100), "");
});

Deno.test("readBody reads no further than a line may be long", async () => {
  let pulled = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled++;
      controller.enqueue(new Uint8Array(60));
    },
  }, { highWaterMark: 0 });
  const error = await assertRejects(() => readBody(endless, 100), ProtocolError);
  assertEquals([error.code, pulled], ["line-too-long", 2]);
});

Deno.test("readBody refuses what is not UTF-8", async () => {
  const error = await assertRejects(() => readBody(new Response(new Uint8Array([0xff])).body, 100), ProtocolError);
  assertEquals(error.code, "invalid-utf8");
});
