/**
 * The state of a broker as the page knows it: its connections, and who publishes without one. System events update it
 * at once, and each page of `/clients` replaces what it holds of these connections. Everything here is pure.
 *
 * @module
 */
import { RESERVED_PREFIX } from "../lib/protocol/event.ts";
import { BROKER_NAME } from "../lib/protocol/lines.ts";
import type { ClientPage } from "../lib/protocol/client_pages.ts";
import { groupsOf } from "../lib/protocol/group.ts";
import { Pattern } from "../lib/protocol/pattern.ts";
import type { BrokerStats, ClientInfo, GroupReport, Hello } from "../lib/protocol/responses.ts";
import { DetachedPublishers } from "./detached_publishers.ts";
import { count, describeEnd, describePatterns, formatBytes, isInboxName } from "./format.ts";

/** A connection is slow from this share of `outboxBytes` on. */
const SLOW_SHARE = 0.5;
/** For how many names the subscribers are cached. */
const MAX_CACHED_NAMES = 500;
/** For how many events over HTTP the address of the publisher is kept. */
const MAX_ADDRESSES = 1000;

const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

/** Who publishes or subscribes: a connection, or the name of those who publish without one, such as `http`. */
export interface Participant extends Omit<ClientInfo, "patterns"> {
  /** The patterns that it is known to be subscribed to; `patternCount` tells how many there are. */
  readonly patterns: Set<string>;
  /** Whether `mq.slow` was told of it, or much is queued for it; until its queue is empty again. */
  isSlow: boolean;
  /** Whether it is without a connection. Its `id` is its name then, and its `address` the last one it published from. */
  readonly isDetached: boolean;
  /** Whether it is without a connection and has published nothing for a while. */
  isIdle: boolean;
}

/** A participant that an event was sent to. */
export interface Subscriber {
  readonly id: string;
  readonly name: string;
  /** The pattern that matches the event. */
  readonly pattern: string;
}

/** Why an event was dropped. */
export interface Drop {
  /** The reason in a few words. */
  readonly why: string;
  /** The reason in a sentence. */
  readonly text: string;
  /** How to avoid it. */
  readonly help: string;
}

/** An event, as the page shows it. */
export interface ShownEvent {
  readonly id: string;
  /** Empty for a refused line that has no event. */
  readonly name: string;
  readonly text: string;
  /** The id of the participant that published it. */
  readonly from: string;
  readonly fromName: string;
  readonly subscribers: readonly Subscriber[];
  /** Whether the broker keeps it, so that groups get it. */
  readonly isStored: boolean;
  readonly drop?: Drop;
}

/** Something that happened to a participant: a sentence of its name and what it did. */
export interface Notice {
  readonly kind: "joined" | "left" | "other";
  /** The participant; empty if there is none. */
  readonly id: string;
  readonly name: string;
  readonly what: string;
}

/** The jobs that a member of a group got between two responses of the broker. */
export interface TakenJobs {
  /** The id of the member. */
  readonly to: string;
  readonly jobs: number;
  /** The first pattern of its group. */
  readonly pattern: string;
}

/** What a line from the broker changes. */
export interface Update {
  /** The event to show. */
  readonly event?: ShownEvent;
  /** The notice to show. */
  readonly notice?: Notice;
  /** The participant that has left. */
  readonly left?: Participant;
}

/** An event line from the broker. */
export interface EventLine {
  readonly id: string;
  /** The id of the publisher's connection, or the name of a publisher without one. */
  readonly from: string;
  readonly name: string;
  readonly text: string;
  /** How many events are missing from the sample before this one (docs/protocol.md, 4.10). */
  readonly skipped: number;
}

/** The data of a system event. */
type SystemData = { id: string; name: string } & Record<string, unknown>;

