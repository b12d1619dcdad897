/**
 * Which subscribers get an event. Subscribers with the same patterns and format form one group, and a name that is known
 * finds its groups by one look-up. A subscriber belongs to at most one group, so it gets every event once.
 *
 * @module
 */
import { checkName, INBOX } from "../protocol/event.ts";
import { Pattern } from "../protocol/pattern.ts";
import { afterCurrentTick } from "../net/ticks.ts";
import { copySubstring, isFirstWord, wordEnd } from "../protocol/text.ts";
import type { FanOut } from "./fan_out.ts";
import { PatternIndex } from "./pattern_index.ts";
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
  /** Whether events of this name are stored, if the broker has a store. */
  readonly isKept: boolean;
  /** The groups with a pattern that matches it. */
  groups: readonly SubscriberGroup[];
  /** Of which version of the subscriptions they are. */
  version: number;
  /** Whether the router remembers it: then `next` still holds, too. */
  isKnown: boolean;
  /** The route of the name that a publisher sent after this one the last time. */
  next: Route | undefined;
}

/** The route of an event that is not recognized. */
const NOWHERE = { recognizedBy: undefined, isKept: false, groups: [], isKnown: false, next: undefined };

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
  readonly #kept: readonly Pattern[];
  readonly #fanOut: FanOut;
  readonly #groups = new Map<string, SubscriberGroup>();
  readonly #index = new PatternIndex<SubscriberGroup>();
  #changes = 0;
  /** Changes whenever a name may have other groups than before. */
  #version = 0;
  /** Groups of one subscriber that has left, and may come back in this tick with other patterns. */
  readonly #left = new Set<SubscriberGroup>();
  /** The subscribers that join before the next event: one that changes its patterns a thousand times joins once. */
  readonly #joining = new Set<Subscriber>();
  readonly #routes = new Map<string, Route>();

  /**
   * Makes a router without subscribers.
   *
   * @param events The patterns of the events that are recognized.
   * @param fanOut Delivers what was published to a group before its members change.
   * @param kept The patterns of the events that are stored. Default: none are.
   * @throws {ProtocolError} With the code `bad-pattern`, if one is not a pattern.
   */
  constructor(events: readonly string[], fanOut: FanOut, kept: readonly string[] = []) {
    const patterns = events.map((text) => new Pattern(text));
    this.names = patterns.filter(({ isLiteral }) => isLiteral).map(({ text }) => text);
    this.#recognized = [...patterns, new Pattern(INBOXES)];
    this.#kept = kept.map((text) => new Pattern(text));
    this.#fanOut = fanOut;
  }

  /** How often a subscriber has joined or left. */
  get changes(): number {
    return this.#changes;
  }

  /**
   * Adds a subscriber: it gets what its patterns match, from the next event on.
   *
   * @param subscriber The subscriber. It must not be in the router.
   */
  join(subscriber: Subscriber): void {
    this.#changes++;
    if (subscriber.patterns.size > 0) this.#joining.add(subscriber);
  }

  /**
   * Removes a subscriber. What was published before is still queued for it.
   *
   * @param subscriber The subscriber, unchanged since it joined.
   */
  leave(subscriber: Subscriber): void {
    this.#changes++;
    this.#joining.delete(subscriber);
    const { group } = subscriber;
    if (group === undefined) return;
    this.#fanOut.deliver(group);
    group.members.delete(subscriber);
    subscriber.group = undefined;
    if (group.members.size === 0) this.#leaveGroup(group);
    this.#fanOut.notify();
  }

  /** Patterns are changed one at a time as a rule: then only the change costs time when the subscriber comes back. */
  #leaveGroup(group: SubscriberGroup): void {
    this.#version++;
    if (!group.isForOne) return this.#removeGroup(group);
    if (this.#left.size === 0) afterCurrentTick(() => this.#removeLeft());
    this.#left.add(group);
  }

  #removeLeft(): void {
    if (this.#joining.size > 0) this.#joinAll();
    for (const group of this.#left) this.#removeGroup(group);
    this.#left.clear();
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
    const route = this.#routes.get(name);
    return route === undefined ? this.#find(name, isOwn) : this.#updated(route);
  }

  /**
   * Looks up who would get an event, whether its name is recognized or not.
   *
   * @param name The name.
   * @returns Its route, which is not remembered.
   * @throws {ProtocolError} With the code `bad-name`, if it is malformed.
   */
  explain(name: string): Route {
    if (this.#joining.size > 0) this.#joinAll();
    checkName(name);
    return this.#makeRoute(name);
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
    if (guess !== undefined && isFirstWord(guess.name, line)) return this.#updated(guess);
    const route = this.route(line.slice(0, wordEnd(line)));
    if (last?.isKnown && route.isKnown) last.next = route;
    return route;
  }

  #updated(route: Route): Route {
    if (route.version !== this.#version) {
      route.groups = this.#groupsOf(route.name);
      route.version = this.#version;
    }
    return route;
  }

  #groupsOf(name: string): SubscriberGroup[] {
    return [...this.#index.find(name)].filter(({ members }) => members.size > 0);
  }

  #joinAll(): void {
    for (const subscriber of this.#joining) {
      const key = groupKey(subscriber);
      const group = this.#groups.get(key) ?? this.#addGroup(key, subscriber);
      this.#fanOut.deliver(group);
      if (group.members.size === 0) this.#begin(group, subscriber);
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
    return group;
  }

  /** Gives a group without members the patterns of its first one. */
  #begin(group: SubscriberGroup, { patterns }: Subscriber): void {
    this.#version++;
    this.#left.delete(group);
    for (const text of group.patterns) {
      if (patterns.has(text)) continue;
      group.patterns.delete(text);
      this.#index.delete(text, group);
    }
    if (group.patterns.size === patterns.size) return;
    for (const [text, pattern] of patterns) {
      if (group.patterns.has(text)) continue;
      group.patterns.add(text);
      this.#index.add(pattern, group);
    }
  }

  #removeGroup(group: SubscriberGroup): void {
    for (const text of group.patterns) this.#index.delete(text, group);
    this.#groups.delete(group.key);
    this.#fanOut.removeGroup(group);
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
    if (!isKnown) return { ...NOWHERE, name, version: this.#version };
    if (this.#routes.size >= MAX_ROUTES) this.#forgetRoutes();
    const route = this.#makeRoute(copySubstring(name), recognizedBy);
    route.isKnown = true;
    this.#routes.set(route.name, route);
    return route;
  }

  #makeRoute(name: string, recognizedBy = this.recognizedBy(name)): Route {
    const groups = this.#groupsOf(name);
    const isKept = recognizedBy !== undefined && recognizedBy !== INBOXES &&
      this.#kept.some((kept) => kept.matches(name));
    return { name, recognizedBy, isKept, groups, version: this.#version, isKnown: false, next: undefined };
  }
}
