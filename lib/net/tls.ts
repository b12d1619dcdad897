/**
 * Accepts TLS connections whose sockets can be closed at any time.
 *
 * `Deno.TlsConn.close` does not close a socket whose handshake has not ended: the runtime keeps it until the peer goes. So
 * the listener that peers connect to is a TCP one, and what it accepts is passed on, through the loopback interface, to a TLS
 * listener of this process. To close the TCP socket ends the TLS connection, whatever its state. That takes three descriptors
 * for each connection.
 *
 * @module
 */
import type { Certificate } from "./listen.ts";
import { atMost } from "./time.ts";
import type { Transport } from "./transport.ts";

/** The size of the buffer of each direction while little comes, and while much comes, in bytes. */
const [SMALL_BYTES, LARGE_BYTES] = [1024, 64 * 1024];

/** How long it may take to send the alert of a handshake that failed, in milliseconds. */
const ALERT_MS = 1000;

/** The address of the inner listener. */
const LOOPBACK = "127.0.0.1";

/** Where a {@linkcode TlsListener} listens, and its certificate. */
export type TlsListenOptions = Deno.TcpListenOptions & Certificate;

/**
 * A listener for TLS. What it accepts is to be agreed on with {@linkcode TlsTransport.handshake}.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => new TlsListener({ hostname: "127.0.0.1", port: 0, cert: "none", key: "none" }));
 * ```
 */
export class TlsListener {
  readonly #outer: Deno.TcpListener;
  readonly #inner: Inner;

  /**
   * Listens.
   *
   * @param options The address and the certificate.
   * @throws {Error} As `Deno.listenTls` does.
   */
  constructor({ cert, key, ...place }: TlsListenOptions) {
    this.#inner = new Inner({ cert, key });
    try {
      this.#outer = Deno.listen(place);
    } catch (error) {
      this.#inner.close();
      throw error;
    }
  }

  /** The address that peers connect to. */
  get addr(): Deno.NetAddr {
    return this.#outer.addr;
  }

  /** Accepts the next connection. */
  async accept(): Promise<TlsTransport> {
    return new TlsTransport(await this.#outer.accept(), this.#inner);
  }

  /** Stops listening. What was accepted stays open. */
  close(): void {
    this.#outer.close();
    this.#inner.close();
  }
}

/** A connection that was accepted by a {@linkcode TlsListener}. */
export class TlsTransport implements Transport {
  readonly #outer: Deno.TcpConn;
  readonly #inner: Inner;
  #link: Deno.TcpConn | undefined;
  #tls: Deno.TlsConn | undefined;
  #isClosed = false;

  /**
   * Takes a TCP connection.
   *
   * @param outer The connection.
   * @param inner Where it is passed on to.
   */
  constructor(outer: Deno.TcpConn, inner: Inner) {
    this.#outer = outer;
    this.#inner = inner;
  }

  get remoteAddr(): Deno.Addr {
    return this.#outer.remoteAddr;
  }

  get writable(): WritableStream<Uint8Array> {
    return this.#agreed.writable;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#agreed.read(buffer);
  }

  closeWrite(): Promise<void> {
    return this.#agreed.closeWrite();
  }

  /** The TCP connection, for its options. */
  get tcp(): Deno.TcpConn {
    return this.#outer;
  }

