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

// The client: publish, subscribe, request.
export { Client, connect } from "./lib/client.ts";
export type {
  ClientEventMap,
  ConfirmOptions,
  ConnectOptions,
  PublishOptions,
  ReconnectOptions,
  RequestOptions,
  SlowSubscription,
} from "./lib/client/options.ts";
export type { ConsumeOptions, Consumer, Job, JobHandler } from "./lib/client/consumer.ts";
export type { StoreClient } from "./lib/client/store_client.ts";
export type { SubscribeOptions, Subscription } from "./lib/client/subscription.ts";
export { type EventMeta, MqEvent } from "./lib/protocol/event.ts";
export type { Json } from "./lib/protocol/data.ts";
export type { HeartbeatTimes } from "./lib/net/heartbeat.ts";

// What a broker says of itself: to its clients, and to the program that it is part of.
export type {
  BrokerStats,
  ClientInfo,
  DelayReceipt,
  EventInfo,
  GroupReport,
  Hello,
  LogReport,
  PeekedJob,
  Receipt,
  StoreInfo,
  Why,
} from "./lib/protocol/responses.ts";

// The broker: admit connections, recognize events, pass them on.
export { Broker } from "./lib/broker.ts";
export type { BrokerOptions, DirectPublishOptions, SlowPolicy, SystemEvent } from "./lib/broker/options.ts";
export type { Certificate, ListenOptions } from "./lib/net/listen.ts";
export type { Transport } from "./lib/net/transport.ts";
export type { Limits } from "./lib/protocol/limits.ts";
export { DEFAULT_EVENTS } from "./lib/protocol/event.ts";
export { parseTokens, type Scope, type Token } from "./lib/protocol/tokens.ts";
export { classic } from "./lib/net/classic.ts";
export type { ClassicOptions } from "./lib/protocol/classic.ts";
export type { ClassicForm, ClassicKeys } from "./lib/protocol/classic/message.ts";

// The store: what a broker keeps.
export { openStore, type StoreOptions } from "./lib/store/sqlite.ts";

// The catalog: what events there are, and what data they carry.
export { type Catalog, parseCatalog } from "./lib/catalog/catalog.ts";

// The HTTP gateway: the page, WebSocket, Server-Sent Events, POST and metrics.
export { serveWeb, type WebGateway, type WebOptions } from "./lib/http/gateway.ts";
export type { Page } from "./lib/http/responses.ts";

// The errors, each with a code.
export {
  ConnectionError,
  type LocalCode,
  MqError,
  ProtocolError,
  TimeoutError,
  WIRE_CODES,
  type WireCode,
} from "./lib/protocol/errors.ts";
