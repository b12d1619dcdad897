/**
 * mq: a small event broker and its client.
 *
 * A client connects over TCP and sends lines whose first word is an event's name and whose rest is its data; the broker
 * sends every recognized event on to those who hear it.
 *
 * @example A broker and a client in one program
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker, connect } from "./mod.ts";
 *
 * await using broker = new Broker({ events: ["order.>"] });
 * const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
 *
 * await using client = await connect({ url: `mq://127.0.0.1:${port}`, name: "shop" });
 * const orders = client.subscribe("order.*");
 * client.publish("order.created", { id: 1 });
 * for await (const event of orders) {
 *   assertEquals(event.data, { id: 1 });
 *   break;
 * }
 * ```
 *
 * @module
 */
export { type Address, formatAddress, parseAddress } from "./lib/address.ts";
export * from "./lib/answers.ts";
export * from "./lib/broker.ts";
export * from "./lib/broker_options.ts";
export { Catalog, parseCatalog } from "./lib/catalog.ts";
export {
  type ClassicForm,
  type ClassicKeys,
  type ClassicOptions,
  MAX_MESSAGE_BYTES,
  MESSAGE_PACE_MS,
  modernName,
  modernPattern,
} from "./lib/classic.ts";
export * from "./lib/client.ts";
export * from "./lib/client_options.ts";
export * from "./lib/data.ts";
export { dial, type DialOptions } from "./lib/dial.ts";
export * from "./lib/errors.ts";
export * from "./lib/event.ts";
export type { HeartbeatTimes } from "./lib/heartbeat.ts";
export * from "./lib/limits.ts";
export { type ByteReader, type LineObserver, LineReader, type LineReaderOptions } from "./lib/lines.ts";
export type { Certificate, ListenOptions } from "./lib/listen.ts";
export * from "./lib/protocol.ts";
export * from "./lib/subscription.ts";
export { sleep } from "./lib/time.ts";
export { parseToken, parseTokens, type Scope, type Token } from "./lib/tokens.ts";
export { atTurnEnd } from "./lib/turn.ts";
export type { Transport } from "./lib/transport.ts";
export { VERSION } from "./lib/version.ts";
export { parseOrigin } from "./lib/web/access.ts";
export { DEFAULT_WEB_PORT, serveWeb, type WebGateway, type WebOptions } from "./lib/web/gateway.ts";
export type { Page } from "./lib/web/page.ts";
