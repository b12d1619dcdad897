/** Clients that are not mq: netcat, and Node with its own sockets. */
import { assertEquals } from "@std/assert";
import { has, mq, Program, startBroker, until } from "../helpers.ts";

Deno.test({
  name: "nc can publish: printf 'create {\"id\":1}\\n' | nc -N 127.0.0.1 PORT",
  ignore: !has("nc"),
  async fn() {
    await using server = await startBroker();
    const [listener] = await server.connect(1);
    await using nc = new Program(["-N", "127.0.0.1", String(server.port)], {}, ["nc"]);
    await nc.write('create {"id":1}\n');
    await nc.closeStdin();
    await listener.expect('create {"id":1}');
    assertEquals(await nc.outcome(), { code: 0, stdout: 'create {"id":1}\n', stderr: "" });
  },
});

Deno.test({
  name: "nc can receive events: nc 127.0.0.1 PORT",
  ignore: !has("nc"),
  async fn() {
    await using server = await startBroker();
    await using nc = new Program(["127.0.0.1", String(server.port)], {}, ["nc"]);
    await until(() => server.broker.stats().connections === 1, "it is connected");
    await mq(["pub", "create", "hello", "-s", `127.0.0.1:${server.port}`]);
    assertEquals(await nc.stdout.next(), "create hello");
  },
});

Deno.test({
  name: "the README's Node client receives and publishes events",
  ignore: !has("node"),
  async fn() {
    const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
    const [, script] = /```js ignore client\.mjs\n([^]*?)```/.exec(readme)!;
    await using server = await startBroker();
    const [other] = await server.connect(1);
    const line = ["node", "--input-type=module", "-e", script.replace("3001", String(server.port))];
    await using node = new Program([], {}, line);
    await other.expect('create {"id":1}');
    await other.line('update {"id":1,"name":"Ada"}');
    assertEquals(await node.stdout.next(), 'create: {"id":1}');
    assertEquals(await node.stdout.next(), 'update: {"id":1,"name":"Ada"}');
  },
});
