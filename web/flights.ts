/**
 * The dots on their way: from a sender into the broker, and on to those who hear the event. Times are in milliseconds.
 * Everything here is pure.
 *
 * @module
 */

/** How long an event takes to the broker, and from there on. */
export const LEG_MS = 850;
/** How long that of an event stays to be read which ended at the broker. */
export const GRAVE_MS = 2600;
/** The most dots at the same time. */
export const MAX_DOTS = 200;
/** The most events at the same time of which it is written that they ended at the broker. */
export const MAX_GRAVES = 3;

/** One event on its way. Cards are named by a key. */
export interface Flight {
  readonly name: string;
  /** Its colour's place in the palette. */
  readonly color: number;
  /** The card that it comes from. */
  readonly from: string;
  /** The cards that it goes to. */
  readonly to: readonly string[];
  /** Why it ends at the broker; undefined if it does not. */
  readonly dropped?: string;
}

/** Where a dot is: on the way of a card to the broker (0 to 1), or back from there. */
export type See = (flight: Flight, card: string, way: number, isOutward: boolean) => void;

/** All that are on their way. */
export class Flights {
  #flights: { flight: Flight; start: number }[] = [];
  #graves: { flight: Flight; start: number }[] = [];
  #dots = 0;

  /** How many dots there may be now, each event counted with all that becomes of it. */
  get dots(): number {
    return this.#dots;
  }

  /** Whether anything is to be seen. */
  get isStill(): boolean {
    return this.#flights.length === 0 && this.#graves.length === 0;
  }

  /** Sends an event on its way, if there is room. */
  start(flight: Flight, now: number): boolean {
    const dots = dotsOf(flight);
    if (this.#dots + dots > MAX_DOTS) return false;
    this.#dots += dots;
    this.#flights.push({ flight, start: now });
    return true;
  }

  /** Has an event end at the broker at once, where nothing may travel. */
  end(flight: Flight, now: number): void {
    const others = this.#graves.filter((grave) => grave.flight.name !== flight.name); // One name is written once.
    this.#graves = [{ flight, start: now }, ...others].slice(0, MAX_GRAVES);
  }

  /** Lets go of all. */
  clear(): void {
    this.#flights = [];
    this.#graves = [];
    this.#dots = 0;
  }

  /** Shows every dot. Those that have arrived are gone afterwards. */
  see(now: number, see: See): void {
    let kept = 0;
    for (const one of this.#flights) {
      const { flight, start } = one;
      const way = (now - start) / LEG_MS;
      if (way < 1) see(flight, flight.from, eased(way), false);
      else if (flight.dropped === undefined && way < 2) {
        for (const card of flight.to) see(flight, card, eased(2 - way), true);
      } else {
        this.#dots -= dotsOf(flight);
        if (flight.dropped !== undefined) this.end(flight, start + LEG_MS);
        continue;
      }
      this.#flights[kept++] = one;
    }
    this.#flights.length = kept;
  }

  /** Shows those that ended at the broker, the newest first, with how much of their time is over: 0 to 1. */
  seeGraves(now: number, see: (flight: Flight, age: number, place: number) => void): void {
    this.#graves = this.#graves.filter(({ start }) => now - start < GRAVE_MS);
    this.#graves.forEach(({ flight, start }, place) => see(flight, (now - start) / GRAVE_MS, place));
  }
}

function dotsOf({ to }: Flight): number {
  return Math.max(1, to.length);
}

/** Slow at both ends. */
function eased(way: number): number {
  return way * way * (3 - 2 * way);
}
