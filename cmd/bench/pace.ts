/**
 * The load of a latency benchmark: each event has a time at which it is due, and its latency counts from then.
 *
 * @module
 */
import type { Histogram } from "hdr-histogram-js";
import { afterCurrentTick } from "../../lib/net/read_scheduler.ts";
import { open, read, type Target, topicName, untilDone, type Watch, type Wire, writeAll } from "./load.ts";

/** How long before an event is due the sleep ends, in milliseconds: timers are not exact. */
const TIMER_MARGIN_MS = 3;

/** How many events that are overdue are sent at once. */
const MAX_OVERDUE = 1000;

/** What is sent, and how fast. */
export interface Pace {
  /** How many events are published a second. */
  readonly rate: number;
  /** For how long, in milliseconds. */
  readonly for: number;
  /** How many connections listen. */
  readonly subs: number;
  /** The data of each event, in bytes. */
  readonly size: number;
}

/** What came of it. */
export interface PacedResult {
  readonly published: number;
  readonly ms: number;
  /** From when each event was due to its arrival at each listener, in microseconds. */
  readonly latency: Histogram;
  /** From when each event was due until it was sent, in microseconds. */
  readonly lateness: Histogram;
}

/**
 * Publishes at a set rate until the last event has arrived everywhere.
 *
 * @throws {ConnectionError} If the broker cannot be reached, or closes a connection.
 * @throws {TimeoutError} If nothing arrives any more.
 */
export async function runPaced(target: Target, wire: Wire, pace: Pace, watch: Watch): Promise<PacedResult> {
  const { build } = await import("hdr-histogram-js"); // Not at the start: no other command needs it.
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

/** Reads events of one size, and tells of each that has come. */
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

/** Sends each event when it is due, or, after a delay, all that are overdue at once. */
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

/** Sleeps while there is time for it; the last milliseconds are watched closely. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (ms > TIMER_MARGIN_MS) setTimeout(resolve, ms - TIMER_MARGIN_MS);
    else afterCurrentTick(resolve);
  });
}
