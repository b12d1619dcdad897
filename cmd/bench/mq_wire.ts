/**
 * mq's own protocol, as the load generator speaks it.
 *
 * @module
 */
import { formatEvent } from "../../mod.ts";
import type { Exchange, Wire } from "./load.ts";

const encoder = new TextEncoder();

/** mq's own protocol. */
export const mqWire: Wire = {
  publisher: confirmed("/unsub >"),
  listener: (name) => confirmed(`/sub ${name}`),
  sync: confirmed(),
  publish: (name, data) => encoder.encode(formatEvent(name, data) + "\n"),
  deliver: (name, data) => encoder.encode(formatEvent(name, data) + "\n"),
};

/** Control lines are answered in their order, so the answer to the ping tells that those before it were taken in. */
function confirmed(...lines: string[]): Exchange {
  return {
    send: encoder.encode([...lines, "/ping", ""].join("\n")),
    reply: encoder.encode("/pong\n"),
  };
}