  /**
   * Agrees on TLS with the peer. To be called once, and before anything is read or written.
   *
   * @throws {Error} If that fails, or the connection is closed meanwhile.
   */
  async handshake(): Promise<void> {
    const first = new Uint8Array(SMALL_BYTES);
    const count = await this.#outer.read(first); // A peer that sends nothing takes no other descriptors.
    if (count === null) throw new Deno.errors.UnexpectedEof("unexpected end of file");
    const { link, tls } = await this.#inner.connect();
    this.#link = link;
    this.#tls = tls;
    if (this.#isClosed) this.close();
    const close = () => this.close(); // One of the two has broken, which ends both.
    writeAll(link, first.subarray(0, count)).then(() => pass(this.#outer, link)).then(() => link.closeWrite())
      .catch(close);
    const allSent = pass(link, this.#outer).then(() => this.#outer.closeWrite()).catch(close);
    try {
      await tls.handshake();
    } catch (error) {
      closeQuietly(tls);
      await atMost(ALERT_MS, allSent); // The peer is told why, by a TLS alert.
      throw error;
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const conn of [this.#outer, this.#link, this.#tls]) {
      if (conn !== undefined) closeQuietly(conn);
    }
  }

  get #agreed(): Deno.TlsConn {
    if (this.#tls === undefined) throw new TypeError("Cannot use a TLS connection before its handshake");
    return this.#tls;
  }
}

/** How many handshakes may be under way. One more takes the place of the oldest: those that never end lock nobody out. */
const MAX_HANDSHAKES = 1000;

/** The callbacks of {@linkcode Handshakes}. */
export interface HandshakeObserver {
  /** Called with a connection that has agreed on TLS. */
  onAgreed(conn: TlsTransport): void;
  /** Called with one that has not, and the reason. It is closed. */
  onFailed(conn: TlsTransport, error: unknown): void;
}

/**
 * The handshakes of a listener that are under way. Each has a deadline.
 *
 * @example
 * ```ts
 * const handshakes = new Handshakes(5000);
 * handshakes.close();
 * ```
 */
export class Handshakes {
  readonly #maxMs: number;
  /** What ends each, the oldest first. */
  readonly #ends = new Map<TlsTransport, (error?: Error) => void>();

  /**
   * Makes an empty set.
   *
   * @param maxMs How long one may take, in milliseconds.
   */
  constructor(maxMs: number) {
    this.#maxMs = maxMs;
  }

  /**
   * Agrees on TLS with a peer.
   *
   * @param conn The connection.
   * @param observer Called at the end, unless {@linkcode Handshakes.close} has ended it.
   */
  async run(conn: TlsTransport, observer: HandshakeObserver): Promise<void> {
    const { promise: ended, reject: end } = Promise.withResolvers<never>();
    const timer = setTimeout(() => end(new Error(`nothing was agreed on within ${this.#maxMs} ms`)), this.#maxMs);
    this.#makeRoom();
    this.#ends.set(conn, end);
    try {
      await Promise.race([conn.handshake(), ended]);
      observer.onAgreed(conn);
    } catch (error) {
      conn.close();
      if (error !== undefined) observer.onFailed(conn, error);
    } finally {
      clearTimeout(timer);
      this.#ends.delete(conn);
    }
  }

  /** Ends all that are under way. */
  close(): void {
    for (const end of this.#ends.values()) end();
  }

  #makeRoom(): void {
    if (this.#ends.size < MAX_HANDSHAKES) return;
    const [end] = this.#ends.values();
    end(new Error(`nothing was agreed on while ${MAX_HANDSHAKES} others began`));
  }
}

/** The TLS listener of this process, and the connections to it. */
class Inner {
  readonly #listener: Deno.TlsListener;
  /** Connections are made one after the other, so that it is known which accepted one belongs to which. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(certificate: Certificate) {
    this.#listener = Deno.listenTls({ hostname: LOOPBACK, port: 0, ...certificate });
  }

  /** Makes a connection to the listener; returns both of its ends. */
  connect(): Promise<{ link: Deno.TcpConn; tls: Deno.TlsConn }> {
    const connecting = this.#last.then(() => this.#connect());
    this.#last = connecting.catch(() => {}); // Whoever asked for it gets the error.
    return connecting;
  }

  async #connect(): Promise<{ link: Deno.TcpConn; tls: Deno.TlsConn }> {
    const { port } = this.#listener.addr as Deno.NetAddr;
    const link = await Deno.connect({ hostname: LOOPBACK, port });
    link.setNoDelay();
    for (;;) {
      const tls = await this.#listener.accept();
      const isOwn = (tls.remoteAddr as Deno.NetAddr).port === (link.localAddr as Deno.NetAddr).port;
      if (isOwn) return { link, tls };
      tls.close(); // Another program has found the port.
    }
  }

  close(): void {
    this.#listener.close();
  }
}

/** Passes on all that comes from one connection to another. */
async function pass(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  let buffer = new Uint8Array(SMALL_BYTES);
  for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
    await writeAll(to, buffer.subarray(0, count));
    const isLarge = count === buffer.length;
    if (isLarge !== (buffer.length === LARGE_BYTES)) buffer = new Uint8Array(isLarge ? LARGE_BYTES : SMALL_BYTES);
  }
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await conn.write(rest));
}

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // It was closed before.
  }
}
