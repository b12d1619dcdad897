/**
 * What all commands share that need the store of a broker.
 *
 * @module
 */
import type { Client } from "../../lib/client.ts";
import { type Address, formatAddress } from "../../lib/protocol/address.ts";
import { MqError, quote } from "../../lib/protocol/errors.ts";
import { formatPatterns, Pattern } from "../../lib/protocol/pattern.ts";
import type { Values } from "../command.ts";
import { brokerAccess, type brokerFlags, connectWithHint, startCommandFor } from "./broker_flags.ts";
import type { Io } from "./stdio.ts";

/**
 * Connects to a broker with a store, once.
 *
 * @param command The name of the command, which without its second word is the name of the connection.
 * @param flags The flags with the address.
 * @returns A client that does not reconnect.
 * @throws {MqError} With the code `no-store`, if the broker has none.
 */
export async function connectToStore(command: string, flags: Values<typeof brokerFlags>, io: Io): Promise<Client> {
  const access = brokerAccess(flags, io, command);
  const [name] = command.split(" ");
  const client = await connectWithHint({ ...access, name, reconnect: false, signal: io.signal });
  try {
    checkStore(client, access);
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}

/**
 * Checks that a broker has a store.
 *
 * @param client A client that is connected to it.
 * @param address Its address.
 * @throws {MqError} With the code `no-store`; the message says how to start a broker with one.
 */
export function checkStore({ hello }: Client, address: Address): void {
  if (hello.store !== undefined) return;
  const start = `to have it keep them, start it with: ${startCommandFor(address)} --store DIR`;
  throw new MqError("no-store", `The broker at ${formatAddress(address)} keeps no events; ${start}`);
}

/** Warns of patterns that match no event that the broker stores; returns whether there are some. */
export function warnOfUnstoredPatterns(
  command: string,
  patterns: readonly string[],
  { hello }: Client,
  io: Io,
): boolean {
  const { keep } = hello.store!;
  const stored = keep.map((text) => new Pattern(text));
  const unmatched = patterns.filter((text) => !stored.some((pattern) => pattern.overlaps(new Pattern(text))));
  if (unmatched.length === 0) return false;
  const which = `${formatPatterns(unmatched.map(quote))} ${unmatched.length === 1 ? "matches" : "match"}`;
  const what = keep.includes(">") ? "all events that it recognizes" : formatPatterns(keep);
  io.stderr.line(`mq ${command}: the broker stores no event that ${which}; it stores ${what}`);
  return true;
}
