/** How much a connection may have in flight. */

/** A limit on publishes that are not acknowledged yet. */
export class Window {
  readonly size: number;
  #inFlight = 0;

  constructor(size: number) {
    this.size = size;
  }

  /** How many may be sent now. */
  get free(): number {
    return this.size - this.#inFlight;
  }

  get isEmpty(): boolean {
    return this.#inFlight === 0;
  }

  send(count: number): void {
    if (count > this.free) throw new RangeError(`Sent ${count} with room for ${this.free}`);
    this.#inFlight += count;
  }

  acknowledge(count: number): void {
    if (count > this.#inFlight) throw new RangeError(`${count} acknowledgements of ${this.#inFlight} in flight`);
    this.#inFlight -= count;
  }
}
