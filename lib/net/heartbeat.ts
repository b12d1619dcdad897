/**
 * Finds out that the other side of a connection is gone though the connection was never closed: its machine lost power,
 * or a network in between swallows everything.
 *
 * @module
 */

/** The times of a {@linkcode Heartbeat}, in milliseconds. */
export interface HeartbeatTimes {
  /** How long the other side may be silent before it is asked for a sign of life. */
  silenceMs: number;
  /** How long it may be silent after that before it is given up. */
  answerMs: number;
}

/** The other side of a connection, to a {@linkcode Heartbeat}. */
export interface Peer {
  /** Grows whenever something has come from it. */
  readonly receivedBytes: number;
  /** Asks it for a sign of life. */
  ping(): void;
  /** Called once, when none came. */
  onTimeout(): void;
}

/** How often the times are checked, at least: this many times in the shortest of them. */
const CHECKS = 4;

/** The longest time between two checks, in milliseconds. */
const MAX_TICK_MS = 1000;

/**
 * How often to call {@linkcode Heartbeat.tick}.
 *
 * @param times All times that are to be kept, in milliseconds.
 * @returns The time between two calls, in milliseconds.
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
  return Math.max(1, Math.min(MAX_TICK_MS, Math.floor(Math.min(...times) / CHECKS)));
}

/**
 * Watches one connection. It counts ticks instead of reading a clock: a program that was stopped for a while must not
 * take its own absence for the other side's.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const log: string[] = [];
 * const peer = { receivedBytes: 0, ping: () => log.push("ping"), onTimeout: () => log.push("give up") };
 * const heartbeat = new Heartbeat(peer, { silenceMs: 30, answerMs: 10 }, 10);
 * for (let tick = 0; tick < 3; tick++) heartbeat.tick();
 * assertEquals(log, ["ping"]);
 * heartbeat.tick();
 * assertEquals(log, ["ping", "give up"]);
 * ```
 */
export class Heartbeat {
  readonly #peer: Peer;
  readonly #pingTicks: number;
  readonly #endTicks: number;
  #receivedBytes: number;
  #silentTicks = 0;

  /**
   * Begins to watch.
   *
   * @param peer The other side.
   * @param times When it is asked, and when it is given up.
   * @param everyMs How often {@linkcode Heartbeat.tick} is going to be called, in milliseconds.
   */
  constructor(peer: Peer, times: HeartbeatTimes, everyMs: number) {
    this.#peer = peer;
    this.#receivedBytes = peer.receivedBytes;
    this.#pingTicks = Math.ceil(times.silenceMs / everyMs);
    this.#endTicks = this.#pingTicks + Math.ceil(times.answerMs / everyMs);
  }

  /** To be called at steady intervals. */
  tick(): void {
    const { receivedBytes } = this.#peer;
    if (receivedBytes !== this.#receivedBytes) {
      this.#receivedBytes = receivedBytes;
      this.#silentTicks = 0;
      return;
    }
    this.#silentTicks++;
    if (this.#silentTicks === this.#pingTicks) this.#peer.ping();
    else if (this.#silentTicks === this.#endTicks) this.#peer.onTimeout();
  }
}
