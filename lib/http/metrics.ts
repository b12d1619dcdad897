/**
 * What a broker has counted, in the text format of Prometheus.
 *
 * @module
 */
import type * as prometheus from "prom-client";
import type { Broker } from "../broker.ts";
import { VERSION } from "../protocol/version.ts";
import { StoreMetrics } from "./store_metrics.ts";

/** Metrics, each with a function that reads its present value. */
type Readings = readonly (readonly [name: string, help: string, read: () => number])[];

/**
 * The metrics of a broker.
 *
 * @example
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * import { Broker } from "../broker.ts";
 *
 * const metrics = await Metrics.of(new Broker());
 * assertStringIncludes(await metrics.text(), "\nmq_connections 0\n");
 * ```
 */
export class Metrics {
  readonly #broker: Broker;
  readonly #registry: prometheus.Registry;
  readonly #store: StoreMetrics;

  private constructor(broker: Broker, registry: prometheus.Registry, store: StoreMetrics) {
    this.#broker = broker;
    this.#registry = registry;
    this.#store = store;
  }

  /**
   * Makes the metrics of a broker. prom-client is loaded by the first call.
   *
   * @param broker The broker.
   * @returns Its metrics.
   */
  static async of(broker: Broker): Promise<Metrics> {
    const library = await import("prom-client");
    const { Counter, Gauge, Registry } = library;
    const registry = new Registry();
    const registers = [registry];
    for (const [name, help, read] of countersOf(broker)) {
      const collect = function (this: prometheus.Counter) {
        this.reset();
        this.inc(read());
      };
      new Counter({ name, help, registers, collect });
    }
    for (const [name, help, read] of gaugesOf(broker)) {
      const collect = function (this: prometheus.Gauge) {
        this.set(read());
      };
      new Gauge({ name, help, registers, collect });
    }
    const info = { name: "mq_build_info", help: "The version of mq.", labelNames: ["version"], registers };
    new Gauge(info).set({ version: VERSION }, 1);
    return new Metrics(broker, registry, new StoreMetrics(library));
  }

  /** The media type of the text. */
  get type(): string {
    return this.#registry.contentType;
  }

  /**
   * Reads all metrics.
   *
   * @returns The text format of Prometheus.
   */
  async text(): Promise<string> {
    const store = await this.#broker.describeStore();
    const text = await this.#registry.metrics();
    return store === undefined ? text : `${text}\n${await this.#store.text(store)}`;
  }
}

function countersOf(broker: Broker): Readings {
  return [
    ["mq_events_published_total", "Events that were recognized and published.", () => broker.stats().published],
    ["mq_events_delivered_total", "Events and jobs queued, once for each receiver.", () => broker.stats().delivered],
    ["mq_events_unrecognized_total", "Events that were not recognized.", () => broker.stats().unrecognized],
    ["mq_events_dropped_total", "Events that found no room in a connection's queue.", () => broker.stats().dropped],
    ["mq_dropped_bytes_total", "Bytes that were lost before a connection got them.", () => broker.stats().droppedBytes],
    ["mq_lines_refused_total", "Lines, requests and connections that were refused.", () => broker.stats().refused],
    ["mq_slow_consumers_total", "How often a connection became a slow consumer.", () => broker.stats().slow],
    ["mq_errors_total", "Internal errors of the broker.", () => broker.stats().errors],
    ["process_cpu_seconds_total", "CPU time of the process, in seconds.", () => broker.stats().cpuMs / 1000],
  ];
}

function gaugesOf(broker: Broker): Readings {
  return [
    ["mq_connections", "Open connections.", () => broker.stats().connections],
    ["mq_queued_bytes", "Bytes in the queues of all connections.", () => broker.queuedBytes],
    ["process_resident_memory_bytes", "Resident memory of the process, in bytes.", () => broker.stats().rssBytes],
    [
      "process_start_time_seconds",
      "When the process started, in seconds since 1970-01-01 UTC.",
      () => performance.timeOrigin / 1000,
    ],
  ];
}
