/**
 * What a subcommand is, how its arguments are read, and how its help is drawn: both from the same table of flags.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { closestString } from "@std/text/closest-string";
import { levenshteinDistance } from "@std/text/levenshtein-distance";
import type { Environment, Io } from "./stdio.ts";

/** The arguments are wrong. `hint` says what to type instead. */
export class UsageError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** Reads the value of a flag; throws an Error that says what it takes, or a UsageError if it is not about the value. */
export interface Reader<T> {
  (text: string): T;
  /** All that it takes, where that is a few words. */
  readonly words?: readonly string[];
}

/** A flag of a command, such as `--port 3001`. */
export interface Flag<T> {
  readonly help: string;
  /** What stands for its value in the help, such as `PORT`. A flag without one is a switch. */
  readonly placeholder?: string;
  /** A one-letter name, such as `s`. */
  readonly short?: string;
  /** Its value when it is not given. */
  readonly fallback: T;
  /** What the help says of the fallback; nothing is said where it is empty. */
  readonly fallbackText: string;
  /** The variable of the environment that is read as its value when it is not given, and is not empty. */
  readonly variable?: keyof Environment;
  readonly read: Reader<T>;
}

/** The flags of a command by their names. */
// deno-lint-ignore no-explicit-any
export type Flags = Record<string, Flag<any>>;

