/**
 * The client library: publishes events to a broker and receives events from it, and reconnects when the connection breaks.
 *
 * @module
 */
import { ClientConnection } from "./client/connection.ts";
import { Dispatcher, type Receiver } from "./client/dispatcher.ts";
import type {
  ClientEventMap,
  ConfirmOptions,
  ConnectOptions,
  PublishOptions,
  RequestOptions,
} from "./client/options.ts";
import type { ConsumeOptions, Consumer, JobHandler } from "./client/consumer.ts";
import { GroupMember } from "./client/group_member.ts";
import { Replays } from "./client/replays.ts";
import { StoreClient } from "./client/store_client.ts";
import { checkTimeout, type PublishRequest, Requests } from "./client/requests.ts";
import { parseResponse, type Session } from "./client/session.ts";
import { BufferedSubscription, type SubscribeOptions, type Subscription } from "./client/subscription.ts";
import type { Json } from "./protocol/data.ts";
import { toDuration } from "./protocol/duration.ts";
import { ConnectionError, MqError, ProtocolError, quote } from "./protocol/errors.ts";
import { checkName, checkPublishable, eventLine, type MqEvent } from "./protocol/event.ts";
import { clientPages } from "./protocol/client_pages.ts";
import { isKey, KEY_FORM } from "./protocol/key.ts";
import { MAX_HOPS } from "./protocol/limits.ts";
import { formatHeaders } from "./protocol/lines.ts";
import type { BrokerStats, ClientInfo, DelayReceipt, EventInfo, Hello, Receipt, Why } from "./protocol/responses.ts";

/**
 * Connects to a broker.
 *
 * @param options The address of the broker, and the options of the client.
 * @returns A client that is connected.
 * @throws {ConnectionError} With the code `unreachable`, if no broker answers and `wait` is not set; `no-such-host`, if the
 * host name cannot be resolved; `no-answer`, if a program listens there and sends nothing; `not-a-broker`, if it is another
 * program; `untrusted`, `no-tls` or `tls-failed`; `refused`, if the broker has no room for another connection.
 * @throws {ProtocolError} With the code `unauthorized`, if the broker refuses the token; `bad-arguments`, the name.
 * @throws {MqError} With the code `bad-address`, if the URL is malformed; `bad-tokens`, if the token is.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "./broker.ts";
 *
 * await using broker = new Broker();
 * const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
 *
 * await using client = await connect({ url: `mq://127.0.0.1:${port}`, name: "shop" });
 * const events = client.subscribe(["create", "update"]);
 * client.publish("create", { id: 1 });
 * for await (const event of events) {
 *   assertEquals([event.name, event.data, event.from], ["create", { id: 1 }, "shop"]);
 *   break;
 * }
 * ```
 */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const client = new Client(options);
  await client.open(options.signal);
  return client;
}

/**
 * A client of a broker. {@linkcode connect} makes one that is connected. When its connection breaks, it reconnects and
 * renews its subscriptions; events that are published meanwhile are queued.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "./broker.ts";
 *
 * await using broker = new Broker();
 * const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
 * const client = await connect({ hostname: "127.0.0.1", port });
 *
 * client.publish("create", { id: 1 });
 * await client.drain();
 * assertEquals(broker.stats().published, 1);
 * ```
 */
export class Client extends EventTarget implements AsyncDisposable {
  readonly #connection: ClientConnection;
  readonly #dispatcher = new Dispatcher<Receiver>();
  /** The subscriptions with a handler that has not handled all of their events; some of them may have ended. */
  readonly #handling = new Set<BufferedSubscription>();
  /** The subscriptions that begin in the past. */
  readonly #replays: Replays;
  readonly #hasMeta: boolean;
  /** The groups that it is a member of. */
  readonly #members = new Map<string, GroupMember>();
  /** What it can ask of the broker's store. */
  readonly store: StoreClient;
  #requests: Requests | undefined;
  #references = 0;
  #drained: Promise<void> | undefined;

