/**
 * What is said to somebody who has typed no command, or one that there is not: what was seen, and what to type instead.
 *
 * @module
 */
import { DEFAULT_EVENTS } from "../lib/protocol/event.ts";
import { UsageError } from "./command.ts";
import { ALL, commandOf, COMMANDS, membersOf, wordsOf } from "./commands.ts";
import { brokerFlags } from "./shared/broker_flags.ts";
import { type Named, nameMeant, shellWord, shown } from "./shared/mistakes.ts";

/** What ends a program is no command. */
const ENDING: readonly string[] = ["stop", "kill", "quit", "exit", "end", "down", "shutdown", "restart"];

/**
 * Says that an argument list begins with no command.
 *
 * @param argv The arguments.
 * @param before What stands before them: nothing, or `help `.
 */
export function unknownCommand(argv: readonly string[], before: string = ""): UsageError {
  const [first, second] = argv;
  if (first === undefined) return new UsageError("it needs a command", "mq demo, or mq --help");
  const members = membersOf(first);
  if (members.length > 0) {
    return unknown(second, members.map((command) => [wordsOf(command)[1]]), `${before}${first} `, argv.slice(2));
  }
  if (first.startsWith("-")) return unknownFlag(argv);
  return unknown(first, namesOfAll(), before, argv.slice(1));
}

/** Says that there is no help on some words. */
export function unknownHelp(words: readonly string[]): UsageError {
  const isMore = commandOf(ALL, words) !== undefined;
  return isMore ? new UsageError("help takes one command", "mq help server") : unknownCommand(words, "help ");
}

/** The first words of commands, and the commands to which other words lead. */
function namesOfAll(): Named[] {
  const first = new Set(COMMANDS.map((command) => wordsOf(command)[0]));
  return [
    ...[...first].map((word): Named => [word]),
    ...COMMANDS.map(({ name, aliases }): Named => [name, aliases ?? []]),
  ];
}

function unknown(
  word: string | undefined,
  names: readonly Named[],
  group: string,
  behind: readonly string[],
): UsageError {
  const words = names.filter(([, aliases]) => aliases === undefined).map(([name]) => name);
  if (word === undefined) {
    return new UsageError(`${group}needs to know what`, `mq ${group}${words[0]}, or mq ${group}--help`);
  }
  if (group === "" && ENDING.includes(word)) {
    return new UsageError(`unknown command ${word}`, "Ctrl-C in the terminal where it runs");
  }
  const meant = group === "" ? commandMeant(word, names, behind) : nameMeant(word, names);
  const choice = `one of ${words.join(", ")}, or mq ${group.replace("help ", "")}--help`;
  return new UsageError(`unknown command ${group}${shown(word)}`, meant ? `mq ${group}${meant}` : choice);
}

/** The command that is meant by a word: also by the name of an event, or the address of a broker. */
function commandMeant(word: string, names: readonly Named[], behind: readonly string[]): string | undefined {
  if (DEFAULT_EVENTS.includes(word) || /^[\w-]+(?:\.[\w-]+)+$/.test(word)) {
    return ["pub", word, ...behind.map(shellWord)].join(" ");
  }
  if (brokerFlags.server.looks?.test(word)) return `logger -s ${shellWord(word)}`;
  return nameMeant(word, names);
}

/** A flag in the place of the command: that may stand behind it. */
function unknownFlag(argv: readonly string[]): UsageError {
  const command = ALL.find((command) => argv.includes(wordsOf(command)[0]));
  const problem = `unknown flag ${shown(argv[0].replace(/=[^]*/, ""))}`;
  if (command === undefined) return new UsageError(problem, "mq --help");
  const { name } = command;
  const flags = argv.filter((argument) => !wordsOf(command).includes(argument)).map(shellWord);
  return new UsageError(`${problem}: flags stand behind the command`, ["mq", name, ...flags].join(" "));
}
