/** Any arguments of any command are read or refused. */
import { assertEquals, assertInstanceOf } from "@std/assert";
import fc from "fast-check";
import { type Command, type Flag, parseCommand, UsageError } from "../../cmd/command.ts";
import { loadAll } from "../../cmd/commands.ts";
import { someOperands } from "../cmd/shared/some_operands.ts";
import { resultOf, runs, someText, textOf } from "./arbitraries.ts";

const someValue = fc.oneof(someText, textOf("1", "0", "ms", "s", ",", "-", "=", "create", "true"));

for (const command of await loadAll()) {
  Deno.test(`parseCommand parses any arguments of mq ${command.name} or reports a usage error`, () => {
    const property = fc.property(fc.array(someArgument(command), { maxLength: 6 }), (argv) => {
      const args = resultOf(() => parseCommand(command, argv), UsageError);
      if (args instanceof UsageError || args.help) return;
      assertEquals(Object.keys(command.flags).filter((name) => !Object.hasOwn(args.flags, name)), []);
      const { min, max } = command.operands;
      assertEquals(args.operands.length >= min && args.operands.length <= max, true);
    });
    fc.assert(property, runs(500));
  });

  const flags = Object.keys(command.flags);
  if (flags.length === 0) continue;
  Deno.test(`parseCommand gives each flag of mq ${command.name} the text after it`, () => {
    const someFlag = fc.constantFrom(...flags);
    const property = fc.property(someFlag, fc.option(someValue), (name, value) => {
      const operands = someOperands(command);
      const commandLine = command.operands.commandLine ? ["cat", "--", `--${name}`] : [];
      const flag = value === null ? `--${name}` : `--${name}=${value}`;
      const argv = [...operands, flag, ...commandLine.length > 0 ? ["--", ...commandLine] : []];
      const args = resultOf(() => parseCommand(command, argv), UsageError);
      const read = resultOf(() => readDirectly(command.flags[name], value), Error);
      if (args instanceof UsageError) return assertInstanceOf(read, Error);
      assertEquals([args.flags[name], args.operands, args.commandLine], [read, operands, commandLine]);
    });
    fc.assert(property, runs(300));
  });
}

/** What a flag makes of the text behind it, if there is one. */
function readDirectly({ placeholder, parse }: Flag<unknown>, value: string | null): unknown {
  const isSwitch = placeholder === undefined;
  if (isSwitch !== (value === null)) throw new Error(isSwitch ? "It takes no value" : "It takes a value");
  if (value?.includes("\ufffd")) throw new Error("It was not UTF-8");
  return parse(value ?? "");
}

function someArgument({ flags }: Command): fc.Arbitrary<string> {
  const shorts = Object.values(flags).flatMap(({ short }) => short ?? []);
  const flag = fc.oneof(
    fc.constantFrom(...Object.keys(flags), "help", "__proto__", "constructor", "").map((name) => `--${name}`),
    fc.constantFrom(...shorts, "h", "_", "1").map((short) => `-${short}`),
  );
  return fc.oneof(flag, fc.tuple(flag, fc.constantFrom("", "="), someValue).map((parts) => parts.join("")), someValue);
}
