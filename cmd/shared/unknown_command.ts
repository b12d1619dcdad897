/**
 * The errors for a missing or unknown command, which suggest what to type instead.
 *
 * @module
 */
import { DEFAULT_EVENTS } from "../../lib/protocol/event.ts";
import { UsageError } from "../command.ts";
import { ALL, commandOf, COMMANDS, membersOf, wordsOf } from "../commands.ts";
import { brokerFlags } from "./broker_flags.ts";
import { type Nameable, quoteIfNeeded, shellQuote, suggestName } from "./suggestions.ts";

/** Words for stopping a broker, for which there is no command. */
const STOP_WORDS: readonly string[] = ["stop", "kill", "quit", "exit", "end", "down", "shutdown", "restart"];

/**
 * The error for arguments that do not begin with a command.
 *
 * @param argv The arguments.
 * @param before `help ` for arguments after that word, else empty.
 */
export function unknownCommand(argv: readonly string[], before: string = ""): UsageError {
  const [first, second] = argv;
  if (first === undefined) return new UsageError("it needs a command", "mq demo, or mq --help");
  const members = membersOf(first);
  if (members.length > 0) {
    const names = members.map((command): Nameable => [wordsOf(command)[1], command.suggestFor]);
    return unknown(second, names, names.map(([name]) => name), `${before}${first} `, argv.slice(2));
  }
  if (first.startsWith("-")) return unknownFlag(argv);
  const words = [...new Set(COMMANDS.map((command) => wordsOf(command)[0]))];
  return unknown(first, namesOfAll(words), words, before, argv.slice(1));
}

/** The error for words after `mq help` that are no command. */
export function unknownHelp(words: readonly string[]): UsageError {
  const isMore = commandOf(ALL, words) !== undefined;
  return isMore ? new UsageError("help takes one command", "mq help server") : unknownCommand(words, "help ");
}

/** The first words of all commands, and the names of all commands with the words for which they are suggested. */
function namesOfAll(words: readonly string[]): Nameable[] {
  return [
    ...words.map((word): Nameable => [word]),
    ...COMMANDS.map(({ name, suggestFor }): Nameable => [name, suggestFor ?? []]),
  ];
}

function unknown(
  word: string | undefined,
  names: readonly Nameable[],
  words: readonly string[],
  group: string,
  further: readonly string[],
): UsageError {
  if (word === undefined) {
    return new UsageError(`${group.trimEnd()} needs a second word`, `mq ${group}${words[0]}, or mq ${group}--help`);
  }
  if (group === "" && STOP_WORDS.includes(word)) {
    return new UsageError(`unknown command ${word}`, "Ctrl-C in the terminal where it runs");
  }
  const suggestion = group === "" ? suggestCommand(word, names, further) : suggestName(word, names);
  const choice = `one of ${words.join(", ")}, or mq ${group.replace("help ", "")}--help`;
  return new UsageError(
    `unknown command ${group}${quoteIfNeeded(word)}`,
    suggestion ? `mq ${group}${suggestion}` : choice,
  );
}

/** The command that is suggested for a word, which may also be the name of an event or the address of a broker. */
function suggestCommand(word: string, names: readonly Nameable[], further: readonly string[]): string | undefined {
  if (DEFAULT_EVENTS.includes(word) || /^[\w-]+(?:\.[\w-]+)+$/.test(word)) {
    return ["pub", word, ...further.map(shellQuote)].join(" ");
  }
  if (brokerFlags.server.suggestForValue?.test(word)) return `logger -s ${shellQuote(word)}`;
  return suggestName(word, names);
}

/** The error for a flag before the command. */
function unknownFlag(argv: readonly string[]): UsageError {
  const command = ALL.find((command) => argv.includes(wordsOf(command)[0]));
  const problem = `unknown flag ${quoteIfNeeded(argv[0].replace(/=[^]*/, ""))}`;
  if (command === undefined) return new UsageError(problem, "mq --help");
  const { name } = command;
  const flags = argv.filter((argument) => !wordsOf(command).includes(argument)).map(shellQuote);
  return new UsageError(`${problem}: flags follow the command`, ["mq", name, ...flags].join(" "));
}
