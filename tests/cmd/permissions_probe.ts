/**
 * Runs a command that, in place of its work, tries to do what it should not: prints which permissions are left to it, and
 * what came of each attempt.
 */
import type { Command } from "../../cmd/command.ts";
import { commandOf, COMMANDS } from "../../cmd/commands.ts";
import { main } from "../../cmd/main.ts";
import { systemIo } from "../../cmd/shared/stdio.ts";

const ALL = ["net", "env", "read", "write", "run", "sys", "ffi"] as const;

const ATTEMPTS: Record<string, () => unknown> = {
  "start a program": () => new Deno.Command(Deno.execPath(), { args: ["--version"] }).outputSync(),
  "read a file": () => Deno.readTextFileSync("/etc/hostname"),
  "read a file that it was given": () => Deno.readTextFileSync(Deno.args.at(-1)!),
  "write a file": () => Deno.writeTextFileSync(`${Deno.args.at(-1)!}.new`, "x"),
  "read a variable": () => Deno.env.get("HOME"),
  "get the permission back": () => Deno.permissions.requestSync({ name: "read" }).state === "denied" && refuse(),
};

function refuse(): never {
  throw new Deno.errors.NotCapable("Denied");
}

function attempt(work: () => unknown): string {
  try {
    work();
    return "done";
  } catch (error) {
    return (error as Error).name;
  }
}

const called = commandOf(COMMANDS, Deno.args)!;
const command = await called.load() as { run: Command["run"] };
command.run = () => {
  const left = ALL.filter((name) => Deno.permissions.querySync({ name }).state === "granted");
  const attempts = Object.fromEntries(Object.entries(ATTEMPTS).map(([name, work]) => [name, attempt(work)]));
  console.log(JSON.stringify({ left, attempts }));
  return Promise.resolve(0);
};
Deno.exit(await main(Deno.args, systemIo()));