/** A broker and its participants. */
export class Model {
  readonly hello: Hello;
  readonly connections: Map<string, Participant> = new Map();
  stats: BrokerStats | undefined;
  groups: readonly GroupReport[] = [];
  /** Whether the broker has listed its connections: before that, nobody knows who is connected. */
  isListed = false;
  readonly #detached = new DetachedPublishers();
  readonly #addresses = new Map<string, string>();
  readonly #patterns = new Map<string, Pattern>();
  readonly #subscribers = new Map<string, Subscriber[]>();

  /** Makes a model of the broker that has answered `/hello` so. */
  constructor(hello: Hello) {
    this.hello = hello;
  }

  /** The observers, this page included. */
  get observers(): Participant[] {
    return [...this.connections.values()].filter((connection) => this.isObserver(connection));
  }

  /** The connections that are not observers, the oldest first. */
  get clients(): Participant[] {
    return [...this.connections.values()].filter((connection) => !this.isObserver(connection));
  }

  /** All that the picture shows: the clients, and those who publish without a connection. */
  get participants(): Participant[] {
    return [...this.clients, ...this.#detached.participants];
  }

  /** Returns a participant; undefined if it has left or is an observer. */
  participant(id: string): Participant | undefined {
    const connection = this.connections.get(id);
    if (connection === undefined) return this.#detached.get(id);
    return this.isObserver(connection) ? undefined : connection;
  }

  /** Returns whether a connection is an observer. */
  isObserver({ id, observe }: Participant): boolean {
    return observe !== null || id === this.hello.id;
  }

  /** Returns the name of a publisher. */
  nameOf(id: string): string {
    if (id === this.hello.id) return "this page";
    return this.connections.get(id)?.name ?? (ULID.test(id) ? "unknown" : id);
  }

  /** Returns the address from which an event was published over HTTP, if it is known. */
  addressOf(eventId: string): string | undefined {
    return this.#addresses.get(eventId);
  }

  /** Returns how full the queue of a participant is: 0 to 1. */
  queueShareOf({ queuedBytes }: Participant): number {
    return Math.min(1, queuedBytes / this.hello.limits.outboxBytes);
  }

  /**
   * Takes a page of `/clients`, and the time in milliseconds: these are all connections from its first to its last. Returns
   * what members of groups got since the last one.
   */
  reconcile({ clients, after, isLast }: ClientPage, now: number): TakenJobs[] {
    const known = [...this.connections.values()];
    const last = isLast ? undefined : clients.at(-1)?.id;
    const before = known.filter(({ id }) => after !== "" && id <= after);
    const behind = known.filter(({ id }) => last !== undefined && id > last);
    const page = clients.map((client) => this.#updated(client));
    const taken = page.flatMap((connection) => this.#jobsOf(connection));
    this.connections.clear();
    for (const connection of [...before, ...page, ...behind]) this.connections.set(connection.id, connection);
    if (known.some(({ id }) => !this.connections.has(id))) this.#subscribers.clear();
    this.isListed = true;
    this.#detached.updateIdle(now);
    return taken;
  }

  /** All that is delivered to a member without patterns are jobs: what one with patterns got, nobody can tell. */
  #jobsOf(connection: Participant): TakenJobs[] {
    const known = this.connections.get(connection.id);
    const [group] = groupsOf(connection, this.groups);
    if (known?.patternCount !== 0 || group === undefined || connection.delivered <= known.delivered) return [];
    return [{ to: connection.id, jobs: connection.delivered - known.delivered, pattern: group.patterns[0] }];
  }

  #updated(client: ClientInfo): Participant {
    const known = this.connections.get(client.id);
    const patterns = patternsOf(client, known);
    const connection = { ...client, patterns, isSlow: known?.isSlow ?? false, isDetached: false, isIdle: false };
    connection.isSlow = this.queueShareOf(connection) >= SLOW_SHARE ||
      (connection.isSlow && connection.queuedBytes > 0);
    const isSame = known?.name === client.name && known.observe === client.observe && known.patterns === patterns;
    if (!isSame) this.#subscribers.clear();
    return connection;
  }

  /** Takes an event line, and the time in milliseconds. */
  take(line: EventLine, now: number): Update {
    const { id, from, name, text } = line;
    if (from === BROKER_NAME && name.startsWith(RESERVED_PREFIX)) return this.#takeSystemEvent(line, now);
    if (this.#isDetached(from)) this.#detached.arrived(from, now);
    return this.#eventOf({
      id,
      from,
      name,
      text,
      subscribers: this.subscribersOf(name),
      isStored: this.#isStored(name),
    });
  }

