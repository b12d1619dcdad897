/**
 * Commands: their flags and operands as data, from which the parser of arguments and the help (shared/command_help.ts) are made.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { quote } from "../lib/protocol/errors.ts";
import type { Title } from "./commands.ts";
import { operandError, unknownFlagError, withFlagValue } from "./shared/argument_errors.ts";
import { InvalidValueError, UnusableValueError, UsageError } from "./shared/errors.ts";
import { joinWithOr, type ValueParser } from "./shared/flag_values.ts";
import { isSwitch, splitFlag } from "./shared/flag_syntax.ts";
import type { OperandKind } from "./shared/operands.ts";
import type { Environment, Io } from "./shared/stdio.ts";

export { UsageError };
export {
  age,
  choice,
  delay,
  DURATION,
  duration,
  durationText,
  folder,
  integer,
  list,
  size,
  sizeText,
  textFile,
  type ValueParser,
} from "./shared/flag_values.ts";

/** A flag of a command, such as `--port 3001`. */
export interface Flag<T> {
  readonly help: string;
  /** The placeholder of its value in the help, such as `PORT`. A flag without one is a switch, which takes no value. */
  readonly placeholder?: string;
  /** A one-letter name, such as `s`. */
  readonly short?: string;
  readonly defaultValue: T;
  /** The default as the help shows it; empty to show none. */
  readonly defaultText: string;
  /** The environment variable with its value for when the flag is not given. An empty variable counts as unset. */
  readonly variable?: keyof Environment;
  /** Names that are not accepted; the error for them suggests this flag. */
  readonly suggestFor?: readonly string[];
  /** The form of unexpected arguments for which the error suggests this flag. */
  readonly suggestForValue?: RegExp;
  readonly parse: ValueParser<T>;
}

/** The flags of a command by their names. */
// deno-lint-ignore no-explicit-any
export type Flags = Record<string, Flag<any>>;

