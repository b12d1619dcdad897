/**
 * The options of a client and of its methods, and the events that it dispatches.
 *
 * @module
 */
import type { HeartbeatTimes } from "../net/heartbeat.ts";
import type { ConnectionError, ProtocolError } from "../protocol/errors.ts";
import type { Subscription } from "./subscription.ts";

/**
 * How a client reconnects after its connection broke.
 *
 * @example
 * ```ts
 * const reconnect: ReconnectOptions = { minDelayMs: 100, maxDelayMs: 5000, attempts: 20 };
 * ```
 */
export interface ReconnectOptions {
  /**
   * The delay before the first attempt, in milliseconds. Each delay is twice the one before, plus or minus a quarter.
   *
   * @default {250}
   */
  minDelayMs?: number;
  /**
   * The longest delay between two attempts, in milliseconds. Where the broker has refused the client, it is 30 s.
   *
   * @default {1000}
   */
  maxDelayMs?: number;
  /**
   * The number of attempts after which the client is closed.
   *
   * @default {Infinity}
   */
  attempts?: number;
}

/**
 * Options of {@linkcode connect}.
 *
 * @example
 * ```ts
 * const options: ConnectOptions = { url: "mqs://broker.example.org:3001", name: "shop", token: "s3cret", wait: true };
 * ```
 */
export interface ConnectOptions {
  /** The address of the broker, as `mq://HOST:PORT` or `mqs://HOST:PORT`, in place of `hostname`, `port` and `tls`. */
  url?: string;
  /**
   * The broker's host name or address.
   *
   * @default {"localhost"}
   */
  hostname?: string;
  /**
   * The broker's port.
   *
   * @default {3001}
   */
  port?: number;
  /**
   * Whether the connection uses TLS.
   *
   * @default {false}
   */
  tls?: boolean;
  /** Certificates to trust besides those of the system, in the PEM format. */
  caCerts?: string[];
  /** The token that authenticates the client, if the broker requires one: 1 to 1,024 visible characters of ASCII. */
  token?: string;
  /** The name of the client: one word of at most 64 characters. Default: the broker names it `client-N`. */
  name?: string;
  /**
   * Whether events come with their id, time, sender and headers. Without them the broker and the client have less to do.
   *
   * @default {true}
   */
  meta?: boolean;
  /**
   * Whether the client receives the events that it publishes itself.
   *
   * @default {true}
   */
  echo?: boolean;
  /**
   * How the client reconnects after the connection broke; false for not at all.
   *
   * @default {{}}
   */
  reconnect?: ReconnectOptions | false;
  /**
   * Whether to wait for a broker that is not there yet, with the delays of `reconnect`.
   *
   * @default {false}
   */
  wait?: boolean;
  /**
   * The timeout of one attempt to connect, in milliseconds.
   *
   * @default {5000}
   */
  timeoutMs?: number;
  /**
   * The most bytes that may be queued while there is no connection or the broker reads too slowly. Publishing more throws
   * an error; {@linkcode Client.flush} waits until there is room.
   *
   * @default {16777216}
   */
  queueBytes?: number;
  /**
   * How long the broker may be silent before it is sent a `/ping`, and after that before the connection is closed.
   *
   * @default {{ silenceMs: 30000, answerMs: 10000 }}
   */
  heartbeat?: Partial<HeartbeatTimes>;
  /** Aborts connecting. It has no effect on a client that is connected. */
  signal?: AbortSignal;
}

/**
 * Options of {@linkcode Client.publish}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 * import { connect } from "../client.ts";
 *
 * await using broker = new Broker();
 * const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
 * await using client = await connect({ hostname: "127.0.0.1", port });
 * const numbers = client.subscribe("create");
 *
 * const options: PublishOptions = { raw: true };
 * client.publish("create", "42", options); // Without it, this is the string "42".
 * assertEquals((await numbers.next()).value.data, 42);
 * ```
 */
export interface PublishOptions {
  /**
   * Whether the data is a string that is written to the line without being encoded.
   *
   * @default {false}
   */
  raw?: boolean;
}