/** The values of flags. */
export type Values<F extends Flags> = { [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

/** The arguments of a command, read. */
export interface Args<F extends Flags = Flags> {
  /** The values of all its flags. */
  readonly flags: Values<F>;
  /** What is not a flag. */
  readonly operands: string[];
  /** The command line behind `--`; empty where the command takes none. */
  readonly commandLine: string[];
}

/** A subcommand of mq. */
export interface Command<F extends Flags = Flags> {
  readonly name: string;
  /** What it does, in one line. */
  readonly summary: string;
  /** What it does, in a few. */
  readonly description: string;
  /** What it takes besides flags: how that is written, and how many there may be. */
  readonly operands: {
    readonly form: string;
    readonly min: number;
    readonly max: number;
    /** How the command line is written that it takes behind `--`. Without it, what stands there are operands, too. */
    readonly commandLine?: string;
    /** What to type when they are wrong. */
    readonly hint?: string;
  };
  readonly flags: F;
  /** Command lines that can be pasted, each with what it does. */
  readonly examples: readonly (readonly [command: string, effect: string])[];
  /** The permissions it needs; all others are dropped before it runs. */
  readonly permissions: readonly Deno.PermissionName[];
  /** Runs it; returns the exit code. */
  run(args: Args<F>, io: Io): Promise<number>;
}

/** Lets TypeScript infer the types of a command's flags. */
export function defineCommand<F extends Flags>(command: Command<F>): Command {
  return command as unknown as Command;
}

/** A flag that is there or not. */
export function toggle(help: string, options: { short?: string } = {}): Flag<boolean> {
  return { help, ...options, fallback: false, fallbackText: "", read: () => true };
}

/** A flag with a value. */
export function option<T, D = undefined>(
  placeholder: string,
  help: string,
  read: Reader<T>,
  options: { short?: string; fallback?: [text: string, value: D]; variable?: keyof Environment } = {},
): Flag<T | D> {
  const { short, variable } = options;
  const [fallbackText, fallback] = options.fallback ?? ["", undefined as D];
  return { placeholder, help, short, read, fallbackText, fallback, variable };
}

/** A reader of one of some words for {@linkcode option}. */
export function choice<T extends string>(...words: T[]): Reader<T> {
  const read = (text: string) => {
    if ((words as string[]).includes(text)) return text as T;
    throw new Error(words.join(" or "));
  };
  return Object.assign(read, { words });
}

/** A reader of whole numbers for {@linkcode option}. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
  return (text) => {
    const value = Number(text);
    if (!/^-?\d+$/.test(text) || value < min || value > max) throw new Error(`a whole number, ${range}`);
    return value;
  };
}

const UNITS_MS = new Map([["ms", 1], ["s", 1000], ["m", 60_000], ["h", 3_600_000]]);

/** A reader of durations for {@linkcode option}: `500ms`, `2s`, `1m`, `1h`. Returns milliseconds. */
export function duration(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * UNITS_MS.get(unit)!);
  if (unit === undefined || ms < 1 || ms > 2 ** 31 - 1) throw new Error("a duration such as 500ms, 2s or 1m");
  return ms;
}

/** A duration as {@linkcode duration} reads it: `2s`. */
export function durationText(ms: number): string {
  return inUnits(ms, UNITS_MS);
}

const UNITS_BYTES = new Map([["B", 1], ["", 1], ["KiB", 1024], ["MiB", 1024 ** 2], ["GiB", 1024 ** 3]]);

/** A reader of sizes for {@linkcode option}: `1000`, `64KiB`, `1MiB`. Returns bytes. */
export function size(text: string): number {
  const [, number, unit] = /^(\d+)(B|KiB|MiB|GiB|)$/.exec(text) ?? [];
  const bytes = Number(number) * UNITS_BYTES.get(unit)!;
  if (unit === undefined || bytes < 1 || !Number.isSafeInteger(bytes)) {
    throw new Error("a size in bytes such as 1000, 64KiB or 1MiB");
  }
  return bytes;
}

/** A size as {@linkcode size} reads it: `64KiB`. */
export function sizeText(bytes: number): string {
  return inUnits(bytes, UNITS_BYTES);
}

/** A whole number of the greatest unit that divides an amount. */
function inUnits(amount: number, units: ReadonlyMap<string, number>): string {
  const [name, unit] = [...units].findLast(([, unit]) => amount % unit === 0)!;
  return `${amount / unit}${name}`;
}

/** A reader of files for {@linkcode option}. Returns their text: before a command runs, it loses the right to read. */
export function textFile(text: string): string {
  try {
    return Deno.readTextFileSync(text);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound ? "there is none of that name" : (error as Error).name;
    throw new Error(`a text file that can be read (${why})`);
  }
}

/** A reader of lists for {@linkcode option}: `create,delete`. */
export function list(text: string): string[] {
  const items = text.split(",").map((item) => item.trim()).filter((item) => item !== "");
  if (items.length === 0) throw new Error("names with commas between them");
  return items;
}

const HELP_FLAG: Flag<boolean> = toggle("Show this help.", { short: "h" });

/** The flags of a command, those that all commands have included. */
export function flagsOf(command: Command): Flags {
  return { ...command.flags, help: HELP_FLAG };
}

/** The words that call a command. */
export function wordsOf({ name }: Command): string[] {
  return name.split(" ");
}

/** The command whose name an argument list begins with. */
export function commandOf(commands: readonly Command[], argv: readonly string[]): Command | undefined {
  return commands.find((command) => wordsOf(command).every((word, index) => argv[index] === word));
}

/**
 * Reads a command's arguments, and refuses what it does not declare.
 *
 * parseArgs guesses where this must not (numbers, a value that looks like a flag, a word `true` after a switch), so each
 * flag is given to it as one argument with its value, and is one that the command has.
 *
 * @param env Where the variables are that stand for flags.
 * @throws {UsageError} If they are wrong.
 */
export function parseCommand<F extends Flags>(
  command: Command<F>,
  argv: readonly string[],
  env: Environment = {},
): Args<F> & { help: boolean } {
  const flags = flagsOf(command);
  const names = Object.keys(flags);
  checkCommandLine(command, argv);
  const parsed = parseArgs(joinValues(command.name, flags, argv), {
    "--": true,
    boolean: names.filter((name) => isSwitch(flags[name])),
    string: ["_", ...names.filter((name) => !isSwitch(flags[name]))],
  });
  const help = parsed.help === true; // Then nobody looks at the other flags.
  const values = help ? {} : Object.fromEntries(
    names.map((name) => [name, readFlag(command.name, name, flags[name], parsed[name], env)]),
  );
  const [operands, commandLine] = command.operands.commandLine
    ? [parsed._, parsed["--"]]
    : [[...parsed._, ...parsed["--"]], []];
  if (!help) checkOperands(command, operands);
  return { flags: values as Values<F>, operands, commandLine, help };
}

/** Without its `--`, a command line would be read as operands and flags, and any of them would get the blame. */
function checkCommandLine({ name, operands }: Command, argv: readonly string[]): void {
  const { commandLine, hint = `mq ${name} --help` } = operands;
  const end = argv.indexOf("--");
  const asksForHelp = argv.some((argument, index) => ["--help", "-h"].includes(argument) && (end < 0 || index < end));
  if (commandLine === undefined || asksForHelp || (end >= 0 && end < argv.length - 1)) return;
  throw new UsageError(`it needs -- and behind it ${commandLine}`, hint);
}

/** Whether a flag is there or not, and takes no value. */
export function isSwitch(flag: Flag<unknown>): boolean {
  return flag.placeholder === undefined;
}

/** Rewrites each flag as `--name=value`. */
function joinValues(command: string, flags: Flags, argv: readonly string[]): string[] {
  const joined: string[] = [];
  const seen = new Set<string>();
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index];
    if (argument === "--") return [...joined, ...argv.slice(index)];
    if (!isFlag(argument)) {
      joined.push(argument);
      continue;
    }
    const parts = takeApart(flags, argument);
    if (parts === undefined) throw unknownFlag(command, flags, argument.replace(/=[^]*/, ""));
    const [name, attached] = parts;
    if (seen.has(name)) throw usage(command, `--${name} is given twice`);
    seen.add(name);
    if (isSwitch(flags[name])) {
      if (attached !== undefined) throw usage(command, `--${name} takes no value`);
      joined.push(`--${name}=true`);
      continue;
    }
    const value = attached ?? argv[++index];
    if (value === undefined || (attached === undefined && /^--?[A-Za-z]|^--$/.test(value))) {
      const { placeholder, read } = flags[name];
      throw usage(command, `--${name} needs a value: ${read.words?.join(" or ") ?? placeholder}`);
    }
    joined.push(`--${name}=${value}`);
  }
  return joined;
}

