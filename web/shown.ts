/**
 * How much of what the broker publishes the page gets to show: `1 of 500`. Everything here is pure.
 *
 * @module
 */

/** How many answers of `/stats` are looked back on. */
const ANSWERS = 5;
/** Below this it is not worth saying: what is on its way makes for some. */
const NOTICEABLE = 1.1;

/** Holds what came beside what was published. */
export class Shown {
  #shown = 0;
  readonly #past: { published: number; shown: number }[] = [];

  /** An event has come. */
  event(): void {
    this.#shown++;
  }

  /** The broker has told how many events it has published in all. */
  answered(published: number): void {
    this.#past.push({ published, shown: this.#shown });
    if (this.#past.length > ANSWERS + 1) this.#past.shift();
  }

  /** How many of them are shown, in words; empty where that is all. */
  get text(): string {
    const [first, last] = [this.#past[0], this.#past.at(-1)];
    if (first === undefined || last === undefined) return "";
    const [published, shown] = [last.published - first.published, last.shown - first.shown];
    if (published <= shown * NOTICEABLE) return "";
    if (shown === 0) return `none of ${published.toLocaleString("en-US")} shown`;
    const ratio = published / shown;
    return ratio < 2 ? `${Math.round(100 / ratio)} % shown` : `1 of ${rounded(ratio).toLocaleString("en-US")} shown`;
  }
}

/** To one digit or two: it changes all the time. */
function rounded(ratio: number): number {
  return Number(ratio.toPrecision(ratio < 10 ? 1 : 2));
}
