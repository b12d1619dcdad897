import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { mq, Program, startBroker } from "../helpers.ts";

Deno.test("mq app barks the same events for the same seed, and others for another", async () => {
  await using server = await startBroker();
  const run = (seed: string) =>
    mq(["app", "-s", `127.0.0.1:${server.port}`, "--every", "1ms", "--count", "20", "--seed", seed]);
  const [first, again, other] = [await run("7"), await run("7"), await run("8")];
  assertEquals(first.stdout, again.stdout);
  assertNotEquals(first.stdout, other.stdout);
  assertEquals(first.stdout.trim().split("\n").length, 20);
});

Deno.test("mq app publishes what it prints, but for what the broker does not recognize", async () => {
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

Deno.test("mq app keeps one connection, or with --once-per-connection makes one for each event", async () => {
  await using server = await startBroker();
  const run = (...args: string[]) =>
    mq(["app", "-s", `127.0.0.1:${server.port}`, "--every", "1ms", "--count", "5", ...args]);
  await run();
  assertEquals(server.told("mq.connect").length, 1);
  const { stderr } = await run("--once-per-connection");
  assertEquals(server.told("mq.connect").length, 1 + 1 + 5); // One to see that the broker is there.
  assertMatch(stderr, /^mq app: 5 events sent, \d of them not recognized; a connection for each, .* on average\n$/);
});

Deno.test("mq app --events barks only those", async () => {
  await using server = await startBroker({ events: [">"] });
  const { stdout } = await mq(
    ["app", "-s", `127.0.0.1:${server.port}`, "--every", "1ms", "--count", "9", "--events", "order.paid,order.sent"],
  );
  assertEquals(stdout.split("\n").filter((line) => line !== "" && !/^order\.(paid|sent) \{/.test(line)), []);
});

Deno.test("mq app ends on Ctrl-C while the broker is away, and says what may be lost", async () => {
  const server = await startBroker();
  await using app = new Program(["app", "-s", `127.0.0.1:${server.port}`, "--every", "5ms"]);
  await app.stdout.next();
  await server[Symbol.asyncDispose]();
  await app.stderr.find("lost the broker");
  await app.stdout.next();
  await app.stdout.next();
  app.kill("SIGINT");
  const { code, stderr } = await app.outcome();
  assertEquals(code, 1);
  assertMatch(stderr, /mq app: \d+ events? sent, .*\nmq app: Closed without knowing whether .* the last \d+ lines\n$/);
});

Deno.test("mq app sums up and exits 0 on Ctrl-C", async () => {
  await using server = await startBroker();
  await using app = new Program(["app", "-s", `127.0.0.1:${server.port}`, "--every", "5ms"]);
  await app.stdout.next();
  await app.stdout.next();
  app.kill("SIGINT");
  const { code, stderr } = await app.outcome();
  assertEquals(code, 0);
  assertMatch(stderr, /^mq app: \d+ events sent, \d+ of them not recognized; one connection for all, .* on average\n$/);
});
