/**
 * Which clients hear an event, and how it gets to them.
 *
 * Listeners with the same patterns form one group. A published line is added to the text of each group that hears
 * its name; at the end of the turn, or sooner if it has grown long, each group's text is encoded once, and the same
 * bytes go into the queue of every member. A name finds its groups by one look-up. Nothing here waits.
 *
 * A listener belongs to at most one group, so it gets every event once, in the order in which they were published.
 *
 * @module
 */
import { monotonicUlid } from "@std/ulid";
import { type Listener, type Samplers, SubscriberGroup } from "./subscriber_group.ts";
import { Backpressure } from "./backpressure.ts";
import { type ClassicCodec, type ClassicMessage, MAX_MESSAGE_BYTES, messageOf } from "../protocol/classic.ts";
import { checkName } from "../protocol/event.ts";
import { copySubstring, encodeText, isFirstWord, isLongerThan, wordEnd } from "../protocol/text.ts";
import { Pattern } from "../protocol/pattern.ts";
import { ANSWER_BYTES } from "../protocol/limits.ts";
import type { WriteQueue } from "../net/write_queue.ts";
import { formatHeaders } from "../protocol/lines.ts";
import { afterCurrentTick } from "../net/read_scheduler.ts";

/** How many names the router remembers the groups of. Past that it forgets them all and looks them up again. */
const MAX_ROUTES = 10_000;

/** What the router knows of a name. */
export interface Route {
  /** The name. */
  readonly name: string;
  /** The pattern that recognizes it; undefined if the broker does not recognize it. */
  readonly recognizedBy: string | undefined;
  /** Those who hear it. */
  readonly groups: readonly SubscriberGroup[];
  /** Whether the router knows it by its name: it still holds, and so does `next`. */
  isKnown: boolean;
  /** The route of the name that a publisher sent after this one the last time. */
  next: Route | undefined;
}

/** Who publishes an event: a listener or, by name alone, the broker. */
export type Sender = Listener | { readonly name: string; readonly id?: undefined; readonly echo?: undefined };

/**
 * Routes events by name to the listeners whose patterns match.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const router = new Router(["create", "order.>"]);
 * assertEquals(router.route("order.paid").recognizedBy, "order.>");
 * assertEquals(router.route("bogus").recognizedBy, undefined);
 * ```
 */
export class Router {
  /** The names that are recognized, but for those that a pattern stands for. */
  readonly names: readonly string[];
  readonly #recognized: readonly Pattern[];
  readonly #groups = new Map<string, SubscriberGroup>();
  readonly #groupOf = new Map<Listener, SubscriberGroup>();
  /** Those that join before the next event: one that changes its patterns a thousand times joins once. */
  readonly #joining = new Set<Listener>();
  /** The groups of observers. */
  readonly #observers = new Set<SubscriberGroup>();
  readonly #routes = new Map<string, Route>();
  #waiting: SubscriberGroup[] = [];
  readonly #touched = new Set<WriteQueue>();
  readonly #backpressure = new Backpressure(() => this.flush());
  /** What listeners are to be told once the router has done what it is about: it may call for more. */
  readonly #untold: (() => void)[] = [];
  #delivered = 0;
  #isScheduled = false;

  /**
   * Makes a router without listeners.
   *
   * @param events The patterns of the events that are recognized.
   * @throws {ProtocolError} With the code `bad-pattern`, if one is not a pattern.
   */
  constructor(events: readonly string[]) {
    this.#recognized = events.map((text) => new Pattern(text));
    this.names = this.#recognized.filter(({ isLiteral }) => isLiteral).map(({ text }) => text);
  }

  /** How many events were queued for listeners; one that goes to three counts three. Observers do not count. */
  get delivered(): number {
    return this.#delivered;
  }

  /**
   * Lets a listener hear what its patterns match, from the next event on.
   *
   * @param listener The listener. It must not be in the router.
   */
  join(listener: Listener): void {
    if (listener.patterns.size > 0) this.#joining.add(listener);
  }

  /**
   * Lets a listener hear nothing more. What was published before is still queued for it.
   *
   * @param listener The listener, unchanged since it joined.
   */
  leave(listener: Listener): void {
    this.#joining.delete(listener);
    const group = this.#groupOf.get(listener);
    if (group === undefined) return;
    this.#deliver(group);
    this.#groupOf.delete(listener);
    group.members.delete(listener);
    if (group.members.size === 0) this.#disband(group);
    this.#tell();
  }