  /** Returns who is subscribed to events of a name, and by which pattern. */
  subscribersOf(name: string): readonly Subscriber[] {
    const cached = this.#subscribers.get(name);
    if (cached !== undefined) return cached;
    const subscribers = this.clients.flatMap(({ id, name: client, patterns }) => {
      const pattern = [...patterns].find((text) => this.#pattern(text).matches(name));
      return pattern === undefined ? [] : [{ id, name: client, pattern }];
    });
    if (isInboxName(name)) return subscribers; // Most of these names come only once.
    if (this.#subscribers.size >= MAX_CACHED_NAMES) this.#subscribers.clear();
    this.#subscribers.set(name, subscribers);
    return subscribers;
  }

  #pattern(text: string): Pattern {
    let pattern = this.#patterns.get(text);
    if (pattern === undefined) {
      if (this.#patterns.size >= MAX_CACHED_NAMES) this.#patterns.clear();
      this.#patterns.set(text, pattern = new Pattern(text));
    }
    return pattern;
  }

  #takeSystemEvent({ id, name, text, skipped }: EventLine, now: number): Update {
    const data = JSON.parse(text) as SystemData;
    const connection = this.connections.get(data.id);
    switch (name) {
      case "mq.connect":
        return this.#connected(data);
      case "mq.hello":
        return this.#introduced(data, connection);
      case "mq.subscribe":
        return this.#subscribed(data, connection);
      case "mq.disconnect":
        return this.#disconnected(data, connection);
      case "mq.http":
        return this.#publishedOverHttp(data, skipped, now);
      case "mq.unrecognized":
        return this.#dropped(id, data, String(data.event), this.#unrecognized(data), now);
      case "mq.refused":
        if (data.id === "" && data.name === BROKER_NAME) return notice("", "A connection", `was refused: ${data.text}`);
        return this.#dropped(id, data, String(data.event ?? ""), refused(data), now);
      case "mq.slow":
        if (connection !== undefined) Object.assign(connection, { isSlow: true, queuedBytes: data.queuedBytes });
        return notice(data.id, data.name, `is a slow consumer: ${formatBytes(Number(data.queuedBytes))} are queued`);
      case "mq.dropped":
        return notice(data.id, data.name, `lost ${data.events === undefined ? "data" : lostEvents(data)} (dropped)`);
      case "mq.throttled":
        return notice(data.id || data.name, data.name, `publishes more than ${data.eventsPerSecond} events a second`);
      case "mq.dead":
        return notice(
          "",
          `The group ${data.group}`,
          `has a dead job: ${data.event}${data.why ? ` (${data.why})` : ""}`,
        );
      case "mq.expired":
        return notice("", `The group ${data.group}`, `lost ${lostEvents(data)}: the log has kept them no longer`);
      case "mq.store":
        return notice("", "The store", storeState(data));
      case "mq.drain":
        return notice("", "The broker", "is shutting down");
      default:
        return {}; // Later versions may add others.
    }
  }

  #connected({ id, name, address, classic = null }: SystemData): Update {
    const counts = { published: 0, delivered: 0, queuedBytes: 0, dropped: 0 };
    const connectedAt = new Date().toISOString();
    const info = { id, name, address: String(address), connectedAt, patternCount: 1, observe: null, ...counts };
    const state = { patterns: new Set([">"]), isSlow: false, isDetached: false, isIdle: false };
    this.connections.set(id, { ...info, classic: classic as ClientInfo["classic"], ...state });
    this.#subscribers.clear();
    return { notice: { kind: "joined", id, name, what: "connected" } };
  }