/** Whether an argument is a flag or tries to be one. */
export function isFlag(argument: string): boolean {
  return argument.startsWith("-") && argument !== "-";
}

/** Takes `--name=value`, `--name`, `-nVALUE` or `-n` apart; undefined if there is no such flag. */
export function takeApart(flags: Flags, argument: string): [name: string, value: string | undefined] | undefined {
  const [, long, value] = /^--([^=]+)(?:=([^]*))?$/.exec(argument) ?? [];
  if (long !== undefined) return Object.hasOwn(flags, long) ? [long, value] : undefined;
  const short = Object.keys(flags).find((name) => flags[name].short === argument[1]);
  return short === undefined ? undefined : [short, argument.slice(2).replace(/^=/, "") || undefined];
}

function unknownFlag(command: string, flags: Flags, flag: string): UsageError {
  const nearest = suggest(flag.replace(/^-+/, ""), Object.keys(flags));
  if (nearest) return new UsageError(`unknown flag ${flag}`, `mq ${command} --${nearest}`);
  const isData = /^-\d/.test(flag);
  return isData
    ? new UsageError(`unknown flag ${flag}`, `put -- before what begins with "-" and is not a flag`)
    : usage(command, `unknown flag ${flag}`);
}

function readFlag(command: string, name: string, flag: Flag<unknown>, given: unknown, env: Environment): unknown {
  if (isSwitch(flag)) return given === true;
  const variable = flag.variable && env[flag.variable] ? flag.variable : undefined;
  const [source, text] = given === undefined && variable ? [variable, env[variable]] : [`--${name}`, given];
  if (text === undefined) return flag.fallback;
  try {
    return flag.read(text as string);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw usage(command, `${source} takes ${(error as Error).message}, not ${JSON.stringify(text)}`);
  }
}

function checkOperands(command: Command, operands: string[]): void {
  const { form, min, max, hint = `mq ${command.name} --help` } = command.operands;
  if (operands.length < min) throw usage(command.name, `it needs ${form}`);
  if (operands.length > max) {
    const extra = operands.slice(max).map((operand) => JSON.stringify(operand)).join(" ");
    throw new UsageError(`it takes ${form || "no arguments"}; this is too much: ${extra}`, hint);
  }
}

function usage(command: string, message: string): UsageError {
  return new UsageError(message, `mq ${command} --help`);
}

/** The word of a list that somebody most likely meant; undefined if none is near. */
export function suggest(word: string, words: readonly string[]): string | undefined {
  if (words.length === 0) return undefined;
  const nearest = words.find((candidate) => word.startsWith(candidate)) ?? closestString(word, words);
  if (word.startsWith(nearest)) return nearest;
  return levenshteinDistance(word, nearest) <= Math.max(1, nearest.length / 2) ? nearest : undefined;
}

/** Draws a command's help. */
export function helpOf(command: Command): string {
  const { name, summary, description, operands, examples } = command;
  const flags = Object.entries(flagsOf(command));
  return [
    `mq ${name}: ${summary}`,
    "",
    ["Usage: mq", name, operands.form, "[flags]", operands.commandLine && `-- ${operands.commandLine}`]
      .filter(Boolean).join(" "),
    "",
    description,
    "",
    "Flags:",
    ...columns(flags.map(([name, flag]) => [
      flagForm(name, flag),
      flag.fallbackText ? `${flag.help} Default: ${flag.fallbackText}.` : flag.help,
    ])),
    "",
    "Examples:",
    ...columns(examples),
  ].join("\n");
}

function flagForm(name: string, { short, placeholder }: { short?: string; placeholder?: string }): string {
  return `${short ? `-${short}, ` : "    "}--${name}${placeholder ? ` ${placeholder}` : ""}`;
}

/** Lays rows of two cells out in columns. */
export function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([first]) => first.length));
  return rows.map(([first, second]) => `  ${first.padEnd(width)}  ${second}`);
}
