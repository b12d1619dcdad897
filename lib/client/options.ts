/**
 * What a client can be told, and what it tells.
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
   * How long it waits before the first try, in milliseconds. Each wait is twice the one before, give or take a quarter.
   *
   * @default {250}
   */
  minDelayMs?: number;
  /**
   * The longest wait between two tries, in milliseconds.
   *
   * @default {1000}
   */
  maxDelayMs?: number;
  /**
   * How often it tries before the client is closed.
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
  /** Where the broker is, as `mq://HOST:PORT` or `mqs://HOST:PORT`. Stands for `hostname`, `port` and `tls`. */
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
   * Whether the broker speaks TLS.
   *
   * @default {false}
   */
  tls?: boolean;
  /** Certificates that are trusted besides those that the system trusts, in the PEM format. */
  caCerts?: string[];
  /** The token that admits the client, where the broker asks for it: 1 to 1,024 visible characters of ASCII. */
  token?: string;
  /** What the client calls itself: one word of at most 64 characters. The broker calls it `client-N` otherwise. */
  name?: string;
  /**
   * Whether events come with their id, time and sender. Without them the broker and the client have less to do.
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
   * How it reconnects after the connection broke; false if it does not.
   *
   * @default {{}}
   */
  reconnect?: ReconnectOptions | false;
  /**
   * Whether a broker that is not there yet is waited for, with the same delays.
   *
   * @default {false}
   */
  wait?: boolean;
  /**
   * How long one try to connect may take, in milliseconds.
   *
   * @default {5000}
   */
  timeoutMs?: number;
  /**
   * The bytes that may wait to be sent, because there is no connection or the broker does not read fast enough. To
   * publish more throws an error: {@linkcode Client.flush} waits until there is room.
   *
   * @default {16777216}
   */
  queueBytes?: number;
  /**
   * How long the broker may be silent before it is asked for a sign of life, and after that before it is given up.
   *
   * @default {{ silenceMs: 30000, answerMs: 10000 }}
   */
  heartbeat?: Partial<HeartbeatTimes>;
  /** Gives up connecting when it is aborted. Once connected, it has no effect. */
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
   * Whether the data is a string that goes onto the line as it is, without being encoded.
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
  /** Stops waiting for the receipt when it is aborted. The event may be published all the same. */
  signal?: AbortSignal;
  /**
   * How many hops are behind the event, from 0 to 255: for one that is made of another, one more than
   * {@linkcode MqEvent.hops} of that. So a loop of programs that make events of each other's can be found out. Brokers
   * before 0.6 are not told.
   *
   * @default {0}
   */
  hops?: number;
  /**
   * The name of the event that answers this one: {@linkcode MqEvent.replyTo} of those who receive it. It is
   * {@linkcode Client.request} that most programs want.
   */
  reply?: string;
}

/**
 * Options of {@linkcode Client.request}.
 *
 * @example
 * ```ts
 * const options: RequestOptions = { timeoutMs: 500 };
 * ```
 */
export interface RequestOptions extends Omit<ConfirmOptions, "reply"> {
  /**
   * How long the answer may take, in milliseconds, from 1 to 2,147,483,647. The time that it takes to reconnect is part
   * of it.
   *
   * @default {5000}
   */
  timeoutMs?: number;
}

/**
 * A subscription that is taken from more slowly than events come.
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
  /** How many events wait in it. */
  waiting: number;
  /** How many it has dropped, this one included. */
  dropped: number;
}

/**
 * The events of a {@linkcode Client}, by type: what `detail` is.
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
  /** The connection broke; why. The client reconnects by itself, unless it was told not to. */
  disconnect: CustomEvent<ConnectionError>;
  /** The connection is back, with all subscriptions; how many tries it took. */
  reconnect: CustomEvent<{ attempts: number }>;
  /** The broker had to drop events for this client, which read too slowly: how many. */
  dropped: CustomEvent<number>;
  /**
   * A subscription holds as many events as may wait in it, and drops what comes on top. It is told once, and again only
   * after half of what may wait has been taken.
   */
  slow: CustomEvent<SlowSubscription>;
  /** What the broker said unasked, such as that it could not read a line or refuses a subscription with a handler. */
  notice: CustomEvent<ProtocolError>;
  /** What a handler threw. Unless a listener calls `preventDefault`, it is reported as uncaught. */
  error: CustomEvent<unknown>;
}
