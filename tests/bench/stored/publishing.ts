/**
 * The load of publishers that wait for acknowledgements: each has at most a window of them outstanding, and after each read
 * sends in one write what the window has room for.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { concat } from "@std/bytes/concat";
import { type Exchange, untilDone } from "../../../cmd/bench/load.ts";
import type { Address } from "../../../lib/protocol/address.ts";
import { type Read, type Sample, sampleOf } from "./readings.ts";
import { ReplyCounter, type ReplyKinds } from "./replies.ts";
import { Socket } from "./socket.ts";
import { Window } from "./window.ts";

/** The part of a broker's protocol that publishers need. */
export interface PublishWire {
  /** The beginning of one of several connections. */
  hello(connection: number): Exchange;
  /** The bytes that publish an event and ask for an acknowledgement. */
  publish(data: string, connection: number): Uint8Array;
  readonly replies: ReplyKinds;
}

/** How many connections publish, and how much each may have unacknowledged. */
export interface PublishLoad {
  readonly connections: number;
  readonly window: number;
  readonly data: string;
}

/** How long it is measured, in milliseconds, after a load that is not. */
export interface Period {
  readonly warmUpMs: number;
  readonly ms: number;
}

/** Measures acknowledged publishes. */
export async function measurePublishing(
  address: Address,
  wire: PublishWire,
  load: PublishLoad,
  { warmUpMs, ms }: Period,
  read: Read,
  signal?: AbortSignal,
): Promise<Sample> {
  using publishers = await Publishers.open(address, wire, load);
  const ending = new AbortController();
  let isOver = false;
  const watched = async () => {
    await delay(warmUpMs, ending);
    const from = read(publishers.acknowledged);
    await delay(ms, ending);
    isOver = true;
    return sampleOf(from, read(publishers.acknowledged));
  };
  try {
    const published = publishers.publish((wanted) => isOver ? 0 : wanted, signal);
    return (await Promise.all([watched(), published]))[0];
  } finally {
    ending.abort();
  }
}

/** Publishes so many events; resolves when all are acknowledged. */
export async function publishAll(
  address: Address,
  wire: PublishWire,
  load: PublishLoad,
  count: number,
  signal?: AbortSignal,
): Promise<void> {
  using publishers = await Publishers.open(address, wire, load);
  let left = count;
  const grant = (wanted: number) => {
    const granted = Math.min(wanted, left);
    left -= granted;
    return granted;
  };
  await publishers.publish(grant, signal);
}

class Publishers implements Disposable {
  acknowledged = 0;
  readonly #sockets: Socket[] = [];
  readonly #wire: PublishWire;
  readonly #load: PublishLoad;

  private constructor(wire: PublishWire, load: PublishLoad) {
    this.#wire = wire;
    this.#load = load;
  }

  static async open(address: Address, wire: PublishWire, load: PublishLoad): Promise<Publishers> {
    using opening = new DisposableStack();
    const publishers = opening.use(new Publishers(wire, load));
    for (let index = 0; index < load.connections; index++) {
      publishers.#sockets.push(await Socket.open(address, wire.hello(index)));
    }
    opening.move();
    return publishers;
  }

  /**
   * Publishes until nothing more is granted and everything is acknowledged.
   *
   * @param grant Called with how many events a publisher could send; returns how many it may.
   */
  async publish(grant: (wanted: number) => number, signal?: AbortSignal): Promise<void> {
    const all = Promise.all(this.#sockets.map((socket, index) => this.#publish(socket, index, grant)));
    const missing = () => `${this.acknowledged} publishes are acknowledged`;
    await untilDone(all, () => this.acknowledged, missing, { signal });
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket[Symbol.dispose]();
  }

  async #publish(socket: Socket, index: number, grant: (wanted: number) => number): Promise<void> {
    const one = this.#wire.publish(this.#load.data, index);
    const window = new Window(this.#load.window);
    const full = concat(Array<Uint8Array>(window.size).fill(one));
    const replies = new ReplyCounter(this.#wire.replies);
    for (;;) {
      const count = grant(window.free);
      window.send(count);
      if (count > 0) await socket.send(full.subarray(0, count * one.length));
      if (window.isEmpty) return;
      const acknowledged = replies.add(await socket.receive());
      window.acknowledge(acknowledged);
      this.acknowledged += acknowledged;
    }
  }
}
