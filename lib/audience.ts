/**
 * Listeners that hear the same, and the text that waits for all of them.
 *
 * @module
 */
import type { ClassicCodec } from "./classic.ts";
import type { Pattern } from "./event.ts";
import type { Outbox } from "./outbox.ts";
import { Sampler } from "./sampler.ts";
import { encodeText } from "./utf8.ts";

/** How much text gathers for an audience, in UTF-16 code units, before it is delivered without waiting for the turn. */
const MAX_BATCH_CHARACTERS = 256 * 1024;

/** One who hears events: a connection, to the router. */
export interface Listener {
  /** Identifies it among all listeners. */
  readonly id: string;
  /** What it is called in the events it publishes. */
  readonly name: string;
  /** The patterns it hears, by their text. To change them, take it out of the router and put it back. */
  readonly patterns: ReadonlyMap<string, Pattern>;
  /** Whether it gets events with their id and sender. */
  readonly meta: boolean;
  /** Whether it is told how many hops are behind them, if it gets that. */
  readonly hops?: boolean;
  /** How events are written to it, if not as lines. */
  readonly classic?: ClassicCodec;
  /** Whether it gets the events it publishes itself. */
  readonly echo: boolean;
  /** If it is an observer: of how many events a second it gets a sample. */
  readonly observe?: number;
  /** Where what it hears is queued. */
  readonly outbox: Outbox;
  /** How many events were queued for it. */
  delivered: number;
  /**
   * Called when something could not be queued because its outbox is full.
   *
   * @param bytes How much was lost, at least: what nobody had room for is not encoded to find out.
   * @param events How many events that were; 0 if it was anything else.
   */
  overflow(bytes: number, events: number): void;
  /**
   * Called when an event was left out, since no message to a classic client may be as long.
   *
   * @param bytes How long it would be, at least.
   */
  onTooLong?(bytes: number): void;
}

/** Which events observers get. */
export interface Samplers {
  /** Of the broker's own. */
  readonly own: Sampler;
  /** Of all others. */
  readonly others: Sampler;
}

/** The listeners that share a set of patterns, and the text that waits for all of them. */
export class Audience {
  /** What its members have in common. */
  readonly key: string;
  /** Whether its members get events with their id and sender. */
  readonly meta: boolean;
  /** Whether its members are told how many hops are behind them, too. */
  readonly hops: boolean;
  /** How events are written to its members, if not as lines. */
  readonly classic: ClassicCodec | undefined;
  /** If its members are observers: which events they get. */
  readonly samplers: Samplers | undefined;
  /** Its members. */
  readonly members: Set<Listener> = new Set();
  readonly #names: ReadonlySet<string>;
  readonly #patterns: readonly Pattern[];
  #text = "";
  #events = 0;
  /** Whether no member had room when the first of them came: then they are counted, and not gathered. */
  #isDeaf = false;
  #lostBytes = 0;

  /**
   * Makes an audience without members.
   *
   * @param key What its members have in common.
   * @param founder Its first member to be, whose patterns and form it takes.
   */
  constructor(key: string, founder: Listener) {
    this.key = key;
    this.meta = founder.meta;
    this.hops = founder.hops === true;
    this.classic = founder.classic;
    const { observe } = founder;
    if (observe !== undefined) this.samplers = { own: new Sampler(observe), others: new Sampler(observe) };
    const patterns = [...founder.patterns.values()];
    this.#names = new Set(patterns.filter(({ isLiteral }) => isLiteral).map(({ text }) => text));
    this.#patterns = patterns.filter(({ isLiteral }) => !isLiteral);
  }

  /**
   * Whether its members hear a name.
   *
   * @param name A well-formed event name.
   * @returns True if one of their patterns matches.
   */
  hears(name: string): boolean {
    if (this.#names.has(name)) return true;
    const tokens = name.split(".");
    return this.#patterns.some((pattern) => pattern.matchesTokens(tokens));
  }

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#events === 0;
  }

  /** Whether so much waits that it should be delivered before the turn is over. */
  get isFull(): boolean {
    return this.#text.length > MAX_BATCH_CHARACTERS;
  }

  /**
   * Adds an event to the text that waits.
   *
   * @param line What is written of it, without the LF.
   */
  add(line: string): void {
    if (this.#events++ === 0) this.#isDeaf = this.#hasNoRoom();
    if (this.#isDeaf) this.#lostBytes += line.length + 1;
    else this.#text += line + "\n";
  }

  /**
   * Puts the text that waits into every member's outbox.
   *
   * @param each Called for every member that got something, with how many events that is.
   */
  deliver(each: (member: Listener, events: number) => void): void {
    if (this.#events === 0) return;
    const [events, lostBytes] = [this.#events, this.#lostBytes];
    const bytes = encodeText(this.#text);
    this.#text = "";
    this.#events = this.#lostBytes = 0;
    const full: Listener[] = [];
    for (const member of this.members) {
      if (this.#isDeaf || !member.outbox.push(bytes)) {
        full.push(member);
        continue;
      }
      member.delivered += events;
      each(member, events);
    }
    // Only now: to be told may lead to more events for these very members.
    for (const member of full) member.overflow(bytes.length + lostBytes, events);
  }

  /**
   * Leaves an event out that is too long for its members.
   *
   * @param bytes How long it would be, at least.
   */
  leaveOut(bytes: number): void {
    for (const member of [...this.members]) member.onTooLong?.(bytes);
  }

  #hasNoRoom(): boolean {
    for (const { outbox } of this.members) {
      if (!outbox.isFull) return false;
    }
    return true;
  }
}
