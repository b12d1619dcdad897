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
export { type Address, formatAddress, parseAddress } from "./lib/protocol/address.ts";
export * from "./lib/protocol/responses.ts";
export * from "./lib/broker.ts";
export * from "./lib/broker/options.ts";
export { Catalog, parseCatalog } from "./lib/catalog/catalog.ts";
export {
  type ClassicForm,
  type ClassicKeys,
  type ClassicOptions,
  MAX_MESSAGE_BYTES,
  MESSAGE_PACE_MS,
  modernName,
  modernPattern,
} from "./lib/protocol/classic.ts";
export * from "./lib/client.ts";
export * from "./lib/client/options.ts";
export * from "./lib/protocol/data.ts";
export { dial, type DialOptions } from "./lib/net/dial.ts";
export * from "./lib/protocol/errors.ts";
export * from "./lib/protocol/event.ts";
export * from "./lib/protocol/pattern.ts";
export type { HeartbeatTimes } from "./lib/net/heartbeat.ts";
export * from "./lib/protocol/limits.ts";
export { type LineObserver, LineReader, type LineReaderOptions } from "./lib/net/line_reader.ts";
export type { Certificate, ListenOptions } from "./lib/net/listen.ts";
export * from "./lib/protocol/lines.ts";
export * from "./lib/client/subscription.ts";
export { parseToken, parseTokens, type Scope, type Token } from "./lib/protocol/tokens.ts";
export { afterCurrentTick } from "./lib/net/read_scheduler.ts";
export type { ByteReader, Transport } from "./lib/net/transport.ts";
export { VERSION } from "./lib/protocol/version.ts";
export { parseOrigin } from "./lib/http/access.ts";
export { DEFAULT_WEB_PORT, serveWeb, type WebGateway, type WebOptions } from "./lib/http/gateway.ts";
export type { Page } from "./lib/http/page.ts";
