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

/** One of {@linkcode STORE_VERBS}. */
export type StoreVerb = typeof STORE_VERBS[number];

/**
 * The error for a verb that needs a store.
 *
 * @param verb The verb.
 * @returns The error to send.
 */
export function noStore(verb: StoreVerb): ProtocolError {
  const message = `Cannot carry out /${verb}: this broker keeps nothing; mq server --store DIR does`;
  return new ProtocolError("no-store", message);
}
