/**
 * Subscribers that get the same bytes, and the text that waits for all of them.
 *
 * @module
 */
import { giveAway } from "../net/buffers.ts";
import type { EventFormat } from "../net/codec.ts";
import type { Transport } from "../net/transport.ts";
import type { WriteQueue } from "../net/write_queue.ts";
import type { Pattern } from "../protocol/pattern.ts";
import { encodeLine, encodeText, MAX_UTF8_BYTES } from "../protocol/text.ts";
import type { Publication } from "./publication.ts";

const NOTHING = new Uint8Array(0);

/** How much text gathers for a group, in UTF-16 code units, before it is delivered without waiting for the end of the tick. */
const MAX_BATCH_CHARACTERS = 256 * 1024;

/** Subscribers with more patterns than this share no group: to compare them would take long whenever they change. */
const MAX_COMPARED_PATTERNS = 64;

/** A connection, to the router and the fan-out. */
export interface Subscriber {
  /** Identifies it among all subscribers. */
  readonly id: string;
  /** Its patterns, by their text. To change them, take it out of the router and put it back. */
  readonly patterns: ReadonlyMap<string, Pattern>;
  /** How events are written to it. */
  readonly format: EventFormat<Publication>;
  /** Whether it gets the events it publishes itself. */
  readonly echo: boolean;
  /** If it is an observer: of how many events a second it gets a sample. */
  readonly observe?: number;
  /** Where its events are queued. */
  readonly queue: WriteQueue;
  /** Its group. The router sets it. */
  group: SubscriberGroup | undefined;
  /** How many events were queued for it, jobs and those of replays included. */
  delivered: number;
  /**
   * Writes control lines as they are sent to it.
   *
   * @param lines Whole lines, each with its LF.
   * @returns Their text. Default: as they are.
   */
  formatControl?(lines: string): string;
  /** Makes the bytes that are queued of those of lines: see {@linkcode Transport.frame}. Default: the same. */
  readonly frame?: Transport["frame"];
  /**
   * Called when something could not be queued because its write queue is full. It may change who is in the router.
   *
   * @param bytes How much was lost, at least: what nobody had room for is not encoded to find out.
   * @param events How many events were lost; 0 if it was anything else.
   */
  overflow(bytes: number, events: number): void;
  /**
   * Called when an event was left out, since its format does not allow one so long. It may do the same.
   *
   * @param bytes How long the event is, at least.
   */
  onTooLong(bytes: number): void;
}

/** Which events observers get. */
export interface Samplers {
  /** Of the broker's own events. */
  readonly own: Sampler;
  /** Of all others. */
  readonly others: Sampler;
}

/** The subscribers with the same patterns and format, and the text that waits for all of them. */
export class SubscriberGroup {
  /** What its members have in common. */
  readonly key: string;
  /** How events are written to its members. */
  readonly format: EventFormat<Publication>;
  /** If its members are observers: which events they get. */
  readonly samplers: Samplers | undefined;
  /** The id of the member whom no batch is for from the next one on. To be changed only where no batch waits. */
  leftOut: string | undefined;
  /** Whether it is for one subscriber only, which has more patterns than is worth comparing with those of others. */
  readonly isForOne: boolean;
  /** The patterns of its members. The router keeps them. */
  readonly patterns: Set<string> = new Set();
  /** Its members. */
  readonly members: Set<Subscriber> = new Set();
  readonly #frame: Transport["frame"];
  /**
   * The batch: the text that waits, without its last LF, how many events that are, and how long it may grow, in UTF-16 code
   * units.
   */
  #text = "";
  #events = 0;
  #maxCharacters = 0;
  /** How many members the batch is for. If there is none, what comes is counted, and not gathered. */
  #receivers = 0;
  /** The members that had no room when the batch began: it is not for them, whatever room they have at its end. */
  readonly #excluded = new Set<Subscriber>();
  #lostBytes = 0;

  /**
   * Makes a group without members.
   *
   * @param key What its members have in common.
   * @param first Its first member to be, whose patterns and format it takes.
   */
  constructor(key: string, first: Subscriber) {
    this.key = key;
    this.isForOne = first.patterns.size > MAX_COMPARED_PATTERNS;
    this.format = first.format;
    this.#frame = first.frame;
    const { observe } = first;
    if (observe !== undefined) this.samplers = { own: new Sampler(observe), others: new Sampler(observe) };
  }

  /**
   * Whether an event can be added to the batch, so that all members that the batch is for are sure to have room for it.
   *
   * @param text The event as it is written, without the LF.
   * @returns False also if no batch has begun.
   */
  hasRoomFor(text: string): boolean {
    return this.#text.length + text.length + 1 < this.#maxCharacters;
  }

  /** Begins a batch, where none waits, for the members that have room. */
  begin(): void {
    let roomBytes = Infinity;
    this.#receivers = this.members.size;
    for (const member of this.members) {
      if (member.id === this.leftOut) this.#receivers--;
      else if (member.queue.isFull) this.#exclude(member);
      else roomBytes = Math.min(roomBytes, member.queue.roomBytes);
    }
    const allFull = this.#receivers === 0;
    this.#maxCharacters = allFull ? Infinity : Math.min(MAX_BATCH_CHARACTERS, roomBytes / this.#maxBytes);
  }

