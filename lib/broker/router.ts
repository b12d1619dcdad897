/**
 * Which subscribers get an event. Subscribers with the same patterns and format form one group, and a name finds its
 * groups by one look-up. A subscriber belongs to at most one group, so it gets every event once.
 *
 * @module
 */
import { checkName, INBOX } from "../protocol/event.ts";
import { Pattern } from "../protocol/pattern.ts";
import { copySubstring, isFirstWord, wordEnd } from "../protocol/text.ts";
import type { FanOut } from "./fan_out.ts";
import { groupKey, type Subscriber, SubscriberGroup } from "./subscriber_group.ts";

/** How many names are remembered with their groups. Past that all are forgotten and looked up again. */
const MAX_ROUTES = 10_000;

/** The names of the inboxes that replies are sent to: every broker recognizes them. */
const INBOXES = `${INBOX}.>`;

/** What the router knows of a name. */
export interface Route {
  /** The name. */
  readonly name: string;
  /** The pattern that recognizes it; undefined if the broker does not recognize it. */
  readonly recognizedBy: string | undefined;
  /** The groups with a pattern that matches it. */
  readonly groups: readonly SubscriberGroup[];
  /** Whether the router remembers it: then it still holds, and so does `next`. */
  isKnown: boolean;
  /** The route of the name that a publisher sent after this one the last time. */
  next: Route | undefined;
}

/**
 * Routes events by name to the subscribers whose patterns match.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { FanOut } from "./fan_out.ts";
 *
 * const router = new Router(["create", "order.>"], new FanOut());
 * assertEquals(router.route("order.paid").recognizedBy, "order.>");
 * assertEquals(router.route("bogus").recognizedBy, undefined);
 * ```
 */
export class Router {
  /** The names that are recognized, without those that only a wildcard matches. */
  readonly names: readonly string[];
  readonly #recognized: readonly Pattern[];
  readonly #fanOut: FanOut;
  readonly #groups = new Map<string, SubscriberGroup>();
  /** The subscribers that join before the next event: one that changes its patterns a thousand times joins once. */
  readonly #joining = new Set<Subscriber>();
  readonly #routes = new Map<string, Route>();

  /**
   * Makes a router without subscribers.
   *
   * @param events The patterns of the events that are recognized.
   * @param fanOut Delivers what was published to a group before its members change.
   * @throws {ProtocolError} With the code `bad-pattern`, if one is not a pattern.
   */
  constructor(events: readonly string[], fanOut: FanOut) {
    const patterns = events.map((text) => new Pattern(text));
    this.names = patterns.filter(({ isLiteral }) => isLiteral).map(({ text }) => text);
    this.#recognized = [...patterns, new Pattern(INBOXES)];
    this.#fanOut = fanOut;
  }

  /**
   * Adds a subscriber: it gets what its patterns match, from the next event on.
   *
   * @param subscriber The subscriber. It must not be in the router.
   */
  join(subscriber: Subscriber): void {
    if (subscriber.patterns.size > 0) this.#joining.add(subscriber);
  }

  /**
   * Removes a subscriber. What was published before is still queued for it.
   *
   * @param subscriber The subscriber, unchanged since it joined.
   */
  leave(subscriber: Subscriber): void {
    this.#joining.delete(subscriber);
    const { group } = subscriber;
    if (group === undefined) return;
    this.#fanOut.deliver(group);
    group.members.delete(subscriber);
    subscriber.group = undefined;
    if (group.members.size === 0) this.#removeGroup(group);
    this.#fanOut.notify();
  }

  /**
   * Which pattern recognizes a name.
   *
   * @param name A well-formed name.
   * @returns The first pattern that matches; undefined if none does.
   */
  recognizedBy(name: string): string | undefined {
    return this.#recognized.find((pattern) => pattern.matches(name))?.text;
  }

  /**
   * Looks a name up.
   *
   * @param name The name.
   * @param isOwn Whether the broker itself publishes it. Names that begin with `mq.` are nobody else's. Default: false.
   * @returns Its route, to publish on in the same tick.
   * @throws {ProtocolError} With the code `bad-name`, if it is malformed.
   */
  route(name: string, isOwn = false): Route {
    if (this.#joining.size > 0) this.#joinAll();
    return this.#routes.get(name) ?? this.#find(name, isOwn);
  }

  /**
   * Looks up the name that a line begins with. Publishers repeat themselves: the name that came after the last one before
   * is tried first, which is twice as fast as to cut the name out of the line and look it up.
   *
   * @param last The route of the line that the same publisher sent before it, if there is one.
   * @param line An event line.
   * @returns The route, to publish on in the same tick.
   * @throws {ProtocolError} With the code `bad-name`, if the name is malformed.
   */
  routeAfter(last: Route | undefined, line: string): Route {
    if (this.#joining.size > 0) this.#joinAll();
    const guess = last?.next;
    if (guess !== undefined && isFirstWord(guess.name, line)) return guess;
    const route = this.route(line.slice(0, wordEnd(line)));
    if (last?.isKnown && route.isKnown) last.next = route;
    return route;
  }

  #joinAll(): void {
    for (const subscriber of this.#joining) {
      const key = groupKey(subscriber);
      const group = this.#groups.get(key) ?? this.#addGroup(key, subscriber);
      this.#fanOut.deliver(group);
      group.members.add(subscriber);
      subscriber.group = group;
    }
    this.#joining.clear();
    this.#fanOut.notify();
  }

  #addGroup(key: string, first: Subscriber): SubscriberGroup {
    const group = new SubscriberGroup(key, first);
    this.#groups.set(key, group);
    this.#fanOut.addGroup(group);
    this.#forgetRoutes();
    return group;
  }

  #removeGroup(group: SubscriberGroup): void {
    this.#groups.delete(group.key);
    this.#fanOut.removeGroup(group);
    this.#forgetRoutes();
  }

  #forgetRoutes(): void {
    for (const route of this.#routes.values()) {
      route.isKnown = false;
      route.next = undefined;
    }
    this.#routes.clear();
  }

  #find(name: string, isOwn: boolean): Route {
    checkName(name);
    const recognizedBy = this.recognizedBy(name);
    const isKnown = recognizedBy !== undefined || isOwn;
    // Not remembered: anybody can make up any number of these.
    if (!isKnown) return { name, recognizedBy, groups: [], isKnown, next: undefined };
    if (this.#routes.size >= MAX_ROUTES) this.#forgetRoutes();
    const groups = [...this.#groups.values()].filter((group) => group.matches(name));
    const route: Route = { name: copySubstring(name), recognizedBy, groups, isKnown, next: undefined };
    this.#routes.set(route.name, route);
    return route;
  }
}
