/**
 * The errors of a wrong command line.
 *
 * @module
 */

/** The arguments are wrong. `hint` says what to type instead. */
export class UsageError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** The value of a flag has a wrong form. The message says what the flag takes: `a whole number, 1 or more`. */
export class InvalidValueError extends Error {
  /** A value that was probably meant. */
  readonly suggestion?: string;

  constructor(expected: string, suggestion?: string) {
    super(expected);
    this.suggestion = suggestion;
  }
}

/** The value of a flag cannot be used for another reason, such as a file that does not exist. The message says why. */
export class UnusableValueError extends Error {}
