/**
 * The protocol of mq, for the load generator.
 *
 * @module
 */
import { formatEvent } from "../../lib/protocol/lines.ts";
import type { Exchange, Wire } from "./load.ts";

const encoder = new TextEncoder();

/** The protocol of mq, and the authentication of a connection. */
export interface MqWire extends Wire {
  /** Authenticates a connection; empty without a token. */
  readonly hello: Exchange;
}

/**
 * The protocol of mq.
 *
 * @param token The token of the broker, if it needs one.
 */
export function mqWire(token?: string): MqWire {
  const hello = token === undefined ? [] : [`/hello ${JSON.stringify({ token })}`];
  const format = (name: string, data: string) => encoder.encode(formatEvent(name, data) + "\n");
  return {
    hello: hello.length > 0 ? confirmed(...hello) : NOTHING,
    publisher: confirmed(...hello, "/unsub >"),
    listener: (name) => confirmed(...hello, `/sub ${name}`),
    sync: confirmed(),
    publish: format,
    deliver: format,
  };
}

const NOTHING: Exchange = { send: new Uint8Array(0), reply: new Uint8Array(0) };

/** Control lines are answered in order, so that the /pong confirms the lines before the /ping. */
function confirmed(...lines: string[]): Exchange {
  return {
    send: encoder.encode([...lines, "/ping", ""].join("\n")),
    reply: encoder.encode("/pong\n"),
  };
}
