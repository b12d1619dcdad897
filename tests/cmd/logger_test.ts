import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseCommand } from "../../cmd/command.ts";
import { logger as command } from "../../cmd/logger.ts";
import { Output } from "../../cmd/shared/stdio.ts";
import { Broker } from "../../mod.ts";
import { listenAgain, mq, Program, sinkTo, startBroker, type TestBroker, until } from "../helpers.ts";

/** Starts `mq logger`; it is subscribed when this returns. */
async function startLogger(server: TestBroker, ...args: string[]): Promise<Program> {
  const before = server.told("mq.subscribe").length;
  const program = new Program(["logger", "-s", `127.0.0.1:${server.port}`, ...args]);
  await until(() => server.told("mq.subscribe").length >= before + 2, "the logger is subscribed");
  return program;
}

Deno.test("mq logger prints events unchanged when its output is piped", async () => {
  await using server = await startBroker();
  await using logger = await startLogger(server);
  const [client] = await server.connect(1);
  await client.send('create\ncreate {"id":1}\ncreate two  words \nbogus\nerror \x1b[1m\n');
  for (const line of ["create", 'create {"id":1}', "create two  words ", "error \x1b[1m"]) {
    assertEquals(await logger.stdout.next(), line);
  }
});

Deno.test("mq logger receives only what its patterns match", async () => {
  await using server = await startBroker({ events: [">"] });
  await using logger = await startLogger(server, "create", "order.*");
  const [client] = await server.connect(1);
  await client.send("delete 1\norder.paid 2\norder.a.b 3\ncreate 4\n");
  assertEquals(await logger.stdout.next(), "order.paid 2");
  assertEquals(await logger.stdout.next(), "create 4");
});

