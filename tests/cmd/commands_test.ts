/** The table of commands, and what is loaded before a command is known. */
import { assert, assertEquals } from "@std/assert";
import { ALL } from "../../cmd/commands.ts";

const root = new URL("../../", import.meta.url);

const loaded = await Promise.all(ALL.map((command) => command.load()));

/** A module of a graph, as `deno info --json` tells it. */
interface Module {
  readonly specifier: string;
  readonly dependencies?: readonly { readonly code?: { readonly specifier: string }; readonly isDynamic?: boolean }[];
}

/** What a file imports when it is loaded, directly or through others, and not later: paths within mq, or packages. */
async function loadedWith(file: string): Promise<string[]> {
  const args = ["info", "--json", new URL(file, root).pathname];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args, cwd: root.pathname }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: Module[] };
  const graph = new Map(modules.map(({ specifier, dependencies = [] }) => [specifier, dependencies]));
  const found = new Set([new URL(file, root).href]);
  for (const specifier of found) {
    for (const { code, isDynamic } of graph.get(specifier) ?? []) if (code && !isDynamic) found.add(code.specifier);
  }
  return [...found].map((specifier) => specifier.replace(root.href, "")).sort();
}

Deno.test("COMMANDS loads for each command its own module", () => {
  for (const [index, { load: _, ...title }] of ALL.entries()) {
    const { name, suggestFor, summary } = loaded[index];
    assertEquals({ name, summary, ...suggestFor ? { suggestFor } : {} }, title);
  }
});

Deno.test("mq --version loads only the command table, output and terminal modules, and no package", async () => {
  assertEquals(await loadedWith("cmd/main.ts"), [
    "cmd/commands.ts",
    "cmd/main.ts",
    "cmd/shared/sink.ts",
    "cmd/shared/stdio.ts",
    "cmd/shared/terminal.ts",
    "deno.json",
    "lib/protocol/system_reason.ts",
    "lib/protocol/version.ts",
    "node:timers",
  ]);
});

Deno.test("mq --help loads no command, and nothing of lib/ except the version", async () => {
  const files = await loadedWith("cmd/help.ts");
  assertEquals(files.filter((file) => file.startsWith("lib/")), ["lib/protocol/version.ts"]);
  assertEquals(files.filter((file) => /^cmd\/(?!shared\/)/.test(file)), ["cmd/commands.ts", "cmd/help.ts"]);
});

/** Packages that few programs need. */
const HEAVY = /^npm:\/?(ajv|typebox|js-yaml|jsonc-parser|json-schema-faker|prom-client|hdr-histogram-js|uplot)@/;

Deno.test("a module that loads a package is found", async () => {
  assertEquals((await loadedWith("lib/catalog/parse_yaml.ts")).some((specifier) => HEAVY.test(specifier)), true);
});

for (const file of ["mod.ts", "cmd/server.ts", "cmd/app.ts", "cmd/bench/latency.ts", "cmd/demo.ts", "cmd/events.ts"]) {
  Deno.test(`${file} loads packages for catalogs, metrics and histograms only when they are used`, async () => {
    const specifiers = await loadedWith(file);
    assert(specifiers.includes("lib/protocol/event.ts"), specifiers.join(" "));
    assertEquals(specifiers.filter((specifier) => HEAVY.test(specifier)), []);
  });
}
