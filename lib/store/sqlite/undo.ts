/**
 * Takes back changes in memory when the transaction that they belong to fails.
 *
 * @module
 */

/** The changes of one transaction. */
export class Undo {
  readonly #steps: (() => void)[] = [];

  /**
   * Adds a change.
   *
   * @param step Takes it back.
   */
  add(step: () => void): void {
    this.#steps.push(step);
  }

  /** Takes all changes back, the last one first. */
  run(): void {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) step();
  }
}
