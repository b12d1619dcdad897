/** What the program may do: only what its command needs. */
import { assertEquals } from "@std/assert";
import { PERMISSIONS } from "../../.ci/compile.ts";
import { loadAll } from "../../cmd/commands.ts";
import { STORE_PERMISSIONS } from "../../cmd/shared/store_permissions.ts";
import { openStore } from "../../lib/store/sqlite.ts";
import { Program } from "../helpers.ts";
import { tempFolder } from "../store/folder.ts";
import { someOperands } from "./shared/some_operands.ts";

const COMMANDS = await loadAll();

const ALL = ["net", "env", "read", "write", "run", "sys", "ffi"] as const;

Deno.test("the executable may use the network, read and write files, run programs and read five variables, nothing else", () => {
  assertEquals(PERMISSIONS, [
    "--allow-net",
    "--allow-read",
    "--allow-write",
    "--allow-run",
    "--allow-env=MQ_URL,MQ_TOKEN,MQ_TLS_CA,MQ_HOPS,TERM",
  ]);
});

/** What is left to a command that was started with everything allowed, and what came of its attempts. */
async function probe(...args: string[]): Promise<{ left: string[]; attempts: Record<string, string> }> {
  const script = new URL("./permissions_probe.ts", import.meta.url).pathname;
  const all = ALL.map((name) => `--allow-${name}`); // What --allow-all gives, Deno 2.4 does not take back.
  const line = [Deno.execPath(), "run", "--quiet", "--no-prompt", ...all, script];
  await using program = new Program(args, {}, line);
  return JSON.parse((await program.outcome()).stdout);
}

Deno.test("every command drops the permissions that it does not declare", async () => {
  for (const command of COMMANDS) {
    const { name, permissions, operands } = command;
    const { left } = await probe(
      ...name.split(" "),
      ...someOperands(command),
      ...operands.commandLine ? ["--", "cat"] : [],
    );
    const opening = name.startsWith("store ") ? STORE_PERMISSIONS : [];
    assertEquals(left, ALL.filter((permission) => [...permissions, ...opening].includes(permission)), name);
  }
});

for (
  const line of [
    ["server", "--port", "0", "--store", "FOLDER"],
    ["store", "check", "FOLDER"],
    ["store", "export", "FOLDER"],
    ["store", "check", "/nowhere"],
  ]
) {
  Deno.test(`mq ${line.join(" ")} can read and write no file any more when the store is open`, async () => {
    await using folder = tempFolder();
    await (await openStore({ folder: folder.path })).close();
    const script = new URL("./permissions_after_probe.ts", import.meta.url).pathname;
    const args = line.map((word) => word === "FOLDER" ? folder.path : word);
    const all = ALL.map((name) => `--allow-${name}`);
    await using program = new Program(args, {}, [Deno.execPath(), "run", "--quiet", "--no-prompt", ...all, script]);
    assertEquals(JSON.parse(await program.stderr.find("[")), line[0] === "server" ? ["net"] : []);
  });
}

Deno.test("mq server can run no program, write no file and read none, not even a given file again", async () => {
  const { left, attempts } = await probe(
    "server",
    "--token-file",
    new URL("../files/token.txt", import.meta.url).pathname,
  );
  assertEquals(left, ["net"]);
  assertEquals(attempts, {
    "start a program": "NotCapable",
    "read a file": "NotCapable",
    "read a file that it was given": "NotCapable",
    "write a file": "NotCapable",
    "read a variable": "NotCapable",
    "get the permission back": "NotCapable",
  });
});

Deno.test("mq server --web and mq demo can read no file after they have read the page", async () => {
  for (const args of [["server", "--web", "0"], ["demo"]]) {
    const { left, attempts } = await probe(...args);
    assertEquals([left, attempts["read a file"]], [["net"], "NotCapable"], args.join(" "));
  }
});

Deno.test("no command needs more than the network, except those that run programs", () => {
  for (const { name, permissions, operands } of COMMANDS) {
    const starts = name.startsWith("bench ") || operands.commandLine !== undefined;
    const most = starts ? ["net", "run"] : ["net"];
    assertEquals(permissions.filter((permission) => !most.includes(permission)), [], name);
  }
});
