/**
 * The rates of the last minutes, as a chart and as text.
 *
 * @module
 */
import uPlot from "uplot";
import type { BrokerStats } from "../lib/protocol/responses.ts";
import { byId, make, setText } from "./dom.ts";
import { Rates as History, SERIES } from "./history.ts";
import { type Ink, readInk, rem } from "./theme.ts";
import { formatCompactRate } from "./words.ts";

/** How much time the chart shows at least, in seconds. */
const MIN_SPAN_S = 60;

/** Draws the rates. */
export class RatesView {
  readonly #place = byId("chart");
  readonly #values: HTMLElement[];
  #history = new History();
  #chart: uPlot | undefined;

  /** Begins with an empty chart. */
  constructor() {
    this.#values = SERIES.map(({ name, color }) => {
      const value = make("b", "", "–");
      byId("series").append(make("li", `series-${color}`, make("span", "", name), value));
      return value;
    });
    new ResizeObserver(() => this.#resize()).observe(this.#place);
  }

  /** Takes the colours and sizes of now. */
  refresh(): void {
    this.#chart?.destroy();
    this.#chart = undefined;
    if (this.#history.data[0].length < 2) return; // Of a single time uPlot would make a chart of days.
    const { clientWidth: width, clientHeight: height } = this.#place;
    this.#chart = new uPlot(options(readInk(), width, height), this.#history.data, this.#place);
  }

  /** Forgets what was. */
  clear(): void {
    this.#history = new History();
    this.refresh();
  }

  /** Takes in the answer to `/stats`, at a time in milliseconds. */
  answered(stats: BrokerStats, now: number): void {
    this.#history.answered(stats, now);
    this.#history.latest?.forEach((rate, index) => setText(this.#values[index], formatCompactRate(rate)));
    if (this.#chart === undefined) this.refresh();
    else if (!document.hidden) this.#chart.setData(this.#history.data);
  }

  /** How many events a second come in now, once that is known. */
  get published(): number | undefined {
    return this.#history.latest?.[0];
  }

  #resize(): void {
    if (this.#chart === undefined) return this.refresh();
    this.#chart.setSize({ width: this.#place.clientWidth, height: this.#place.clientHeight });
  }
}

function options(ink: Ink, width: number, height: number): uPlot.Options {
  const font = `${0.75 * rem()}px ${ink.font}`;
  const axis: uPlot.Axis = { stroke: ink.muted, font, grid: { stroke: ink.line, width: 1 }, ticks: { show: false } };
  const values = (_: uPlot, splits: number[]) => splits.map((value) => formatCompactRate(value).replace(".0", ""));
  const colors = { blue: ink.events[0], green: ink.events[2], bad: ink.bad };
  return {
    width,
    height,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { range: (_, first, last) => [last - Math.max(MIN_SPAN_S, last - first), last] },
      y: { range: (_, _min, max) => [0, Math.max(1, max * 1.1)] },
    },
    axes: [
      { ...axis, size: 1.6 * rem(), space: 5.5 * rem(), values: (_, splits) => splits.map(timeOfDay) },
      { ...axis, size: 3.4 * rem(), space: 1.8 * rem(), values },
    ],
    series: [{}, ...SERIES.map(({ color }) => ({ stroke: colors[color], width: 2, points: { show: false } }))],
  };
}

function timeOfDay(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString("en-GB");
}
