/** What is measured of mq alone: a broker against itself. */
import { exchangeBytes, type Load, open, runLoad, topicName, writeAll } from "../../cmd/bench/load.ts";
import { rate } from "./cases.ts";
import type { Server } from "./servers.ts";

const encoder = new TextEncoder();
const ONE_TO_ONE: Load = { pubs: 1, subs: 1, topics: 1, size: 64 };

/** How often one of a hundred listeners subscribes and leaves, in milliseconds. */
const CHANGE_MS = 10;

/** The rate of a publisher whom nobody hears, as a multiple of that of one who has a listener. */
export async function unheard(server: Server, forMs: number): Promise<number> {
  const heard = await rate(server, ONE_TO_ONE, forMs);
  return await rate(server, { ...ONE_TO_ONE, subs: 0 }, forMs) / heard;
}

/** The rate of 100 listeners while another subscribes and leaves 100 times a second, as a share of it without that. */
export async function changingAudience(server: Server, forMs: number): Promise<number> {
  const load = { ...ONE_TO_ONE, subs: 100 };
  const calm = await rate(server, load, forMs);
  const restless = new Restless(await open(server.address, server.wire.publisher));
  try {
    return await rate(server, load, forMs) / calm;
  } finally {
    await restless.stop();
  }
}

/** A listener that subscribes to what the others hear, leaves, subscribes ... */
class Restless {
  readonly #conn: Deno.Conn;
  readonly #reading: Promise<void>;
  readonly #changing: Promise<void>;
  #isStopped = false;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
    this.#reading = drain(conn);
    this.#changing = this.#change();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#changing;
    this.#conn.close();
    await this.#reading;
  }

  /** Each change has its time, so that a late one does not put off those after it. */
  async #change(): Promise<void> {
    const start = performance.now();
    for (let changes = 0; !this.#isStopped; changes++) {
      await writeAll(this.#conn, encoder.encode(`/${changes % 2 === 0 ? "sub" : "unsub"} ${topicName(0)}\n`));
      const dueInMs = start + (changes + 1) * CHANGE_MS / 2 - performance.now();
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueInMs)));
    }
  }
}

async function drain(conn: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(256 * 1024);
  while (await conn.read(buffer).catch(() => null) !== null);
}

/** The resident memory, in bytes, at the start and after each tenth of so many events. */
export async function memoryOver(server: Server, events: number): Promise<number[]> {
  const memory = [server.rssBytes()];
  for (let tenth = 0; tenth < 10; tenth++) {
    await runLoad(server.address, server.wire, ONE_TO_ONE, { msgs: events / 10 });
    using conn = await open(server.address, server.wire.publisher);
    await exchangeBytes(conn, server.wire.sync);
    memory.push(server.rssBytes());
  }
  return memory;
}
