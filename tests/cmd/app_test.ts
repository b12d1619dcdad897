import { assert, assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { parseCatalog } from "../../mod.ts";
import { FakeBroker, RECEIPT } from "../fake_broker.ts";
import { mq, Program, startBroker } from "../helpers.ts";

Deno.test("mq app publishes the same events for the same seed, and others for another seed", async () => {
  await using server = await startBroker();
  const run = (seed: string) =>
    mq(["app", "-s", `127.0.0.1:${server.port}`, "--every", "1ms", "--count", "20", "--seed", seed]);
  const [first, again, other] = [await run("7"), await run("7"), await run("8")];
  assertEquals(first.stdout, again.stdout);
  assertNotEquals(first.stdout, other.stdout);
  assertEquals(first.stdout.trim().split("\n").length, 20);
});

Deno.test("mq app publishes what it prints, except what the broker does not recognize", async () => {
  await using server = await startBroker();
  const [listener] = await server.connect(1);
  const { stdout } = await mq([
    "app",
    "-s",
    `127.0.0.1:${server.port}`,
    "--every",
    "1ms",
    "--count",
    "40",
    "--seed",
    "1",
  ]);
  const [recognized, unrecognized] = [/^(create|read|update|delete|error) /, /^(archive|login) /];
  const lines = stdout.trim().split("\n");
  assertEquals(lines.filter((line) => !recognized.test(line) && !unrecognized.test(line)), []);
  await listener.expect(...lines.filter((line) => recognized.test(line)));
  assertEquals(server.broker.stats().unrecognized, lines.filter((line) => unrecognized.test(line)).length);
});

Deno.test("mq app keeps one connection, or with --once-per-connection opens one per event", async () => {
  await using server = await startBroker();
  const run = (...args: string[]) =>
    mq(["app", "-s", `127.0.0.1:${server.port}`, "--every", "1ms", "--count", "5", ...args]);
  await run();
  assertEquals(server.told("mq.connect").length, 1);
  const { stderr } = await run("--once-per-connection");
  assertEquals(server.told("mq.connect").length, 1 + 1 + 5); // One to see that the broker is there.
  assertMatch(stderr, /^mq app: 5 events sent, \d of them not recognized; a connection for each, .* on average\n$/);
});

Deno.test("mq app --events publishes only the given events", async () => {
  await using server = await startBroker({ events: [">"] });
  const { stdout } = await mq(
    ["app", "-s", `127.0.0.1:${server.port}`, "--every", "1ms", "--count", "9", "--events", "order.paid,order.sent"],
  );
  assertEquals(stdout.split("\n").filter((line) => line !== "" && !/^order\.(paid|sent) \{/.test(line)), []);
});

Deno.test("mq app prints nothing as sent while disconnected, and on Ctrl-C reports what was not sent", async () => {
  const server = await startBroker();
  await using app = new Program(["app", "-s", `127.0.0.1:${server.port}`, "--every", "5ms"]);
  const first = await app.stdout.next();
  await server[Symbol.asyncDispose]();
  await app.stderr.find("lost the connection");
  await new Promise((resolve) => setTimeout(resolve, 100)); // Meanwhile it makes up more events.
  app.kill("SIGINT");
  const { code, stdout, stderr } = await app.outcome();
  assertEquals(code, 1);
  const [, sent, unsent] = /^mq app: (\d+) events? sent, .*; (?:\d+ uncertain, )?(\d+) not sent\n$/m.exec(stderr) ?? [];
  assertEquals([first, ...stdout.trim().split("\n").filter((line) => line !== "")].length, Number(sent));
  assert(Number(unsent) > 0);
});

Deno.test("mq app counts accepted, refused and uncertain events, and prints the accepted ones", async () => {
  await using broker = new FakeBroker();
  await using app = new Program(["app", "-s", `127.0.0.1:${broker.port}`, "--every", "1ms", "-n", "4", "--seed", "1"]);
  const peer = await broker.welcome();
  const names: string[] = [];
  for (let number = 1; number <= 4; number++) {
    const line = (await peer.lines.next())!;
    assertMatch(line, new RegExp(`^/pub ${number} `));
    names.push(line.split(" ")[2]);
  }
  await peer.say(`/ok 1 ${RECEIPT}`, "/err 2 unrecognized No", "/err 3 invalid-data It does not fit");
  await peer.hangUp();
  const { code, stdout, stderr } = await app.outcome();
  assertEquals(code, 1);
  assertEquals(stdout.trim().split("\n").map((line) => line.split(" ")[0]), names.slice(0, 2));
  assertStringIncludes(stderr, `mq app: ${names[2]}: It does not fit\n`);
  assertMatch(stderr, /\nmq app: 2 events sent, 1 of them not recognized; .*; 1 refused, 1 uncertain\n$/);
});

for (const events of ["order.paid", "create"]) {
  Deno.test(`mq app fails if the broker has accepted none of its events, such as ${events}`, async () => {
    const catalog = await parseCatalog(JSON.stringify({ create: { schema: { type: "null" } } }));
    await using server = await startBroker({ catalog });
    const { code } = await mq(
      ["app", "-s", `127.0.0.1:${server.port}`, "--every", "1ms", "-n", "3", "--events", events],
    );
    assertEquals([code, server.broker.stats().published], [1, 0]);
  });
}

Deno.test("mq app prints a summary and exits 0 on Ctrl-C", async () => {
  await using server = await startBroker();
  await using app = new Program(["app", "-s", `127.0.0.1:${server.port}`, "--every", "5ms"]);
  await app.stdout.next();
  await app.stdout.next();
  app.kill("SIGINT");
  const { code, stderr } = await app.outcome();
  assertEquals(code, 0);
  assertMatch(stderr, /^mq app: \d+ events sent, \d+ of them not recognized; one connection for all, .* on average\n$/);
});
