/**
 * From a socket that was accepted to a connection in the pool: whether there is room, and TLS.
 *
 * @module
 */
import { formatAddress } from "../protocol/address.ts";
import type { ClassicCodec } from "../protocol/classic.ts";
import { turnAway } from "./connection.ts";
import { FatalProtocolError, ProtocolError } from "../protocol/errors.ts";
import { FAULT_GRACE_MS, type Limits } from "../protocol/limits.ts";
import type { Acceptor } from "../net/listen.ts";
import { formatErr } from "../protocol/lines.ts";
import { BoundedCounter } from "./bounded_counter.ts";
import { explainHandshake } from "../net/connection_errors.ts";
import type { Transport } from "../net/transport.ts";

/** How many connections for which there is no room are told so at the same time. Others are closed without a word. */
const MAX_TURNING_AWAY = 100;

/** The broker, to its entrance. */
export interface Host {
  /** Whether connections are still to be accepted. */
  isOpen(): boolean;
  /** How many connections are in the pool. */
  connections(): number;
  /**
   * Takes a connection into the pool.
   *
   * @param conn The connection.
   * @param classic What it sends and is sent, if it is a classic client.
   */
  enter(conn: Transport, classic?: ClassicCodec): void;
  /**
   * Told of each connection that is not let in.
   *
   * @param error Why. Its code may also be `cannot-accept`.
   * @param times How often that has happened; with `cannot-accept`, since the last that was accepted.
   */
  refused(error: ProtocolError, times: number): void;
  /**
   * Keeps what is still to be finished when the broker closes.
   *
   * @param task The work.
   */
  keep(task: Promise<void>): void;
}

/** Where connections come in. */
export class Admission {
  readonly #host: Host;
  readonly #limits: Limits;
  readonly #failures = new BoundedCounter();
  /**
   * Those that have not agreed on TLS yet. The runtime does not let go of their sockets before that, closed or not, so
   * each keeps its place here until its other side has gone.
   */
  readonly #shaking = new Set<Deno.TlsConn>();
  #turningAway = 0;

  /**
   * Makes an entrance.
   *
   * @param host Who takes the connections.
   * @param limits How many there may be, and how long TLS may take.
   */
  constructor(host: Host, limits: Limits) {
    this.#host = host;
    this.#limits = limits;
  }

  /**
   * A door: where the sockets of one listener come in.
   *
   * @param classic What those send and are sent who come in by it, if they are classic clients.
   * @returns It.
   */
  door(classic?: ClassicCodec): Acceptor {
    return {
      isOpen: () => this.#host.isOpen(),
      enter: (conn) => this.#enter(conn, classic),
      exhausted: (error, times) => this.#exhausted(error, times),
    };
  }

  /** Lets nobody in any more. */
  close(): void {
    for (const conn of this.#shaking) closeQuietly(conn);
  }

  #enter(conn: Transport, classic?: ClassicCodec): void {
    if (this.#host.connections() + this.#shaking.size >= this.#limits.connections) this.#turnAway(conn, classic);
    else if (isTls(conn)) this.#host.keep(this.#shakeHands(conn));
    else this.#host.enter(conn, classic);
  }

  /** The system has no room for another connection. */
  #exhausted(error: Error, times: number): void {
    const message = `Cannot accept connections, they wait: ${error.message}`;
    this.#host.refused(new ProtocolError("cannot-accept", message), times);
  }

  #turnAway(conn: Transport, classic?: ClassicCodec): void {
    const error = new FatalProtocolError(
      "too-many-connections",
      `This broker has room for ${this.#limits.connections} connections, and none is free`,
    );
    this.#host.refused(error, this.#failures.count(error.code));
    if (isTls(conn) || classic || this.#turningAway >= MAX_TURNING_AWAY) return conn.close();
    this.#turningAway++;
    const task = turnAway(conn, formatErr("-", error) + "\n", this.#limits, FAULT_GRACE_MS);
    this.#host.keep(task.finally(() => this.#turningAway--));
  }

  async #shakeHands(conn: Deno.TlsConn): Promise<void> {
    const { helloMs } = this.#limits;
    let isLate = false;
    const giveUp = () => {
      isLate = true;
      this.#refuseTls(conn, new Error(`nothing was agreed on within ${helloMs} ms`));
    };
    const timer = setTimeout(giveUp, helloMs);
    this.#shaking.add(conn);
    try {
      await conn.handshake();
      if (isLate || !this.#host.isOpen()) conn.close();
      else this.#host.enter(conn);
    } catch (error) {
      if (!isLate && this.#host.isOpen()) this.#refuseTls(conn, error);
      closeQuietly(conn);
    } finally {
      clearTimeout(timer);
      this.#shaking.delete(conn);
    }
  }

  #refuseTls(conn: Deno.TlsConn, cause: unknown): void {
    const address = conn.remoteAddr as Deno.NetAddr;
    const message = `No TLS with ${formatAddress(address)}: ${explainHandshake(cause).reason}`;
    this.#host.refused(new ProtocolError("tls", message, { cause }), this.#failures.count(`tls ${address.hostname}`));
  }
}

function closeQuietly(conn: Deno.TlsConn): void {
  try {
    conn.close();
  } catch {
    // It was closed while it waited.
  }
}

function isTls(conn: Transport): conn is Deno.TlsConn {
  return "handshake" in conn;
}
