import { assert, assertEquals } from "@std/assert";
import { helpOf, parseCommand } from "../../cmd/command.ts";
import { COMMANDS } from "../../cmd/main.ts";
import { mq } from "../helpers.ts";

/** A file as the examples name it. */
function fileNamed(name: string): string {
  return new URL(`../files/${name}`, import.meta.url).pathname;
}

for (const command of COMMANDS) {
  const words = command.name.split(" ");

  Deno.test(`mq help ${command.name} is what mq ${command.name} --help prints`, async () => {
    const help = await mq(["help", ...words]);
    assertEquals(help, await mq([...words, "--help"]));
    assertEquals(help, { code: 0, stdout: helpOf(command) + "\n", stderr: "" });
  });

  Deno.test(`mq ${command.name}: its help names every flag, and fits 120 columns`, () => {
    const help = helpOf(command);
    for (const name of Object.keys(command.flags)) assert(help.includes(`--${name}`), name);
    for (const line of help.split("\n")) assert(line.length <= 120, line);
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
