/**
 * Finds the handlers of a client whose patterns match an event, and keeps the patterns to subscribe to.
 *
 * @module
 */
import type { ConnectionError, ProtocolError } from "../protocol/errors.ts";
import type { MqEvent } from "../protocol/event.ts";
import type { Pattern } from "../protocol/pattern.ts";
import { copySubstring } from "../protocol/text.ts";

/** The most names that are cached with their handlers. After that the cache is cleared. */
const MAX_ROUTES = 10_000;

/** Receives events. */
export interface Handler {
  /** The patterns of the events that it receives. An event that several of them match is received once. */
  readonly patterns: readonly Pattern[];
  /** Called with each event. */
  onEvent(event: MqEvent): void;
}

/** A handler that is told what happens to its patterns at the broker. */
export interface Receiver extends Handler {
  /** Called when the broker has subscribed the connection to its patterns. */
  onReady(): void;
  /** Called when the broker has refused one of its patterns: it receives no events. */
  onRefused(error: ProtocolError): void;
  /** Called when the client is closed; with a failure if that is because it no longer tries to reconnect. */
  onClosed(reason: ConnectionError, failure?: ConnectionError): void;
}

/**
 * Dispatches events to the handlers whose patterns match.
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
  readonly #active = new Set<H>();
  /** How many of them have each pattern. */
  readonly #uses = new Map<string, number>();
  readonly #routes = new Map<string, readonly H[]>();

  /** All handlers. */
  get handlers(): H[] {
    return [...this.#handlers];
  }

  /** The texts of the patterns of all handlers that were not released. */
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
    this.#active.add(handler);
    this.#count(handler, 1);
    this.#routes.clear();
  }

  /**
   * Leaves out the patterns of a handler that is to be removed. It receives events until then.
   *
   * @param handler The handler.
   */
  release(handler: H): void {
    if (this.#active.delete(handler)) this.#count(handler, -1);
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
   * Dispatches an event to every handler with a pattern that matches it.
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
