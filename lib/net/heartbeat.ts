/**
 * Detects that the peer of a connection is gone although the connection was never closed: its machine has lost power, or
 * the network between drops everything.
 *
 * @module
 */

/**
 * The times of a {@linkcode Heartbeat}, in milliseconds.
 *
 * @example
 * ```ts
 * const times: HeartbeatTimes = { silenceMs: 10_000, answerMs: 5000 };
 * ```
 */
export interface HeartbeatTimes {
  /** How long the peer may be silent before it is sent a ping. */
  silenceMs: number;
  /** How long the peer may be silent after the ping before it counts as gone. */
  answerMs: number;
}

/** The peer of a connection, as a {@linkcode Heartbeat} sees it. */
export interface Peer {
  /** How many bytes were received from it. */
  readonly receivedBytes: number;
  /** Called when it has been silent: sends a ping. */
  ping(): void;
  /** Called once, when it has been silent after the ping, too. */
  onTimeout(): void;
}

/** How many ticks the shortest of the times has at least. */
const MIN_TICKS = 4;

/** The longest time between two ticks, in milliseconds. */
const MAX_TICK_MS = 1000;

/**
 * The interval at which to call {@linkcode Heartbeat.tick}.
 *
 * @param times All times that are measured with it, in milliseconds.
 * @returns The interval, in milliseconds.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(tickMs(30_000, 10_000), 1000);
 * assertEquals(tickMs(100), 25);
 * ```
 */
export function tickMs(...times: number[]): number {
  return Math.max(1, Math.min(MAX_TICK_MS, Math.floor(Math.min(...times) / MIN_TICKS)));
}

/**
 * Watches one connection. It counts ticks and reads no clock, so that a program that was suspended for a while does not
 * take its own silence for the peer's.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const log: string[] = [];
 * const peer = { receivedBytes: 0, ping: () => log.push("ping"), onTimeout: () => log.push("timeout") };
 * const heartbeat = new Heartbeat(peer, { silenceMs: 30, answerMs: 10 }, 10);
 * for (let tick = 0; tick < 3; tick++) heartbeat.tick();
 * assertEquals(log, ["ping"]);
 * heartbeat.tick();
 * assertEquals(log, ["ping", "timeout"]);
 * ```
 */
export class Heartbeat {
  readonly #peer: Peer;
  readonly #pingTicks: number;
  readonly #timeoutTicks: number;
  #receivedBytes: number;
  #silentTicks = 0;

  /**
   * Starts to watch a peer.
   *
   * @param peer The peer.
   * @param times When the ping is sent, and when the peer counts as gone.
   * @param intervalMs The interval at which {@linkcode Heartbeat.tick} is called, in milliseconds.
   */
  constructor(peer: Peer, times: HeartbeatTimes, intervalMs: number) {
    this.#peer = peer;
    this.#receivedBytes = peer.receivedBytes;
    this.#pingTicks = Math.ceil(times.silenceMs / intervalMs);
    this.#timeoutTicks = this.#pingTicks + Math.ceil(times.answerMs / intervalMs);
  }

  /** Counts one interval without bytes from the peer, or starts to count again. */
  tick(): void {
    const { receivedBytes } = this.#peer;
    if (receivedBytes !== this.#receivedBytes) {
      this.#receivedBytes = receivedBytes;
      this.#silentTicks = 0;
      return;
    }
    this.#silentTicks++;
    if (this.#silentTicks === this.#pingTicks) this.#peer.ping();
    else if (this.#silentTicks === this.#timeoutTicks) this.#peer.onTimeout();
  }
}
