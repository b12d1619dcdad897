import { assert, assertEquals } from "@std/assert";
import { mq, Program } from "../helpers.ts";

Deno.test("mq demo starts a server, a logger and two apps, and ends on Ctrl-C", async () => {
  await using demo = new Program(["demo"]);
  for (let index = 0; index < 5; index++) await demo.stdout.next(); // Four lines of introduction and a blank one.
  for (
    const part of [/^server {3}.* listens on /, /^server .* is logger$/, /^server .* is app-/, /^(app-1|app-2) {4}\w+ /]
  ) {
    for (let line = await demo.stdout.next();; line = await demo.stdout.next()) {
      assert(line !== null, `nothing matches ${part}`);
      if (part.test(line)) break;
    }
  }
  for (let line = await demo.stdout.next(); !/^logger {3}\w+ /.test(line ?? ""); line = await demo.stdout.next()) {
    assert(line !== null, "the logger logs nothing");
  }
  demo.kill("SIGINT");
  const { code, stderr } = await demo.outcome();
  assertEquals([code, stderr], [0, ""]);
});

Deno.test("mq demo interrupted before all are connected exits without errors", async () => {
  for (const time of ["1ms", "20ms", "60ms"]) {
    const { code, stderr } = await mq(["demo", "--for", time]);
    assertEquals([code, stderr], [0, ""], time);
  }
});
