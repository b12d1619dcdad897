/**
 * What a subcommand is, and how its arguments are read: by its table of flags, of which its help is made, too (help.ts).
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { ProtocolError, quote } from "../lib/protocol/errors.ts";
import { formatPatterns } from "../lib/protocol/pattern.ts";
import type { Title } from "./commands.ts";
import { nameMeant, shellWord, shown } from "./shared/mistakes.ts";
import { type OperandKind, TEXT } from "./shared/operands.ts";
import { either, FormError, type Reader, ValueError } from "./shared/readers.ts";
import type { Environment, Io } from "./shared/stdio.ts";

export {
  choice,
  DURATION,
  duration,
  durationText,
  integer,
  list,
  type Reader,
  size,
  sizeText,
  textFile,
} from "./shared/readers.ts";

/** The arguments are wrong. `hint` says what to type instead. */
export class UsageError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
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
  /** Other words for it, which are no flags: who types one is told its name. */
  readonly aliases?: readonly string[];
  /** How a value looks that can be told for its own where its name was left out. */
  readonly looks?: RegExp;
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
export interface Command<F extends Flags = Flags> extends Title {
  /** What it does, in a few lines. */
  readonly description: string;
  /** What it takes besides flags: how that is written, and how many there may be. */
  readonly operands: {
    readonly form: string;
    readonly min: number;
    readonly max: number;
    /** How the command line is written that it takes behind `--`. Without it, what stands there are operands, too. */
    readonly commandLine?: string;
    /** What to type when there are too many. */
    readonly hint?: string;
    /** Other words for them, which are no flags: they stand without one. */
    readonly aliases?: readonly string[];
    /** What each is; all that may follow are like the last one. Without them any text will do. */
    readonly kinds?: readonly OperandKind[];
  };
  readonly flags: F;
  /** Command lines that can be pasted, each with what it does. */
  readonly examples: readonly (readonly [command: string, effect: string])[];
  /** The permissions it needs; all others are dropped before it runs. */
  readonly permissions: readonly Deno.PermissionName[];
  /** Runs it; returns the exit code. */
  run(args: Args<F>, io: Io): Promise<number>;
}

/** What else people call a flag that says how many events there are to be. */
export const COUNT_ALIASES: readonly string[] = ["times", "number", "limit", "max", "repeat", "c"];

/** Lets TypeScript infer the types of a command's flags. */
export function defineCommand<F extends Flags>(command: Command<F>): Command {
  return command as unknown as Command;
}

/** A flag that is there or not. */
export function toggle(help: string, options: Pick<Flag<boolean>, "short" | "aliases"> = {}): Flag<boolean> {
  return { help, ...options, fallback: false, fallbackText: "", read: () => true };
}

/** A flag with a value. */
export function option<T, D = undefined>(
  placeholder: string,
  help: string,
  read: Reader<T>,
  options: Pick<Flag<T>, "short" | "variable" | "aliases" | "looks"> & { fallback?: [text: string, value: D] } = {},
): Flag<T | D> {
  const { fallback: [fallbackText, fallback] = ["", undefined as D], ...more } = options;
  return { placeholder, help, read, fallbackText, fallback, ...more };
}

const HELP_FLAG: Flag<boolean> = toggle("Show this help.", { short: "h" });

/** The flags of a command, those that all commands have included. */
export function flagsOf(command: Command): Flags {
  return { ...command.flags, help: HELP_FLAG };
}

