/** What the classroom demo did, over bare sockets: the least that mq must do. */
import { assertEquals } from "@std/assert";
import { has, Program, startBroker, until } from "./helpers.ts";

Deno.test("a recognized event reaches every connection, including its sender", async () => {
  await using server = await startBroker();
  const clients = await server.connect(3);
  await clients[0].line("create hello");
  for (const client of clients) await client.expect("create hello");
});

Deno.test("an unrecognized event reaches no connection", async () => {
  await using server = await startBroker();
  const clients = await server.connect(3);
  await clients[0].line("bogus x");
  await clients[0].line("create after");
  for (const client of clients) await client.expect("create after");
  assertEquals(server.broker.stats().unrecognized, 1);
});

Deno.test("a line split over three packets is one event", async () => {
  await using server = await startBroker();
  const [sender, listener] = await server.connect(2);
  sender.conn.setNoDelay();
  for (const part of ["cre", "ate he", "llo\n"]) {
    await sender.send(part);
    await new Promise((resolve) => setTimeout(resolve, 20)); // Packets of their own, not a wait for a result.
  }
  await listener.expect("create hello");
});

Deno.test("two lines in one packet are two events", async () => {
  await using server = await startBroker();
  const [sender, listener] = await server.connect(2);
  await sender.send("create one\ndelete two\n");
  await listener.expect("create one", "delete two");
});

Deno.test("a line that ends in CR LF is delivered without the CR", async () => {
  await using server = await startBroker();
  const [sender, listener] = await server.connect(2);
  await sender.send("create one\r\ncreate two\r\n");
  await listener.expect("create one", "create two");
});

Deno.test("data with several spaces is delivered byte for byte", async () => {
  await using server = await startBroker();
  const [sender, listener] = await server.connect(2);
  await sender.line("create  a   b\t c  ");
  await listener.expect("create  a   b\t c  ");
});

Deno.test("a closed connection is removed from the pool", async () => {
  await using server = await startBroker();
  const [client] = await server.connect(1);
  client.close();
  await until(() => server.broker.stats().connections === 0, "it left");
  assertEquals(server.told("mq.disconnect")[0].reason, "closed");
});

Deno.test({
  name: "a reset connection is removed from the pool",
  ignore: !has("node"), // Deno's own sockets cannot send a reset on purpose.
  async fn() {
    await using server = await startBroker();
    const script = `const socket = net.connect(${server.port}, "127.0.0.1");
      process.stdin.once("data", () => socket.resetAndDestroy());`;
    await using node = new Program([], {}, ["node", "-e", script]);
    await until(() => server.broker.stats().connections === 1, "it came");
    await node.write("now");
    await until(() => server.broker.stats().connections === 0, "it left");
    assertEquals(server.told("mq.disconnect")[0].reason, "reset");
  },
});

Deno.test("a half-closed connection is removed from the pool after its pending input and output", async () => {
  await using server = await startBroker();
  const [client, other] = await server.connect(2);
  await client.send("create last\n");
  await client.conn.closeWrite();
  await client.expect("create last");
  await client.expectEnd();
  await other.expect("create last");
  assertEquals(server.broker.stats().connections, 1);
});

Deno.test("an event without a line end at the end of the connection is discarded", async () => {
  await using server = await startBroker();
  const [client, other] = await server.connect(2);
  await client.send("create whole\ncreate ha");
  client.conn.closeWrite();
  await client.expect("create whole");
  await client.expectEnd();
  await other.line("create next");
  await other.expect("create whole", "create next");
});
