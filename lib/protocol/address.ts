/**
 * Reads and writes the addresses of brokers: `HOST:PORT`, `mq://HOST:PORT` and `mqs://HOST:PORT`.
 *
 * @module
 */
import { MqError, quote } from "./errors.ts";
import { DEFAULT_PORT } from "./limits.ts";

/** The address of a broker. */
export interface Address {
  /** The host name or IP address. An IPv6 address has no brackets. */
  hostname: string;
  /** The TCP port. */
  port: number;
  /**
   * Whether the broker speaks TLS.
   *
   * @default {false}
   */
  tls?: boolean;
}

const PORT_ONLY = /^\d{1,5}$/;
const ADDRESS =
  /^(?:mq(?<tls>s)?:\/\/)?(?:\[(?<ipv6>[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:%[\w.-]+)?)\]|(?<host>[^\s:/@?#[\]]+))?(?::(?<port>\d{1,5}))?\/?$/;

/**
 * Reads the address of a broker. The default host is `localhost`, the default port 3001.
 *
 * @param text `HOST:PORT`, `HOST` or `:PORT`, with or without `mq://` or, for TLS, `mqs://` before it; or `PORT`. An IPv6
 * address is written in brackets.
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
  const groups = ADDRESS.exec(PORT_ONLY.test(text) ? `:${text}` : text)?.groups;
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
 * Writes an address as in logs and URLs.
 *
 * @param address The address.
 * @returns `HOST:PORT`, with an IPv6 address in brackets.
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
