/**
 * Control lines that publish an event and get a receipt: `/pub`, and what is like it.
 *
 * @module
 */
import { ProtocolError, quote } from "../protocol/errors.ts";
import { formatErr, takeHeaders } from "../protocol/lines.ts";
import { formatPatterns } from "../protocol/pattern.ts";
import { takeWord } from "../protocol/text.ts";
import type { Waiter } from "./journal.ts";
import { Publication } from "./publication.ts";
import { PendingResponse } from "./response_queue.ts";

/** The longest REF and verb that a response repeats, in UTF-16 code units. */
export const MAX_WHAT_CHARACTERS = 64;

/** The verbs that publish, and how many words stand between each and the headers or name of the event. */
const WORDS_BEFORE_EVENT = new Map([["pub", 1], ["once", 2], ["delay", 2]]);

/**
 * Reads `REF [HEADERS] NAME [DATA]`.
 *
 * @param rest The text.
 * @param form What the whole line takes, for the error.
 * @param from The name of the publisher.
 * @returns The REF and the event.
 * @throws {ProtocolError} With the code `bad-arguments`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const { ref, event } = parsePublish('7 create {"id":1}', "/pub REF NAME", "shop");
 * assertEquals([ref, event.line, event.from], ["7", 'create {"id":1}', "shop"]);
 * ```
 */
export function parsePublish(rest: string, form: string, from: string): { ref: string; event: Publication } {
  const [ref, tail] = takeWord(rest);
  const [headers, line] = takeHeaders(tail);
  if (line === "" || ref === "-" || ref.length > MAX_WHAT_CHARACTERS) {
    const what = `with a REF of at most ${MAX_WHAT_CHARACTERS} characters other than "-"`;
    throw new ProtocolError("bad-arguments", `Cannot publish: it is ${form}, ${what}`);
  }
  return { ref, event: new Publication(line, from, tail.startsWith("{") ? headers : undefined) };
}

/**
 * Finds the event in a line that publishes one.
 *
 * @param line An event line, or a control line.
 * @returns The word where its name is to be, whatever that is; empty if there is none.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const lines = ["create 1", "/pub 7 create 1", '/delay 7 1h {"hops":2} create', "/sub create", "/pub"];
 * assertEquals(lines.map(eventIn), ["create", "create", "create", "", ""]);
 * ```
 */
export function eventIn(line: string): string {
  if (!line.startsWith("/")) return takeWord(line)[0];
  const [verb, tail] = takeWord(line.slice(1));
  const words = WORDS_BEFORE_EVENT.get(verb);
  if (words === undefined) return "";
  let rest = tail;
  for (let word = 0; word < words; word++) [, rest] = takeWord(rest);
  if (rest.startsWith("{")) [, rest] = takeWord(rest);
  return takeWord(rest)[0];
}

/** The receipt of an event that is stored: it is sent when the event is on disk. */
export class StoredReceipt extends PendingResponse implements Waiter {
  readonly #ref: string;
  readonly #event: Publication;
  /** For how many connections the event was queued. */
  receivers = 0;

  /**
   * Makes the receipt.
   *
   * @param ref The REF of the line.
   * @param event The event.
   */
  constructor(ref: string, event: Publication) {
    super();
    this.#ref = ref;
    this.#event = event;
  }

  /** See {@linkcode Waiter}. */
  settled(error: ProtocolError | undefined): void {
    if (error !== undefined) return this.resolve(formatErr(this.#ref, error));
    this.resolve(`/ok ${this.#ref} {"id":"${this.#event.id}","receivers":${this.receivers},"stored":true}`);
  }
}

/**
 * The error for an event that asked for a receipt and is not recognized.
 *
 * @param line Its line.
 * @param events The patterns of the events that are recognized.
 * @returns The error to send.
 */
export function unrecognized(line: string, events: readonly string[]): ProtocolError {
  const [name] = takeWord(line);
  return new ProtocolError("unrecognized", `Dropped ${quote(name)}: this broker recognizes ${formatPatterns(events)}`);
}