export type Values<F extends Flags> = { [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

/** The parsed arguments of a command. */
export interface Args<F extends Flags = Flags> {
  /** The values of all flags, defaults included. */
  readonly flags: Values<F>;
  readonly operands: string[];
  /** The command line after `--`; empty if the command takes none. */
  readonly commandLine: string[];
}

/** A subcommand of mq. */
export interface Command<F extends Flags = Flags> extends Title {
  /** What it does, in a few lines. */
  readonly description: string;
  readonly operands: {
    /** The placeholders in the usage line. */
    readonly form: string;
    readonly min: number;
    readonly max: number;
    /** The placeholder of the command line after `--`. Without it, arguments after `--` are operands. */
    readonly commandLine?: string;
    /** What to type when there are too many operands. */
    readonly hint?: string;
    /** Flags that are not accepted; the error for them suggests an operand. */
    readonly suggestFor?: readonly string[];
    /** The kind of each operand; the last one applies to all that follow. Default: any text. */
    readonly kinds?: readonly OperandKind[];
  };
  readonly flags: F;
  /** Flags that are not accepted, each with the command line of another command that does what is meant. */
  readonly elsewhere?: Readonly<Record<string, string>>;
  /** Examples for the help, which can be pasted. */
  readonly examples: readonly (readonly [command: string, effect: string])[];
  /** The permissions that it needs; all others are dropped before it runs. */
  readonly permissions: readonly Deno.PermissionName[];
  /**
   * More permissions that it needs with some flags, until it has opened what they name: then it drops them itself.
   *
   * @param flags The values of the flags.
   */
  openingPermissions?(flags: Values<F>): readonly Deno.PermissionName[];
  /** Runs it; resolves to the exit code. */
  run(args: Args<F>, io: Io): Promise<number>;
}

/** Common names in other tools for a flag with a number of events. */
export const COUNT_NAMES: readonly string[] = ["times", "number", "limit", "max", "repeat", "c"];

/** Lets TypeScript infer the types of a command's flags. */
export function defineCommand<F extends Flags>(command: Command<F>): Command {
  return command as unknown as Command;
}

/** A flag without a value. */
export function toggle(help: string, options: Pick<Flag<boolean>, "short" | "suggestFor"> = {}): Flag<boolean> {
  return { help, ...options, defaultValue: false, defaultText: "", parse: () => true };
}

/** Options of {@linkcode option}. */
type FlagOptions<T, D> = Pick<Flag<T>, "short" | "variable" | "suggestFor" | "suggestForValue"> & {
  defaultValue?: [text: string, value: D];
};

/** A flag with a value. */
export function option<T, D = undefined>(
  placeholder: string,
  help: string,
  parse: ValueParser<T>,
  options: FlagOptions<T, D> = {},
): Flag<T | D> {
  const { defaultValue: [defaultText, defaultValue] = ["", undefined as D], ...more } = options;
  return { placeholder, help, parse, defaultText, defaultValue, ...more };
}

const HELP_FLAG: Flag<boolean> = toggle("Show this help.", { short: "h" });

/** The flags of a command, with those that every command has. */
export function flagsOf(command: Command): Flags {
  return { ...command.flags, help: HELP_FLAG };
}

/**
 * Parses the arguments of a command.
 *
 * @param command The command.
 * @param argv The arguments after its name.
 * @param env The environment variables that stand for flags.
 * @returns The arguments. If `help` is true, the others were not checked and `flags` is empty.
 * @throws {UsageError} If the arguments are wrong.
 */
export function parseCommand<F extends Flags>(
  command: Command<F>,
  argv: readonly string[],
  env: Environment = {},
): Args<F> & { help: boolean } {
  const flags = flagsOf(command);
  checkCommandLine(command, argv);
  const { given, operands, commandLine } = parse(command, flags, argv);
  const help = given.help !== undefined;
  if (help) return { flags: {} as Values<F>, operands, commandLine, help };
  const valueOf = (
    [name, flag]: [string, Flag<unknown>],
  ) => [name, flagValue({ command, argv, env }, name, flag, given[name])];
  const values = Object.fromEntries(Object.entries(flags).map(valueOf));
  checkUtf8([...Object.values(given), ...commandLine]);
  const problem = operandError(command, flags, operands, argv);
  if (problem !== undefined) throw problem;
  return { flags: values as Values<F>, operands, commandLine, help };
}

/** Arguments by flag, with the values as text. */
interface Parsed {
  readonly given: Readonly<Record<string, string | boolean | undefined>>;
  readonly operands: string[];
  readonly commandLine: string[];
}

function parse(command: Command, flags: Flags, argv: readonly string[]): Parsed {
  const names = Object.keys(flags);
  const operands: string[] = [];
  const { "--": rest, ...values } = parseArgs(attachValues(command, flags, argv), {
    "--": true,
    boolean: names.filter((name) => isSwitch(flags[name])),
    string: names.filter((name) => !isSwitch(flags[name])),
    collect: names,
    unknown(argument, key) {
      if (key !== undefined) throw unknownFlagError(command, flags, argument);
      operands.push(argument); // parseArgs would turn numbers into values of type number.
      return false;
    },
  });
  const given = Object.fromEntries(names.map((name) => [name, onlyOne(command, name, [values[name]].flat())]));
  return command.operands.commandLine === undefined
    ? { given, operands: [...operands, ...rest], commandLine: [] }
    : { given, operands, commandLine: rest };
}

function onlyOne(command: Command, name: string, [value, ...more]: (string | boolean)[]): string | boolean | undefined {
  if (more.length > 0) throw usage(command.name, `--${name} is given twice`);
  return value;
}

/**
 * Joins each flag and its value to one argument, `--count=-1`, because parseArgs guesses: it takes a value that begins with
 * "-" for a flag, ignores an empty value, takes the word `true` after a switch for its value, and `-sHOST` for five switches.
 */
function attachValues(command: Command, flags: Flags, argv: readonly string[]): string[] {
  const rest = [...argv];
  const attached: string[] = [];
  while (rest.length > 0 && rest[0] !== "--") attached.push(attachNext(command, flags, rest));
  return [...attached, ...rest];
}

/** Takes the next argument from the list, and its value if that is a separate argument. */
function attachNext(command: Command, flags: Flags, rest: string[]): string {
  const argument = rest.shift()!;
  const [name, attached] = splitFlag(flags, argument) ?? [];
  if (name === undefined) {
    if (argument.startsWith("--no-")) throw unknownFlagError(command, flags, argument); // parseArgs takes it for `--count=3`.
    return argument;
  }
  const flag = flags[name];
  if (!isSwitch(flag)) return `--${name}=${attached ?? separateValue(command, name, flag, rest.shift())}`;
  if (attached !== undefined) throw usage(command.name, `--${name} takes no value`);
  return `--${name}=true`;
}

function separateValue(command: Command, name: string, { parse, placeholder }: Flag<unknown>, next?: string): string {
  const isMissing = next === undefined || /^--?[A-Za-z]|^--$/.test(next);
  if (!isMissing) return next;
  throw usage(command.name, `--${name} needs a value: ${parse.words ? joinWithOr(parse.words) : placeholder}`);
}

/** Refuses values that are not UTF-8: the runtime has replaced their bytes. Operands are checked by their kind. */
function checkUtf8(values: unknown[]): void {
  const invalid = values.find((value) => typeof value === "string" && value.includes("\ufffd"));
  if (invalid === undefined) return;
  throw new UsageError(
    `${quote(String(invalid))} is not valid UTF-8, or contains U+FFFD, which replaces invalid bytes`,
    "text in UTF-8",
  );
}

/** Refuses a missing `--` first: without it, the command line would be parsed as operands and flags, with misleading errors. */
function checkCommandLine({ name, operands }: Command, argv: readonly string[]): void {
  const { commandLine, hint = `mq ${name} --help` } = operands;
  const end = argv.indexOf("--");
  const asksForHelp = argv.some((argument, index) => ["--help", "-h"].includes(argument) && (end < 0 || index < end));
  if (commandLine === undefined || asksForHelp || (end >= 0 && end < argv.length - 1)) return;
  throw new UsageError(`it needs -- and then ${commandLine}`, hint);
}

/** What a command was called with. */
interface Call {
  readonly command: Command;
  readonly argv: readonly string[];
  readonly env: Environment;
}

function flagValue({ command, argv, env }: Call, name: string, flag: Flag<unknown>, given: unknown): unknown {
  if (isSwitch(flag)) return given === true;
  const variable = flag.variable && env[flag.variable] ? flag.variable : undefined;
  const [source, text] = given === undefined && variable ? [variable, env[variable]] : [`--${name}`, given];
  if (text === undefined) return flag.defaultValue;
  try {
    return flag.parse(text as string);
  } catch (error) {
    if (error instanceof UnusableValueError) throw usage(command.name, `${source}: ${error.message}`);
    if (!(error instanceof InvalidValueError)) throw error;
    const { message, suggestion } = error;
    const problem = `${source} takes ${message}, not ${quote(text as string)}`;
    if (suggestion === undefined) throw usage(command.name, problem);
    throw new UsageError(`${problem}; did you mean ${suggestion}?`, withFlagValue(command, argv, name, suggestion));
  }
}

function usage(command: string, message: string): UsageError {
  return new UsageError(message, `mq ${command} --help`);
}
