/**
 * What handlers of control lines have in common: what a token permits, and questions that the store has to be asked.
 *
 * @module
 */
import { ProtocolError } from "../protocol/errors.ts";
import type { Scope } from "../protocol/tokens.ts";
import { asProtocolError, type Handler } from "./commands.ts";
import type { Connection } from "./connection.ts";
import { type Response, whenDone } from "./response_queue.ts";

/** The scopes of tokens that permit to publish. */
export const PUBLISHERS: readonly Scope[] = ["all", "publish"];

/** The scopes of tokens that permit to listen. */
export const LISTENERS: readonly Scope[] = ["all", "listen"];

/** The scope of tokens that permit both. */
export const ALL: readonly Scope[] = ["all"];

/**
 * Makes a handler for those connections whose token has one of some scopes.
 *
 * @param scopes The scopes.
 * @param handler What the others are refused.
 * @returns The handler.
 */
export function permitted(scopes: readonly Scope[], handler: Handler): Handler {
  return (connection, rest) => {
    checkScope(connection, scopes);
    return handler(connection, rest);
  };
}

/**
 * Checks whether the token of a connection has one of some scopes.
 *
 * @param connection The connection.
 * @param scopes The scopes.
 * @throws {ProtocolError} With the code `forbidden`.
 */
export function checkScope({ scope }: Pick<Connection, "scope">, scopes: readonly Scope[]): void {
  if (scopes.includes(scope!)) return;
  const what = scope === "listen" ? "listening" : "publishing";
  throw new ProtocolError("forbidden", `Cannot carry it out: this connection's token is for ${what} only`);
}

/**
 * The response to a line that the store has to be asked for. The next lines of the connection wait for it: so one client
 * has one question under way.
 *
 * @param connection The connection that asks.
 * @param what The verb.
 * @param result The JSON value of the response.
 * @returns The response.
 */
export function ask(connection: Connection, what: string, result: Promise<unknown>): Response {
  connection.holdBack(result.then(() => {}, () => {})); // What it rejects with is the response.
  return whenDone(what, result, asProtocolError);
}
