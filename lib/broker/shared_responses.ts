/**
 * Responses that take much to make, made once for all who ask in the same tick.
 *
 * @module
 */
import { afterCurrentTick } from "../net/read_scheduler.ts";
import { encodeText } from "../protocol/text.ts";

/** How many responses of a tick are kept. */
const MAX_KEPT = 100;

/**
 * Keeps the bytes of responses until the end of the tick.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 *
 * const responses = new SharedResponses();
 * const first = responses.get("stats", () => '/ok stats {"connections":1}');
 * assert(responses.get("stats", () => "never made") === first);
 * ```
 */
export class SharedResponses {
  readonly #made = new Map<string, Uint8Array>();

  /**
   * Returns a response, which is made only if nobody has asked for it in this tick.
   *
   * @param question What was asked.
   * @param make Makes the response: a line, without its LF.
   * @returns Its bytes, with the LF.
   */
  get(question: string, make: () => string): Uint8Array {
    return this.#made.get(question) ?? this.#make(question, make);
  }

  #make(question: string, make: () => string): Uint8Array {
    const bytes = encodeText(make() + "\n");
    if (this.#made.size === 0) afterCurrentTick(() => this.#made.clear());
    if (this.#made.size < MAX_KEPT) this.#made.set(question, bytes);
    return bytes;
  }
}
