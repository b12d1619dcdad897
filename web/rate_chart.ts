/**
 * The rates of the last minutes, as a chart and as numbers.
 *
 * @module
 */
import uPlot from "uplot";
import type { BrokerStats } from "../lib/protocol/responses.ts";
import { byId, make, setText } from "./dom.ts";
import { formatCompactRate } from "./format.ts";
import { RateHistory, SERIES } from "./rate_history.ts";
import { readTheme, rem, type Theme } from "./theme.ts";

/** The shortest time that the chart spans, in seconds. */
const MIN_SPAN_S = 60;

/** Draws the rates. */
export class RateChart {
  readonly #container = byId("chart");
  readonly #values: HTMLElement[];
  #history = new RateHistory();
  #chart: uPlot | undefined;

  /** Makes an empty chart. */
  constructor() {
    this.#values = SERIES.map(({ name, color }) => {
      const value = make("b", "", "–");
      byId("series").append(make("li", `series-${color}`, make("span", "", name), value));
      return value;
    });
    new ResizeObserver(() => this.#resize()).observe(this.#container);
  }

  /** Draws the chart anew in the current colours and sizes. */
  refresh(): void {
    this.#chart?.destroy();
    this.#chart = undefined;
    if (this.#history.data[0].length < 2) return; // For a single point, uPlot draws an axis of several days.
    const { clientWidth: width, clientHeight: height } = this.#container;
    this.#chart = new uPlot(options(readTheme(), width, height), this.#history.data, this.#container);
  }

  /** Removes all rates. */
  clear(): void {
    this.#history = new RateHistory();
    this.refresh();
  }

  /** Adds a response to `/stats`, and the time in milliseconds at which it arrived. */
  answered(stats: BrokerStats, now: number): void {
    this.#history.answered(stats, now);
    this.#history.latest?.forEach((rate, index) => setText(this.#values[index], formatCompactRate(rate)));
    if (this.#chart === undefined) this.refresh();
    else if (!document.hidden) this.#chart.setData(this.#history.data);
  }

  /** The newest rate of published events; undefined before the second response. */
  get published(): number | undefined {
    return this.#history.latest?.[0];
  }

  #resize(): void {
    if (this.#chart === undefined) return this.refresh();
    this.#chart.setSize({ width: this.#container.clientWidth, height: this.#container.clientHeight });
  }
}

function options(theme: Theme, width: number, height: number): uPlot.Options {
  const font = `${0.75 * rem()}px ${theme.font}`;
  const axis: uPlot.Axis = {
    stroke: theme.muted,
    font,
    grid: { stroke: theme.line, width: 1 },
    ticks: { show: false },
  };
  const values = (_: uPlot, splits: number[]) => splits.map((value) => formatCompactRate(value).replace(".0", ""));
  const colors = { blue: theme.events[0], green: theme.events[2], bad: theme.bad };
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
