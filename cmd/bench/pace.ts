/**
 * The load of the latency benchmark: events are due at fixed times, and their latency counts from then.
 *
 * @module
 */
import type { Histogram } from "hdr-histogram-js";
import { afterCurrentTick } from "../../lib/net/ticks.ts";
import { open, read, type Target, topicName, untilDone, type Watch, type Wire, writeAll } from "./load.ts";

/** How long before the next event the timer fires, in milliseconds, because timers are not exact. */
const TIMER_MARGIN_MS = 3;

/** The maximum number of overdue events in one write. */
const MAX_OVERDUE = 1000;

/** The events of the load, and their rate. */
export interface Pace {
  /** The number of events per second. */
  readonly rate: number;
  /** The duration, in milliseconds. */
  readonly for: number;
  /** The number of listeners. */
  readonly subs: number;
  /** The size of each event's data, in bytes. */
  readonly size: number;
}

/** The result of the load. */
export interface PacedResult {
  readonly published: number;
  readonly ms: number;
  /** The time from when an event was due until a listener received it, in microseconds. */
  readonly latency: Histogram;
  /** The time from when an event was due until it was sent, in microseconds. */
  readonly lateness: Histogram;
}

/**
 * Publishes at a fixed rate until all listeners have received the last event.
 *
 * @throws {ConnectionError} If the broker cannot be reached, or closes a connection.
 * @throws {TimeoutError} If nothing arrives for `stallMs`.
 */
export async function runPaced(target: Target, wire: Wire, pace: Pace, watch: Watch): Promise<PacedResult> {
  const { build } = await import("hdr-histogram-js"); // No other command needs it.
  const [latency, lateness] = [1, 2].map(() => build({ bitBucketSize: 32, useWebAssembly: false }));
  const [name, data] = [topicName(0), "x".repeat(pace.size)];
  const intervalMs = 1000 / pace.rate;
  const total = Math.max(1, Math.round(pace.for / intervalMs));
  using publisher = await open(target, wire.publisher);
  using listeners = new DisposableStack();
  const conns: Deno.Conn[] = [];
  while (conns.length < pace.subs) conns.push(listeners.use(await open(target, wire.listener(name))));

  const start = performance.now() + TIMER_MARGIN_MS;
  const sinceDueUs = (index: number) =>
    Math.max(1, Math.round((performance.now() - start - index * intervalMs) * 1000));
  const onArrival = (index: number) => latency.recordValue(sinceDueUs(index));
  const onSent = (index: number) => lateness.recordValue(sinceDueUs(index));
  const eventBytes = wire.deliver(name, data).length;
  const work = Promise.all([
    publishPaced(publisher, wire.publish(name, data), { start, intervalMs, total }, onSent),
    ...conns.map((conn) => countEvents(conn, eventBytes, total, onArrival)),
  ]);
  await untilDone(
    work,
    () => lateness.totalCount + latency.totalCount,
    () => `${total * pace.subs - latency.totalCount} deliveries are missing`,
    { ...watch, onTick: () => watch.onProgress?.(lateness.totalCount) },
  );
  return { published: total, ms: performance.now() - start, latency, lateness };
}

/** Reads events of equal size, and calls back for each one. */
async function countEvents(
  conn: Deno.Conn,
  eventBytes: number,
  total: number,
  onEvent: (index: number) => void,
): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (let [bytes, index] = [0, 0]; index < total;) {
    bytes += await read(conn, buffer);
    for (; index < Math.floor(bytes / eventBytes); index++) onEvent(index);
  }
}

/** Sends each event when it is due. Overdue events go in one write. */
async function publishPaced(
  conn: Deno.Conn,
  event: Uint8Array,
  { start, intervalMs, total }: { start: number; intervalMs: number; total: number },
  onSent: (index: number) => void,
): Promise<void> {
  for (let sent = 0; sent < total;) {
    const passedMs = performance.now() - start;
    const due = Math.min(total, Math.floor(passedMs / intervalMs) + 1, sent + MAX_OVERDUE);
    if (due <= sent) {
      await pause(sent * intervalMs - passedMs);
      continue;
    }
    const bytes = new Uint8Array((due - sent) * event.length);
    for (let offset = 0; offset < bytes.length; offset += event.length) bytes.set(event, offset);
    await writeAll(conn, bytes);
    for (; sent < due; sent++) onSent(sent);
  }
}

/** Waits with a timer, and for the last milliseconds from one tick to the next. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (ms > TIMER_MARGIN_MS) setTimeout(resolve, ms - TIMER_MARGIN_MS);
    else afterCurrentTick(resolve);
  });
}
