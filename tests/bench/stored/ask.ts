/** Exchanges with a broker before a load. */
import { concat } from "@std/bytes/concat";
import { read, writeAll } from "../../../cmd/bench/load.ts";
import { dial } from "../../../lib/net/dial.ts";
import { within } from "../../../lib/net/time.ts";
import type { Address } from "../../../lib/protocol/address.ts";

/** How long connecting, and then the response, may take, in milliseconds. */
const TIMEOUT_MS = 5000;

/**
 * Sends some text on a connection of its own.
 *
 * @returns What has arrived as soon as it matches.
 * @throws {TimeoutError} If it does not within 5 s.
 */
export async function ask(address: Address, text: string, isWhole: RegExp): Promise<string> {
  using conn = await dial(address, { timeoutMs: TIMEOUT_MS });
  await writeAll(conn, new TextEncoder().encode(text));
  return await within(TIMEOUT_MS, textUntil(conn, isWhole));
}

async function textUntil(conn: Deno.Conn, isWhole: RegExp): Promise<string> {
  const buffer = new Uint8Array(64 * 1024);
  let bytes = new Uint8Array(0);
  for (;;) {
    bytes = concat([bytes, buffer.subarray(0, await read(conn, buffer))]);
    const text = new TextDecoder().decode(bytes);
    if (isWhole.test(text)) return text;
  }
}
