/**
 * The ratio of the events that the page receives as a sample to all published ones: `1 of 500`. Everything here is pure.
 *
 * @module
 */

/** How many of the last responses to `/stats` are compared. */
const RESPONSES = 5;
/** A smaller ratio of published to received events is not shown: some are on their way at any time. */
const MIN_RATIO = 1.1;

/** Compares the events that arrived with those that were published. */
export class SampleRatio {
  #received = 0;
  readonly #responses: { published: number; received: number }[] = [];

  /** Counts an event that has arrived. */
  event(): void {
    this.#received++;
  }

  /** Takes the broker's count of all published events. */
  answered(published: number): void {
    this.#responses.push({ published, received: this.#received });
    if (this.#responses.length > RESPONSES + 1) this.#responses.shift();
  }

  /** The ratio in words; empty if all events arrive. */
  get text(): string {
    const [first, last] = [this.#responses[0], this.#responses.at(-1)];
    if (first === undefined || last === undefined) return "";
    const [published, received] = [last.published - first.published, last.received - first.received];
    if (published <= received * MIN_RATIO) return "";
    if (received === 0) return `none of ${published.toLocaleString("en-US")} shown`;
    const ratio = published / received;
    return ratio < 2 ? `${Math.round(100 / ratio)} % shown` : `1 of ${rounded(ratio).toLocaleString("en-US")} shown`;
  }
}

/** Rounds to one or two digits, since the ratio changes all the time. */
function rounded(ratio: number): number {
  return Number(ratio.toPrecision(ratio < 10 ? 1 : 2));
}
