/**
 * Which connection stands where: each keeps its place while others come and go. Everything here is pure.
 *
 * @module
 */

/** Numbered places, those with a low number first. */
export class Seats {
  #seated: (string | undefined)[] = [];

  /** Seats these, the first of them first, on so many places. Who has a place keeps it, if it is still there. */
  seat(ids: readonly string[], places: number): void {
    const here = new Set(ids);
    this.#seated = Array.from({ length: places }, (_, place) => {
      const id = this.#seated[place];
      return id !== undefined && here.delete(id) ? id : undefined;
    });
    let place = 0;
    for (const id of here) {
      while (place < places && this.#seated[place] !== undefined) place++;
      if (place === places) return;
      this.#seated[place] = id;
    }
  }

  /** Who sits, with the number of the place. */
  *[Symbol.iterator](): Generator<[id: string, place: number]> {
    for (const [place, id] of this.#seated.entries()) if (id !== undefined) yield [id, place];
  }
}
