/**
 * The regular expressions of schemas, which are matched in time that grows with the text and no faster, whoever sends it.
 *
 * @module
 */
import { quote } from "../protocol/errors.ts";

/** The engine for all but simple expressions: RE2 in JavaScript. */
type Library = typeof import("re2js")["RE2JS"];

/** Quantifiers, escapes and classes: enough of the syntax to find simple expressions. */
const [BACK_REFERENCE, ESCAPE, CLASS, SPECIAL_GROUP, REPEATED_GROUP, GROUP] = [
  /\\[1-9k]/,
  /\\./gsu,
  /\[[^\]]*\]/g,
  /\(\?(?!:)/,
  /\)[*+?{]/,
  /\([^()]*\)/,
];
const VARIABLE_QUANTIFIER = /[*+?]|\{\d+,\d*\}/g;
const QUANTIFIER = /[*+?]|\{\d/;

/**
 * A regular expression.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const expressions = await Expressions.load();
 * assertEquals(expressions.make("^(a+)+$").test("a".repeat(100_000) + "b"), false);
 * ```
 */
export interface Expression {
  /**
   * Finds out whether a text has what matches it.
   *
   * @param text The text.
   * @returns True if it has.
   */
  test(text: string): boolean;
  /** The expression. Different expressions are different texts. */
  toString(): string;
}

/** The error for what is no regular expression, or none that is matched in linear time. */
export class ExpressionError extends SyntaxError {
  /** The name of the class. */
  override name = "ExpressionError";
}

/** Makes regular expressions. {@linkcode Expressions.load} makes one. */
export class Expressions {
  readonly #library: Library;

  private constructor(library: Library) {
    this.#library = library;
  }

  /**
   * Imports the engine.
   *
   * @returns What makes expressions.
   */
  static async load(): Promise<Expressions> {
    const { RE2JS } = await import("re2js");
    return new Expressions(RE2JS);
  }

  /**
   * Makes a regular expression. The engine of JavaScript matches a simple one, in a tenth of the time of the other.
   *
   * @param pattern The text of it, as JSON Schema has it (ECMA-262).
   * @returns The expression.
   * @throws {ExpressionError} If it is none, or one that cannot be matched in linear time.
   */
  make(pattern: string): Expression {
    const expression = regExp(pattern);
    if (isSimple(pattern)) return expression;
    try {
      return new LinearExpression(pattern, this.#library.compile(this.#library.translateRegExp(pattern)));
    } catch (cause) {
      const why = (cause as Error).message.replace(/^error parsing regexp: /, "");
      throw new ExpressionError(
        `${quote(pattern)} cannot be matched in linear time (${why}): write it without lookahead, lookbehind, ` +
          "back references and repetition of more than 1,000 times",
        { cause },
      );
    }
  }
}

/** An expression that RE2 matches. */
class LinearExpression implements Expression {
  readonly #pattern: string;
  readonly #re2: { test(text: string): boolean };

  constructor(pattern: string, re2: { test(text: string): boolean }) {
    this.#pattern = pattern;
    this.#re2 = re2;
  }

  test(text: string): boolean {
    return this.#re2.test(text);
  }

  toString(): string {
    return this.#pattern;
  }

  toJSON(): string {
    return this.#pattern;
  }
}

/** Makes a regular expression with the flag `u`, as the standard asks, or without it if it is only valid so. */
function regExp(pattern: string): RegExp {
  try {
    return new RegExp(pattern, "u");
  } catch {
    // Tried again below.
  }
  try {
    return new RegExp(pattern);
  } catch (cause) {
    throw new ExpressionError(`${quote(pattern)} is not a regular expression`, { cause });
  }
}

/**
 * Whether an engine that backtracks matches an expression in linear time: it has at most one group, which is not repeated, and
 * at most one part that may be repeated in different numbers; and where anything is repeated, it can begin at one place only.
 *
 * @param pattern A valid regular expression.
 * @returns False also for many that could be matched in linear time.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(["^[a-z]{1,64}$", "^(red|green)$", "^\\d{4}-\\d{2}$"].every(isSimple), true);
 * assertEquals(["^(a+)+$", "a+$", "^a*a*$", "^(?=a)a"].some(isSimple), false);
 * ```
 */
export function isSimple(pattern: string): boolean {
  if (BACK_REFERENCE.test(pattern)) return false;
  const bare = pattern.replace(ESCAPE, "x").replace(CLASS, "x");
  if (SPECIAL_GROUP.test(bare) || REPEATED_GROUP.test(bare)) return false;
  const isOneBranch = !bare.replace(GROUP, "x").match(/[(|]/);
  const variable = bare.replace("(?:", "(").match(VARIABLE_QUANTIFIER)?.length ?? 0;
  return isOneBranch && variable <= 1 && (bare.startsWith("^") || !QUANTIFIER.test(bare.replace("(?:", "(")));
}
