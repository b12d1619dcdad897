/**
 * `mq help`: what mq can do, and what a command takes.
 *
 * @module
 */
import { VERSION } from "../lib/protocol/version.ts";
import { ALL, commandOf, COMMANDS, type Listed, membersOf, wordsOf } from "./commands.ts";
import { columns, HELP_COLUMNS, paragraphs } from "./shared/layout.ts";
import type { Io } from "./shared/stdio.ts";

/**
 * The help that is asked for, as wide as the terminal.
 *
 * @param words What stands behind `mq help`: a command, the first word of several, or nothing.
 * @throws {UsageError} If that is no command.
 */
export async function help(words: readonly string[], { terminal }: Io): Promise<string> {
  const width = Math.min(terminal?.size().columns ?? HELP_COLUMNS, HELP_COLUMNS);
  const [first] = words;
  if (first === undefined || first === "help") return helpOfAll(width);
  const called = words.length === 1 ? membersOf(first) : [];
  const commands = called.length > 0 ? called : [await find(words)];
  const { helpOf } = await import("./shared/help.ts");
  const helps = commands.map(async (command) => helpOf(await command.load(), width));
  return (await Promise.all(helps)).join("\n\n\n");
}

/** The one command that some words name. */
async function find(words: readonly string[]): Promise<Listed> {
  const command = commandOf(ALL, words);
  if (command && wordsOf(command).length === words.length) return command;
  throw (await import("./unknown_command.ts")).unknownHelp(words);
}

/** All that mq can do. */
export function helpOfAll(width: number): string {
  return [
    ...paragraphs(`mq ${VERSION}: a small event broker and its toolkit`, width),
    "",
    "Usage: mq COMMAND [arguments]",
    "",
    "Commands:",
    ...columns([
      ...COMMANDS.map(({ name, summary }) => [name, summary] as const),
      ["help COMMAND", "what a command takes, with examples"],
    ], width),
    "",
    ...columns([
      ["mq demo", "to begin with, in one terminal"],
      ["mq server, mq logger and mq app", "the same in three"],
    ], width),
  ].join("\n");
}
