/**
 * The errors for unknown flags and wrong operands, which suggest what to type instead. Everything here is pure.
 *
 * @module
 */
import { ProtocolError, quote } from "../../lib/protocol/errors.ts";
import { formatPatterns } from "../../lib/protocol/pattern.ts";
import type { Command, Flag, Flags } from "../command.ts";
import { InvalidValueError, UnusableValueError, UsageError } from "./errors.ts";
import { splitFlag } from "./flag_syntax.ts";
import { TEXT } from "./operands.ts";
import { quoteIfNeeded, shellQuote, suggestName } from "./suggestions.ts";

/** A longer command line is not suggested. */
const MAX_HINT_CHARACTERS = 1000;

/** Names of secrets, which are no flags: other users of the machine can see a command line. */
const SECRETS: readonly string[] = ["token", "password", "secret", "auth"];

/** The error for a flag that a command does not have. */
export function unknownFlagError(
  { name, operands, elsewhere = {} }: Command,
  flags: Flags,
  argument: string,
): UsageError {
  const [flag, value] = argument.split(/=(.*)/s);
  const word = flag.replace(/^-+/, "");
  const problem = `unknown flag ${quoteIfNeeded(flag)}`;
  if (/^\d/.test(word)) {
    return new UsageError(problem, `put -- before an argument that begins with "-" and is not a flag`);
  }
  if (Object.hasOwn(elsewhere, word)) return new UsageError(problem, elsewhere[word]);
  if (SECRETS.includes(word) && "server" in flags) return new UsageError(problem, `MQ_TOKEN=TOKEN mq ${name}`);
  if (operands.suggestFor?.includes(word)) {
    return new UsageError(problem, `mq ${name} ${operands.form}, without a flag`);
  }
  const suggestion = suggestName(word, Object.entries(flags).map(([name, { suggestFor }]) => [name, suggestFor]));
  if (suggestion === undefined) return new UsageError(problem, `mq ${name} --help`);
  const { placeholder } = flags[suggestion];
  const typed = placeholder && (value === undefined ? placeholder : shellQuote(value));
  return new UsageError(problem, [`mq ${name} --${suggestion}`, typed].filter(Boolean).join(" "));
}

/**
 * A command line with another value of a flag; everything else is as it was typed.
 *
 * @param command The command.
 * @param argv All arguments.
 * @param name The flag, which is added if it is not among them.
 * @param value Its value.
 * @returns The command line; only the flag, if it would be too long.
 */
export function withFlagValue(command: Command, argv: readonly string[], name: string, value: string): string {
  const flag = [`--${name}`, value];
  const [index, length] = placeOf(command.flags, argv, name);
  const line = ["mq", command.name, ...argv.toSpliced(index, length, ...flag).map(shellQuote)].join(" ");
  return line.length <= MAX_HINT_CHARACTERS ? line : ["mq", command.name, ...flag.map(shellQuote)].join(" ");
}

/** Where a flag stands among arguments, and how many of them are the flag and its value. */
function placeOf(flags: Flags, argv: readonly string[], name: string): [index: number, length: number] {
  for (const [index, argument] of argv.entries()) {
    if (argument === "--") break;
    const [found, value] = splitFlag(flags, argument) ?? [];
    if (found === name) return [index, value === undefined ? 2 : 1];
  }
  return [0, 0];
}

/**
 * The error for operands that are invalid, missing or too many.
 *
 * @param command The command.
 * @param flags All its flags.
 * @param operands The operands.
 * @param argv All arguments, for the command line that is suggested.
 * @returns The error; undefined if the operands are valid.
 */
export function operandError(
  command: Command,
  flags: Flags,
  operands: readonly string[],
  argv: readonly string[],
): UsageError | undefined {
  const { form, min, max, hint } = command.operands;
  const help = `mq ${command.name} --help`;
  const problem = operands.map((operand, index) => whyInvalid(command, operand, index))
    .find((error) => error !== undefined);
  if (problem === undefined && operands.length < min) return new UsageError(`it needs ${form}`, help);
  if (problem === undefined && operands.length <= max) return undefined;
  const suggested = suggestionError(command, flags, operands, argv);
  if (suggested !== undefined) return suggested;
  if (problem !== undefined) return new UsageError(problem, help);
  return new UsageError(`unexpected argument ${formatPatterns(operands.slice(max).map(quote), 3, " ")}`, hint ?? help);
}

