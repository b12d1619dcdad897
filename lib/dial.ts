/**
 * Reaching a broker: TCP, TLS where it is asked for, and what to say when that fails.
 *
 * @module
 */
import { type Address, formatAddress } from "./address.ts";
import { ConnectionError, type MqError, ProtocolError } from "./errors.ts";
import { within } from "./time.ts";
import { explainHandshake } from "./tls.ts";

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
 * @throws {ConnectionError} With the code `unreachable`; `untrusted`, if its certificate is signed by nobody who is
 * trusted; `no-tls`, if it does not speak TLS; or `tls-failed`, if TLS was not agreed on for another reason.
 *
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { ConnectionError } from "./errors.ts";
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
      dialling.then((late) => late.close(), () => {});
      signal?.throwIfAborted();
      cause ??= error;
    }
  }
  throw new ConnectionError("unreachable", `No broker answers at ${formatAddress(address)}`, { cause });
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
    const { code, reason } = explainHandshake(cause);
    throw new ConnectionError(code, `Cannot agree on TLS with ${formatAddress(address)}: ${reason}`, { cause });
  }
}

/**
 * What it means that somebody answered, but not as a broker that takes this client.
 *
 * @param address Where that was, as `HOST:PORT`.
 * @param cause What befell the greeting.
 * @param lastWords What the broker said last, if that was why it closes the connection.
 * @returns The error to tell.
 */
export function whyNoGreeting(address: string, cause: MqError, lastWords?: ProtocolError): ConnectionError {
  const reason = cause.cause instanceof ProtocolError ? cause.cause : undefined;
  if (lastWords !== undefined && lastWords.code !== "bye") {
    return new ConnectionError("refused", `The broker at ${address} closes the connection: ${lastWords.message}`, {
      cause,
    });
  }
  if (reason?.code === "tls") {
    return new ConnectionError("tls-failed", `The broker at ${address} speaks TLS: connect to mqs://${address}`, {
      cause,
    });
  }
  const isGone = cause instanceof ConnectionError && (reason === undefined || lastWords !== undefined);
  return isGone // It may be a broker that goes down; all else is something else.
    ? new ConnectionError("unreachable", `What answers at ${address} closes the connection at once`, { cause })
    : new ConnectionError("not-a-broker", `What answers at ${address} is no mq broker: ${cause.message}`, { cause });
}