  /** How many bytes a character of a batch takes at most. The header of a frame is less than another byte for each. */
  get #maxBytes(): number {
    return this.#frame === undefined ? MAX_UTF8_BYTES : MAX_UTF8_BYTES + 1;
  }

  #exclude(member: Subscriber): void {
    this.#excluded.add(member);
    this.#receivers--;
  }

  /**
   * Adds an event to the batch.
   *
   * @param text The event as it is written, without the LF.
   * @returns How many members the batch is for.
   */
  add(text: string): number {
    this.#events++;
    if (this.#receivers === 0) this.#lostBytes += text.length + 1;
    else this.#text = this.#text === "" ? text : this.#text + "\n" + text;
    return this.#receivers;
  }

  /**
   * Ends the batch: queues its text for every member that has room.
   *
   * @param onQueued Called for every member that got it.
   * @param onOverflow Called for every other member, with how many bytes and events it does not get.
   * @returns How many members got it.
   */
  deliver(
    onQueued: (member: Subscriber) => void,
    onOverflow: (member: Subscriber, bytes: number, events: number) => void,
  ): number {
    const events = this.#events;
    if (events === 0) return 0;
    let receivers = 0;
    const text = this.#text === "" ? NOTHING : encodeLine(this.#text);
    const bytes = giveAway(this.#frame?.(text) ?? text);
    for (const member of this.members) {
      if (member.id === this.leftOut) continue;
      if (this.#excluded.has(member) || !member.queue.push(bytes)) {
        onOverflow(member, bytes.length + this.#lostBytes, events);
        continue;
      }
      receivers++;
      member.delivered += events;
      onQueued(member);
    }
    this.#text = "";
    this.#events = this.#lostBytes = this.#maxCharacters = 0;
    this.#excluded.clear();
    return receivers;
  }
}

/**
 * Writes control lines as they are queued for a subscriber.
 *
 * @param subscriber The subscriber.
 * @param lines Whole lines, each with its LF; or their bytes, if they are the same for all.
 * @returns Their bytes.
 */
export function encodeControl(subscriber: Subscriber, lines: string | Uint8Array): Uint8Array {
  const bytes = typeof lines === "string" ? giveAway(encodeText(subscriber.formatControl?.(lines) ?? lines)) : lines;
  return subscriber.frame === undefined ? bytes : giveAway(subscriber.frame(bytes));
}

/**
 * The group that a subscriber belongs to: subscribers that are written the same bytes share one. Those without echo share
 * others, for what one of them publishes divides the batches of its group. One with very many patterns shares none.
 *
 * @param subscriber The subscriber.
 * @returns The key of the group.
 */
export function groupKey({ id, echo, observe, format, frame, patterns }: Subscriber): string {
  const form = (observe === undefined ? format.key : `observe ${observe}`) + (frame === undefined ? "" : " framed");
  const own = patterns.size > MAX_COMPARED_PATTERNS ? `#${id}` : [...patterns.keys()].sort().join(" ");
  return `${form} ${echo ? "" : "quiet"} ${own}`;
}

/** The time over which a sample is evened out, in milliseconds. */
const WINDOW_MS = 250;

/**
 * Decides which events are in an observer's sample, so that the sample is spread evenly over all events.
 *
 * The mean distance between two events of the sample follows from how many came in the window before. Where a window has
 * more events than its share, the distance doubles. The distances are random: with even ones it might always be the same
 * publisher of several that alternate.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const sampler = new Sampler(60);
 * assertEquals(sampler.take(), 0); // taken, and nothing was skipped before it
 * ```
 */
export class Sampler {
  /** How many events of a window are in the sample. */
  readonly #share: number;
  /** The mean distance between two events of the sample. */
  #stride = 1;
  /** How many more events come up to the next of the sample, itself included. */
  #ahead = 1;
  #skipped = 0;
  /** How many events came in this window, and how many of them are in the sample. */
  #came = 0;
  #taken = 0;
  #begunAt = 0;

  /**
   * Makes a sampler that takes the first event.
   *
   * @param perSecond About how many events it takes a second. When many come all at once it may be a few times as many.
   */
  constructor(perSecond: number) {
    this.#share = Math.max(1, Math.round(perSecond * WINDOW_MS / 1000));
  }

  /**
   * Decides about the next event.
   *
   * @returns If it is in the sample, how many events were left out since the one before; undefined if it is left out.
   */
  take(): number | undefined {
    this.#came++;
    if (--this.#ahead > 0) {
      this.#skipped++;
      return undefined;
    }
    const skipped = this.#skipped;
    this.#skipped = 0;
    if (++this.#taken % this.#share === 0) this.#stride *= 2;
    this.#ahead = this.#distance();
    return skipped;
  }

  /**
   * To be called now and then, such as at the end of each turn in which there were events.
   *
   * @param now The time, in milliseconds.
   */
  tick(now: number): void {
    const elapsedMs = now - this.#begunAt;
    if (elapsedMs < WINDOW_MS) return;
    this.#stride = Math.max(1, this.#came * WINDOW_MS / elapsedMs / this.#share);
    this.#ahead = Math.min(this.#ahead, this.#distance());
    this.#came = this.#taken = 0;
    this.#begunAt = now;
  }

  #distance(): number {
    return Math.round(1 + Math.random() * 2 * (this.#stride - 1));
  }
}
