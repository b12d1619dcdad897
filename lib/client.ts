/**
 * The client library: publishes events to a broker and receives them from it, through as many connections as it takes.
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
import { checkTimeout, Requests } from "./client/requests.ts";
import { parseAnswer, type Session } from "./client/session.ts";
import { BufferedSubscription, type SubscribeOptions, type Subscription } from "./client/subscription.ts";
import { encodeData, type Json } from "./protocol/data.ts";
import { ConnectionError, MqError, ProtocolError, quote } from "./protocol/errors.ts";
import { checkName, checkPublishable, type MqEvent } from "./protocol/event.ts";
import { MAX_HOPS } from "./protocol/limits.ts";
import { formatEvent, formatHeaders } from "./protocol/lines.ts";
import type { BrokerStats, ClientInfo, EventInfo, Hello, Receipt, Why } from "./protocol/responses.ts";
import { byteLength, isLongerThan } from "./protocol/text.ts";

/**
 * Connects to a broker.
 *
 * @param options Where it is, and how to behave.
 * @returns A client that is connected.
 * @throws {ConnectionError} With the code `unreachable`, if no broker answers and `wait` is not set; `no-such-host`, if its
 * name cannot be found; `no-answer`, if something listens there and is silent; `untrusted`, `no-tls` or `tls-failed`;
 * `refused`, if it has no room for another; or `not-a-broker`.
 * @throws {ProtocolError} If the broker refuses what the client says of itself; with the code `unauthorized`, its token.
 * @throws {MqError} With the code `bad-address`, if the URL is not one; `bad-tokens`, if the token cannot be one.
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
 * A client of a broker. {@linkcode connect} makes one that is connected. It reconnects by itself, with all its
 * subscriptions, and what is published meanwhile waits for that.
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
  #requests: Requests | undefined;
  #references = 0;
  #drained: Promise<void> | undefined;

  /**
   * Makes a client that is not connected yet.
   *
   * @param options Where the broker is, and how to behave.
   * @throws {MqError} With the code `bad-address` or `bad-tokens`.
   */
  constructor(options: ConnectOptions = {}) {
    super();
    const dispatcher = this.#dispatcher;
    this.#connection = new ClientConnection(options, {
      get patterns() {
        return dispatcher.patterns;
      },
      respond: (name, data) => this.publish(name, data),
      onEvent: (event) => dispatcher.dispatch(event),
      onNotice: (error) => void this.#tell("notice", error),
      onDropped: (events) => void this.#tell("dropped", events),
      onConnect: (session) => this.#resume(session),
      onDisconnect: (reason) => this.#disconnected(reason),
      onReconnect: (attempts) => void this.#tell("reconnect", { attempts }),
      onClosed: (reason, failure) => dispatcher.handlers.forEach((receiver) => receiver.onClosed(reason, failure)),
    });
  }

  /** Where the broker is, as `HOST:PORT`. */
  get address(): string {
    return this.#connection.address;
  }

  /** Whether there is a connection at this moment. */
  get connected(): boolean {
    return this.#connection.session !== undefined;
  }

  /**
   * Resolves when the client is closed for good. It never rejects: it resolves to undefined after
   * {@linkcode Client.close} or {@linkcode Client.drain}, and where the client no longer tries to reconnect, to the error
   * that tells why.
   */
  get closed(): Promise<MqError | undefined> {
    return this.#connection.closed;
  }

  /** What the broker said of itself at the last connection. */
  get hello(): Hello {
    const { hello } = this.#connection;
    if (!hello) throw new MqError("disconnected", "Cannot tell what the broker is like: it was never reached");
    return hello;
  }

  /**
   * Connects for the first time. {@linkcode connect} does it.
   *
   * @param signal Stops connecting when it is aborted.
   */
  async open(signal?: AbortSignal): Promise<void> {
    await this.#connection.open(signal);
  }

  /**
   * Publishes an event. It never waits: the event leaves at the end of this tick of the event loop, or once there is a
   * connection again. Where the connection breaks before the broker has shown that it read the event, the next
   * {@linkcode Client.flush} or {@linkcode Client.close} tells. That the broker does not recognize the event is told to
   * {@linkcode Client.publishConfirmed} alone.
   *
   * @param name The event's name.
   * @param data Its data, any JSON value; undefined for none.
   * @param options How the data is written.
   * @throws {ProtocolError} With the code `bad-name`, `reserved-name` or `line-too-long`.
   * @throws {ConnectionError} With the code `queue-full` or `closed`.
   * @throws {TypeError} If JSON has no form for the data.
   */
  publish(name: string, data?: Json, options: PublishOptions = {}): void {
    this.#connection.sendEvent(this.#eventLine(name, data, options));
  }

  /**
   * Publishes an event and waits until the broker has taken it in.
   *
   * @param name The event's name.
   * @param data Its data, any JSON value; undefined for none.
   * @param options How the data is written, and what else is said of the event.
   * @returns The event's id, and the number of connections to which it was sent.
   * @throws {ProtocolError} With the code `bad-name`, `reserved-name`, `line-too-long`, `unrecognized`, `invalid-data` or
   * `forbidden`.
   * @throws {ConnectionError} With the code `queue-full`, `closed` or `unconfirmed`: the connection broke before the
   * receipt came, and the event may or may not have been published.
   * @throws {MqError} With the code `unsupported`, if there is a `reply` and the broker knows nothing of that.
   * @throws {TypeError} If JSON has no form for the data.
   * @throws {RangeError} If there are more hops than an event can have.
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
   * Publishes an event that asks for an answer, and waits for that. Those who receive the event find in
   * {@linkcode MqEvent.replyTo} the name of the answer, and answer by {@linkcode MqEvent.reply}. The first answer counts:
   * later ones, and those that come after the time, are dropped.
   *
   * @param name The event's name.
   * @param data Its data, any JSON value; undefined for none.
   * @param options How long the answer may take, how the data is written, and what else is said of the event.
   * @returns The answer.
   * @throws {MqError} With the code `no-responders`, if nobody receives the event; `request-failed`, if whoever received it
   * answered by {@linkcode MqEvent.replyError}; `unsupported`, if the broker knows nothing of requests.
   * @throws {TimeoutError} With the code `timeout`.
   * @throws {ConnectionError} With the code `unconfirmed`, if the connection broke before the broker had shown that it took
   * the request in; `disconnected`, if it broke after that; `queue-full` or `closed`.
   * @throws {ProtocolError} As {@linkcode Client.publishConfirmed}; with the code `forbidden` also if the client may not
   * subscribe.
   * @throws {RangeError} If there are more hops than an event can have, or a timer cannot wait that long.
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
   * const answer = await till.request("price", "tea");
   * assertEquals(answer.json<{ cents: number }>().cents, 300);
   * ```
   */
  async request(name: string, data?: Json, options: RequestOptions = {}): Promise<MqEvent> {
    options.signal?.throwIfAborted();
    checkTimeout(options.timeoutMs);
    const line = this.#eventLine(name, data, options);
    const publish = (reply: string, onSend: () => void) => this.#confirm(name, line, { ...options, reply }, onSend);
    return await this.#openRequests().request(name, publish, options);
  }

  /**
   * Receives the events that match, from now on: where it matters from when, `ready` of the subscription tells. They are
   * taken by a loop over the subscription, or handled by `handler`.
   *
   * @param patterns One pattern or more, such as `order.*`.
   * @param options A handler, what may wait, and a signal that ends the subscription.
   * @returns The subscription. If the broker refuses it, its loop throws that; with a handler, it comes as the client's
   * `notice` event.
   * @throws {ProtocolError} With the code `bad-pattern`.
   * @throws {ConnectionError} With the code `closed` or `draining`.
   * @throws {RangeError} If `maxWaiting`, `maxWaitingBytes` or `concurrency` is less than 1.
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
    const subscription = new BufferedSubscription(list, options, {
      onEnd: (subscription) => this.#remove(subscription),
      onRefused: (error) => void this.#tell("notice", error),
      onSlow: (subscription) => this.#tellSlow(subscription),
      onError: (error) => void (this.#tell("error", error) && reportError(error)),
      onDrain: (subscription) => this.#unsubscribe(subscription),
    });
    if (!subscription.ended) this.#add(subscription);
    return subscription;
  }

  /**
   * Waits until the broker has read everything sent so far. A program that publishes much should call it now and then.
   *
   * @param signal Stops waiting when it is aborted.
   * @throws {ConnectionError} With the code `unconfirmed`, if a connection broke before the broker had shown that it
   * read what was published without a receipt; the message says how many events that are. Each is told once, here or by
   * {@linkcode Client.close}. With the code `disconnected`, if the connection breaks meanwhile; `closed`.
   */
  async flush(signal?: AbortSignal): Promise<void> {
    await this.#connection.ask("/ping", signal);
    const lost = this.#connection.takeLost();
    if (lost > 0) throw new ConnectionError("unconfirmed", `The connection broke: ${unknownFate(lost)}`);
  }

  /**
   * Asks the broker what it has counted.
   *
   * @param signal Stops waiting when it is aborted.
   * @returns Its counts.
   */
  async stats(signal?: AbortSignal): Promise<BrokerStats> {
    return parseAnswer(await this.#connection.ask("/stats", signal));
  }

  /**
   * Asks the broker who is connected.
   *
   * @param signal Stops waiting when it is aborted.
   * @returns The connections, the oldest first.
   */
  async clients(signal?: AbortSignal): Promise<ClientInfo[]> {
    return parseAnswer(await this.#connection.ask("/clients", signal));
  }

  /**
   * Asks the broker what it knows of the events that it recognizes.
   *
   * @param signal Stops waiting when it is aborted.
   * @returns Each pattern in the order in which they are tried, with what the broker's catalog says of it.
   */
  async events(signal?: AbortSignal): Promise<EventInfo[]> {
    return parseAnswer(await this.#connection.ask("/events", signal));
  }

  /**
   * Asks the broker what would happen to an event, and why.
   *
   * @param name The event's name.
   * @param signal Stops waiting when it is aborted.
   * @returns What recognizes it, who would receive it and who would not.
   * @throws {ProtocolError} With the code `bad-name`.
   */
  async why(name: string, signal?: AbortSignal): Promise<Why> {
    checkName(name);
    return parseAnswer(await this.#connection.ask(`/why ${name}`, signal));
  }

  /**
   * Closes the client in such a way that nothing is lost: unsubscribes at the broker, waits until the handlers of all
   * subscriptions have handled what has come, sends what was published, and then closes. Events that wait in a
   * subscription without a handler can still be taken. There is no limit to how long a handler may take, and a handler
   * must not wait for this: {@linkcode Client.close} does not wait for handlers.
   *
   * @throws {ConnectionError} As {@linkcode Client.close}.
   */
  drain(): Promise<void> {
    return this.#drained ??= this.#drain();
  }

  /**
   * Sends what is queued, says goodbye to the broker and ends every subscription. Events that wait in a subscription can
   * still be taken by its loop, but no handler is called any more.
   *
   * @throws {ConnectionError} With the code `closed`, if not all that was published without a receipt is known to have
   * reached the broker: there was no connection, or this one or one before it broke. The message says how many events
   * that are. Each is told once, by the first call or by {@linkcode Client.flush}.
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

  /** Listens for what happens to the connection: see {@linkcode ClientEventMap}. */
  override addEventListener<T extends keyof ClientEventMap>(
    type: T,
    listener: (event: ClientEventMap[T]) => void,
    options?: AddEventListenerOptions,
  ): void;
  /** Listens for any other type of event. */
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: AddEventListenerOptions | boolean,
  ): void;
  /**
   * Listens for what happens to the connection.
   *
   * @param type The type of event.
   * @param listener Called with each.
   * @param options As for any event target.
   */
  override addEventListener(type: string, listener: unknown, options?: AddEventListenerOptions | boolean): void {
    super.addEventListener(type, listener as EventListener, options);
  }

  async #drain(): Promise<void> {
    const subscriptions = this.#dispatcher.handlers.filter((receiver) => receiver instanceof BufferedSubscription);
    await Promise.all(subscriptions.map((subscription) => subscription.drain()));
    if ((this.#connection.session?.unconfirmed ?? 0) > 0) await this.#connection.settle();
    await this.close();
  }

  async #confirm(name: string, event: string, options: ConfirmOptions, onSend?: () => void): Promise<Receipt> {
    const line = `/pub ${++this.#references} ${this.#headers(options)}${event}`;
    try {
      return parseAnswer(await this.#connection.askReceipt(line, options.signal, onSend));
    } catch (cause) {
      if (!(cause instanceof ConnectionError) || cause.code !== "disconnected") throw cause;
      const message = `The connection broke before the receipt of ${quote(name)} came: ` +
        "it may or may not have been published";
      throw new ConnectionError("unconfirmed", message, { cause });
    }
  }

  #eventLine(name: string, data: Json | undefined, { raw }: PublishOptions): string {
    checkPublishable(name);
    const line = formatEvent(name, raw ? checkRaw(data) : encodeData(data));
    checkLineLength(line, this.#connection.lineBytes);
    return line;
  }

  /** A broker that knows nothing of headers would take them for the name: it is not told of hops. */
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

  /** The first token of the names of answers. */
  #inbox(): string {
    const { inbox, server } = this.hello;
    if (inbox !== undefined) return inbox;
    const message = `The broker at ${this.address} (${server}) knows nothing of requests: mq 0.7 or later does`;
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
    session?.hear(this.#dispatcher.patterns);
    if (session) this.#watch(receiver, session);
  }

  #remove(receiver: Receiver): void {
    this.#dispatcher.remove(receiver);
    this.#tellPatterns();
  }

  /** Nothing is read behind the goodbye to the broker. */
  #tellPatterns(): void {
    if (!this.#connection.isClosing) this.#connection.session?.hear(this.#dispatcher.patterns);
  }

  /** Asks the broker to send no more of what a subscription alone receives, and waits for what it has sent until then. */
  async #unsubscribe(subscription: BufferedSubscription): Promise<void> {
    this.#dispatcher.release(subscription);
    this.#tellPatterns();
    await this.#connection.settle();
  }

  #resume(session: Session): void {
    session.hear(this.#dispatcher.patterns); // It may have changed during the greeting.
    for (const receiver of this.#dispatcher.handlers) this.#watch(receiver, session);
  }

  /** Waits until the broker has taken in the patterns of a receiver, or has refused one of them. */
  async #watch(receiver: Receiver, session: Session): Promise<void> {
    try {
      await Promise.all(receiver.patterns.map(({ text }) => session.heard(text)));
      receiver.onReady();
    } catch (error) {
      if (!(error instanceof ProtocolError)) return; // The connection broke; the next one sees to it.
      this.#remove(receiver);
      receiver.onRefused(error);
    }
  }

  #disconnected(reason: ConnectionError): void {
    this.#requests?.onDisconnect(reason);
    this.#tell("disconnect", reason);
  }

  #tellSlow(subscription: BufferedSubscription): void {
    const { waiting, dropped } = subscription;
    this.#tell("slow", { subscription, waiting, dropped });
  }

  /** Returns false if a listener prevented the default. */
  #tell(type: keyof ClientEventMap, detail: unknown): boolean {
    return this.dispatchEvent(new CustomEvent(type, { detail, cancelable: true }));
  }
}

/** What is to be said of events that may be lost. */
function unknownFate(events: number): string {
  const [what, whether] = events === 1 ? ["1 event", "it has"] : [`${events} events`, "they have"];
  return `of ${what} published without a receipt it is not known whether ${whether} reached the broker`;
}

function checkRaw(data: Json | undefined): string {
  if (data === undefined) return "";
  if (typeof data === "string" && !/\n|\r$/.test(data)) return data;
  throw new TypeError("Cannot send raw data that is not a string without line ends");
}

function checkLineLength(line: string, lineBytes: number): void {
  if (!isLongerThan(lineBytes, line)) return;
  const message = `Cannot publish ${byteLength(line)} bytes: the broker takes lines of ${lineBytes}`;
  throw new ProtocolError("line-too-long", message);
}
