/** No hint and no message grows with what it tells of. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { formatPatterns } from "../../lib/protocol/pattern.ts";
import { mq, Program, RawClient, startBroker } from "../helpers.ts";

const EVENTS = Array.from({ length: 3000 }, (_, index) => `a-rather-long-name.${index}`);

/** Longer than any sentence that tells what is wrong and what to do. */
const MAX_CHARACTERS = 700;

const MANY = EVENTS.slice(0, 500).map((event) => `x.${event}`);

for (
  const [shown, args, told] of [
    [
      "logger nope",
      ["logger", "nope", "--wait", "1s"],
      /no event that "nope" matches; it recognizes a.* and 2,990 more$/m,
    ],
    ["logger with 500 patterns", ["logger", ...MANY, "--wait", "1s"], /no event that "x\..*" and 495 more match; /],
    ["pub nope", ["pub", "nope"], /Dropped "nope": this broker recognizes a.* and 2,990 more$/m],
    [
      "on a --emit nope",
      ["on", EVENTS[0], "--emit", "nope", "--", "cat"],
      /--events '…,nope' \(… stands for its present 3,000\)/,
    ],
    ["events nope", ["events", "nope"], /does not recognize nope; mq events lists what it recognizes$/m],
    ["why nope", ["why", "nope"], /To admit it: mq server --events '…,nope' \(… stands for its present 3,000\)$/m],
    ["why with 500 arguments", ["why", ...MANY], /unexpected argument "x\..*" and 496 more$/m],
    ["on with a long command", ["on", "a..b", "--", "cat", ...MANY], /as a pattern/],
  ] as const
) {
  Deno.test(`mq ${shown} shortens its output for three thousand events`, async () => {
    await using server = await startBroker({ events: EVENTS });
    const { stdout, stderr } = await mq([...args], { env: { MQ_URL: `mq://127.0.0.1:${server.port}` } });
    assertMatch(stdout + stderr, told);
    assert((stdout + stderr).length < MAX_CHARACTERS, stdout + stderr);
  });
}

Deno.test("mq server shortens its log for three thousand events", async () => {
  const at = ["--host", "0.0.0.0", "--port", "0", "--events", EVENTS.join(",")];
  await using program = new Program(["server", ...at]);
  const port = Number(/:(\d+)/.exec((await program.stdout.next())!)![1]);
  const head = [await program.stdout.next(), await program.stdout.find("mq server --host")];
  assertMatch(head[0]!, / and 2,990 more$/);
  assertMatch(head[1]!, / --events '…' --token-file token\.txt /);
  const client = await RawClient.connect(port);
  await client.line("nope");
  const line = await program.stdout.find("is not recognized");
  assertMatch(line, /To admit it: --events '…,nope' \(… stands for its present 3,000\)$/);
  for (const text of [...head, line]) assert(text!.length < MAX_CHARACTERS, text!);
  client.close();
});

Deno.test("formatPatterns shows a limited number, and how many more there are", () => {
  assertEquals(formatPatterns([]), "nothing");
  assertEquals(formatPatterns(["a", "b"], 2), "a, b");
  assertEquals(formatPatterns(["a", "b", "c"], 2, " "), "a b and 1 more");
  assertEquals(formatPatterns(EVENTS.map(String), 1), "a-rather-long-name.0 and 2,999 more");
});
