/**
 * The dots that show events on their way from a publisher to the broker and on to the subscribers. Times are in
 * milliseconds. Everything here is pure.
 *
 * @module
 */

/** How long a dot takes to the broker, and from there to a subscriber. */
export const LEG_MS = 850;
/** How long the name of a dropped event is shown. */
export const DROP_LABEL_MS = 2600;
/** The most dots at the same time. */
export const MAX_DOTS = 200;
/** The most names of dropped events at the same time. */
export const MAX_DROP_LABELS = 3;

/** The way of an event through the picture, or of jobs from the broker on. Cards are given by their keys. */
export interface Flight {
  readonly name: string;
  /** The index of its colour in the palette. */
  readonly color: number;
  /** The publisher's card; undefined if it begins at the broker. */
  readonly from?: string;
  /** The subscribers' cards. */
  readonly to: readonly string[];
  /** Why it ends at the broker; undefined if it has subscribers. */
  readonly dropped?: string;
}

/** Called with each dot: `progress` is its place on the line from the card (0) to the broker (1). */
export type DotVisitor = (flight: Flight, card: string, progress: number, isOutward: boolean) => void;

/** Called with each name of a dropped event: `age` is the share of its time that is over, `index` 0 for the newest. */
export type DropLabelVisitor = (flight: Flight, age: number, index: number) => void;

interface Started {
  readonly flight: Flight;
  readonly start: number;
}

/** The flights in progress. */
export class Flights {
  #flights: Started[] = [];
  #dropLabels: Started[] = [];
  #dots = 0;

  /** The most dots that the flights in progress have at any time. */
  get dots(): number {
    return this.#dots;
  }

  /** Whether there is nothing to draw. */
  get isEmpty(): boolean {
    return this.#flights.length === 0 && this.#dropLabels.length === 0;
  }

  /** Starts a flight; returns false if there would be too many dots. */
  start(flight: Flight, now: number): boolean {
    const dots = dotsOf(flight);
    if (this.#dots + dots > MAX_DOTS) return false;
    this.#dots += dots;
    this.#flights.push({ flight, start: now });
    return true;
  }

  /** Shows the name of a dropped event, each name only once. */
  showDropLabel(flight: Flight, now: number): void {
    const others = this.#dropLabels.filter((label) => label.flight.name !== flight.name);
    this.#dropLabels = [{ flight, start: now }, ...others].slice(0, MAX_DROP_LABELS);
  }

  /** Removes everything. */
  clear(): void {
    this.#flights = [];
    this.#dropLabels = [];
    this.#dots = 0;
  }

  /** Visits every dot, and removes the flights that have ended. */
  visitDots(now: number, visit: DotVisitor): void {
    let kept = 0;
    for (const started of this.#flights) {
      const { flight, start } = started;
      const { from } = flight;
      const progress = (now - start) / LEG_MS + (from === undefined ? 1 : 0);
      if (from !== undefined && progress < 1) visit(flight, from, eased(progress), false);
      else if (flight.dropped === undefined && progress < 2) {
        for (const card of flight.to) visit(flight, card, eased(2 - progress), true);
      } else {
        this.#dots -= dotsOf(flight);
        if (flight.dropped !== undefined) this.showDropLabel(flight, start + LEG_MS);
        continue;
      }
      this.#flights[kept++] = started;
    }
    this.#flights.length = kept;
  }

  /** Visits the names of dropped events, the newest first. */
  visitDropLabels(now: number, visit: DropLabelVisitor): void {
    this.#dropLabels = this.#dropLabels.filter(({ start }) => now - start < DROP_LABEL_MS);
    this.#dropLabels.forEach(({ flight, start }, index) => visit(flight, (now - start) / DROP_LABEL_MS, index));
  }
}

function dotsOf({ to }: Flight): number {
  return Math.max(1, to.length);
}

/** Slows a movement down at both ends. */
function eased(progress: number): number {
  return progress * progress * (3 - 2 * progress);
}
