/**
 * Which clients hear an event, and how it gets to them.
 *
 * Listeners with the same patterns form one audience. A published line is added to the text of each audience that hears
 * its name; at the end of the turn, or sooner if it has grown long, each audience's text is encoded once, and the same
 * bytes go into the outbox of every member. A name finds its audiences by one look-up. Nothing here waits.
 *
 * A listener belongs to at most one audience, so it gets every event once, in the order in which they were published.
 *
 * @module
 */
import { monotonicUlid } from "@std/ulid";
import { Audience, type Listener, type Samplers } from "./audience.ts";
import { Backpressure } from "./backpressure.ts";
import { type ClassicCodec, type ClassicMessage, MAX_MESSAGE_BYTES, messageOf } from "./classic.ts";
import { checkName, detach, Pattern } from "./event.ts";
import { ANSWER_BYTES } from "./limits.ts";
import type { Outbox } from "./outbox.ts";
import { formatHops, isFirstWord, wordEnd } from "./protocol.ts";
import { atTurnEnd } from "./turn.ts";
import { encodeText, isLongerThan } from "./utf8.ts";

/** How many names the router remembers the audiences of. Past that it forgets them all and looks them up again. */
const MAX_ROUTES = 10_000;

/** What the router knows of a name. */
export interface Route {
  /** The name. */
  readonly name: string;
  /** The pattern that recognizes it; undefined if the broker does not recognize it. */
  readonly recognizedBy: string | undefined;
  /** Those who hear it. */
  readonly audiences: readonly Audience[];
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
  readonly #audiences = new Map<string, Audience>();
  readonly #audienceOf = new Map<Listener, Audience>();
  /** Those that join before the next event: one that changes its patterns a thousand times joins once. */
  readonly #joining = new Set<Listener>();
  /** The audiences of observers. */
  readonly #observers = new Set<Audience>();
  readonly #routes = new Map<string, Route>();
  #waiting: Audience[] = [];
  readonly #touched = new Set<Outbox>();
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
    const audience = this.#audienceOf.get(listener);
    if (audience === undefined) return;
    this.#deliver(audience);
    this.#audienceOf.delete(listener);
    audience.members.delete(listener);
    if (audience.members.size === 0) this.#disband(audience);
    this.#tell();
  }

  #disband(audience: Audience): void {
    this.#audiences.delete(audience.key);
    this.#observers.delete(audience);
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
    for (const audience of route.audiences) {
      if (isOwnEcho(audience, sender)) continue;
      if (audience.samplers !== undefined) {
        this.#show(audience, audience.samplers, line, sender, id);
        continue;
      }
      if (audience.classic !== undefined) {
        receivers += this.#addMessage(audience, audience.classic, message ??= messageOf(line));
        continue;
      }
      if (audience.meta && hops > 0 && audience.hops) {
        receivers += this.#add(audience, `/event ${id ??= monotonicUlid()} ${sender.name} ${formatHops(hops)} ${line}`);
        continue;
      }
      if (audience.meta) metaLine ??= `/event ${id ??= monotonicUlid()} ${sender.name} ${line}`;
      receivers += this.#add(audience, audience.meta ? metaLine! : line);
    }
    this.#delivered += receivers;
    if (route.audiences.length > 0) this.#schedule();
    this.#tell();
    return receivers;
  }

  /** Adds what is written of an event to what waits for an audience; returns for how many of it it is queued. */
  #add(audience: Audience, text: string): number {
    if (audience.hasRoomFor(text)) return audience.add(text);
    this.#deliver(audience);
    audience.begin();
    const isSure = audience.hasRoomFor(text);
    const receivers = audience.add(text);
    if (!isSure) return this.#deliver(audience); // Only its bytes tell who has room for it.
    this.#waiting.push(audience);
    return receivers;
  }

  /** Adds an event to what waits for observers, if it is in their sample. */
  #show(audience: Audience, { own, others }: Samplers, line: string, { id: from, name }: Sender, id?: string): void {
    const skipped = (from === undefined ? own : others).take();
    if (skipped === undefined) return;
    const gap = skipped === 0 ? "" : `/skipped ${skipped}\n`;
    this.#add(audience, `${gap}/event ${id ?? monotonicUlid()} ${from ?? name} ${line}`);
  }

  #addMessage(audience: Audience, classic: ClassicCodec, message: ClassicMessage): number {
    const text = classic.write(message);
    if (!isLongerThan(MAX_MESSAGE_BYTES, text)) return this.#add(audience, text);
    for (const member of audience.members) this.#untold.push(() => member.onTooLong?.(text.length));
    return 0;
  }

  /**
   * Sends text to one listener, behind all that was published to it before.
   *
   * @param listener The listener; it need not be in the router.
   * @param text Whole lines, each with its LF.
   */
  send(listener: Listener, text: string): void {
    const audience = this.#audienceOf.get(listener);
    if (audience !== undefined) this.#deliver(audience);
    const bytes = encodeText(text);
    const isQueued = listener.outbox.pushUrgent(bytes, ANSWER_BYTES);
    if (isQueued) this.#touched.add(listener.outbox);
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
    const audience = this.#audienceOf.get(listener);
    if (audience === undefined) return;
    this.#deliver(audience);
    this.#tell();
  }

  /**
   * What a client should wait for before its next line: what came at once has filled a queue that is read as fast as it
   * is written, and needs a moment for that.
   *
   * @param listener The client.
   * @returns Nothing if there is nothing to wait for.
   */
  pause({ outbox }: Listener): Promise<void> | undefined {
    return this.#backpressure.wait(outbox);
  }

  /** Hands all that waits to the outboxes, and has them write it. Happens by itself at the end of each turn. */
  flush(): void {
    this.#isScheduled = false;
    if (this.#observers.size > 0) this.#tick();
    for (const audience of this.#waiting) this.#deliver(audience);
    this.#waiting = [];
    for (const outbox of this.#touched) outbox.flush();
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
      const key = audienceKey(listener);
      const audience = this.#audiences.get(key) ?? this.#found(key, listener);
      this.#deliver(audience);
      audience.members.add(listener);
      this.#audienceOf.set(listener, audience);
    }
    this.#joining.clear();
    this.#tell();
  }

  #found(key: string, founder: Listener): Audience {
    const audience = new Audience(key, founder);
    this.#audiences.set(key, audience);
    if (audience.samplers) this.#observers.add(audience);
    this.#forgetRoutes();
    return audience;
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
    if (!isKnown) return { name, recognizedBy, audiences: [], isKnown, next: undefined };
    if (this.#routes.size >= MAX_ROUTES) this.#forgetRoutes();
    const audiences = [...this.#audiences.values()].filter((audience) => audience.hears(name));
    const route: Route = { name: detach(name), recognizedBy, audiences, isKnown, next: undefined };
    this.#routes.set(route.name, route);
    return route;
  }

  #deliver(audience: Audience): number {
    return audience.deliver(({ outbox }) => {
      this.#touched.add(outbox);
      if (outbox.isBurst) this.#backpressure.add(outbox);
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
    atTurnEnd(() => this.flush());
  }
}

/** Listeners share an audience if they hear the same, in the same form; who wants no echo has one for itself. */
function audienceKey(listener: Listener): string {
  const patterns = [...listener.patterns.keys()].sort().join(" ");
  const form = listener.classic?.id ?? listener.observe ?? (listener.meta && listener.hops ? "hops" : listener.meta);
  return `${form} ${listener.echo ? "" : listener.id} ${patterns}`;
}

function isOwnEcho(audience: Audience, sender: Sender): boolean {
  return sender.echo === false && audience.members.has(sender as Listener);
}
