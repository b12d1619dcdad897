/**
 * Where a broker is: `HOST:PORT`, `mq://HOST:PORT` and `mqs://HOST:PORT`, read and written.
 *
 * @module
 */
import { MqError, quote } from "./errors.ts";
import { DEFAULT_PORT } from "./limits.ts";

/** Where a broker is. */
export interface Address {
  /** A host name or an IP address, an IPv6 one without brackets. */
  hostname: string;
  /** A TCP port. */
  port: number;
  /**
   * Whether it speaks TLS.
   *
   * @default {false}
   */
  tls?: boolean;
}

const PORT_ALONE = /^\d{1,5}$/;
const ADDRESS =
  /^(?:mq(?<tls>s)?:\/\/)?(?:\[(?<ipv6>[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:%[\w.-]+)?)\]|(?<host>[^\s:/@?#[\]]+))?(?::(?<port>\d{1,5}))?\/?$/;

/**
 * Reads where a broker is. What is left out is `localhost` and port 3001.
 *
 * @param text `HOST:PORT`, `HOST`, `:PORT`, each with or without `mq://` before it, or `PORT`; an IPv6 host stands in
 * brackets. Before a broker that speaks TLS stands `mqs://`.
 * @returns The address.
 * @throws {MqError} With the code `bad-address`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseAddress("mqs://example.org:4000"), { hostname: "example.org", port: 4000, tls: true });
 * assertEquals(parseAddress("[::1]"), { hostname: "::1", port: 3001, tls: false });
 * assertEquals(parseAddress(":4000"), { hostname: "localhost", port: 4000, tls: false });
 * ```
 */
export function parseAddress(text: string): Address {
  const groups = ADDRESS.exec(PORT_ALONE.test(text) ? `:${text}` : text)?.groups;
  const port = Number(groups?.port ?? DEFAULT_PORT);
  const isEmpty = !groups || [groups.ipv6, groups.host, groups.port].every((part) => part === undefined);
  if (isEmpty || port < 1 || port > 65535) {
    throw new MqError(
      "bad-address",
      `Cannot read ${quote(text)} as a broker's address: it takes HOST:PORT or mq://HOST:PORT, or mqs:// for TLS`,
    );
  }
  return { hostname: groups.ipv6 ?? groups.host ?? "localhost", port, tls: groups.tls !== undefined };
}

/**
 * An address as it is written in logs and URLs.
 *
 * @param address The address.
 * @returns `HOST:PORT`, an IPv6 host in brackets.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatAddress({ hostname: "::1", port: 3001 }), "[::1]:3001");
 * ```
 */
export function formatAddress(address: { hostname: string; port: number }): string {
  const host = address.hostname.includes(":") ? `[${address.hostname}]` : address.hostname;
  return `${host}:${address.port}`;
}
