/** Random choices that can be made again: the same seed, the same choices. */
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** A source of random choices. */
export class Random {
  readonly #generator: ReturnType<typeof xoroshiro128plus>;

  constructor(seed: number) {
    this.#generator = xoroshiro128plus(seed);
  }

  /** A whole number, the bounds included. */
  between(min: number, max: number): number {
    return uniformInt(this.#generator, min, max);
  }

  /** One of some items. */
  oneOf<T>(items: readonly T[]): T {
    return items[this.between(0, items.length - 1)];
  }

  /** Whether something that happens once in so many times happens now. */
  onceIn(times: number): boolean {
    return this.between(1, times) === 1;
  }

  /** So many random bytes. */
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.between(0, 255));
  }
}