/** Why an operand is invalid; undefined if it is valid or one too many. */
function whyInvalid({ operands: { kinds = [TEXT] } }: Command, operand: string, index: number): string | undefined {
  try {
    (kinds[index] ?? kinds.at(-1)!).check(operand);
  } catch (error) {
    if (error instanceof InvalidValueError) return `it takes ${error.message}, not ${quote(operand)}`;
    if (error instanceof ProtocolError) return error.message;
    throw error;
  }
}

function isValid(command: Command, operand: string, index: number): boolean {
  return index < command.operands.max && whyInvalid(command, operand, index) === undefined;
}

/** The error that suggests what to type instead of some operands; undefined if nothing is suggested for any of them. */
function suggestionError(
  command: Command,
  flags: Flags,
  operands: readonly string[],
  argv: readonly string[],
): UsageError | undefined {
  const given = new Set(argv.map((argument) => splitFlag(flags, argument)?.[0]));
  const suggestions = new Map(
    operands.map((operand, index) => [operand, suggestOperand(command, { flags, given }, operands, index)]),
  );
  const first = [...suggestions].find(([, suggestion]) => suggestion !== undefined);
  if (first === undefined) return undefined;
  const line = ["mq", command.name, ...argv.map((argument) => suggestions.get(argument) ?? shellQuote(argument))].join(
    " ",
  );
  const isComplete = operands.every((operand, index) => suggestions.get(operand) ?? isValid(command, operand, index));
  const hint = isComplete && line.length <= MAX_HINT_CHARACTERS ? line : `mq ${command.name} --help`;
  const [typed, meant] = first;
  const how = typed === meant ? ", without the quotes" : "";
  return new UsageError(`unexpected argument ${quote(typed)}; did you mean ${meant}${how}?`, hint);
}

/** The flags of a command, and the names of those that are given or already suggested: each can be given once. */
interface KnownFlags {
  readonly flags: Flags;
  readonly given: Set<string | undefined>;
}

/** What to type instead of an operand; undefined if it is valid, or nothing is similar. */
function suggestOperand(
  command: Command,
  known: KnownFlags,
  operands: readonly string[],
  index: number,
): string | undefined {
  const { kinds = [TEXT], max } = command.operands;
  const operand = operands[index];
  if (isValid(command, operand, index)) return undefined;
  if (operand === "help") return "--help";
  if (operand.length > MAX_HINT_CHARACTERS) return undefined;
  const isFlagValue = Object.values(known.flags).some(({ suggestForValue }) => suggestForValue?.test(operand));
  if (isFlagValue) return suggestFlag(operand, known);
  return index < max ? (kinds[index] ?? kinds.at(-1)!).suggest(operand, index === operands.length - 1) : undefined;
}

/** The flag for which an operand would be a valid value, with that value: `--port 4000`. Then it counts as given. */
function suggestFlag(operand: string, { flags, given }: KnownFlags): string | undefined {
  const [name, flag] =
    Object.entries(flags).find(([name, flag]) =>
      !given.has(name) && flag.suggestForValue?.test(operand) && hasValidForm(flag, operand)
    ) ?? [];
  if (name === undefined) return undefined;
  given.add(name);
  return `${flag?.short ? `-${flag.short}` : `--${name}`} ${shellQuote(operand)}`;
}

function hasValidForm(flag: Flag<unknown>, text: string): boolean {
  try {
    flag.parse(text);
  } catch (error) {
    if (error instanceof InvalidValueError) return false;
    // Other errors are not about the form: a file that does not exist, for example.
    if (!(error instanceof UnusableValueError || error instanceof UsageError)) throw error;
  }
  return true;
}
