import { assertEquals, assertRejects } from "@std/assert";
import { readBody } from "../../lib/http/body.ts";
import { ProtocolError } from "../../mod.ts";

Deno.test("readBody takes one line end off, and no more", async () => {
  const read = (text: string) => readBody(new Response(text).body, 100);
  assertEquals(await read("x"), "x");
  assertEquals(await read("x\n"), "x");
  assertEquals(await read("x\r\n"), "x");
  assertEquals(await read("x\n\n"), "x\n");
  assertEquals(await read("x\r"), "x\r");
  assertEquals(await readBody(null, 100), "");
});

Deno.test("readBody takes a byte order mark off the beginning, and nowhere else", async () => {
  const read = (text: string) => readBody(new Response(text).body, 100);
  assertEquals(await read('\ufeff{"id":1}\n'), '{"id":1}');
  assertEquals(await read("\ufeff\ufeffx\n\ufeff"), "\ufeffx\n\ufeff");
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
