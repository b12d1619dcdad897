/**
 * Listens on TCP or TLS, and accepts connections.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { type Flow, scheduler } from "./read_scheduler.ts";
import { formatAddress } from "../protocol/address.ts";
import type { CodecFactory } from "./codec.ts";
import { MqError } from "../protocol/errors.ts";
import { DEFAULT_PORT } from "../protocol/limits.ts";
import { systemReason } from "../protocol/system_reason.ts";
import { TlsListener, TlsTransport } from "./tls.ts";
import type { Transport } from "./transport.ts";

/** How many free ports are tried until one is free on both addresses of localhost. */
const FREE_PORT_TRIES = 10;

/**
 * How many connections the system establishes before they are accepted. Beyond that, clients that connect at the same
 * time wait for a second or more. Deno has the option since 2.5; before that it is 128.
 */
const TCP_BACKLOG = 4096;

/** The pause before the next try to accept when the system is out of file descriptors or memory, in milliseconds. */
const ACCEPT_RETRY_MS = 100;

/**
 * A TLS certificate and its key, both in the PEM format.
 *
 * @example
 * ```ts
 * const pem = (label: string, base64: string) => `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`;
 * const certificate: Certificate = { cert: pem("CERTIFICATE", "MIIB..."), key: pem("PRIVATE KEY", "MIGH...") };
 * ```
 */
export interface Certificate {
  /** The certificate, followed by the intermediate ones up to the one that clients trust. */
  cert: string;
  /** Its private key. */
  key: string;
}

/** A listener for TCP, or for TLS on it. */
export interface Listener extends Closable {
  /** The address. */
  readonly addr: Deno.NetAddr;
  /** Accepts the next connection. */
  accept(): Promise<Transport>;
}

/**
 * Options of {@linkcode Broker.listen}.
 *
 * @example
 * ```ts
 * const options: ListenOptions = { hostname: "0.0.0.0", port: 3001 };
 * ```
 */
export interface ListenOptions {
  /**
   * The host name or IP address. `localhost` stands for 127.0.0.1 and, where the machine has it, ::1.
   *
   * @default {"localhost"}
   */
  hostname?: string;
  /**
   * The port; 0 for a free one.
   *
   * @default {3001}
   */
  port?: number;
  /** The certificate. If it is set, the broker speaks TLS. */
  tls?: Certificate;
  /**
   * The codec of the connections, such as {@linkcode classic} for clients that do not use lines. Default: the line
   * protocol.
   */
  codec?: CodecFactory;
}

/**
 * Listens on TCP.
 *
 * @param options The address and the certificate.
 * @returns One listener, or for `localhost` one for each of its addresses.
 * @throws {MqError} With the code `address-in-use`, `cannot-listen` or `bad-certificate`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const [listener] = listenTcp({ hostname: "127.0.0.1", port: 0 });
 * assertEquals(listener.addr.hostname, "127.0.0.1");
 * listener.close();
 * ```
 */
export function listenTcp(options: ListenOptions): Listener[] {
  const { tls } = options;
  return listenAt(options, (place) => tls ? new TlsListener({ ...place, ...tls }) : Deno.listen(place));
}

/** One address to listen on. */
export interface Place {
  /** The IP address or host name. */
  readonly hostname: string;
  /** The port; 0 for a free one. */
  readonly port: number;
  /** How many connections the system establishes before they are accepted. */
  readonly tcpBacklog: number;
}

/** A listener on one address, of any kind. */
export interface Closable {
  /** The address. */
  readonly addr: Deno.Addr;
  /** Stops listening. */
  close(): void;
}

/**
 * Listens on a host with a function, such as `Deno.serve`.
 *
 * @param options The address and the certificate.
 * @param listen Called with one address. Its errors become an MqError.
 * @returns What the function has returned; for `localhost`, once for each of its addresses.
 * @throws {MqError} With the code `address-in-use`, `cannot-listen` or `bad-certificate`.
 */
