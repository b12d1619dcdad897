/**
 * The server for HTTP/1.1: accepts connections, counts them, and closes those that are too slow. `Deno.serve` is not used: it
 * hides its sockets, so that nobody can count them, give them a deadline or break them; it leaks one for each WebSocket that is
 * reset while it opens; and when the process has no descriptor left, it ends the process.
 *
 * @module
 */
import { formatAddress } from "../protocol/address.ts";
import { explainHandshake } from "../net/connection_errors.ts";
import { tickMs } from "../net/heartbeat.ts";
import { acceptAll, type Acceptor, type Listener, type ListenOptions, listenTcp } from "../net/listen.ts";
import { Handshakes, TlsTransport } from "../net/tls.ts";
import { atMost } from "../net/time.ts";
import type { Transport } from "../net/transport.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { HttpConnection, type HttpHost } from "./connection.ts";

/** The broker and gateway, to their HTTP server. */
export interface HttpServerHost extends HttpHost {
  /** Called with each connection that is refused. `times` is how often that has happened for the same reason. */
  rejected(error: ProtocolError, times: number): void;
}

/** A server that listens. */
export class HttpServer {
  readonly #host: HttpServerHost;
  readonly #listeners: Listener[];
  readonly #connections = new Set<HttpConnection>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #handshakes: Handshakes;
  readonly #ticking: ReturnType<typeof setInterval>;
  #isOpen = true;
  #rejected = 0;

  /**
   * Listens.
   *
   * @param options The address and the certificate.
   * @param host Responds to the requests.
   * @throws {MqError} With the code `address-in-use`, `cannot-listen` or `bad-certificate`.
   */
  constructor(options: ListenOptions, host: HttpServerHost) {
    this.#host = host;
    const { helloMs, answerMs, silenceMs } = host.limits;
    this.#handshakes = new Handshakes(helloMs);
    this.#listeners = listenTcp(options);
    for (const listener of this.#listeners) this.#keep(acceptAll(listener, this.#acceptor()));
    this.#ticking = setInterval(() => this.#tick(), tickMs(helloMs, answerMs, silenceMs));
  }

  /** The addresses it listens on. */
  get addrs(): Deno.NetAddr[] {
    return this.#listeners.map(({ addr }) => addr);
  }

  /** How many connections there are. */
  get connections(): number {
    return this.#connections.size;
  }

  /**
   * Accepts no more connections, and lets requests that have begun end.
   *
   * @param graceMs After how many milliseconds those that have not ended are cut off.
   */
  async close(graceMs: number): Promise<void> {
    this.#isOpen = false;
    for (const listener of this.#listeners) listener.close();
    this.#handshakes.close();
    for (const connection of this.#connections) {
      if (connection.idleSince === undefined) connection.isEnding = true;
      else connection.close();
    }
    await atMost(graceMs, Promise.all(this.#tasks));
    for (const connection of this.#connections) connection.close();
    await Promise.all(this.#tasks);
    clearInterval(this.#ticking);
  }

  #keep(task: Promise<void>): void {
    const kept = task.finally(() => this.#tasks.delete(kept));
    this.#tasks.add(kept);
  }

  #acceptor(): Acceptor {
    return {
      flow: this.#host.newcomers,
      isOpen: () => this.#isOpen,
      accept: (conn) => this.#accept(conn),
      exhausted: ({ message }, times) =>
        this.#host.rejected(
          new ProtocolError("cannot-accept", `Cannot accept HTTP connections, they wait: ${message}`),
          times,
        ),
    };
  }

  #accept(conn: Transport): void {
    if (!(conn instanceof TlsTransport)) return this.#serve(conn);
    this.#keep(this.#handshakes.run(conn, {
      onAgreed: () => this.#isOpen ? this.#serve(conn) : conn.close(),
      onFailed: (_conn, error) => this.#refuseTls(conn, error),
    }));
  }

  #refuseTls({ remoteAddr }: TlsTransport, cause: unknown): void {
    const message = `No TLS with ${formatAddress(remoteAddr as Deno.NetAddr)}: ${explainHandshake(cause).reason}`;
    this.#host.rejected(new ProtocolError("tls", message, { cause }), ++this.#rejected);
  }

  #serve(conn: Transport): void {
    this.#makeRoom();
    const connection = new HttpConnection(conn, this.#host);
    this.#connections.add(connection);
    this.#host.memory.add(connection);
    this.#keep(
      connection.serve().finally(() => {
        this.#connections.delete(connection);
        this.#host.memory.delete(connection);
      }),
    );
  }

  /** When all places are taken, a connection takes that of the one which has been idle for longest, or else of the oldest. */
  #makeRoom(): void {
    const { httpConnections } = this.#host.limits;
    if (this.#connections.size < httpConnections) return;
    const message = `This broker has room for ${httpConnections} HTTP connections, and none is free`;
    this.#host.rejected(new ProtocolError("too-many-connections", message), ++this.#rejected);
    let longest: HttpConnection | undefined;
    for (const connection of this.#connections) {
      if ((connection.idleSince ?? Infinity) < (longest?.idleSince ?? Infinity)) longest = connection;
    }
    const [oldest] = this.#connections;
    const closed = longest ?? oldest;
    closed.close();
    this.#connections.delete(closed);
  }

  #tick(): void {
    const now = performance.now();
    for (const connection of this.#connections) {
      if (now > connection.deadline) connection.close();
    }
  }
}