  #introduced({ id, name, was, observe = null }: SystemData, connection: Participant | undefined): Update {
    if (connection !== undefined) Object.assign(connection, { name, observe });
    this.#subscribers.clear();
    return was === name ? {} : notice(id, String(was), `is now called ${name}`);
  }

  #subscribed({ id, name, added, removed, total }: SystemData, connection: Participant | undefined): Update {
    if (connection === undefined) return {};
    for (const pattern of removed as string[]) connection.patterns.delete(pattern);
    for (const pattern of added as string[]) connection.patterns.add(pattern);
    connection.patternCount = Number(total);
    this.#subscribers.clear();
    return notice(id, name, `now gets ${describePatterns(connection.patterns, undefined, connection.patternCount)}`);
  }

  #disconnected({ id, name, reason }: SystemData, connection: Participant | undefined): Update {
    this.connections.delete(id);
    this.#subscribers.clear();
    if (connection === undefined) return {};
    return { notice: { kind: "left", id, name, what: describeEnd(String(reason)) }, left: connection };
  }

  #publishedOverHttp({ id, name, address }: SystemData, skipped: number, now: number): Update {
    const from = String(address);
    if (this.#addresses.size >= MAX_ADDRESSES) this.#addresses.delete(this.#addresses.keys().next().value!);
    this.#addresses.set(id, from);
    // What the sample left out before this system event is most likely of the same kind.
    const isNew = this.#detached.told(name, from, 1 + skipped, now);
    return isNew ? { notice: { kind: "joined", id: name, name, what: `publishes from ${from}` } } : {};
  }

  /** Returns whether the broker keeps an event: replies to requests it never does. */
  #isStored(name: string): boolean {
    const keep = this.hello.store?.keep ?? [];
    return !isInboxName(name) && keep.some((text) => this.#pattern(text).matches(name));
  }

  /** Returns whether a publisher is without a connection: the ids of connections are ULIDs. */
  #isDetached(from: string): boolean {
    return !ULID.test(from) && !this.connections.has(from) && from !== BROKER_NAME;
  }

  #eventOf(event: Omit<ShownEvent, "fromName">): Update {
    return { event: { ...event, fromName: this.nameOf(event.from) } };
  }

  #dropped(id: string, data: SystemData, name: string, drop: Drop, now: number): Update {
    const from = data.id || data.name;
    if (this.#isDetached(from)) this.#detached.activate(from, now);
    return this.#eventOf({ id, from, name, text: "", subscribers: [], isStored: false, drop });
  }

  #unrecognized({ event }: SystemData): Drop {
    const events = [...this.hello.events, event].join(",");
    return {
      why: "not recognized",
      text: `The broker recognizes ${this.hello.events.join(", ")}, and drops ${event}.`,
      help: `To have it recognized, start the broker with: mq server --events '${events}'`,
    };
  }
}

function notice(id: string, name: string, what: string): Update {
  return { notice: { kind: "other", id, name, what } };
}

function lostEvents({ events }: SystemData): string {
  return count(Number(events), "event");
}

function storeState({ state, text, unstored }: SystemData): string {
  if (state === "failed") return `has failed: ${text}`;
  if (state === "unreadable") return `cannot be read in part: ${text}`;
  return `works again, without ${count(Number(unstored), "event")}`;
}

function refused({ code, text }: SystemData): Drop {
  const remedy = code === "store-failed"
    ? "It can be published again when the store works."
    : "The publisher has to correct it.";
  return { why: `refused: ${code}`, text: `${text}.`, help: `The broker drops it. ${remedy}` };
}

/** The patterns of a connection, of which `/clients` lists only the first: what is known besides them is kept. */
function patternsOf({ patterns, patternCount }: ClientInfo, known: Participant | undefined): Set<string> {
  const isSame = known?.patternCount === patternCount && known.patterns.size <= patternCount &&
    patterns.every((pattern) => known.patterns.has(pattern));
  return isSame ? known.patterns : new Set(patterns);
}
