/**
 * `mq help`: the list of commands, or the help of one command.
 *
 * @module
 */
import { VERSION } from "../lib/protocol/version.ts";
import { ALL, commandOf, COMMANDS, type ListedCommand, membersOf, wordsOf } from "./commands.ts";
import { columns, HELP_COLUMNS, paragraphs } from "./shared/help_layout.ts";
import type { Io } from "./shared/stdio.ts";

/**
 * The help for some words, as wide as the terminal.
 *
 * @param words The words after `mq help`: a command, the common first word of several, or nothing.
 * @throws {UsageError} If there is no such command.
 */
export async function help(words: readonly string[], { terminal }: Io): Promise<string> {
  const width = Math.min(terminal?.size().columns ?? HELP_COLUMNS, HELP_COLUMNS);
  const [first] = words;
  if (first === undefined || first === "help") return helpOfAll(width);
  const called = words.length === 1 ? membersOf(first) : [];
  const commands = called.length > 0 ? called : [await find(words)];
  const { helpOf } = await import("./shared/command_help.ts");
  const helps = commands.map(async (command) => helpOf(await command.load(), width));
  return (await Promise.all(helps)).join("\n\n\n");
}

/** The command with exactly that name. */
async function find(words: readonly string[]): Promise<ListedCommand> {
  const command = commandOf(ALL, words);
  if (command && wordsOf(command).length === words.length) return command;
  throw (await import("./shared/unknown_command.ts")).unknownHelp(words);
}

/** The list of commands. */
export function helpOfAll(width: number): string {
  return [
    ...paragraphs(`mq ${VERSION}: a small event broker and its toolkit`, width),
    "",
    "Usage: mq COMMAND [arguments]",
    "",
    "Commands:",
    ...columns([
      ...COMMANDS.map(({ name, summary }) => [name, summary] as const),
      ["help COMMAND", "shows the flags and examples of a command"],
    ], width),
    "",
    ...columns([
      ["mq demo", "a first demonstration, in one terminal"],
      ["mq server, mq logger and mq app", "the same in three terminals"],
    ], width),
  ].join("\n");
}
