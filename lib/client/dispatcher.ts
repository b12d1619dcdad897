/**
 * Which of a client's handlers receive an event, and which patterns the broker has to be asked for.
 *
 * @module
 */
import type { ConnectionError, ProtocolError } from "../protocol/errors.ts";
import type { MqEvent } from "../protocol/event.ts";
import type { Pattern } from "../protocol/pattern.ts";
import { copySubstring } from "../protocol/text.ts";

/** How many names are remembered with their handlers. Past that all are forgotten and looked up again. */
const MAX_ROUTES = 10_000;

/** Somebody who receives events. */
export interface Handler {
  /** The patterns of the events that it receives. An event that several of them match comes once. */
  readonly patterns: readonly Pattern[];
  /** Called with each event. */
  onEvent(event: MqEvent): void;
}

/** A handler for whose patterns the broker has to be asked, and what it is told of that. */
export interface Receiver extends Handler {
  /** Called when the broker has taken its patterns in. */
  onReady(): void;
  /** Called when the broker has refused one of its patterns: no events will come. */
  onRefused(error: ProtocolError): void;
  /** Called when the client is closed: no more events will come. With a failure, the client has closed itself. */
  onClosed(reason: ConnectionError, failure?: ConnectionError): void;
}

/**
 * Hands events to the handlers with a pattern that matches.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { MqEvent } from "../protocol/event.ts";
 * import { Pattern } from "../protocol/pattern.ts";
 *
 * const dispatcher = new Dispatcher();
 * const received: string[] = [];
 * dispatcher.add({ patterns: [new Pattern("order.*")], onEvent: (event) => received.push(event.name) });
 * dispatcher.dispatch(new MqEvent("order.paid", ""));
 * dispatcher.dispatch(new MqEvent("user.left", ""));
 * assertEquals(received, ["order.paid"]);
 * ```
 */
export class Dispatcher<H extends Handler = Handler> {
  readonly #handlers = new Set<H>();
  /** The handlers that were not released. */
  readonly #wanting = new Set<H>();
  /** How many of them have each pattern. */
  readonly #uses = new Map<string, number>();
  readonly #routes = new Map<string, readonly H[]>();

  /** All handlers. */
  get handlers(): H[] {
    return [...this.#handlers];
  }

  /** The texts of all patterns that events are still wanted for. */
  get patterns(): string[] {
    return [...this.#uses.keys()];
  }

  /**
   * Adds a handler. To add it again does nothing.
   *
   * @param handler The handler.
   */
  add(handler: H): void {
    if (this.#handlers.has(handler)) return;
    this.#handlers.add(handler);
    this.#wanting.add(handler);
    this.#count(handler, 1);
    this.#routes.clear();
  }

  /**
   * Notes that a handler wants no more events. It is still given those that come until it is removed.
   *
   * @param handler The handler.
   */
  release(handler: H): void {
    if (this.#wanting.delete(handler)) this.#count(handler, -1);
  }

  /**
   * Removes a handler. To remove it again does nothing.
   *
   * @param handler The handler.
   */
  remove(handler: H): void {
    this.release(handler);
    if (this.#handlers.delete(handler)) this.#routes.clear();
  }

  /**
   * Hands an event to every handler with a pattern that matches it.
   *
   * @param event The event.
   */
  dispatch(event: MqEvent): void {
    for (const handler of this.#routes.get(event.name) ?? this.#find(event.name)) handler.onEvent(event);
  }

  #count({ patterns }: H, change: 1 | -1): void {
    for (const text of new Set(patterns.map(({ text }) => text))) {
      const uses = (this.#uses.get(text) ?? 0) + change;
      if (uses > 0) this.#uses.set(text, uses);
      else this.#uses.delete(text);
    }
  }

  #find(name: string): readonly H[] {
    if (this.#routes.size >= MAX_ROUTES) this.#routes.clear();
    const found = [...this.#handlers].filter(({ patterns }) => patterns.some((pattern) => pattern.matches(name)));
    this.#routes.set(copySubstring(name), found);
    return found;
  }
}
