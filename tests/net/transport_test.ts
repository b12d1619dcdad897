import { assertEquals } from "@std/assert";
import { pipe } from "../../lib/net/transport.ts";

const ADDRESS: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 50_000 };

Deno.test("pipe buffers what is written until it is read", async () => {
  const { transport, readable } = pipe(ADDRESS);
  const writer = transport.writable.getWriter();
  let written = 0;
  const writing = (async () => {
    for (let byte = 0; byte < 5; byte++) {
      await writer.write(new Uint8Array([byte]));
      written++;
    }
  })();
  const reader = readable.getReader();
  for (let byte = 0; byte < 5; byte++) {
    assertEquals(written <= byte, true, `${written} written, ${byte} read`);
    assertEquals((await reader.read()).value, new Uint8Array([byte]));
  }
  await writing;
});

Deno.test("pipe ends each direction separately", async () => {
  const { transport, readable, writable } = pipe(ADDRESS);
  const writer = writable.getWriter();
  await transport.closeWrite();
  assertEquals(await new Response(readable).text(), "");
  const buffer = new Uint8Array(8);
  const written = writer.write(new Uint8Array(10));
  assertEquals([await transport.read(buffer), await transport.read(buffer)], [8, 2]);
  await written;
  writer.close();
  assertEquals(await transport.read(buffer), null);
});

Deno.test("pipe closed by the broker ends in both directions, whatever is buffered", async () => {
  const { transport, readable } = pipe(ADDRESS);
  const reading = transport.read(new Uint8Array(8));
  const written = transport.writable.getWriter().write(new Uint8Array(10)).then(() => "written", () => "lost");
  transport.close();
  transport.close();
  assertEquals([await reading, await written], [null, "lost"]);
  assertEquals((await readable.getReader().read()).done, true);
});
