/**
 * Those who publish without a connection, such as `http` for all POST requests. Everything here is pure.
 *
 * @module
 */
import type { Participant } from "./model.ts";

/** The most publishers that are kept; the picture leaves out the others. */
const MAX_PUBLISHERS = 20;
/** After this time without an event, a publisher is idle. */
const IDLE_MS = 5000;

interface Publisher {
  readonly participant: Participant;
  /** How many of its events have arrived. */
  arrived: number;
  /** How many of its events the broker has told of by `mq.http`. */
  told: number;
  lastAt: number;
}

/** The publishers without a connection, by their names. */
export class DetachedPublishers {
  readonly #publishers = new Map<string, Publisher>();

  /** All of them, the oldest first. */
  get participants(): Participant[] {
    return [...this.#publishers.values()].map(({ participant }) => participant);
  }

  /** Returns the publisher of a name, if there is one. */
  get(name: string): Participant | undefined {
    return this.#publishers.get(name)?.participant;
  }

  /** Notes that a publisher is active, and adds it if it is new. */
  activate(name: string, now: number): void {
    this.#active(name, now);
  }

  /** Counts an event that has arrived. */
  arrived(name: string, now: number): void {
    const publisher = this.#active(name, now);
    if (publisher === undefined) return;
    publisher.arrived++;
    updateCount(publisher);
  }

  /**
   * Counts events that the broker has told of by `mq.http`.
   *
   * @param name The publisher's name.
   * @param address The address from which the last event came.
   * @param events How many events.
   * @param now The time in milliseconds.
   * @returns Whether the publisher had no address before.
   */
  told(name: string, address: string, events: number, now: number): boolean {
    const publisher = this.#active(name, now);
    if (publisher === undefined) return false;
    const isFirst = publisher.participant.address === "";
    publisher.participant.address = address;
    publisher.told += events;
    updateCount(publisher);
    return isFirst;
  }

  /** Updates which publishers are idle. */
  updateIdle(now: number): void {
    for (const { participant, lastAt } of this.#publishers.values()) participant.isIdle = now - lastAt > IDLE_MS;
  }

  #active(name: string, now: number): Publisher | undefined {
    const publisher = this.#publishers.get(name) ?? this.#add(name);
    if (publisher === undefined) return undefined;
    publisher.lastAt = now;
    publisher.participant.isIdle = false;
    return publisher;
  }

  #add(name: string): Publisher | undefined {
    if (this.#publishers.size >= MAX_PUBLISHERS) return undefined;
    const counts = { published: 0, delivered: 0, queuedBytes: 0, dropped: 0 };
    const info = {
      id: name,
      name,
      address: "",
      connectedAt: "",
      patterns: new Set<string>(),
      patternCount: 0,
      classic: null,
      observe: null,
      ...counts,
    };
    const publisher = {
      participant: { ...info, isSlow: false, isDetached: true, isIdle: false },
      ...{ arrived: 0, told: 0, lastAt: 0 },
    };
    this.#publishers.set(name, publisher);
    return publisher;
  }
}

/** The page receives separate samples of events and of system events: the higher count is nearer to the truth. */
function updateCount({ participant, arrived, told }: Publisher): void {
  participant.published = Math.max(arrived, told);
}