/**
 * Options of {@linkcode Client.publishConfirmed}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 * import { connect } from "../client.ts";
 *
 * await using broker = new Broker();
 * const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
 * await using client = await connect({ hostname: "127.0.0.1", port });
 * const created = client.subscribe("create");
 *
 * const options: ConfirmOptions = { hops: 1, signal: AbortSignal.timeout(5000) };
 * await client.publishConfirmed("create", { id: 1 }, options);
 * assertEquals((await created.next()).value.hops, 1);
 * ```
 */
export interface ConfirmOptions extends PublishOptions {
  /** Stops waiting. The event may be published nevertheless. */
  signal?: AbortSignal;
  /**
   * How many hops the event has taken, from 0 to 255: for an event in reaction to another one, one more than
   * {@linkcode MqEvent.hops} of that, so that a loop of such programs can be detected. Not sent to brokers before 0.6.
   *
   * @default {0}
   */
  hops?: number;
  /**
   * The name to which a reply is to be published: {@linkcode MqEvent.replyTo} of the subscribers.
   * {@linkcode Client.request} sets it, and waits for the reply.
   */
  reply?: string;
  /**
   * A key of the event, one word of at most 128 characters such as a ULID, for a broker with a store: with the same key the
   * event is published once within two minutes, however often it is sent. So the client sends it again if the connection
   * breaks before the receipt arrives; if it does not reconnect, {@linkcode Client.publishConfirmed} rejects with the code
   * `unconfirmed`, and the program may try again with the same key.
   */
  key?: string;
}

/**
 * Options of {@linkcode Client.request}.
 *
 * @example
 * ```ts
 * const options: RequestOptions = { timeoutMs: 500 };
 * ```
 */
export interface RequestOptions extends Omit<ConfirmOptions, "reply" | "key"> {
  /**
   * The time after which the request fails without a reply, in milliseconds, from 1 to 2,147,483,647. It includes the
   * time of a reconnect.
   *
   * @default {5000}
   */
  timeoutMs?: number;
}

/**
 * The detail of the event `slow`: a subscription that receives events faster than they are taken or handled.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 * import { connect } from "../client.ts";
 *
 * await using broker = new Broker();
 * const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
 * await using client = await connect({ hostname: "127.0.0.1", port });
 * const stretches: SlowSubscription[] = [];
 * client.addEventListener("slow", ({ detail }) => stretches.push(detail));
 *
 * client.subscribe("create", { maxWaiting: 2 });
 * for (let id = 1; id <= 5; id++) client.publish("create", id);
 * await client.flush();
 * assertEquals(stretches.map(({ waiting, dropped }) => [waiting, dropped]), [[2, 1]]);
 * ```
 */
export interface SlowSubscription {
  /** The subscription. */
  subscription: Subscription;
  /** The number of events that wait in it. */
  waiting: number;
  /** The number of events that it has dropped, including this one. */
  dropped: number;
}

/**
 * The events of a {@linkcode Client}, by type.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 * import { connect } from "../client.ts";
 *
 * await using broker = new Broker();
 * const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
 * await using client = await connect({ hostname: "127.0.0.1", port });
 *
 * const { promise, resolve } = Promise.withResolvers<string>();
 * client.addEventListener("disconnect", ({ detail }) => resolve(detail.code));
 * await broker.close();
 * assertEquals(await promise, "disconnected");
 * ```
 */
export interface ClientEventMap {
  /** The connection broke; the error says why. The client reconnects, unless `reconnect` is false. */
  disconnect: CustomEvent<ConnectionError>;
  /** The client has reconnected and renewed its subscriptions; the number of attempts. */
  reconnect: CustomEvent<{ attempts: number }>;
  /** The broker dropped events for this client, which reads too slowly; the number of events. */
  dropped: CustomEvent<number>;
  /**
   * A subscription is full and drops events. Dispatched once, and again only after half of what may wait in the
   * subscription has been taken.
   */
  slow: CustomEvent<SlowSubscription>;
  /** An error of the broker that no method reports: a line that it could not read, or a refused subscription with a handler. */
  notice: CustomEvent<ProtocolError>;
  /**
   * What a handler threw or rejected with. It is reported as uncaught unless a listener calls `preventDefault`; what a
   * handler of jobs threw is not, since the job is delivered again.
   */
  error: CustomEvent<unknown>;
}
