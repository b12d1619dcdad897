/**
 * What a broker without a store says to those who need one.
 *
 * @module
 */
import { ProtocolError } from "../protocol/errors.ts";

/** The verbs that need a store. */
export const STORE_VERBS = [
  "replay",
  "once",
  "delay",
  "cancel",
  "join",
  "leave",
  "ack",
  "nack",
  "bury",
  "touch",
  "groups",
  "log",
  "peek",
  "kick",
  "purge",
  "forget",
] as const;

/**
 * The error for what needs a store.
 *
 * @param what What cannot be done, such as `carry out /log`.
 * @returns The error to send.
 */
export function noStore(what: string): ProtocolError {
  return new ProtocolError("no-store", `Cannot ${what}: this broker keeps nothing; mq server --store DIR does`);
}
