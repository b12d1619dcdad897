/**
 * Responses that take much to make, made once for all who ask in the same tick.
 *
 * @module
 */
import { giveAway } from "../net/buffers.ts";
import { afterCurrentTick } from "../net/ticks.ts";
import { encodeText } from "../protocol/text.ts";

/** How many responses of a tick are kept. */
const MAX_KEPT = 100;

/**
 * Keeps the bytes of responses until the end of the tick, or until what they tell has changed.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 *
 * const responses = new SharedResponses();
 * const first = responses.get("clients", 1, () => "/ok clients []");
 * assert(responses.get("clients", 1, () => "never made") === first);
 * assert(responses.get("clients", 2, () => '/ok clients [{"name":"ann"}]') !== first);
 * ```
 */
export class SharedResponses {
  readonly #made = new Map<string, Uint8Array>();
  #version = 0;
  #isEndScheduled = false;

  /**
   * Returns a response, which is made only if nobody has asked for it in this tick. A client that changes something and then
   * asks is told the change, even if both arrive in one tick.
   *
   * @param question What was asked.
   * @param version Of which version of the state the response has to be. All that are kept are of the same one.
   * @param make Makes the response: a line, without its LF.
   * @returns Its bytes, with the LF.
   */
  get(question: string, version: number, make: () => string): Uint8Array {
    if (version !== this.#version) this.#forget();
    this.#version = version;
    return this.#made.get(question) ?? this.#make(question, make);
  }

  #make(question: string, make: () => string): Uint8Array {
    const bytes = encodeText(make() + "\n");
    if (!this.#isEndScheduled) this.#scheduleEnd();
    if (this.#made.size >= MAX_KEPT) return giveAway(bytes);
    this.#made.set(question, bytes);
    return bytes;
  }

  #scheduleEnd(): void {
    this.#isEndScheduled = true;
    afterCurrentTick(() => {
      this.#isEndScheduled = false;
      this.#forget();
    });
  }

  #forget(): void {
    for (const bytes of this.#made.values()) giveAway(bytes);
    this.#made.clear();
  }
}
