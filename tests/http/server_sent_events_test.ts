import { assertEquals } from "@std/assert";
import { formatServerSent } from "../../lib/http/server_sent_events.ts";
import { parseBrokerLine } from "../../lib/protocol/lines.ts";

Deno.test("formatServerSent makes an event of each event, and a comment of what else there is to tell", () => {
  const format = (line: string) => formatServerSent(parseBrokerLine(line));
  assertEquals(format("/event 01J shop create a b "), "id: 01J\nevent: create\ndata: a b \n\n");
  assertEquals(format("/event 01J shop create"), "id: 01J\nevent: create\ndata: \n\n");
  assertEquals(format("/event 01J shop create \ra\rb"), "id: 01J\nevent: create\ndata: \ndata: a\ndata: b\n\n");
  assertEquals(format("/ping"), ": ping\n\n");
  assertEquals(format("/dropped 7"), ": dropped 7\n\n");
  assertEquals(format("/bye The broker is going down"), ": The broker is going down\n\n");
  assertEquals(format("/err - slow-consumer Too slow"), ": Too slow\n\n");
  assertEquals(format("/ok sub"), "");
});
