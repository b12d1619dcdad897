import { assert, assertEquals } from "@std/assert";
import stringWidth from "string-width";
import { parseCommand } from "../../cmd/command.ts";
import { helpOf } from "../../cmd/shared/command_help.ts";
import { loadAll } from "../../cmd/commands.ts";
import { helpOfAll } from "../../cmd/help.ts";
import { mq } from "../helpers.ts";

const COMMANDS = await loadAll();

/** A file as the examples name it. */
function fileNamed(name: string): string {
  return new URL(`../files/${name}`, import.meta.url).pathname;
}

/** Holds help to a width: it says the same as without, word by word. */
function checkWidth(help: string, whole: string, width: number): void {
  for (const line of help.split("\n")) assert(stringWidth(line) <= width, `${width}: ${line}`);
  const words = (text: string) => text.replaceAll(" \\\n", " ").split(/\s+|(?<=,)(?=\S)/);
  assertEquals(words(help), words(whole), String(width));
}

Deno.test("mq help fits terminals of 40 to 120 columns, and breaks no word", () => {
  for (let width = 40; width <= 120; width++) checkWidth(helpOfAll(width), helpOfAll(120), width);
});

Deno.test("help wraps an example so that it can still be pasted", () => {
  const help = helpOf(COMMANDS.find(({ name }) => name === "on")!, 40);
  const [first, ...rest] = help.slice(help.indexOf("mq on 'order.*'")).split("\n");
  assertEquals([first, ...rest.slice(0, 2)], [
    "mq on 'order.*' --concurrency 4 \\",
    "        --retry 2 --dead failed -- \\",
    "        node handler.js",
  ]);
});

for (const command of COMMANDS) {
  const words = command.name.split(" ");

  Deno.test(`mq help ${command.name} is what mq ${command.name} --help prints`, async () => {
    const help = await mq(["help", ...words]);
    assertEquals(help, await mq([...words, "--help"]));
    assertEquals(help, { code: 0, stdout: helpOf(command) + "\n", stderr: "" });
  });

  Deno.test(`mq ${command.name}: its help documents every flag, and fits 120 columns`, () => {
    const help = helpOf(command);
    for (const name of Object.keys(command.flags)) assert(help.includes(`--${name}`), name);
    for (const line of help.split("\n")) assert(line.length <= 120, line);
  });

  Deno.test(`mq ${command.name}: its help fits terminals of 40 to 120 columns, and breaks no word`, () => {
    for (let width = 40; width <= 120; width++) checkWidth(helpOf(command, width), helpOf(command), width);
  });

  for (const [example] of command.examples) {
    Deno.test(`the example ${example} can be pasted`, () => {
      const [line] = example.split(/ \| (?=head)/);
      const argv = line.replace(/^seq 3 \| /, "").match(/'[^']*'|\S+/g)!.map((word) => word.replaceAll("'", ""))
        .map((word) => /^(tokens?\.txt|\w+\.pem|\w+\.json)$/.test(word) ? fileNamed(word) : word);
      assertEquals(argv.slice(0, words.length + 1), ["mq", ...words]);
      parseCommand(command, argv.slice(words.length + 1));
    });
  }
}
