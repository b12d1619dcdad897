/**
 * Admission: from a socket that was accepted to a connection in the pool. A socket is rejected if there is no room for
 * it, or if no TLS is agreed on.
 *
 * @module
 */
import type { Codec } from "../net/codec.ts";
import { explainHandshake } from "../net/connection_errors.ts";
import type { Acceptor } from "../net/listen.ts";
import type { Flow } from "../net/read_scheduler.ts";
import { TlsTransport } from "../net/tls.ts";
import type { Transport } from "../net/transport.ts";
import { formatAddress } from "../protocol/address.ts";
import { FatalProtocolError, ProtocolError } from "../protocol/errors.ts";
import { FAULT_GRACE_MS, type Limits } from "../protocol/limits.ts";
import { formatErr } from "../protocol/lines.ts";
import { reject } from "./connection.ts";
import { BoundedCounter } from "./system_events.ts";

/** How many connections are told at the same time that there is no room for them. Others are closed without a word. */
const MAX_REJECTING = 100;

/** How many TLS handshakes may be under way. One more takes the place of the oldest: those that never end lock nobody out. */
const MAX_HANDSHAKES = 1000;

/** The broker, to its admission. */
export interface AdmissionHost {
  /** What the time is charged to that accepting takes. */
  readonly newcomers: Flow;
  /** Whether connections are still accepted. */
  isOpen(): boolean;
  /** How many connections are in the pool. */
  connections(): number;
  /**
   * Takes a connection into the pool.
   *
   * @param conn The connection.
   * @param codec How it is read and written.
   */
  admit(conn: Transport, codec: Codec): void;
  /**
   * Called with each connection that is rejected.
   *
   * @param error Why. Its code may also be `cannot-accept`.
   * @param times How often that has happened; with `cannot-accept`, since the last that was accepted.
   */
  rejected(error: ProtocolError, times: number): void;
  /**
   * Keeps a promise that closing the broker waits for.
   *
   * @param task The promise.
   */
  keep(task: Promise<void>): void;
}

/** Admits connections to a broker. */
export class Admission {
  readonly #host: AdmissionHost;
  readonly #limits: Limits;
  readonly #failures = new BoundedCounter();
  /** The connections that have not agreed on TLS yet, the oldest first, and what ends each. */
  readonly #handshaking = new Map<TlsTransport, (error: Error) => void>();
  #rejecting = 0;

  /**
   * Makes the admission of one broker.
   *
   * @param host The broker.
   * @param limits How many connections there may be, and how long TLS may take.
   */
  constructor(host: AdmissionHost, limits: Limits) {
    this.#host = host;
    this.#limits = limits;
  }

  /**
   * Admits the connections of one listener.
   *
   * @param codec How they are read and written.
   * @returns What accepts them.
   */
  acceptor(codec: Codec): Acceptor {
    return {
      flow: this.#host.newcomers,
      isOpen: () => this.#host.isOpen(),
      accept: (conn) => this.#accept(conn, codec),
      exhausted: (error, times) => this.#exhausted(error, times),
    };
  }

  /** Ends the handshakes that are under way. */
  close(): void {
    for (const conn of this.#handshaking.keys()) conn.close();
  }

  #accept(conn: Transport, codec: Codec): void {
    if (conn instanceof TlsTransport) this.#host.keep(this.#handshake(conn, codec));
    else this.#admit(conn, codec);
  }

  #admit(conn: Transport, codec: Codec): void {
    const isFull = this.#host.connections() >= this.#limits.connections;
    if (isFull) this.#reject(conn, codec);
    else this.#host.admit(conn, codec);
  }

  /** The system has no room for another connection. */
  #exhausted(error: Error, times: number): void {
    const message = `Cannot accept connections, they wait: ${error.message}`;
    this.#host.rejected(new ProtocolError("cannot-accept", message), times);
  }

  #reject(conn: Transport, codec: Codec): void {
    const error = new FatalProtocolError(
      "too-many-connections",
      `This broker has room for ${this.#limits.connections} connections, and none is free`,
    );
    this.#host.rejected(error, this.#failures.count(error.code));
    const cannotBeTold = codec.decode !== undefined || this.#rejecting >= MAX_REJECTING;
    if (cannotBeTold) return conn.close();
    this.#rejecting++;
    const task = reject(conn, formatErr("-", error) + "\n", this.#limits, FAULT_GRACE_MS);
    this.#host.keep(task.finally(() => this.#rejecting--));
  }

  async #handshake(conn: TlsTransport, codec: Codec): Promise<void> {
    const { helloMs } = this.#limits;
    const { promise: ended, reject: end } = Promise.withResolvers<never>();
    const timer = setTimeout(() => end(new Error(`nothing was agreed on within ${helloMs} ms`)), helloMs);
    this.#makeRoom();
    this.#handshaking.set(conn, end);
    try {
      await Promise.race([conn.handshake(), ended]);
      if (this.#host.isOpen()) this.#admit(conn, codec);
      else conn.close();
    } catch (error) {
      conn.close();
      if (this.#host.isOpen()) this.#rejectTls(conn, error);
    } finally {
      clearTimeout(timer);
      this.#handshaking.delete(conn);
    }
  }

  #makeRoom(): void {
    if (this.#handshaking.size < MAX_HANDSHAKES) return;
    const [end] = this.#handshaking.values();
    end(new Error(`nothing was agreed on while ${MAX_HANDSHAKES} others began`));
  }

  #rejectTls(conn: TlsTransport, cause: unknown): void {
    const address = conn.remoteAddr as Deno.NetAddr;
    const message = `No TLS with ${formatAddress(address)}: ${explainHandshake(cause).reason}`;
    this.#host.rejected(new ProtocolError("tls", message, { cause }), this.#failures.count(`tls ${address.hostname}`));
  }
}
