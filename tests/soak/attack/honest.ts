/**
 * The process of the honest: `honest.ts PORT LISTENERS RATE FOR_MS`. It speaks through bare sockets, so that what it measures
 * is the broker. Once all are connected it says so, waits for a line, publishes, waits for the last event to be heard, and
 * prints one JSON object.
 */
import { TextLineStream } from "@std/streams/text-line-stream";

/** The event of the honest. */
export const TICK = "honest.tick";

/** Prints what the trial waits for before it goes on. */
export const READY = "connected";

/** How long the last event may take to be heard, in milliseconds. */
const PATIENCE_MS = 15_000;

/** How often what is due is published, in milliseconds. */
const TICK_MS = 5;

/** What the honest have seen. */
export interface Observation {
  /** How many events were published, and how many of them each listener has heard, together. */
  readonly sent: number;
  readonly heard: number;
  /** From the moment an event was due until it was heard, in milliseconds: half of them, 99 of 100, all of them. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** How many of their connections the broker has closed. */
  readonly closed: number;
}

const encoder = new TextEncoder();

class Honest {
  sent = 0;
  heard = 0;
  closed = 0;
  readonly delays: number[] = [];
  isEnding = false;

  /** Connects, subscribes to what is told, and reads. Resolves once the broker answers. */
  async connect(port: number, patterns: string): Promise<Deno.TcpConn> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    await conn.write(encoder.encode(`/hello {"name":"honest"}\n/sub ${patterns}\n/ping\n`));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#read(conn, resolve).catch(() => {}).finally(() => this.isEnding || this.closed++);
    await promise;
    return conn;
  }

  async #read(conn: Deno.TcpConn, onReady: () => void): Promise<void> {
    const lines = conn.readable.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
    for await (const line of lines) {
      if (line.startsWith(TICK)) this.#hear(Number(line.slice(TICK.length + 1)));
      else if (line.startsWith("/pong")) onReady();
    }
  }

  #hear(dueAt: number): void {
    this.heard++;
    this.delays.push(performance.now() - dueAt);
  }

  async publish(conn: Deno.TcpConn, rate: number, forMs: number): Promise<void> {
    const start = performance.now();
    const count = Math.round(rate * forMs / 1000);
    while (this.sent < count) {
      let lines = "";
      for (
        let dueAt;
        (dueAt = start + this.sent * 1000 / rate) <= performance.now() && this.sent < count;
        this.sent++
      ) {
        lines += `${TICK} ${dueAt.toFixed(3)}\n`;
      }
      const bytes = encoder.encode(lines);
      for (let written = 0; written < bytes.length;) written += await conn.write(bytes.subarray(written));
      await sleep(TICK_MS);
    }
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

if (import.meta.main) {
  const [port, listeners, rate, forMs] = Deno.args.map(Number);
  const honest = new Honest();
  for (let index = 0; index < listeners; index++) await honest.connect(port, TICK);
  const publisher = await honest.connect(port, "honest.nothing");
  console.log(READY);
  await Deno.stdin.read(new Uint8Array(1));
  // It may have been disconnected: then the rest is not sent, and that is told.
  await honest.publish(publisher, rate, forMs).catch(() => {});
  const lastAt = performance.now() + PATIENCE_MS;
  while (honest.heard < honest.sent * listeners && performance.now() < lastAt) await sleep(10);
  honest.isEnding = true;
  const { sent, heard, closed } = honest;
  const delays = honest.delays.sort((a, b) => a - b);
  const at = (share: number) => delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] ?? NaN;
  const observation: Observation = { sent, heard, p50: at(0.5), p99: at(0.99), max: at(1), closed };
  console.log(JSON.stringify(observation));
  Deno.exit(0);
}
