/**
 * The names in the legend: one for each colour, replaced when it has not been published for a while. Everything here is
 * pure.
 *
 * @module
 */

/** After this time without an event, another name of the same colour may take a name's place. */
const STALE_MS = 10_000;

/** The names of the legend. */
export class Legend {
  readonly #entries = new Map<number, { name: string; seenAt: number }>();

  /**
   * Takes a name that was published, or that the broker recognizes.
   *
   * @param name The name.
   * @param color The index of its colour in the palette.
   * @param now The time in milliseconds.
   * @returns Whether the legend has changed.
   */
  add(name: string, color: number, now: number): boolean {
    const entry = this.#entries.get(color);
    if (entry?.name === name) {
      entry.seenAt = now;
      return false;
    }
    if (entry !== undefined && now - entry.seenAt < STALE_MS) return false;
    this.#entries.set(color, { name, seenAt: now });
    return true;
  }

  /** Removes all names. */
  clear(): void {
    this.#entries.clear();
  }

  /** Iterates over the names, with the indices of their colours. */
  *[Symbol.iterator](): Generator<[name: string, color: number]> {
    for (const [color, { name }] of this.#entries) yield [name, color];
  }
}
