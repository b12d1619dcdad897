import { assert, assertEquals } from "@std/assert";
import { helpOf, parseCommand } from "../../cmd/command.ts";
import { COMMANDS } from "../../cmd/main.ts";
import { mq } from "../helpers.ts";

for (const command of COMMANDS) {
  Deno.test(`mq help ${command.name} is what mq ${command.name} --help prints`, async () => {
    const help = await mq(["help", command.name]);
    assertEquals(help, await mq([command.name, "--help"]));
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
      const words = line.replace(/^seq 3 \| /, "").match(/'[^']*'|\S+/g)!.map((word) => word.replaceAll("'", ""));
      assertEquals(words.slice(0, 2), ["mq", command.name]);
      parseCommand(command, words.slice(2));
    });
  }
}