export function listenAt<L extends Closable>(options: ListenOptions, listen: (place: Place) => L): L[] {
  const { hostname = "localhost", port = DEFAULT_PORT, tls } = options;
  const listenOn = (hostname: string, port: number): L => {
    try {
      return listen({ hostname, port, tcpBacklog: TCP_BACKLOG });
    } catch (cause) {
      throw explain(cause, { hostname, port }, tls);
    }
  };
  return hostname === "localhost" ? listenOnLocalhost(port, listenOn) : [listenOn(hostname, port)];
}

/** The callbacks of {@linkcode acceptAll}. */
export interface Acceptor {
  /** What the time is charged to that accepting takes. */
  readonly flow: Flow;
  /** Whether connections are still to be accepted. */
  isOpen(): boolean;
  /**
   * Called with each connection.
   *
   * @param conn The connection.
   */
  accept(conn: Transport): void;
  /**
   * Called when the system is out of file descriptors or memory.
   *
   * @param error The error.
   * @param times How often that has happened since the last connection was accepted.
   */
  exhausted(error: Error, times: number): void;
}

/**
 * Accepts connections until {@linkcode Acceptor.isOpen} is false.
 *
 * @param listener The listener.
 * @param acceptor The callbacks.
 */
export async function acceptAll(listener: Listener, acceptor: Acceptor): Promise<void> {
  for (let failures = 0; acceptor.isOpen();) {
    let conn: Transport;
    try {
      conn = await listener.accept();
    } catch (error) {
      // Other errors concern one connection, such as one that was reset before it was accepted.
      if (isExhausted(error as Error)) acceptor.exhausted(error as Error, ++failures);
      if (acceptor.isOpen()) await delay(failures > 0 ? ACCEPT_RETRY_MS : 0);
      continue;
    }
    failures = 0;
    prepare(conn);
    await scheduler.run(acceptor.flow, 0, () => acceptor.accept(conn));
  }
}

/**
 * Sets the options of a TCP connection: a tick's output is one write, and to hold it back in the hope of more (Nagle's
 * algorithm) only adds delay; and the system is to find out whether a peer is still there that may be silent for long.
 *
 * @param conn The connection, of any kind.
 */
export function prepare(conn: Transport): void {
  const tcp = conn instanceof TlsTransport ? conn.tcp : conn;
  try {
    if (!isTcp(tcp)) return;
    tcp.setNoDelay();
    tcp.setKeepAlive();
  } catch {
    // The peer has gone, which reading the connection tells, too.
  }
}

function isTcp(conn: Transport): conn is Deno.TcpConn {
  return "setKeepAlive" in conn;
}

/** Whether an error means that the process or the system is out of file descriptors or memory. */
function isExhausted(error: Error & { code?: string }): boolean {
  return ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"].includes(error.code ?? "");
}

/** Listens on both addresses of localhost, on the same port. */
function listenOnLocalhost<L extends Closable>(port: number, listenOn: (hostname: string, port: number) => L): L[] {
  for (let tries = 1;; tries++) {
    const ipv4 = listenOn("127.0.0.1", port);
    try {
      return [ipv4, ...ifAvailable(() => listenOn("::1", (ipv4.addr as Deno.NetAddr).port))];
    } catch (error) {
      ipv4.close();
      if (port !== 0 || tries === FREE_PORT_TRIES) throw error;
    }
  }
}

/** Not every machine has ::1. If it is in use, clients that dial it would reach another program: that is an error. */
function ifAvailable<L>(listen: () => L): L[] {
  try {
    return [listen()];
  } catch (error) {
    if (error instanceof MqError && error.code === "address-in-use") throw error;
    return [];
  }
}

function explain(cause: unknown, address: { hostname: string; port: number }, tls?: Certificate): MqError {
  if (tls && isAboutKeys(cause)) {
    return new MqError("bad-certificate", `Cannot use the certificate: ${systemReason(cause)}`, { cause });
  }
  const where = formatAddress(address);
  if (cause instanceof Deno.errors.AddrInUse) {
    return new MqError("address-in-use", `Cannot listen on ${where}: the port is in use`, { cause });
  }
  return new MqError("cannot-listen", `Cannot listen on ${where}: ${systemReason(cause)}`, { cause });
}

/** Whether an error is about the certificate or its key, and not about the address. */
function isAboutKeys(error: unknown): boolean {
  return error instanceof Deno.errors.InvalidData || /key|certificate|PEM/i.test(systemReason(error));
}
