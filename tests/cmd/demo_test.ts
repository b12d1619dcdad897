import { assert, assertEquals } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { Program } from "../helpers.ts";

Deno.test("mq demo shows a server, a logger and two apps at work, and ends on Ctrl-C", async () => {
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

Deno.test("the tasks of the README may do what their programs need", async () => {
  const main = new URL("../../cmd/main.ts", import.meta.url).pathname;
  for (const [task, ...more] of [["demo"], ["server", "--port", "0", "--web", "0"]] as const) {
    const [, ...words] = config.tasks[task].command.replace("cmd/main.ts", main).split(" ");
    await using program = new Program([...more], {}, [Deno.execPath(), ...words]);
    await program.stdout.find("See it at http://localhost:");
    program.kill("SIGINT");
    const { code, stderr } = await program.outcome();
    assertEquals([code, stderr], [0, ""]);
  }
});
