/**
 * Which names the legend shows: for each colour one, as long as it is seen now and then. Everything here is pure.
 *
 * @module
 */

/** A name makes room for another of its colour when it has not been seen for so long. */
const STALE_MS = 10_000;

/** The names of the legend. */
export class Legend {
  readonly #entries = new Map<number, { name: string; seenAt: number }>();

  /**
   * A name was seen, or is expected.
   *
   * @param name The name.
   * @param color Its colour's place in the palette.
   * @param now The time in milliseconds.
   * @returns Whether the legend has changed.
   */
  saw(name: string, color: number, now: number): boolean {
    const entry = this.#entries.get(color);
    if (entry?.name === name) {
      entry.seenAt = now;
      return false;
    }
    if (entry !== undefined && now - entry.seenAt < STALE_MS) return false;
    this.#entries.set(color, { name, seenAt: now });
    return true;
  }

  /** Forgets all names. */
  clear(): void {
    this.#entries.clear();
  }

  /** The names with the places of their colours. */
  *[Symbol.iterator](): Generator<[name: string, color: number]> {
    for (const [color, { name }] of this.#entries) yield [name, color];
  }
}
