/** What the program may do: only what its command needs. */
import { assertEquals } from "@std/assert";
import { COMMANDS } from "../../cmd/main.ts";
import config from "../../deno.json" with { type: "json" };
import { Program } from "../helpers.ts";

const ALL = ["net", "env", "read", "write", "run", "sys", "ffi"] as const;

Deno.test("the executable is given the network, files to read, programs to start and two variables, nothing else", () => {
  const flags = config.tasks.compile.command.match(/--allow-\S+|-A\b/g);
  assertEquals(flags, ["--allow-net", "--allow-read", "--allow-run", "--allow-env=MQ_URL,MQ_TOKEN"]);
});

Deno.test("every command drops the permissions that it does not declare", async () => {
  for (const { name, permissions } of COMMANDS) {
    const probe = new URL("./permissions_probe.ts", import.meta.url).pathname;
    await using program = new Program(name.split(" "), {}, [Deno.execPath(), "run", "--quiet", "--allow-all", probe]);
    const left = JSON.parse((await program.outcome()).stdout);
    assertEquals(left, ALL.filter((permission) => permissions.includes(permission)));
  }
});

Deno.test("no command needs more than the network, but for those that start a broker of their own", () => {
  for (const { name, permissions } of COMMANDS) {
    assertEquals(permissions, name.startsWith("bench ") ? ["net", "run"] : ["net"], name);
  }
});