Deno.test("mq logger 'mq.>' prints the broker's system events", async () => {
  await using server = await startBroker();
  await using logger = await startLogger(server, "mq.connect");
  await server.connect(1);
  assertMatch((await logger.stdout.next())!, /^mq\.connect \{"id":"\w+","name":"client-2","address":"127/);
});

Deno.test("mq logger --json prints one object per line", async () => {
  await using server = await startBroker();
  await using logger = await startLogger(server, "--json");
  const [client] = await server.connect(1);
  await client.send('/hello {"name":"shop"}\ncreate {"id":1}\ndelete\n');
  const event = JSON.parse((await logger.stdout.next())!);
  assertEquals(Object.keys(event), ["id", "at", "from", "event", "data"]);
  assertEquals([event.from, event.event, event.data], ["shop", "create", { id: 1 }]);
  assertMatch(event.id, /^\w{26}$/);
  assert(Math.abs(Date.parse(event.at) - Date.now()) < 60_000);
  assertEquals(JSON.parse((await logger.stdout.next())!).data, null);
});

Deno.test("mq logger --verbose shows time and sender, and escapes control characters", async () => {
  await using server = await startBroker();
  await using logger = await startLogger(server, "--verbose");
  const [client] = await server.connect(1);
  await client.send('/hello {"name":"shop"}\ncreate {"id":1,"tags":["a",{}]}\nerror \x1b[2J\ndelete\n');
  assertMatch((await logger.stdout.next())!, /^\d\d:\d\d:\d\d {2}shop {2}create \{ "id": 1, "tags": \["a", \{\}\] \}$/);
  assertMatch((await logger.stdout.next())!, /^\S+ {2}shop {2}error \\x1b\[2J$/);
  assertMatch((await logger.stdout.next())!, /^\S+ {2}shop {2}delete$/);
});

Deno.test("mq logger shows data unchanged, even if deeply nested or with long numbers", async () => {
  await using server = await startBroker();
  await using people = await startLogger(server, "--verbose");
  await using programs = await startLogger(server, "--json");
  const [client] = await server.connect(1);
  const deep = "[".repeat(50_000) + "]".repeat(50_000);
  await client.send(`create ${deep}\ncreate {"id":12345678901234567890,"x": 1.0 ,"e":{ },"s":"a, {b}: \\" c"}\n`);
  assertEquals((await people.stdout.next())!.length > 100_000, true);
  assertMatch(
    (await people.stdout.next())!,
    /create \{ "id": 12345678901234567890, "x": 1\.0, "e": \{\}, "s": "a, \{b\}: \\" c" \}$/,
  );
  assertEquals((await programs.stdout.next())!.endsWith(`,"data":${deep}}`), true);
  assertEquals(
    (await programs.stdout.next())!.split('"data":')[1],
    '{"id":12345678901234567890,"x": 1.0 ,"e":{ },"s":"a, {b}: \\" c"}}',
  );
});

Deno.test("mq logger -n ends after that many events", async () => {
  await using server = await startBroker();
  await using logger = await startLogger(server, "-n", "2");
  const [client] = await server.connect(1);
  await client.send("create 1\ncreate 2\ncreate 3\n");
  assertEquals(await logger.outcome(), { code: 0, stdout: "create 1\ncreate 2\n", stderr: "" });
});

Deno.test("mq logger exits 0 when its output is closed", async () => {
  await using server = await startBroker();
  await using logger = await startLogger(server);
  const [client] = await server.connect(1);
  await client.line("create 1");
  await logger.stdout.next();
  await logger.breakStdout();
  await until(async () => {
    await client.line("create 2");
    return server.broker.stats().connections === 1;
  }, "the logger is gone");
  const { code, stderr } = await logger.outcome();
  assertEquals([code, stderr], [0, ""]);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`mq logger exits 0 on ${signal}, and 1 if it was to log more`, async () => {
    await using server = await startBroker();
    await using endless = await startLogger(server);
    await using counting = await startLogger(server, "-n", "5");
    endless.kill(signal);
    counting.kill(signal);
    assertEquals(await endless.outcome(), { code: 0, stdout: "", stderr: "" });
    const outcome = await counting.outcome();
    assertEquals(outcome, { code: 1, stdout: "", stderr: "mq logger: ended after 0 of 5 events\n" });
  });
}

Deno.test("mq logger waits for a broker, reconnects after its restart and reports both", async () => {
  const broker = new Broker();
  const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
  await broker.close();

  await using logger = new Program(["logger", "-s", `127.0.0.1:${port}`]);
  assertMatch((await logger.stderr.next())!, /^mq logger: No broker answers at .*; waiting for it \(start one with: /);
  for (const when of ["first", "second"]) {
    await using again = new Broker();
    await listenAgain(again, port);
    const verb = when === "first" ? "connected" : "reconnected";
    assertEquals(await logger.stderr.next(), `mq logger: ${verb} to 127.0.0.1:${port}`);
    await until(() => again.clients().some(({ patterns }) => patterns.includes(">")), "it is subscribed");
    await mq(["pub", "create", when, "-s", `127.0.0.1:${port}`]);
    assertEquals(await logger.stdout.next(), `create ${when}`);
    await again.close();
    assertEquals(
      await logger.stderr.next(),
      "mq logger: lost the connection (The broker is going down); reconnecting",
    );
  }
});

Deno.test("mq logger ends on Ctrl-C while it waits for a broker", async () => {
  await using logger = new Program(["logger", "-s", "127.0.0.1:1"]);
  await logger.stderr.next();
  logger.kill("SIGINT");
  assertEquals((await logger.outcome()).code, 0);
});

Deno.test("mq logger on a terminal prints its patterns once the broker has confirmed them", async () => {
  await using server = await startBroker();
  const ending = new AbortController();
  const heard: unknown[] = [];
  const sink = sinkTo((text) => {
    assertMatch(text, /Connected to 127\.0\.0\.1:\d+, subscribed to create\. Ctrl-C ends it\./);
    heard.push(server.told("mq.subscribe").at(-1)?.added);
    ending.abort();
  });
  const output = new Output(sink, { isTerminal: true });
  const io = { stdin: new ReadableStream(), stdout: output, stderr: output, signal: ending.signal, env: {} };
  await command.run(parseCommand(command, ["create", "-s", `127.0.0.1:${server.port}`]), io);
  assertEquals(heard, [["create"]]);
});
