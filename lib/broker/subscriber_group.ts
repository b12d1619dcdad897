/**
 * Listeners that hear the same, and the text that waits for all of them.
 *
 * @module
 */
import type { ClassicCodec } from "../protocol/classic.ts";
import type { Pattern } from "../protocol/pattern.ts";
import type { WriteQueue } from "../net/write_queue.ts";
import { Sampler } from "./sampler.ts";
import { encodeText, MAX_UTF8_BYTES } from "../protocol/text.ts";

/** How much text gathers for an group, in UTF-16 code units, before it is delivered without waiting for the turn. */
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
  readonly queue: WriteQueue;
  /** How many events were queued for it. */
  delivered: number;
  /**
   * Called when something could not be queued because its queue is full. It may change who is in the router.
   *
   * @param bytes How much was lost, at least: what nobody had room for is not encoded to find out.
   * @param events How many events that were; 0 if it was anything else.
   */
  overflow(bytes: number, events: number): void;
  /**
   * Called when an event was left out, since no message to a classic client may be as long; it may do the same.
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
export class SubscriberGroup {
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
  /** The batch: the text that waits, how many events that are, and how long it may grow, in UTF-16 code units. */
  #text = "";
  #events = 0;
  #maxCharacters = 0;
  /** How many members the batch is for. If there is none, what comes is counted, and not gathered. */
  #receivers = 0;
  /** Those who had no room when the batch began: it is not for them, whatever room they have at its end. */
  readonly #excluded = new Set<Listener>();
  #lostBytes = 0;

  /**
   * Makes an group without members.
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

  /**
   * Whether an event can be added to the batch, so that all whom that is for are sure to have room for it.
   *
   * @param line What is written of it, without the LF.
   * @returns False also if no batch has begun.
   */
  hasRoomFor(line: string): boolean {
    return this.#text.length + line.length < this.#maxCharacters;
  }

  /** Begins a batch, where none waits, for those of its members who have room. */
  begin(): void {
    let roomBytes = Infinity;
    this.#receivers = this.members.size;
    for (const member of this.members) {
      if (member.queue.isFull) this.#exclude(member);
      else roomBytes = Math.min(roomBytes, member.queue.roomBytes);
    }
    const isForNobody = this.#receivers === 0;
    this.#maxCharacters = isForNobody ? Infinity : Math.min(MAX_BATCH_CHARACTERS, roomBytes / MAX_UTF8_BYTES);
  }

  #exclude(member: Listener): void {
    this.#excluded.add(member);
    this.#receivers--;
  }

  /**
   * Adds an event to the batch.
   *
   * @param line What is written of it, without the LF.
   * @returns How many members the batch is for.
   */
  add(line: string): number {
    this.#events++;
    if (this.#receivers === 0) this.#lostBytes += line.length + 1;
    else this.#text += line + "\n";
    return this.#receivers;
  }

  /**
   * Ends the batch: puts its text into the queue of every member that has room.
   *
   * @param took Called for every member that got it.
   * @param missed Called for every other member, with how many bytes and events it does not get.
   * @returns How many members got it.
   */
  deliver(
    took: (member: Listener) => void,
    missed: (member: Listener, bytes: number, events: number) => void,
  ): number {
    const events = this.#events;
    if (events === 0) return 0;
    let receivers = 0;
    const bytes = encodeText(this.#text);
    for (const member of this.members) {
      if (this.#excluded.has(member) || !member.queue.push(bytes)) {
        missed(member, bytes.length + this.#lostBytes, events);
        continue;
      }
      receivers++;
      member.delivered += events;
      took(member);
    }
    this.#text = "";
    this.#events = this.#lostBytes = this.#maxCharacters = 0;
    this.#excluded.clear();
    return receivers;
  }
}
