/**
 * Where a broker listens.
 *
 * @module
 */
import { formatAddress } from "./address.ts";
import { MqError } from "./errors.ts";
import { DEFAULT_PORT } from "./limits.ts";
import { sleep } from "./time.ts";

/** How often another port is tried when a free one was asked for and is taken on one of localhost's two addresses. */
const FREE_PORT_TRIES = 10;

/**
 * How many connections the system completes before they are accepted. Past that, clients that dial at the same time wait
 * for a second or more. Deno knows the option since 2.5; before that it is 128.
 */
const TCP_BACKLOG = 4096;

/** How long accepting rests when the system has no room for another connection, in milliseconds. */
const ACCEPT_RETRY_MS = 100;

/** What {@linkcode Broker.listen} listens on. */
export interface ListenOptions {
  /**
   * The host name or address. `localhost` is both 127.0.0.1 and, where the machine has it, ::1.
   *
   * @default {"localhost"}
   */
  hostname?: string;
  /**
   * The port; 0 is one that is free.
   *
   * @default {3001}
   */
  port?: number;
}

/**
 * Listens on TCP.
 *
 * @param options Where.
 * @returns One listener, or for `localhost` one for each of its addresses.
 * @throws {MqError} With the code `address-in-use` or `cannot-listen`.
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
export function listenTcp(options: ListenOptions): Deno.TcpListener[] {
  const { hostname = "localhost", port = DEFAULT_PORT } = options;
  return hostname === "localhost" ? listenOnLocalhost(port) : [listenOn(hostname, port)];
}

/** Who takes the connections that are accepted. */
export interface Acceptor {
  /** Whether connections are still to be accepted. */
  isOpen(): boolean;
  /**
   * Called with each connection.
   *
   * @param conn The connection.
   */
  enter(conn: Deno.TcpConn): void;
  /**
   * Called when the system has no room for another connection.
   *
   * @param error What it says.
   * @param times How often that has happened since the last connection that was accepted.
   */
  exhausted(error: Error, times: number): void;
}

/**
 * Accepts connections until they are no longer wanted.
 *
 * @param listener Where they come in.
 * @param acceptor Who takes them.
 */
export async function acceptAll(listener: Deno.TcpListener, acceptor: Acceptor): Promise<void> {
  for (let failures = 0; acceptor.isOpen();) {
    let conn: Deno.TcpConn;
    try {
      conn = await listener.accept();
    } catch (error) {
      // What is not exhaustion befell one connection: it was reset before it was accepted, say.
      if (isExhausted(error as Error)) acceptor.exhausted(error as Error, ++failures);
      if (acceptor.isOpen()) await sleep(failures > 0 ? ACCEPT_RETRY_MS : 0);
      continue;
    }
    failures = 0;
    acceptor.enter(conn);
  }
}

/** Whether an error means that the process or the system is out of file descriptors or memory. */
function isExhausted(error: Error & { code?: string }): boolean {
  return ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"].includes(error.code ?? "");
}

/** Both of localhost's addresses, on the same port. */
function listenOnLocalhost(port: number): Deno.TcpListener[] {
  for (let tries = 1;; tries++) {
    const ipv4 = listenOn("127.0.0.1", port);
    try {
      return [ipv4, ...listenOnIpv6Loopback(ipv4.addr.port)];
    } catch (error) {
      ipv4.close();
      if (port !== 0 || tries === FREE_PORT_TRIES) throw error;
    }
  }
}

/** Not every machine has ::1; where it is there and taken, clients that dial it would reach another program. */
function listenOnIpv6Loopback(port: number): Deno.TcpListener[] {
  try {
    return [listenOn("::1", port)];
  } catch (error) {
    if (error instanceof MqError && error.code === "address-in-use") throw error;
    return [];
  }
}

function listenOn(hostname: string, port: number): Deno.TcpListener {
  try {
    const options = { hostname, port, tcpBacklog: TCP_BACKLOG };
    return Deno.listen(options);
  } catch (cause) {
    const where = formatAddress({ hostname, port });
    if (cause instanceof Deno.errors.AddrInUse) {
      throw new MqError("address-in-use", `Cannot listen on ${where}: another program does already`, { cause });
    }
    const why = (cause instanceof Error ? cause.message : String(cause)).replace(/ \(os error \d+\)$/, "");
    throw new MqError("cannot-listen", `Cannot listen on ${where}: ${why}`, { cause });
  }
}
