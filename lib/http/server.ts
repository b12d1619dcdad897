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
import type { Holder } from "../net/memory.ts";
import { acceptAll, type Acceptor, type Listener, type ListenOptions, listenTcp } from "../net/listen.ts";
import { Handshakes, TlsTransport } from "../net/tls.ts";
import { atMost } from "../net/time.ts";
import type { Transport } from "../net/transport.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { HttpConnection, type HttpHost } from "./connection.ts";

/** What remains of the connections when the system has no descriptor for another, as a share; but at least so many. */
const [REMAINING, MIN_PLACES] = [3 / 4, 16];

/** How long their number is limited by that, in milliseconds. */
const SHORTAGE_MS = 60_000;

/** The broker and gateway, to their HTTP server. */
export interface HttpServerHost extends HttpHost {
  /** What to call when the system has no descriptor for another connection. */
  readonly onExhausted: Set<() => void>;
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
  readonly #makeDescriptors = () => this.#yield();
  #isOpen = true;
  /** How often connections have been refused, by the code of the reason. */
  readonly #refusals = new Map<string, number>();
  /** How many connections there may be, and until when that is less than the limit. */
  #places: number;
  #shortUntil = 0;

  /**
   * Listens.
   *
   * @param options The address and the certificate.
   * @param host Responds to the requests.
   * @throws {MqError} With the code `address-in-use`, `cannot-listen` or `bad-certificate`.
   */
  constructor(options: ListenOptions, host: HttpServerHost) {
    this.#host = host;
    const { helloMs, answerMs, silenceMs, httpConnections } = host.limits;
    this.#places = httpConnections;
    this.#handshakes = new Handshakes(helloMs);
    this.#listeners = listenTcp(options);
    for (const listener of this.#listeners) this.#keep(acceptAll(listener, this.#acceptor()));
    host.onExhausted.add(this.#makeDescriptors);
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
    this.#host.onExhausted.delete(this.#makeDescriptors);
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
      exhausted: ({ message }, times) => {
        const why = `Cannot accept HTTP connections, they wait: ${message}`;
        this.#host.rejected(new ProtocolError("cannot-accept", why), times);
        this.#yield();
      },
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
    this.#refuse(new ProtocolError("tls", message, { cause }));
  }

  #serve(conn: Transport): void {
    this.#makeRoom();
    const connection = new HttpConnection(conn, this.#host);
    this.#connections.add(connection);
    const holder: Holder = {
      get heldBytes() {
        return connection.heldBytes;
      },
      evict: () => this.#evict(connection),
    };
    this.#host.memory.add(holder);
    this.#keep(
      connection.serve().finally(() => {
        this.#connections.delete(connection);
        this.#host.memory.delete(holder);
      }),
    );
  }

  #refuse(error: ProtocolError): void {
    const times = (this.#refusals.get(error.code) ?? 0) + 1;
    this.#refusals.set(error.code, times);
    this.#host.rejected(error, times);
  }

  #evict(connection: HttpConnection): void {
    const message =
      `Closed an HTTP connection: the body of its request held ${connection.heldBytes} bytes, the most of ` +
      "all, and the broker's memory is used up";
    this.#refuse(new ProtocolError("out-of-memory", message));
    connection.close();
  }

  /** When all places are taken, a connection takes that of another. */
  #makeRoom(): void {
    if (this.#connections.size < this.#places) return;
    const message = `This broker has room for ${this.#places} HTTP connections, and none is free`;
    this.#refuse(new ProtocolError("too-many-connections", message));
    this.#closeOne();
  }

  /** Gives descriptors back that the system has no more of: the ports of lines need them, too. */
  #yield(): void {
    this.#places = Math.max(Math.floor(this.#connections.size * REMAINING), MIN_PLACES);
    this.#shortUntil = performance.now() + SHORTAGE_MS;
    while (this.#connections.size > this.#places) this.#closeOne();
  }

  /** Closes the connection that has been idle for longest, or else the oldest. */
  #closeOne(): void {
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
    if (now > this.#shortUntil) this.#places = this.#host.limits.httpConnections;
    for (const connection of this.#connections) {
      if (now > connection.deadline) connection.close();
    }
  }
}
