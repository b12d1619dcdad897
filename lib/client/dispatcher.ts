/**
 * Which of a client's handlers hear an event, and which patterns that takes.
 *
 * @module
 */
import { copySubstring } from "../protocol/text.ts";
import type { MqEvent } from "../protocol/event.ts";
import type { Pattern } from "../protocol/pattern.ts";

/** How many names are remembered with their handlers. Past that all are forgotten and looked up again. */
const MAX_ROUTES = 10_000;

/** Where the events of a subscription go. */
export interface Handler {
  /** What it hears. An event that several of them match comes once. */
  readonly patterns: readonly Pattern[];
  /** Called with each event. */
  handle(event: MqEvent): void;
}

/**
 * Hands events to the handlers that hear them.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { MqEvent } from "../protocol/event.ts";
 * import { Pattern } from "../protocol/pattern.ts";
 *
 * const dispatcher = new Dispatcher();
 * const heard: string[] = [];
 * dispatcher.add({ patterns: [new Pattern("order.*")], handle: (event) => heard.push(event.name) });
 * dispatcher.dispatch(new MqEvent("order.paid", ""));
 * dispatcher.dispatch(new MqEvent("user.left", ""));
 * assertEquals(heard, ["order.paid"]);
 * ```
 */
export class Dispatcher<H extends Handler = Handler> {
  readonly #handlers = new Set<H>();
  readonly #uses = new Map<string, number>();
  readonly #routes = new Map<string, readonly H[]>();

  /** All handlers. */
  get handlers(): H[] {
    return [...this.#handlers];
  }

  /** The texts of all patterns that some handler hears. */
  get patterns(): string[] {
    return [...this.#uses.keys()];
  }

  /**
   * Adds a handler. To add it again does nothing.
   *
   * @param handler The handler.
   * @returns The texts of the patterns that no handler heard before.
   */
  add(handler: H): string[] {
    if (this.#handlers.has(handler)) return [];
    this.#handlers.add(handler);
    this.#routes.clear();
    return this.#count(handler, 1).filter((text) => this.#uses.get(text) === 1);
  }

  /**
   * Removes a handler. To remove it again does nothing.
   *
   * @param handler The handler.
   * @returns The texts of the patterns that no handler hears any more.
   */
  remove(handler: H): string[] {
    if (!this.#handlers.delete(handler)) return [];
    this.#routes.clear();
    const gone = this.#count(handler, -1).filter((text) => this.#uses.get(text) === 0);
    for (const text of gone) this.#uses.delete(text);
    return gone;
  }

  /**
   * Hands an event to every handler that hears it.
   *
   * @param event The event.
   */
  dispatch(event: MqEvent): void {
    for (const handler of this.#routes.get(event.name) ?? this.#find(event.name)) handler.handle(event);
  }

  #count(handler: H, change: 1 | -1): string[] {
    const texts = [...new Set(handler.patterns.map(({ text }) => text))];
    for (const text of texts) this.#uses.set(text, (this.#uses.get(text) ?? 0) + change);
    return texts;
  }

  #find(name: string): readonly H[] {
    if (this.#routes.size >= MAX_ROUTES) this.#routes.clear();
    const found = [...this.#handlers].filter(({ patterns }) => patterns.some((pattern) => pattern.matches(name)));
    this.#routes.set(copySubstring(name), found);
    return found;
  }
}
