/**
 * Reaching a broker: TCP, TLS where it is asked for, and what to say when that fails.
 *
 * @module
 */
import { type Address, formatAddress } from "../protocol/address.ts";
import { ConnectionError, TimeoutError } from "../protocol/errors.ts";
import { explainHandshake, whyNoGreeting, whyUnreachable } from "./connection_errors.ts";
import { within } from "./time.ts";

/** Options of {@linkcode dial}. */
export interface DialOptions {
  /** How long it may take, in milliseconds. */
  timeoutMs: number;
  /** Certificates that are trusted besides those that the system trusts, in the PEM format. */
  caCerts?: string[];
  /** Gives up when it is aborted. */
  signal?: AbortSignal;
}

/**
 * Opens a connection to a broker. For `localhost` both of its addresses are tried: a broker may listen on either.
 *
 * @param address Where the broker is.
 * @param options How long that may take, and whom to trust.
 * @returns The connection.
 * @throws {ConnectionError} With the code `unreachable`; `no-such-host`, if its name cannot be found; `no-answer`, if it
 * accepts the connection and does not answer; `untrusted`, if its certificate is signed by nobody who is
 * trusted; `no-tls`, if it does not speak TLS; or `tls-failed`, if TLS was not agreed on for another reason.
 *
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { ConnectionError } from "../protocol/errors.ts";
 *
 * const nobody = { hostname: "127.0.0.1", port: 1, tls: false };
 * await assertRejects(() => dial(nobody, { timeoutMs: 5000 }), ConnectionError, "No broker answers at 127.0.0.1:1");
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
    const givingUp = new AbortController();
    const dialling = Deno.connect({ hostname, port: address.port, signal: givingUp.signal });
    try {
      const conn = await within(timeoutMs, dialling, signal);
      conn.setNoDelay(); // A turn's output is one write: there is nothing to wait for.
      return conn;
    } catch (error) {
      givingUp.abort();
      dialling.then((late) => late.close(), () => {}); // That it fails, too, is what was wanted.
      signal?.throwIfAborted();
      cause ??= error;
    }
  }
  throw whyUnreachable(address, timeoutMs, cause);
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
      throw whyNoGreeting(formatAddress(address), cause, { receivedBytes: 0 }, timeoutMs);
    }
    const { code, reason } = explainHandshake(cause);
    throw new ConnectionError(code, `Cannot agree on TLS with ${formatAddress(address)}: ${reason}`, { cause });
  }
}
