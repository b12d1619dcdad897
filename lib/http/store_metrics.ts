/**
 * What is known of a broker's store, in the text format of Prometheus.
 *
 * @module
 */
import type * as prometheus from "prom-client";
import type { Broker } from "../broker.ts";

/** What a broker knows of its store. */
export type StoreReport = NonNullable<Awaited<ReturnType<Broker["describeStore"]>>>;

/** Metrics, each with a function that reads its value. */
type Readings<T> = readonly (readonly [name: string, help: string, read: (of: T) => number])[];

const STORE_GAUGES: Readings<StoreReport> = [
  ["mq_store_up", "Whether the store can be read and written: 1 or 0.", ({ isUp }) => Number(isUp)],
  ["mq_log_events", "Events in the log.", ({ log }) => log.events],
  ["mq_log_bytes", "Bytes of the events in the log.", ({ log }) => log.bytes],
];

const GROUP_GAUGES: Readings<StoreReport["groups"][number]> = [
  ["mq_group_lag_events", "Events of the log that the group has not looked at.", ({ lag }) => lag],
  ["mq_group_ready_jobs", "Jobs that are to be delivered again now.", ({ ready }) => ready],
  ["mq_group_in_flight_jobs", "Jobs that members have and have not settled.", ({ inFlight }) => inFlight],
  ["mq_group_delayed_jobs", "Jobs that are to be delivered again later.", ({ delayed }) => delayed],
  ["mq_group_dead_jobs", "Jobs that are dead.", ({ dead }) => dead],
  ["mq_group_members", "Connections that are members of the group.", ({ members }) => members.length],
];

/** The metrics of a store. They are set all at once, because the store is asked only once for all of them. */
export class StoreMetrics {
  readonly #registry: prometheus.Registry;
  readonly #setters: readonly ((report: StoreReport) => void)[];

  /**
   * Makes metrics without values.
   *
   * @param library What makes them.
   */
  constructor({ Counter, Gauge, Registry }: typeof prometheus) {
    this.#registry = new Registry();
    const registers = [this.#registry];
    const deleted = new Counter({
      name: "mq_log_events_deleted_total",
      help: "Events that were deleted from the log because of their age, or for its size.",
      registers,
    });
    this.#setters = [
      ...STORE_GAUGES.map(([name, help, read]) => {
        const gauge = new Gauge({ name, help, registers });
        return (report: StoreReport) => gauge.set(read(report));
      }),
      ...GROUP_GAUGES.map(([name, help, read]) => {
        const gauge = new Gauge({ name, help, registers, labelNames: ["group"] });
        return ({ groups }: StoreReport) => {
          gauge.reset();
          for (const info of groups) gauge.set({ group: info.group }, read(info));
        };
      }),
      ({ log }) => {
        deleted.reset();
        deleted.inc(log.deleted);
      },
    ];
  }

  /**
   * Writes what is known of the store.
   *
   * @param report What is known.
   * @returns The text format of Prometheus.
   */
  text(report: StoreReport): Promise<string> {
    for (const set of this.#setters) set(report);
    return this.#registry.metrics();
  }
}
