/**
 * The rates of the last minutes, computed from the broker's counters. Everything here is pure.
 *
 * @module
 */
import type { BrokerStats } from "../lib/protocol/responses.ts";

const HISTORY_MS = 5 * 60_000;

/** The series of the chart: each with its name, its colour and its counter. */
export const SERIES = [
  { name: "published", color: "blue", of: (stats: BrokerStats) => stats.published },
  { name: "delivered", color: "green", of: (stats: BrokerStats) => stats.delivered },
  { name: "dropped", color: "bad", of: (stats: BrokerStats) => stats.unrecognized + stats.dropped + stats.refused },
] as const;

/** The rates of the last minutes. */
export class RateHistory {
  /** The times in seconds, and the rates of each series at these times. */
  data: [number[], ...number[][]] = [[], ...SERIES.map(() => [])];
  #last: { stats: BrokerStats; now: number } | undefined;

  /** Adds a response to `/stats`, and the time in milliseconds at which it arrived. */
  answered(stats: BrokerStats, now: number): void {
    const last = this.#last;
    this.#last = { stats, now };
    if (last === undefined || stats.uptimeMs <= last.stats.uptimeMs) return;
    const seconds = (stats.uptimeMs - last.stats.uptimeMs) / 1000;
    this.data[0].push(now / 1000);
    SERIES.forEach(({ of }, index) => this.data[index + 1].push((of(stats) - of(last.stats)) / seconds));
    while (this.data[0][0] < (now - HISTORY_MS) / 1000) for (const column of this.data) column.shift();
  }

  /** The newest rate of each series; undefined before the second response. */
  get latest(): number[] | undefined {
    return this.data[0].length === 0 ? undefined : this.data.slice(1).map((column) => column.at(-1)!);
  }
}
