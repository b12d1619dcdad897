/** Runs a command that, in place of its work, prints which permissions are left to it. */
import type { Command } from "../../cmd/command.ts";
import { COMMANDS, main } from "../../cmd/main.ts";
import { systemIo } from "../../cmd/stdio.ts";

const ALL = ["net", "env", "read", "write", "run", "sys", "ffi"] as const;

const name = Deno.args.join(" ");
const command = COMMANDS.find((candidate) => candidate.name === name) as { run: Command["run"] };
command.run = () => {
  console.log(JSON.stringify(ALL.filter((name) => Deno.permissions.querySync({ name }).state === "granted")));
  return Promise.resolve(0);
};
Deno.exit(await main([...Deno.args, ...name === "pub" ? ["create"] : []], systemIo()));
