/**
 * mq's own protocol, as the load generator speaks it.
 *
 * @module
 */
import { formatEvent } from "../../lib/protocol/lines.ts";
import type { Exchange, Wire } from "./load.ts";

const encoder = new TextEncoder();

/** mq's own protocol, and what may be needed before anything else. */
export interface MqWire extends Wire {
  /** What lets a connection in; empty where nothing is needed. */
  readonly hello: Exchange;
}

/**
 * mq's own protocol.
 *
 * @param token What lets a connection in, where the broker asks for it.
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

/** Control lines are answered in their order, so the answer to the ping tells that those before it were taken in. */
function confirmed(...lines: string[]): Exchange {
  return {
    send: encoder.encode([...lines, "/ping", ""].join("\n")),
    reply: encoder.encode("/pong\n"),
  };
}
