/**
 * Assigns the slots of the picture to participants, so that each keeps its slot while others come and go. Everything
 * here is pure.
 *
 * @module
 */

/** Numbered slots, of which the lowest free ones are assigned first. */
export class SlotAllocator {
  #slots: (string | undefined)[] = [];

  /**
   * Assigns slots.
   *
   * @param ids Who needs a slot, the first with precedence. An id that has a slot keeps it if that slot still exists.
   * @param count How many slots there are; ids beyond that get none.
   */
  assign(ids: readonly string[], count: number): void {
    const unassigned = new Set(ids);
    this.#slots = Array.from({ length: count }, (_, slot) => {
      const id = this.#slots[slot];
      return id !== undefined && unassigned.delete(id) ? id : undefined;
    });
    let slot = 0;
    for (const id of unassigned) {
      while (slot < count && this.#slots[slot] !== undefined) slot++;
      if (slot === count) return;
      this.#slots[slot] = id;
    }
  }

  /** Iterates over the ids that have a slot, with the numbers of their slots. */
  *[Symbol.iterator](): Generator<[id: string, slot: number]> {
    for (const [slot, id] of this.#slots.entries()) if (id !== undefined) yield [id, slot];
  }
}