  /**
   * Makes a client that is not connected yet.
   *
   * @param options The address of the broker, and the options of the client.
   * @throws {MqError} With the code `bad-address` or `bad-tokens`.
   */
  constructor(options: ConnectOptions = {}) {
    super();
    const dispatcher = this.#dispatcher;
    this.#hasMeta = options.meta ?? true;
    this.store = new StoreClient(
      (line, signal) => this.#connection.command(line, signal),
      (from, patterns) => replays.read(this.#connection.session, from, patterns),
    );
    const replays = this.#replays = new Replays({
      dispatcher,
      updatePatterns: () => this.#updatePatterns(),
      onNotice: (error) => void this.#emit("notice", error),
    });
    this.#connection = new ClientConnection(options, {
      get patterns() {
        return dispatcher.patterns;
      },
      respond: (name, data) => this.publish(name, data),
      onEvent: (event) => dispatcher.dispatch(event),
      onNotice: (error) => void this.#emit("notice", error),
      onDropped: (events) => this.#dropped(events),
      onPast: (event) => replays.onPast(event),
      onReplayed: (json) => replays.onReplayed(json),
      onJob: (job) => this.#members.get(job.group)?.onJob(job),
      onConnect: (session) => this.#resume(session),
      onDisconnect: (reason) => this.#disconnected(reason),
      onReconnect: (attempts) => void this.#emit("reconnect", { attempts }),
      onClosed: (reason, failure) => {
        for (const receiver of [...this.#receivers, ...this.#members.values()]) receiver.onClosed(reason, failure);
        replays.onDisconnect(reason);
      },
    });
  }

  /** The address of the broker, as `HOST:PORT`. */
  get address(): string {
    return this.#connection.address;
  }

  /** Whether there is a connection now. */
  get connected(): boolean {
    return this.#connection.session !== undefined;
  }

  /**
   * Resolves when the client is closed for good, and never rejects. It resolves to undefined after
   * {@linkcode Client.close} or {@linkcode Client.drain}, and to an error if the client no longer tries to reconnect.
   */
  get closed(): Promise<MqError | undefined> {
    return this.#connection.closed;
  }

  /**
   * The response of the broker to `/hello`, of the last connection.
   *
   * @throws {MqError} With the code `disconnected`, before the first connection.
   */
  get hello(): Hello {
    const { hello } = this.#connection;
    if (!hello) throw new MqError("disconnected", "Cannot tell what the broker supports: there was no connection yet");
    return hello;
  }

  /**
   * Connects for the first time. {@linkcode connect} calls it; to call it again does nothing.
   *
   * @param signal Aborts connecting.
   * @throws As {@linkcode connect}.
   */
  async open(signal?: AbortSignal): Promise<void> {
    await this.#connection.open(signal);
  }

  /**
   * Publishes an event without waiting: it is sent at the end of the current tick of the event loop, or when there is a
   * connection again. If the connection breaks before the broker has confirmed that it read the event, the next
   * {@linkcode Client.flush} or {@linkcode Client.close} rejects. An event that the broker does not recognize is dropped
   * without an error: {@linkcode Client.publishConfirmed} reports it.
   *
   * @param name The event's name.
   * @param data Its data; undefined for none.
   * @param options Whether the data is encoded already.
   * @throws {ProtocolError} With the code `bad-name`, `reserved-name` or `line-too-long`.
   * @throws {ConnectionError} With the code `queue-full` or `closed`.
   * @throws {TypeError} If the data has no form in JSON.
   */
  publish(name: string, data?: Json, options: PublishOptions = {}): void {
    this.#connection.sendEvent(this.#eventLine(name, data, options));
  }

  /**
   * Publishes an event and waits for the receipt: the broker has accepted the event.
   *
   * @param name The event's name.
   * @param data Its data; undefined for none.
   * @param options The headers of the event, and a signal.
   * @returns The event's id, and the number of connections for which it is queued.
   * @throws {ProtocolError} With the code `bad-name`, `reserved-name`, `line-too-long`, `unrecognized`, `invalid-data` or
   * `forbidden`.
   * @throws {ConnectionError} With the code `queue-full`, `closed` or `unconfirmed`: the connection broke before the
   * receipt arrived, and the event may or may not have been published.
   * @throws {MqError} With the code `unsupported`, if there is a `reply` and the broker does not support it.
   * @throws {TypeError} If the data has no form in JSON.
   * @throws {RangeError} If `hops` is not a whole number from 0 to 255.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { Broker } from "./broker.ts";
   *
   * await using broker = new Broker();
   * const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
   * await using client = await connect({ hostname: "127.0.0.1", port });
   *
   * const { receivers } = await client.publishConfirmed("create", { id: 1 });
   * assertEquals(receivers, 0);
   * ```
   */
  async publishConfirmed(name: string, data?: Json, options: ConfirmOptions = {}): Promise<Receipt> {
    return await this.#confirm(name, this.#eventLine(name, data, options), options);
  }

  /**
   * Has the broker publish an event later, if it has a store: also if this client is gone by then, and after a restart of the
   * broker.
   *
   * @param name The event's name.
   * @param data Its data; undefined for none.
   * @param delayMs After how many milliseconds, at least 1.
   * @param options The headers of the event, and a signal.
   * @returns The id by which {@linkcode Client.cancel} takes it back, and when it is published.
   * @throws As {@linkcode Client.publishConfirmed}; a {@linkcode ProtocolError} with the code `no-store`.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { Broker } from "./broker.ts";
   * import { openStore } from "./store/sqlite.ts";
   *
   * const folder = Deno.makeTempDirSync();
   * {
   *   await using broker = new Broker({ store: await openStore({ folder }) });
   *   const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
   *   await using client = await connect({ hostname: "127.0.0.1", port });
   *
   *   const { id } = await client.publishLater("create", { id: 1 }, 60_000);
   *   assertEquals(await client.cancel(id), true);
   * }
   * Deno.removeSync(folder, { recursive: true });
   * ```
   */
  async publishLater(
    name: string,
    data: Json | undefined,
    delayMs: number,
    options: Omit<ConfirmOptions, "key"> = {},
  ): Promise<DelayReceipt> {
    if (!(delayMs >= 1)) throw new RangeError(`Cannot publish in ${delayMs} ms: it takes 1 or more`);
    const event = this.#eventLine(name, data, options);
    const line = `/delay ${++this.#references} ${toDuration(delayMs)} ${this.#headers(options)}${event}`;
    return parseResponse(await this.#receipt(name, line, options));
  }

  /**
   * Takes back an event that was to be published later.
   *
   * @param id The id in its receipt.
   * @returns Whether it was still to be published.
   * @throws {ProtocolError} With the code `no-store` or `bad-arguments`.
   */
  async cancel(id: string): Promise<boolean> {
    try {
      await this.#connection.command(`/cancel ${id}`);
      return true;
    } catch (error) {
      if (error instanceof ProtocolError && error.code === "not-found") return false;
      throw error;
    }
  }

  /**
   * Publishes a request, and waits for the reply. A program that receives the request replies with
   * {@linkcode MqEvent.reply}. The first reply counts; later ones, and those that arrive after the timeout, are dropped.
   *
   * @param name The name of the request.
   * @param data Its data; undefined for none.
   * @param options The timeout, the headers of the event, and a signal.
   * @returns The reply.
   * @throws {MqError} With the code `disconnected`, before the first connection; `no-responders`, if nobody receives the request; `request-failed`, if the reply is an
   * error ({@linkcode MqEvent.replyError}); `unsupported`, if the broker does not support requests.
   * @throws {TimeoutError} With the code `timeout`, if no reply arrives in time.
   * @throws {ConnectionError} With the code `unconfirmed`, if the connection broke before the receipt arrived;
   * `disconnected`, if it broke after that; `queue-full` or `closed`.
   * @throws {ProtocolError} As {@linkcode Client.publishConfirmed}; with the code `forbidden` also if the client may not
   * subscribe.
   * @throws {TypeError} If the data has no form in JSON.
   * @throws {RangeError} If `hops` is not a whole number from 0 to 255, or `timeoutMs` not from 1 to 2,147,483,647.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { Broker } from "./broker.ts";
   *
   * await using broker = new Broker({ events: ["price"] });
   * const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
   * await using shop = await connect({ hostname: "127.0.0.1", port, name: "shop" });
   * await using till = await connect({ hostname: "127.0.0.1", port, name: "till" });
   *
   * await shop.subscribe("price", { handler: (event) => event.reply({ cents: event.text.length * 100 }) }).ready;
   * const reply = await till.request("price", "tea");
   * assertEquals(reply.json<{ cents: number }>().cents, 300);
   * ```
   */
  async request(name: string, data?: Json, options: RequestOptions = {}): Promise<MqEvent> {
    options.signal?.throwIfAborted();
    checkTimeout(options.timeoutMs);
    const line = this.#eventLine(name, data, options);
    const publish: PublishRequest = (reply, onSend, signal) =>
      this.#confirm(name, line, { ...options, reply, signal }, onSend);
    return await this.#openRequests().request(name, publish, options);
  }

  /**
   * Subscribes to the events whose names match. They are handled by `handler`, or else taken by a loop over the
   * subscription.
   *
   * @param patterns One pattern or more, such as `order.*`.
   * @param options A handler, the limits of the subscription, and a signal that ends it.
   * @returns The subscription. If the broker refuses it, its `ready` and the loop over it throw the error; with a handler,
   * the error is also an event `notice` of the client.
   * @throws {ProtocolError} With the code `bad-pattern`.
   * @throws {ConnectionError} With the code `closed` or `draining`.
   * @throws {RangeError} If `maxWaiting`, `maxWaitingBytes` or `concurrency` is less than 1.
   * @throws {TypeError} If there is `since`, and the client was made without `meta`.
   *
   * @example A handler
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { Broker } from "./broker.ts";
   *
   * await using broker = new Broker();
   * const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
   * const client = await connect({ hostname: "127.0.0.1", port });
   *
   * const received: unknown[] = [];
   * client.subscribe("create", { handler: (event) => received.push(event.data) });
   * client.publish("create", [1, 2]);
   * await client.drain();
   * assertEquals(received, [[1, 2]]);
   * ```
   */
  subscribe(patterns: string | readonly string[], options: SubscribeOptions = {}): Subscription {
    const list = typeof patterns === "string" ? [patterns] : patterns;
    if (list.length === 0) throw new ProtocolError("bad-pattern", "Cannot subscribe to nothing: name a pattern");
    this.#checkSubscribable();
    const isStored = options.since !== undefined;
    if (isStored && !this.#hasMeta) {
      throw new TypeError("Cannot subscribe since a time: the client was made without meta");
    }
    const subscription = new BufferedSubscription(list, options, {
      onEnd: (subscription) => this.#remove(subscription),
      onIdle: (subscription) => void this.#handling.delete(subscription),
      onRefused: (error) => void this.#emit("notice", error),
      onSlow: (subscription) => this.#emitSlow(subscription),
      onMissed: (subscription) => this.#missed([subscription]),
      onError: (error) => void (this.#emit("error", error) && reportError(error)),
      onDrain: (subscription) => this.#unsubscribe(subscription),
    });
    if (subscription.ended) return subscription;
    if (isStored) this.#replays.add(subscription, this.#connection.session);
    else this.#add(subscription);
    if (options.handler) this.#handling.add(subscription);
    return subscription;
  }

  /**
   * Becomes a member of a group, which works through the stored events whose names match: each of them is a job that one
   * member does. It is delivered again if it fails, if the member goes, and after a restart; when it has failed too often, it
   * is kept as dead. A job may be done twice, so a handler must be safe to run twice.
   *
   * @param group The name of the group: 1 to 64 letters, digits, `_` and `-`.
   * @param patterns One pattern or more, such as `order.*`.
   * @param handler Does a job.
   * @param options How many jobs at once, and the options of the group.
   * @returns The member. If the broker refuses it, its `ready` rejects, and the error is also an event `notice` of the client.
   * @throws {ProtocolError} With the code `bad-pattern` or `bad-arguments`.
   * @throws {ConnectionError} With the code `closed` or `draining`.
   * @throws {TypeError} If the client is a member of the group, or was made without `meta`.
   * @throws {RangeError} If `concurrency` is less than 1.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { Broker } from "./broker.ts";
   * import { openStore } from "./store/sqlite.ts";
   *
   * const folder = Deno.makeTempDirSync();
   * {
   *   await using broker = new Broker({ store: await openStore({ folder }) });
   *   const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
   *   await using client = await connect({ hostname: "127.0.0.1", port });
   *   await client.publishConfirmed("create", { id: 1 });
   *
   *   const done = Promise.withResolvers<unknown>();
   *   client.consume("mail", "create", (event) => done.resolve(event.data), { from: "first" });
   *   assertEquals(await done.promise, { id: 1 });
   * }
   * Deno.removeSync(folder, { recursive: true });
   * ```
   */
  consume(
    group: string,
    patterns: string | readonly string[],
    handler: JobHandler,
    options: ConsumeOptions = {},
  ): Consumer {
    this.#checkSubscribable();
    if (this.#members.has(group)) throw new TypeError(`Cannot join the group ${quote(group)} twice`);
    if (!this.#hasMeta) throw new TypeError("Cannot join a group: the client was made without meta");
    const list = typeof patterns === "string" ? [patterns] : patterns;
    if (list.length === 0) throw new ProtocolError("bad-pattern", "Cannot join a group for nothing: name a pattern");
    const member = new GroupMember(group, list, handler, options, {
      onError: (error) => void this.#emit("error", error),
      onNotice: (error) => void this.#emit("notice", error),
      onEnd: (member) => void (this.#members.get(group) === member && this.#members.delete(group)),
    });
    if (options.signal?.aborted) return member;
    this.#members.set(group, member);
    const { session } = this.#connection;
    if (session !== undefined) void member.join(session);
    return member;
  }

  /**
   * Waits until the broker has read everything that was sent. A program that publishes much should call it now and then.
   *
   * @param signal Stops waiting.
   * @throws {ConnectionError} With the code `unconfirmed`, if a connection broke before the broker had confirmed that it
   * read all events that were published without a receipt; the message says how many may be lost. Each is reported once,
   * here or by {@linkcode Client.close}. With the code `disconnected`, if the connection breaks meanwhile; `closed`.
   */
  async flush(signal?: AbortSignal): Promise<void> {
    await this.#connection.command("/ping", signal);
    const lost = this.#connection.takeLost();
    if (lost > 0) throw new ConnectionError("unconfirmed", `The connection broke: ${unknownFate(lost)}`);
  }

  /**
   * Asks the broker for its counters.
   *
   * @param signal Stops waiting.
   * @returns The counters.
   */
  async stats(signal?: AbortSignal): Promise<BrokerStats> {
    return parseResponse(await this.#connection.command("/stats", signal));
  }

  /**
   * Asks the broker who is connected.
   *
   * @param signal Stops waiting.
   * @returns The connections, the oldest first, each with the first few of its patterns. They are asked for 100 at a time.
   */
  async clients(signal?: AbortSignal): Promise<ClientInfo[]> {
    const ask = async (command: string) => parseResponse<unknown>(await this.#connection.command(command, signal));
    const pages = await Array.fromAsync(clientPages(ask));
    return pages.flatMap(({ clients }) => clients);
  }

  /**
   * Asks the broker which events it recognizes.
   *
   * @param signal Stops waiting.
   * @returns The patterns, in the order in which they are tried, with their entries in the catalog of the broker.
   */
  async events(signal?: AbortSignal): Promise<EventInfo[]> {
    return parseResponse(await this.#connection.command("/events", signal));
  }

  /**
   * Asks the broker how an event would be routed, and why.
   *
   * @param name The event's name.
   * @param signal Stops waiting.
   * @returns The pattern that recognizes it, the connections that would receive it and those that would not, at most 100
   * of each.
   * @throws {ProtocolError} With the code `bad-name`.
   */
  async why(name: string, signal?: AbortSignal): Promise<Why> {
    checkName(name);
    return parseResponse(await this.#connection.command(`/why ${name}`, signal));
  }

  /**
   * Closes the client without losing events: unsubscribes at the broker, waits until the handlers have handled all events
   * that have arrived, sends what was published, and closes the connection. Events that wait in a subscription without a
   * handler can still be taken. The time that handlers take is not limited, so a handler must not wait for this promise;
   * {@linkcode Client.close} does not wait for handlers.
   *
   * @throws {ConnectionError} As {@linkcode Client.close}.
   */
  drain(): Promise<void> {
    return this.#drained ??= this.#drain();
  }

  /**
   * Sends what is queued, closes the connection and ends every subscription. Events that wait in a subscription can still
   * be taken by a loop, but no handler is called any more.
   *
   * @throws {ConnectionError} With the code `closed`, if events that were published without a receipt may be lost: there
   * was no connection, or one broke. The message says how many. Each is reported once, here or by
   * {@linkcode Client.flush}.
   */
  async close(): Promise<void> {
    await this.#connection.close();
    const lost = this.#connection.takeLost();
    if (lost > 0) throw new ConnectionError("closed", `The client was closed: ${unknownFate(lost)}`);
  }

  /** The same as {@linkcode Client.drain}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }

  /** Adds a listener for the events of {@linkcode ClientEventMap}. */
  override addEventListener<T extends keyof ClientEventMap>(
    type: T,
    listener: (event: ClientEventMap[T]) => void,
    options?: AddEventListenerOptions,
  ): void;
  /** Adds a listener for another type of event. */
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: AddEventListenerOptions | boolean,
  ): void;
  /**
   * Adds a listener for the events of {@linkcode ClientEventMap}.
   *
   * @param type The type of event.
   * @param listener Called with each event.
   * @param options As for any event target.
   */
  override addEventListener(type: string, listener: unknown, options?: AddEventListenerOptions | boolean): void {
    super.addEventListener(type, listener as EventListener, options);
  }

  async #drain(): Promise<void> {
    await Promise.all(Array.from(this.#members.values(), (member) => member.leave()));
    const subscriptions = [...this.#receivers].filter((receiver) => receiver instanceof BufferedSubscription);
    await Promise.all(subscriptions.map((subscription) => subscription.drain()));
    if ((this.#connection.session?.unconfirmed ?? 0) > 0) await this.#connection.settle();
    await this.close();
  }

  /** All that receive events, or have not handled all that they received. */
  get #receivers(): Set<Receiver> {
    return new Set([...this.#dispatcher.handlers, ...this.#replays.subscriptions, ...this.#handling]);
  }

  async #confirm(name: string, event: string, options: ConfirmOptions, onSend?: () => void): Promise<Receipt> {
    const { key } = options;
    const rest = `${this.#headers(options)}${event}`;
    if (key === undefined) {
      return parseResponse(await this.#receipt(name, `/pub ${++this.#references} ${rest}`, options, onSend));
    }
    if (!isKey(key)) {
      throw new TypeError(`Cannot publish with the key ${quote(key)}: it takes ${KEY_FORM}`);
    }
    let unconfirmed: ConnectionError | undefined;
    for (;;) {
      try {
        const line = `/once ${++this.#references} ${key} ${rest}`;
        return parseResponse(await this.#receipt(name, line, options, onSend, unconfirmed !== undefined));
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
        if (error.code !== "unconfirmed") throw unconfirmed ?? error; // It was sent before, and may have been published.
        if (this.#connection.isClosing) throw error;
        unconfirmed = error; // It is sent again as soon as there is a connection.
      }
    }
  }

  /** Sends a line that publishes an event, and waits for its receipt. What is sent again had room before. */
  async #receipt(
    name: string,
    line: string,
    { signal }: ConfirmOptions,
    onSend?: () => void,
    isAgain = false,
  ): Promise<string> {
    try {
      if (isAgain) return await this.#connection.command(line, signal, onSend);
      return await this.#connection.sendPublish(line, signal, onSend);
    } catch (cause) {
      if (!(cause instanceof ConnectionError) || cause.code !== "disconnected") throw cause;
      const message = `The connection broke before the receipt of ${quote(name)} came: ` +
        "it may or may not have been published";
      throw new ConnectionError("unconfirmed", message, { cause });
    }
  }

  #eventLine(name: string, data: Json | undefined, { raw }: PublishOptions): string {
    return eventLine(name, data, { raw, maxBytes: this.#connection.lineBytes });
  }

  /** Brokers before 0.6 do not support headers: hops are not sent to them. */
  #headers({ hops = 0, reply }: ConfirmOptions): string {
    if (!(Number.isInteger(hops) && hops >= 0 && hops <= MAX_HOPS)) {
      throw new RangeError(`Cannot publish with ${hops} hops: it takes a whole number from 0 to ${MAX_HOPS}`);
    }
    if (reply !== undefined) {
      checkPublishable(reply);
      this.#inbox();
    }
    return formatHeaders({ hops: this.#connection.hello?.hops === undefined ? 0 : hops, reply });
  }

  /** The first token of the names of replies. */
  #inbox(): string {
    const { inbox, server } = this.hello;
    if (inbox !== undefined) return inbox;
    const message = `The broker at ${this.address} (${server}) does not support requests; mq 0.7 or later does`;
    throw new MqError("unsupported", message);
  }

  #openRequests(): Requests {
    if (this.#requests && !this.#requests.isOver) return this.#requests;
    const requests = new Requests(this.#inbox());
    this.#add(requests);
    return this.#requests = requests;
  }

  #checkSubscribable(): void {
    this.#connection.checkOpen();
    if (this.#drained) throw new ConnectionError("draining", "Cannot subscribe: the client is draining");
  }

  #add(receiver: Receiver): void {
    this.#connection.checkOpen();
    this.#dispatcher.add(receiver);
    const { session } = this.#connection;
    session?.subscribeTo(this.#dispatcher.patterns);
    if (session) this.#watch(receiver, session);
  }

  #remove(receiver: Receiver): void {
    this.#dispatcher.remove(receiver);
    if (receiver instanceof BufferedSubscription) this.#replays.remove(receiver);
    this.#updatePatterns();
  }

  /** The broker reads nothing after `/quit`. */
  #updatePatterns(): void {
    if (!this.#connection.isClosing) this.#connection.session?.subscribeTo(this.#dispatcher.patterns);
  }

  /** Unsubscribes at the broker, and waits until all events that it had sent before have arrived. */
  async #unsubscribe(subscription: BufferedSubscription): Promise<void> {
    this.#dispatcher.release(subscription);
    this.#updatePatterns();
    await this.#connection.settle();
  }

  #resume(session: Session): void {
    session.subscribeTo(this.#dispatcher.patterns); // They may have changed during the greeting.
    for (const receiver of this.#dispatcher.handlers) this.#watch(receiver, session);
    this.#replays.resume(session);
    for (const member of this.#members.values()) void member.join(session);
  }

  /** The broker had no room for events. */
  #dropped(events: number): void {
    this.#missed();
    this.#emit("dropped", events);
  }

  /** Events of subscriptions with `since` found no room: they are fetched again. Default: of all of them. */
  #missed(subscriptions?: BufferedSubscription[]): void {
    const { session } = this.#connection;
    if (session !== undefined) this.#replays.onMissed(session, subscriptions);
  }

  /** Tells a receiver that the broker has subscribed the connection to its patterns, or has refused one. */
  async #watch(receiver: Receiver, session: Session): Promise<void> {
    try {
      await Promise.all(receiver.patterns.map(({ text }) => session.subscribed(text)));
      receiver.onReady();
    } catch (error) {
      if (!(error instanceof ProtocolError)) return; // The connection broke: a reconnect subscribes again.
      this.#remove(receiver);
      receiver.onRefused(error);
    }
  }

  #disconnected(reason: ConnectionError): void {
    this.#requests?.onDisconnect(reason);
    this.#replays.onDisconnect(reason);
    for (const member of this.#members.values()) member.onDisconnect(reason);
    this.#emit("disconnect", reason);
  }

  #emitSlow(subscription: BufferedSubscription): void {
    const { waiting, dropped } = subscription;
    this.#emit("slow", { subscription, waiting, dropped });
  }

  /** Dispatches an event of {@linkcode ClientEventMap}. Returns false if a listener prevented the default. */
  #emit(type: keyof ClientEventMap, detail: unknown): boolean {
    return this.dispatchEvent(new CustomEvent(type, { detail, cancelable: true }));
  }
}

/** The part of a message that says how many events may be lost. */
function unknownFate(events: number): string {
  const [what, whether] = events === 1 ? ["1 event", "it has"] : [`${events} events`, "they have"];
  return `of ${what} published without a receipt it is not known whether ${whether} reached the broker`;
}
