/**
 * The functions of the program around a broker that it calls, and what goes wrong in them or in the broker itself.
 *
 * @module
 */

/** Calls a program's functions: what they throw is not the broker's to suffer, and neither is it lost. */
export class Callbacks {
  /** How much has gone wrong that is nobody else's doing. */
  errors = 0;
  readonly #onError: ((error: unknown) => void) | undefined;

  /**
   * Makes the callbacks of one broker.
   *
   * @param onError Called with each error. Without it, what the program's own functions throw goes to `reportError`.
   */
  constructor(onError?: (error: unknown) => void) {
    this.#onError = onError;
  }

  /**
   * Counts an error, and tells whoever runs the broker.
   *
   * @param error The error.
   */
  fail(error: unknown): void {
    this.errors++;
    attempt(() => this.#onError?.(error), reportError);
  }

  /**
   * Calls a function of the program.
   *
   * @param call Calls it. It may be async.
   */
  call(call: () => unknown): void {
    attempt(call, (error) => {
      this.fail(error);
      if (this.#onError === undefined) reportError(error);
    });
  }
}

/** Calls a function, and another one with what it throws, be it later. */
function attempt(call: () => unknown, onThrow: (error: unknown) => void): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch(onThrow);
  } catch (error) {
    onThrow(error);
  }
}
