/**
 * Slows down who guesses tokens, and tells of it.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { formatAddress } from "../protocol/address.ts";
import { ProtocolError } from "../protocol/errors.ts";

/** How long after one wrong token of an address the next is answered, and how long it waits at most, in milliseconds. */
const [INTERVAL_MS, MAX_DELAY_MS] = [100, 10_000];

/** How many addresses are remembered. Past that, the one that has guessed first is forgotten. */
const MAX_ADDRESSES = 10_000;

/** What is remembered of an address. */
interface Guesser {
  times: number;
  /** When the next wrong token is answered, by `performance.now()`. */
  nextAt: number;
}

/**
 * The wrong tokens that came over HTTP.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const told: number[] = [];
 * const guesses = new TokenGuesses((_error, times) => told.push(times));
 * for (let times = 0; times < 3; times++) await guesses.delay({ hostname: "127.0.0.1", port: 50_000, transport: "tcp" });
 * assertEquals(told, [1]);
 * ```
 */
export class TokenGuesses {
  readonly #guessers = new Map<string, Guesser>();
  readonly #tell: (error: ProtocolError, times: number) => void;

  /**
   * Starts without any.
   *
   * @param tell Called with the first wrong token of an address, the tenth, the hundredth and so on.
   */
  constructor(tell: (error: ProtocolError, times: number) => void) {
    this.#tell = tell;
  }

  /**
   * Counts a wrong token.
   *
   * @param address Where it came from.
   * @returns Resolves when it may be answered.
   */
  delay(address: Deno.NetAddr): Promise<void> {
    const guesser = this.#guesserAt(address.hostname);
    guesser.times++;
    if (Number.isInteger(Math.log10(guesser.times))) {
      const message = `Refused an HTTP request of ${formatAddress(address)}: its token is none of this broker's`;
      this.#tell(new ProtocolError("unauthorized", message), guesser.times);
    }
    const now = performance.now();
    const waitMs = Math.min(Math.max(guesser.nextAt - now, 0), MAX_DELAY_MS);
    guesser.nextAt = now + waitMs + INTERVAL_MS;
    return delay(waitMs);
  }

  #guesserAt(hostname: string): Guesser {
    const guesser = this.#guessers.get(hostname) ?? { times: 0, nextAt: 0 };
    this.#guessers.set(hostname, guesser);
    if (this.#guessers.size > MAX_ADDRESSES) this.#guessers.delete(this.#guessers.keys().next().value!);
    return guesser;
  }
}
