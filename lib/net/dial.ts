/**
 * Opens connections to brokers, over TCP or TLS.
 *
 * @module
 */
import { type Address, formatAddress } from "../protocol/address.ts";
import { ConnectionError, TimeoutError } from "../protocol/errors.ts";
import { explainHandshake, greetingError, unreachableError } from "./connection_errors.ts";
import { within } from "./time.ts";

/** Options of {@linkcode dial}. */
export interface DialOptions {
  /** How long the connection, and then the TLS handshake, may take, in milliseconds. */
  timeoutMs: number;
  /** Certificates in the PEM format that are trusted in addition to those of the system. */
  caCerts?: string[];
  /** Ends the attempt when it is aborted; its reason is thrown. */
  signal?: AbortSignal;
}

/**
 * Opens a connection to a broker. For `localhost` it tries 127.0.0.1, then ::1.
 *
 * @param address The broker's address.
 * @param options The timeout and the trusted certificates.
 * @returns The connection.
 * @throws {ConnectionError} With the code `unreachable`; `no-such-host`, if the name does not exist; `no-answer`, if the
 * TLS handshake has timed out; `untrusted`, if the certificate has no trusted issuer; `no-tls`, if the peer does not speak
 * TLS; or `tls-failed` for other failures of the handshake.
 *
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { ConnectionError } from "../protocol/errors.ts";
 *
 * const address = { hostname: "127.0.0.1", port: 1, tls: false };
 * await assertRejects(() => dial(address, { timeoutMs: 5000 }), ConnectionError, "No broker answers at 127.0.0.1:1");
 * ```
 */
export async function dial(address: Address, options: DialOptions): Promise<Deno.TcpConn | Deno.TlsConn> {
  const conn = await connectTcp(address, options);
  return address.tls ? await startTls(conn, address, options) : conn;
}

async function connectTcp(address: Address, { timeoutMs, signal }: DialOptions): Promise<Deno.TcpConn> {
  const hostnames = address.hostname === "localhost" ? ["127.0.0.1", "::1"] : [address.hostname];
  let cause: unknown;
  for (const hostname of hostnames) {
    signal?.throwIfAborted();
    const abandoning = new AbortController();
    const dialling = Deno.connect({ hostname, port: address.port, signal: abandoning.signal });
    try {
      const conn = await within(timeoutMs, dialling, signal);
      conn.setNoDelay(); // The output of a tick is one write, so Nagle's algorithm would only delay it.
      return conn;
    } catch (error) {
      abandoning.abort();
      dialling.then((late) => late.close(), () => {}); // It was aborted, so it is expected to fail.
      signal?.throwIfAborted();
      cause ??= error;
    }
  }
  throw unreachableError(address, timeoutMs, cause);
}

async function startTls(conn: Deno.TcpConn, address: Address, options: DialOptions): Promise<Deno.TlsConn> {
  const { timeoutMs, caCerts, signal } = options;
  let tlsConn: Deno.TlsConn | undefined;
  try {
    tlsConn = await Deno.startTls(conn, { hostname: address.hostname, caCerts });
    await within(timeoutMs, tlsConn.handshake(), signal);
    return tlsConn;
  } catch (cause) {
    (tlsConn ?? conn).close();
    signal?.throwIfAborted();
    if (cause instanceof TimeoutError) {
      throw greetingError(formatAddress(address), cause, { receivedBytes: 0 }, timeoutMs);
    }
    const { code, reason } = explainHandshake(cause);
    throw new ConnectionError(code, `Cannot agree on TLS with ${formatAddress(address)}: ${reason}`, { cause });
  }
}
