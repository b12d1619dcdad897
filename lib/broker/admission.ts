/**
 * Admission: from a socket that was accepted to a connection in the pool. A socket is rejected if there is no room for
 * it, or if no TLS is agreed on.
 *
 * @module
 */
import { type Codec, LINE_CODEC } from "../net/codec.ts";
import { explainHandshake } from "../net/connection_errors.ts";
import type { Acceptor } from "../net/listen.ts";
import { MemoryBudget } from "../net/memory.ts";
import { Flow } from "../net/read_scheduler.ts";
import { Handshakes, TlsTransport } from "../net/tls.ts";
import type { Transport } from "../net/transport.ts";
import { formatAddress } from "../protocol/address.ts";
import { FatalProtocolError, ProtocolError } from "../protocol/errors.ts";
import { FAULT_GRACE_MS, type Limits } from "../protocol/limits.ts";
import { formatErr } from "../protocol/lines.ts";
import { Connection, type OverflowHandler } from "./connection.ts";
import { BoundedCounter } from "./system_events.ts";

/** How many connections are told at the same time that there is no room for them. Others are closed without a word. */
const MAX_REJECTING = 100;

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
  /** Called when the system has no descriptor for another connection. */
  exhausted(): void;
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
  readonly #handshakes: Handshakes;
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
    this.#handshakes = new Handshakes(limits.helloMs);
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
    this.#handshakes.close();
  }

  #accept(conn: Transport, codec: Codec): void {
    if (!(conn instanceof TlsTransport)) return this.#admit(conn, codec);
    this.#host.keep(this.#handshakes.run(conn, {
      onAgreed: () => this.#host.isOpen() ? this.#admit(conn, codec) : conn.close(),
      onFailed: (_conn, error) => this.#rejectTls(conn, error),
    }));
  }

  #admit(conn: Transport, codec: Codec): void {
    if (this.#isFull) this.#reject(conn, codec);
    else this.#host.admit(conn, codec);
  }

  get #isFull(): boolean {
    return this.#host.connections() >= this.#limits.connections;
  }

  /**
   * Checks whether there is room for another connection.
   *
   * @throws {FatalProtocolError} With the code `too-many-connections`, which is published, too.
   */
  checkRoom(): void {
    if (this.#isFull) throw this.#tooMany();
  }

  #tooMany(): FatalProtocolError {
    const error = new FatalProtocolError(
      "too-many-connections",
      `This broker has room for ${this.#limits.connections} connections, and none is free`,
    );
    this.#host.rejected(error, this.#failures.count(error.code));
    return error;
  }

  /** The system has no room for another connection. */
  #exhausted(error: Error, times: number): void {
    const message = `Cannot accept connections, they wait: ${error.message}`;
    this.#host.rejected(new ProtocolError("cannot-accept", message), times);
    this.#host.exhausted();
  }

  #reject(conn: Transport, codec: Codec): void {
    const error = this.#tooMany();
    const cannotBeTold = codec.decode !== undefined || this.#rejecting >= MAX_REJECTING;
    if (cannotBeTold) return conn.close();
    this.#rejecting++;
    const task = refuse(conn, formatErr("-", error) + "\n", this.#limits, FAULT_GRACE_MS);
    this.#host.keep(task.finally(() => this.#rejecting--));
  }

  #rejectTls(conn: TlsTransport, cause: unknown): void {
    const address = conn.remoteAddr as Deno.NetAddr;
    const message = `No TLS with ${formatAddress(address)}: ${explainHandshake(cause).reason}`;
    this.#host.rejected(new ProtocolError("tls", message, { cause }), this.#failures.count(`tls ${address.hostname}`));
  }
}

/** For a connection that gets no events. */
const NO_OVERFLOW: OverflowHandler = { overflow() {}, hasRoom() {}, tooLong() {}, outOfMemory() {} };

/** Closes a connection that is not taken into the pool, with a message, at the latest after so many milliseconds. */
async function refuse(conn: Transport, closeMessage: string, limits: Limits, deadlineMs: number): Promise<void> {
  const options = {
    name: "",
    limits,
    codec: LINE_CODEC,
    overflow: NO_OVERFLOW,
    flow: new Flow(),
    memory: new MemoryBudget(),
    send: () => {},
  };
  const connection = new Connection(conn, options);
  const reading = connection.reader.readAll({ onLine: () => {}, onFault: () => {} })
    .catch(() => {}) // That it breaks is no loss.
    .finally(() => connection.inputEnded());
  await connection.finish(closeMessage, deadlineMs);
  await reading;
}