  #disband(group: SubscriberGroup): void {
    this.#groups.delete(group.key);
    this.#observers.delete(group);
    this.#forgetRoutes();
  }

  /**
   * What recognizes a name.
   *
   * @param name A well-formed name.
   * @returns The first pattern that matches; undefined if none does.
   */
  recognizedBy(name: string): string | undefined {
    return this.#recognized.find((pattern) => pattern.matches(name))?.text;
  }

  /**
   * Who hears a name, and what recognizes it.
   *
   * @param name The name.
   * @param isOwn Whether it is the broker that publishes it. Names that begin with `mq.` are nobody else's.
   * @returns Its route, to publish on in the same turn.
   * @throws {ProtocolError} With the code `bad-name`, if it is malformed.
   */
  route(name: string, isOwn = false): Route {
    if (this.#joining.size > 0) this.#joinAll();
    return this.#routes.get(name) ?? this.#find(name, isOwn);
  }

  /**
   * The same for the name that a line begins with. Publishers repeat themselves: the name that came after the last one
   * before is tried first, which is twice as fast as to cut the name out of the line and look it up.
   *
   * @param line An event line.
   * @param last The route of the line that the same publisher sent before it, if there is one.
   * @returns The route, to publish on in the same turn.
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

  /**
   * Sends an event to all who hear it.
   *
   * @param route The route of its name.
   * @param line Its line, without the LF.
   * @param sender Who published it.
   * @param id Its ULID, where it has one already. Otherwise one is made if a listener asked for it.
   * @param message The message that it came as, if it did not come as a line.
   * @param hops How many hops are behind it.
   * @returns How many listeners it is queued for. Observers do not count, nor do those who have no room for it.
   */
  publish(route: Route, line: string, sender: Sender, id?: string, message?: ClassicMessage, hops = 0): number {
    let receivers = 0;
    let metaLine: string | undefined;
    for (const group of route.groups) {
      if (isOwnEcho(group, sender)) continue;
      if (group.samplers !== undefined) {
        this.#show(group, group.samplers, line, sender, id);
        continue;
      }
      if (group.classic !== undefined) {
        receivers += this.#addMessage(group, group.classic, message ??= messageOf(line));
        continue;
      }
      if (group.meta && hops > 0 && group.hops) {
        receivers += this.#add(
          group,
          `/event ${id ??= monotonicUlid()} ${sender.name} ${formatHeaders({ hops })}${line}`,
        );
        continue;
      }
      if (group.meta) metaLine ??= `/event ${id ??= monotonicUlid()} ${sender.name} ${line}`;
      receivers += this.#add(group, group.meta ? metaLine! : line);
    }
    this.#delivered += receivers;
    if (route.groups.length > 0) this.#schedule();
    this.#tell();
    return receivers;
  }

  /** Adds what is written of an event to what waits for an group; returns for how many of it it is queued. */
  #add(group: SubscriberGroup, text: string): number {
    if (group.hasRoomFor(text)) return group.add(text);
    this.#deliver(group);
    group.begin();
    const isSure = group.hasRoomFor(text);
    const receivers = group.add(text);
    if (!isSure) return this.#deliver(group); // Only its bytes tell who has room for it.
    this.#waiting.push(group);
    return receivers;
  }

  /** Adds an event to what waits for observers, if it is in their sample. */
  #show(
    group: SubscriberGroup,
    { own, others }: Samplers,
    line: string,
    { id: from, name }: Sender,
    id?: string,
  ): void {
    const skipped = (from === undefined ? own : others).take();
    if (skipped === undefined) return;
    const gap = skipped === 0 ? "" : `/skipped ${skipped}\n`;
    this.#add(group, `${gap}/event ${id ?? monotonicUlid()} ${from ?? name} ${line}`);
  }

  #addMessage(group: SubscriberGroup, classic: ClassicCodec, message: ClassicMessage): number {
    const text = classic.write(message);
    if (!isLongerThan(MAX_MESSAGE_BYTES, text)) return this.#add(group, text);
    for (const member of group.members) this.#untold.push(() => member.onTooLong?.(text.length));
    return 0;
  }

  /**
   * Sends text to one listener, behind all that was published to it before.
   *
   * @param listener The listener; it need not be in the router.
   * @param text Whole lines, each with its LF.
   */
  send(listener: Listener, text: string): void {
    const group = this.#groupOf.get(listener);
    if (group !== undefined) this.#deliver(group);
    const bytes = encodeText(text);
    const isQueued = listener.queue.pushUrgent(bytes, ANSWER_BYTES);
    if (isQueued) this.#touched.add(listener.queue);
    else this.#untold.push(() => listener.overflow(bytes.length, 0));
    this.#schedule();
    this.#tell();
  }

  /**
   * Queues what was published to a listener before: what is queued for it from now on comes behind that.
   *
   * @param listener The listener; it need not be in the router.
   */
  settle(listener: Listener): void {
    const group = this.#groupOf.get(listener);
    if (group === undefined) return;
    this.#deliver(group);
    this.#tell();
  }

  /**
   * What a client should wait for before its next line: what came at once has filled a queue that is read as fast as it
   * is written, and needs a moment for that.
   *
   * @param listener The client.
   * @returns Nothing if there is nothing to wait for.
   */
  pause({ queue }: Listener): Promise<void> | undefined {
    return this.#backpressure.wait(queue);
  }

  /** Hands all that waits to the outboxes, and has them write it. Happens by itself at the end of each turn. */
  flush(): void {
    this.#isScheduled = false;
    if (this.#observers.size > 0) this.#tick();
    for (const group of this.#waiting) this.#deliver(group);
    this.#waiting = [];
    for (const queue of this.#touched) queue.flush();
    this.#touched.clear();
    this.#tell();
  }

  #tick(): void {
    const now = Date.now();
    for (const { samplers } of this.#observers) {
      samplers!.own.tick(now);
      samplers!.others.tick(now);
    }
  }

  #joinAll(): void {
    for (const listener of this.#joining) {
      const key = groupKey(listener);
      const group = this.#groups.get(key) ?? this.#found(key, listener);
      this.#deliver(group);
      group.members.add(listener);
      this.#groupOf.set(listener, group);
    }
    this.#joining.clear();
    this.#tell();
  }

  #found(key: string, founder: Listener): SubscriberGroup {
    const group = new SubscriberGroup(key, founder);
    this.#groups.set(key, group);
    if (group.samplers) this.#observers.add(group);
    this.#forgetRoutes();
    return group;
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
    // Not remembered: anybody can make up any number of these.
    const isKnown = recognizedBy !== undefined || isOwn;
    if (!isKnown) return { name, recognizedBy, groups: [], isKnown, next: undefined };
    if (this.#routes.size >= MAX_ROUTES) this.#forgetRoutes();
    const groups = [...this.#groups.values()].filter((group) => group.hears(name));
    const route: Route = { name: copySubstring(name), recognizedBy, groups, isKnown, next: undefined };
    this.#routes.set(route.name, route);
    return route;
  }

  #deliver(group: SubscriberGroup): number {
    return group.deliver(({ queue }) => {
      this.#touched.add(queue);
      if (queue.isBurst) this.#backpressure.add(queue);
    }, (member, bytes, events) => void this.#untold.push(() => member.overflow(bytes, events)));
  }

  /** Nothing else is called from within the router, so that whatever is called finds it in order. */
  #tell(): void {
    while (this.#untold.length > 0) this.#untold.shift()!();
  }

  /** Once for all that a turn of the event loop brings: at its end every line that has arrived is routed. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    afterCurrentTick(() => this.flush());
  }
}

/** Listeners share an group if they hear the same, in the same form; who wants no echo has one for itself. */
function groupKey(listener: Listener): string {
  const patterns = [...listener.patterns.keys()].sort().join(" ");
  const form = listener.classic?.id ?? listener.observe ?? (listener.meta && listener.hops ? "hops" : listener.meta);
  return `${form} ${listener.echo ? "" : listener.id} ${patterns}`;
}

function isOwnEcho(group: SubscriberGroup, sender: Sender): boolean {
  return sender.echo === false && group.members.has(sender as Listener);
}
