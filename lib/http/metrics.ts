/**
 * What a broker has counted, as Prometheus reads it.
 *
 * @module
 */
import type * as prometheus from "prom-client";
import type { Broker } from "../broker.ts";
import { VERSION } from "../protocol/version.ts";

/** Where its figures come from: each reads one when it is asked for. */
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
  readonly #registry: prometheus.Registry;

  private constructor(registry: prometheus.Registry) {
    this.#registry = registry;
  }

  /**
   * Makes the metrics of a broker. The library for it is loaded only then.
   *
   * @param broker The broker.
   * @returns Its metrics.
   */
  static async of(broker: Broker): Promise<Metrics> {
    const { Counter, Gauge, Registry } = await import("prom-client");
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
    return new Metrics(registry);
  }

  /** The media type of the text. */
  get type(): string {
    return this.#registry.contentType;
  }

  /**
   * The metrics as they are now.
   *
   * @returns Prometheus' text format.
   */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

function countersOf(broker: Broker): Readings {
  return [
    ["mq_events_published_total", "Recognized events that came in.", () => broker.stats().published],
    ["mq_events_delivered_total", "Events queued for listeners, once for each.", () => broker.stats().delivered],
    ["mq_events_unrecognized_total", "Events that no pattern recognizes.", () => broker.stats().unrecognized],
    ["mq_events_dropped_total", "Events for which a connection had no room.", () => broker.stats().dropped],
    ["mq_dropped_bytes_total", "Bytes that were meant for a connection and lost.", () => broker.stats().droppedBytes],
    ["mq_lines_refused_total", "Lines that broke a rule of the protocol.", () => broker.stats().refused],
    ["mq_slow_consumers_total", "How often too much waited for a connection.", () => broker.stats().slow],
    ["mq_errors_total", "Faults of the broker itself.", () => broker.stats().errors],
    ["process_cpu_seconds_total", "Processor time of the process.", () => broker.stats().cpuMs / 1000],
  ];
}

function gaugesOf(broker: Broker): Readings {
  return [
    ["mq_connections", "Connections in the pool.", () => broker.stats().connections],
    ["mq_queued_bytes", "Bytes that wait for all connections.", () => queuedBytes(broker)],
    ["process_resident_memory_bytes", "Memory that the process has resident.", () => broker.stats().rssBytes],
    ["process_start_time_seconds", "When the process started, since the epoch.", () => performance.timeOrigin / 1000],
  ];
}

function queuedBytes(broker: Broker): number {
  return broker.clients().reduce((sum, client) => sum + client.queuedBytes, 0);
}