/**
 * Reads a command's arguments, and refuses what it does not declare.
 *
 * @param command The command.
 * @param argv The arguments after its name.
 * @param env The variables that stand for flags.
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
  const help = given.help !== undefined; // Then the other arguments do not matter.
  if (help) return { flags: {} as Values<F>, operands, commandLine, help };
  const read = ([name, flag]: [string, Flag<unknown>]) => [name, readFlag(command.name, name, flag, given[name], env)];
  const values = Object.fromEntries(Object.entries(flags).map(read));
  checkText([...Object.values(given), ...commandLine]);
  checkOperands(command, flags, operands, argv);
  return { flags: values as Values<F>, operands, commandLine, help };
}

/** Arguments taken apart, their values not yet read. */
interface Parsed {
  /** The flags that were given. */
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
      if (key !== undefined) throw unknownFlag(command, argument);
      operands.push(argument); // parseArgs itself would make numbers of those that look like one.
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
 * Writes each flag and its value as one argument, `--count=-1`, because parseArgs guesses: it takes a value that begins with
 * "-" for a flag, ignores an empty one, takes a word `true` after a switch for its value, and `-sHOST` for five switches.
 */
function attachValues(command: Command, flags: Flags, argv: readonly string[]): string[] {
  const rest = [...argv];
  const attached: string[] = [];
  while (rest.length > 0 && rest[0] !== "--") attached.push(attachNext(command, flags, rest));
  return [...attached, ...rest];
}

/** Takes the next argument, and its value if that is an argument of its own. */
function attachNext(command: Command, flags: Flags, rest: string[]): string {
  const argument = rest.shift()!;
  const [name, attached] = takeApart(flags, argument) ?? [];
  if (name === undefined) {
    if (argument.startsWith("--no-")) throw unknownFlag(command, argument); // parseArgs: `--no-count=3` is `--count=3`.
    return argument;
  }
  const flag = flags[name];
  if (!isSwitch(flag)) return `--${name}=${attached ?? separateValue(command, name, flag, rest.shift())}`;
  if (attached !== undefined) throw usage(command.name, `--${name} takes no value`);
  return `--${name}=true`;
}

function separateValue(command: Command, name: string, { read, placeholder }: Flag<unknown>, next?: string): string {
  const isMissing = next === undefined || /^--?[A-Za-z]|^--$/.test(next);
  if (!isMissing) return next;
  throw usage(command.name, `--${name} needs a value: ${read.words ? either(read.words) : placeholder}`);
}

/** What is not UTF-8 would go on as something else. Operands are looked at by whoever takes them. */
function checkText(values: unknown[]): void {
  const strange = values.find((value) => typeof value === "string" && value.includes("\ufffd"));
  if (strange === undefined) return;
  throw new UsageError(
    `${quote(String(strange))} is not UTF-8, or has U+FFFD in it, which stands for what is not`,
    "text in UTF-8",
  );
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

/** Whether an argument is a flag or tries to be one. */
export function isFlag(argument: string): boolean {
  return argument.startsWith("-") && argument !== "-";
}

/** Takes `--name=value`, `--name`, `-nVALUE` or `-n` apart; undefined if there is no such flag. */
export function takeApart(flags: Flags, argument: string): [name: string, value: string | undefined] | undefined {
  if (!isFlag(argument)) return undefined;
  const [, long, value] = /^--([^=]+)(?:=([^]*))?$/.exec(argument) ?? [];
  if (long !== undefined) return Object.hasOwn(flags, long) ? [long, value] : undefined;
  const short = Object.keys(flags).find((name) => flags[name].short === argument[1]);
  return short === undefined ? undefined : [short, argument.slice(2).replace(/^=/, "") || undefined];
}

/** A longer command line is not told again. */
const MAX_HINT_CHARACTERS = 1000;

/** What is no flag because it is secret: a command line can be seen by others. */
const SECRETS: readonly string[] = ["token", "password", "secret", "auth"];

function unknownFlag(command: Command, argument: string): UsageError {
  const { name, operands } = command;
  const flags = flagsOf(command);
  const [flag, value] = argument.split(/=(.*)/s);
  const word = flag.replace(/^-+/, "");
  const problem = `unknown flag ${shown(flag)}`;
  if (/^\d/.test(word)) return new UsageError(problem, `put -- before what begins with "-" and is not a flag`);
  if (SECRETS.includes(word) && "server" in flags) return new UsageError(problem, `MQ_TOKEN=TOKEN mq ${name}`);
  if (operands.aliases?.includes(word)) return new UsageError(problem, `mq ${name} ${operands.form}, without a flag`);
  const meant = nameMeant(word, Object.entries(flags).map(([name, { aliases }]) => [name, aliases]));
  if (meant === undefined) return usage(name, problem);
  const { placeholder } = flags[meant];
  const typed = placeholder && (value === undefined ? placeholder : shellWord(value));
  return new UsageError(problem, [`mq ${name} --${meant}`, typed].filter(Boolean).join(" "));
}

function readFlag(command: string, name: string, flag: Flag<unknown>, given: unknown, env: Environment): unknown {
  if (isSwitch(flag)) return given === true;
  const variable = flag.variable && env[flag.variable] ? flag.variable : undefined;
  const [source, text] = given === undefined && variable ? [variable, env[variable]] : [`--${name}`, given];
  if (text === undefined) return flag.fallback;
  try {
    return flag.read(text as string);
  } catch (error) {
    if (error instanceof ValueError) throw usage(command, `${source}: ${error.message}`);
    if (!(error instanceof FormError)) throw error;
    const { message, meant } = error;
    const problem = `${source} takes ${message}, not ${quote(text as string)}`;
    if (meant === undefined) throw usage(command, problem);
    throw new UsageError(`${problem}; did you mean ${meant}?`, `mq ${command} --${name} ${shellWord(meant)}`);
  }
}

function checkOperands(command: Command, flags: Flags, operands: string[], argv: readonly string[]): void {
  const { form, min, max, hint = `mq ${command.name} --help` } = command.operands;
  const problem = operands.map((operand, index) => whyNot(command, operand, index)).find((error) =>
    error !== undefined
  );
  if (problem === undefined && operands.length < min) throw usage(command.name, `it needs ${form}`);
  if (problem === undefined && operands.length <= max) return;
  const given = new Set(argv.filter(isFlag).map((argument) => takeApart(flags, argument)?.[0]));
  const meant = new Map(
    operands.map((operand, index) => [operand, meantBy(command, { flags, given }, operand, index)]),
  );
  const first = [...meant].find(([, meant]) => meant !== undefined);
  if (first !== undefined) {
    const line = ["mq", command.name, ...argv.map((argument) => meant.get(argument) ?? shellWord(argument))].join(" ");
    const isWhole = operands.every((operand, index) => meant.get(operand) ?? isFine(command, operand, index));
    const hint = isWhole && line.length <= MAX_HINT_CHARACTERS ? line : `mq ${command.name} --help`;
    throw new UsageError(`unexpected argument ${quote(first[0])}; did you mean ${first[1]}?`, hint);
  }
  if (problem !== undefined) throw usage(command.name, problem);
  throw new UsageError(`unexpected argument ${formatPatterns(operands.slice(max).map(quote), 3, " ")}`, hint);
}

/** Why an operand is none of its kind; undefined if it is one, or too many. */
function whyNot({ operands: { kinds = [TEXT] } }: Command, operand: string, index: number): string | undefined {
  try {
    (kinds[index] ?? kinds.at(-1)!).check(operand);
  } catch (error) {
    if (error instanceof FormError) return `it takes ${error.message}, not ${quote(operand)}`;
    if (error instanceof ProtocolError) return error.message;
    throw error;
  }
}

function isFine(command: Command, operand: string, index: number): boolean {
  return index < command.operands.max && whyNot(command, operand, index) === undefined;
}

/** How an operand was meant that cannot be one, as it is typed; undefined if that is not plain. */
function meantBy(command: Command, known: Known, operand: string, index: number): string | undefined {
  const { kinds = [TEXT], max } = command.operands;
  if (isFine(command, operand, index)) return undefined;
  if (operand === "help") return "--help";
  if (operand.length > MAX_HINT_CHARACTERS) return undefined;
  if (Object.values(known.flags).some(({ looks }) => looks?.test(operand))) return flagMeant(operand, known);
  return index < max ? (kinds[index] ?? kinds.at(-1)!).meant(operand) : undefined;
}

/** The flags of a command, and the names of those that were given: each can be given once. */
interface Known {
  readonly flags: Flags;
  readonly given: Set<string | undefined>;
}

/** The flag whose value an operand looks like and can be, as it is typed: `--port 4000`. Then it counts as given. */
function flagMeant(operand: string, { flags, given }: Known): string | undefined {
  const [name, flag] =
    Object.entries(flags).find(([name, flag]) =>
      !given.has(name) && flag.looks?.test(operand) && canBe(flag, operand)
    ) ?? [];
  if (name === undefined) return undefined;
  given.add(name);
  return `${flag?.short ? `-${flag.short}` : `--${name}`} ${shellWord(operand)}`;
}

/** Whether a value has the form that a flag takes. */
function canBe(flag: Flag<unknown>, text: string): boolean {
  try {
    flag.read(text);
  } catch (error) {
    if (error instanceof FormError) return false;
    if (!(error instanceof ValueError || error instanceof UsageError)) throw error; // A file that is not there, say.
  }
  return true;
}

function usage(command: string, message: string): UsageError {
  return new UsageError(message, `mq ${command} --help`);
}
