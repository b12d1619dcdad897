/**
 * The executable: finds the subcommand, gives it its arguments, and turns what became of it into an exit code.
 *
 * @module
 */
import { setColorEnabled } from "@std/fmt/colors";
import { DEFAULT_EVENTS, MqError, VERSION, visible } from "../mod.ts";
import { app } from "./app.ts";
import { benchConnect } from "./bench/connect.ts";
import { benchLatency } from "./bench/latency.ts";
import { benchThroughput } from "./bench/throughput.ts";
import { brokerFlags } from "./shared/broker_flags.ts";
import { cut } from "./shared/cells.ts";
import { type Command, commandOf, parseCommand, UsageError, wordsOf } from "./command.ts";
import { complete } from "./completion/complete.ts";
import { completions } from "./completion/completions.ts";
import { demo } from "./demo.ts";
import { events } from "./events.ts";
import { columns, HELP_COLUMNS, helpOf, paragraphs } from "./shared/help.ts";
import { logger } from "./logger.ts";
import { type Named, nameMeant, shellWord, shown } from "./shared/mistakes.ts";
import { on } from "./on.ts";
import { pub } from "./pub.ts";
import { server } from "./server.ts";
import { isReaderGone, whyNotWritten } from "./shared/sink.ts";
import { type Io, systemIo } from "./shared/stdio.ts";
import { top } from "./top.ts";
import { why } from "./why.ts";

/** The subcommands, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  server,
  logger,
  app,
  pub,
  events,
  on,
  why,
  top,
  demo,
  benchThroughput,
  benchLatency,
  benchConnect,
  completions,
];

/** All that runs: also what shells call and people do not, which the help leaves out. */
const ALL: readonly Command[] = [...COMMANDS, complete(COMMANDS)];

const PERMISSIONS: readonly Deno.PermissionName[] = ["net", "env", "read", "write", "run", "sys", "ffi"];

/** The longest sentence that is told of what went wrong. */
const MAX_TOLD_COLUMNS = 2000;

/** What ends a program is no command. */
const ENDING: readonly string[] = ["stop", "kill", "quit", "exit", "end", "down", "shutdown", "restart"];

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

/**
 * Runs mq.
 *
 * @param argv The arguments behind `mq`.
 * @param io What it reads from and writes to.
 * @returns The exit code: 0 done, 1 failed, 2 misused, 124 the time given ran out. (128 and the number of a signal, such as
 * 130 for Ctrl-C, is that of a program which a second signal has ended.)
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const code = await run(argv, io);
  await io.stdout.flush();
  const { failure } = io.stdout;
  if (failure === undefined) return code;
  const isGone = isReaderGone(failure) || io.stdout.isTerminal; // What cannot be written to a terminal: it was closed.
  if (isGone) return io.signal.reason === failure ? 0 : code;
  return fail(argv, new MqError("cannot-write", `Cannot write the output: ${whyNotWritten(failure)}`), io);
}

async function run(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(argv, io);
  } catch (error) {
    return io.signal.aborted && error === io.signal.reason ? 1 : fail(argv, error, io);
  }
}

function dispatch(argv: readonly string[], io: Io): Promise<number> {
  const [first, ...rest] = argv;
  if (first === undefined) throw new UsageError("it needs a command", "mq demo, or mq --help");
  if (["--version", "-V", "-v", "version"].includes(first)) return print(`mq ${VERSION}`, io);
  if (["help", "--help", "-h"].includes(first)) return help(rest, io);
  if (membersOf(first).length > 0 && ["--help", "-h"].includes(rest[0])) return help([first], io);
  const command = find(argv);
  const args = parseCommand(command, argv.slice(wordsOf(command).length), io.env);
  if (args.help) return print(helpOf(command, helpWidth(io)), io);
  dropPermissions(command.permissions);
  return command.run(args, io);
}

function help(words: readonly string[], io: Io): Promise<number> {
  const [first] = words;
  if (first === undefined || first === "help") return print(helpOfAll(helpWidth(io)), io);
  const members = membersOf(first);
  if (words.length === 1 && members.length > 0) {
    return print(members.map((command) => helpOf(command, helpWidth(io))).join("\n\n\n"), io);
  }
  const command = find(words, "help ");
  const isMore = words.length > wordsOf(command).length;
  if (isMore) throw new UsageError("help takes one command", "mq help server");
  return print(helpOf(command, helpWidth(io)), io);
}

function helpWidth({ terminal }: Io): number {
  return Math.min(terminal?.size().columns ?? HELP_COLUMNS, HELP_COLUMNS);
}

/** The commands of two words of which this is the first. */
function membersOf(word: string): Command[] {
  return COMMANDS.filter(({ name }) => name.startsWith(`${word} `));
}

function find(argv: readonly string[], before = ""): Command {
  const command = commandOf(ALL, argv);
  if (command) return command;
  const [first, second] = argv;
  const members = membersOf(first);
  if (members.length > 0) {
    throw unknown(second, members.map((command) => [wordsOf(command)[1]]), `${before}${first} `, argv.slice(2));
  }
  if (first.startsWith("-")) throw unknownFlag(argv);
  throw unknown(first, namesOf(COMMANDS), before, argv.slice(1));
}

/** The first words of commands, and the commands to which other words lead. */
function namesOf(commands: readonly Command[]): Named[] {
  const first = new Set(commands.map((command) => wordsOf(command)[0]));
  return [
    ...[...first].map((word): Named => [word]),
    ...commands.map(({ name, aliases }): Named => [name, aliases ?? []]),
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

function print(text: string, io: Io): Promise<number> {
  io.stdout.line(text);
  return Promise.resolve(0);
}

/** What a command does not need it cannot be made to misuse. */
function dropPermissions(needed: readonly Deno.PermissionName[]): void {
  for (const name of PERMISSIONS) {
    if (!needed.includes(name)) Deno.permissions.revokeSync({ name });
  }
}

function fail(argv: readonly string[], error: unknown, io: Io): number {
  const command = commandOf(ALL, argv);
  const program = command ? `mq ${command.name}` : "mq";
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError) {
    io.stderr.line(`${program}: ${told(message)}\nTry: ${told(error.hint)}`);
    return 2;
  }
  const isExpected = error instanceof MqError || error instanceof RangeError;
  io.stderr.line(
    isExpected
      ? `${program}: ${told(message)}`
      : `${program}: unexpected error: ${told(message)}. This is a bug in mq.`,
  );
  return 1;
}

/** A sentence as it is told: nothing in it steers a terminal, and it is never longer than a screen. */
function told(sentence: string): string {
  return visible(cut(sentence, MAX_TOLD_COLUMNS));
}

/** Whatever slips past every other net still comes as one sentence. */
function catchStrays(io: Io): void {
  const end = async (event: Event, error: unknown) => {
    event.preventDefault();
    try {
      io.terminal?.release();
      fail(Deno.args, error, io);
      await io.stderr.flush();
    } finally {
      Deno.exit(1); // If this fails, too, that must not come here again, and again.
    }
  };
  globalThis.addEventListener("error", (event) => end(event, event.error));
  globalThis.addEventListener("unhandledrejection", (event) => end(event, event.reason));
}

if (import.meta.main) {
  const io = systemIo();
  catchStrays(io);
  setColorEnabled(io.stdout.can.colors);
  const code = await main(Deno.args, io);
  await io.stderr.flush();
  Deno.exit(code);
}
