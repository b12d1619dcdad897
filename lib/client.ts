/**
 * The client library: publishes events to a broker and hears them from it, through as many connections as it takes.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { type Address, formatAddress, parseAddress } from "./protocol/address.ts";
import type { BrokerStats, ClientInfo, EventInfo, Hello, Why } from "./protocol/responses.ts";
import type { ClientEventMap, ConnectOptions, PublishOptions, Receipt } from "./client/options.ts";
import { encodeData, type Json } from "./protocol/data.ts";
import { dial } from "./net/dial.ts";
import { Dispatcher, type Handler } from "./client/dispatcher.ts";
import { ConnectionError, MqError, ProtocolError, quote } from "./protocol/errors.ts";
import { checkName, checkPublishable, type MqEvent } from "./protocol/event.ts";
import { Pattern } from "./protocol/pattern.ts";
import { greetingError } from "./net/connection_errors.ts";
import type { HeartbeatTimes } from "./net/heartbeat.ts";
import { DEFAULT_LIMITS, DEFAULT_PORT, MAX_HOPS } from "./protocol/limits.ts";
import { formatEvent, formatHeaders } from "./protocol/lines.ts";
import { parseAnswer, Session } from "./client/session.ts";
import { type SubscribeOptions, Subscription } from "./client/subscription.ts";
import { onAbort, within } from "./net/time.ts";
import { parseToken } from "./protocol/tokens.ts";
import { afterCurrentTick } from "./net/read_scheduler.ts";
import { byteLength, isLongerThan } from "./protocol/text.ts";

/** One who hears events, and when it began to. */
interface Hearer extends Handler {
  readonly ready: PromiseWithResolvers<void>;
  /** Called when nothing more will come; with an error if that is nobody's wish. */
  end(error?: MqError): void;
}

/** A line that waits for a connection. */
interface Unsent {
  readonly line: string;
  send(session: Session): void;
  reject(error: MqError): void;
}

/** The options that have a default, with it, and those without. */
type Settings =
  & Required<Pick<ConnectOptions, "meta" | "echo" | "reconnect" | "wait" | "timeoutMs" | "queueBytes">>
  & Pick<ConnectOptions, "name" | "token" | "caCerts">
  & { heartbeat: HeartbeatTimes };

/**
 * Connects to a broker.
 *
 * @param options Where it is, and how to behave.
 * @returns A client that is connected.
 * @throws {ConnectionError} With the code `unreachable`, if no broker answers and `wait` is not set; `no-such-host`, if its
 * name cannot be found; `no-answer`, if something listens there and is silent; `untrusted`, `no-tls` or `tls-failed`; `refused`, if it has no room for another; or `not-a-broker`.
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
 * const events = client.subscribe("create", "update");
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

/** A client of a broker. Make one with {@linkcode connect}. */
export class Client extends EventTarget implements AsyncDisposable {
  readonly #address: Address;
  readonly #settings: Settings;
  readonly #dispatcher = new Dispatcher<Hearer>();
  readonly #closing = new AbortController();
  #unsent: Unsent[] = [];
  #unsentBytes = 0;
  /** Events without a receipt that were lost, as far as is known, and of which nobody has been told. */
  #lost = 0;
  #references = 0;
  #hello: Hello | undefined;
  #session: Session | undefined;
  #life: Promise<void> | undefined;

  /**
   * Makes a client that is not connected yet.
   *
   * @param options Where the broker is, and how to behave.
   */
  constructor(options: ConnectOptions = {}) {
    super();
    const { url, hostname = "localhost", port = DEFAULT_PORT, tls = false } = options;
    this.#address = url === undefined ? { hostname, port, tls } : parseAddress(url);
    const { silenceMs, answerMs } = DEFAULT_LIMITS;
    this.#settings = {
      name: options.name,
      token: options.token === undefined ? undefined : parseToken(options.token),
      caCerts: options.caCerts,
      heartbeat: { silenceMs, answerMs, ...options.heartbeat },
      meta: options.meta ?? true,
      echo: options.echo ?? true,
      reconnect: options.reconnect ?? {},
      wait: options.wait ?? false,
      timeoutMs: options.timeoutMs ?? 5000,
      queueBytes: options.queueBytes ?? DEFAULT_LIMITS.outboxBytes,
    };
  }

  /** Where the broker is, as `HOST:PORT`. */
  get address(): string {
    return formatAddress(this.#address);
  }

  /** Whether there is a connection at this moment. */
  get connected(): boolean {
    return this.#connection !== undefined;
  }

  /** What the broker said of itself at the last connection. */
  get hello(): Hello {
    if (!this.#hello) throw new MqError("disconnected", "Cannot tell what the broker is like: it was never reached");
    return this.#hello;
  }

  /**
   * Connects for the first time. {@linkcode connect} does it.
   *
   * @param signal Gives up when it is aborted.
   */
  async open(signal?: AbortSignal): Promise<void> {
    const session = this.#settings.wait ? (await this.#retry(signal)).session : await this.#connectOnce(signal);
    this.#life = this.#live(session);
  }

  /**
   * Sends an event. It leaves at the end of this turn, or once there is a connection again. Where the connection breaks
   * before the broker has shown that it read the event, the next {@linkcode Client.flush} or {@linkcode Client.close}
   * tells.
   */
  publish(name: string, data?: Json, options?: PublishOptions & { receipt?: false }): void;
  /** Sends an event and waits until the broker has taken it in. */
  publish(name: string, data: Json | undefined, options: PublishOptions & { receipt: true }): Promise<Receipt>;
  /**
   * Sends an event.
   *
   * @param name Its name.
   * @param data Its data, any JSON value; undefined for none.
   * @param options Whether to wait for a receipt.
   * @returns With `receipt`, the event's id and how many it was sent to; otherwise nothing.
   * @throws {ProtocolError} With the code `bad-name`, `reserved-name` or `line-too-long`; with `receipt` also
   * `unrecognized` or `invalid-data`, which the broker answers.
   * @throws {ConnectionError} With the code `queue-full`, `closed` or, with `receipt`, `unconfirmed`: the connection
   * broke before the receipt came, and the event may or may not have been published.
   * @throws {TypeError} If JSON has no form for the data, or hops are to be published without a receipt.
   * @throws {RangeError} If there are more hops than an event can have.
   */
  publish(name: string, data?: Json, options: PublishOptions = {}): void | Promise<Receipt> {
    if (options.receipt) return this.#publishWithReceipt(name, data, options);
    if (options.hops) throw new TypeError("Cannot publish hops without a receipt: an event line has no place for them");
    const line = this.#eventLine(name, data, options);
    this.#checkRoom(line);
    this.#send({ line, send: (session) => session.send(line), reject: () => this.#lost++ });
  }

  /**
   * Hears the events that match, from now on: where it matters from when, `ready` of the subscription tells.
   *
   * @param patterns The patterns; after them, options may stand.
   * @returns The events, as an async iterable. Leaving the loop ends the subscription.
   * @throws {ProtocolError} With the code `bad-pattern`.
   * @throws {ConnectionError} With the code `closed`.
   */
  subscribe(...patterns: [...string[], SubscribeOptions] | string[]): Subscription {
    const options = typeof patterns.at(-1) === "object" ? patterns.pop() as SubscribeOptions : {};
    const hearer = makeHearer(patterns as string[], {
      handle: (event) => subscription.push(event),
      end: (error) => error ? subscription.fail(error) : subscription.finish(),
    });
    const subscription = new Subscription(hearer.ready.promise, () => this.#remove(hearer), options);
    if (!subscription.ended) this.#add(hearer);
    return subscription;
  }

  /**
   * Calls a function with each event that matches, from now on. If the broker refuses the pattern, that comes as the
   * client's `notice` event.
   *
   * @param pattern The pattern.
   * @param handler The function. What it throws or rejects with comes as the client's `error` event.
   * @returns A function that undoes it.
   * @throws {ProtocolError} With the code `bad-pattern`.
   * @throws {ConnectionError} With the code `closed`.
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
   * const { promise, resolve } = Promise.withResolvers<unknown>();
   * const off = client.on("create", (event) => resolve(event.data));
   * client.publish("create", [1, 2]);
   * assertEquals(await promise, [1, 2]);
   * off();
   * ```
   */
  on(pattern: string, handler: (event: MqEvent) => unknown): () => void {
    const hearer = makeHearer([pattern], {
      handle: (event) => void this.#call(handler, event),
      end: (error) => void (error instanceof ProtocolError && this.#tell("notice", error)),
    });
    this.#add(hearer);
    return () => this.#remove(hearer);
  }

  /**
   * Waits until the broker has read everything sent so far. Who publishes much does well to call it now and then.
   *
   * @param signal Stops waiting when it is aborted.
   * @throws {ConnectionError} With the code `unconfirmed`, if a connection broke before the broker had shown that it
   * read what was published without a receipt; the message says how many events that are. Each is told once, here or by
   * {@linkcode Client.close}. With the code `disconnected`, if the connection breaks meanwhile; `closed`.
   */
  async flush(signal?: AbortSignal): Promise<void> {
    await this.#ask("/ping", signal);
    const lost = this.#takeLost();
    if (lost > 0) throw new ConnectionError("unconfirmed", `The connection broke: ${unknownFate(lost)}`);
  }

  /**
   * Asks the broker what it has counted.
   *
   * @param signal Stops waiting when it is aborted.
   * @returns Its counts.
   */
  async stats(signal?: AbortSignal): Promise<BrokerStats> {
    return parseAnswer(await this.#ask("/stats", signal));
  }

  /**
   * Asks the broker who is connected.
   *
   * @param signal Stops waiting when it is aborted.
   * @returns The connections, the oldest first.
   */
  async clients(signal?: AbortSignal): Promise<ClientInfo[]> {
    return parseAnswer(await this.#ask("/clients", signal));
  }

  /**
   * Asks the broker what it knows of the events that it recognizes.
   *
   * @param signal Stops waiting when it is aborted.
   * @returns Each pattern in the order in which they are tried, with what the broker's catalog says of it.
   */
  async events(signal?: AbortSignal): Promise<EventInfo[]> {
    return parseAnswer(await this.#ask("/events", signal));
  }

  /**
   * Asks the broker what would become of an event, and why.
   *
   * @param name The event's name.
   * @param signal Stops waiting when it is aborted.
   * @returns What recognizes it, who would hear it and who would not.
   * @throws {ProtocolError} With the code `bad-name`.
   */
  async why(name: string, signal?: AbortSignal): Promise<Why> {
    checkName(name);
    return parseAnswer(await this.#ask(`/why ${name}`, signal));
  }

  /**
   * Sends what is queued, says goodbye to the broker and ends every subscription.
   *
   * @throws {ConnectionError} With the code `closed`, if not all that was published without a receipt is known to have
   * reached the broker: there was no connection, or this one or one before it broke. The message says how many events
   * that are. Each is told once, by the first call or by {@linkcode Client.flush}.
   */
  async close(): Promise<void> {
    this.#closing.abort(new ConnectionError("closed", "The client was closed"));
    await this.#session?.quit();
    await this.#life;
    this.#end(this.#closing.signal.reason);
    const lost = this.#takeLost();
    if (lost > 0) throw new ConnectionError("closed", `The client was closed: ${unknownFate(lost)}`);
  }

  /** The same as {@linkcode Client.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
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

  async #live(first: Session): Promise<void> {
    await new Promise<void>((resolve) => afterCurrentTick(resolve)); // Who has connected comes to listen to what happens.
    for (let session: Session | undefined = first; session !== undefined;) {
      const reason: ConnectionError = await session.ended;
      this.#session = undefined;
      this.#lost += session.unconfirmed;
      if (this.#closing.signal.aborted) return;
      this.#tell("disconnect", reason);
      session = await this.#comeBack(reason);
    }
  }

  async #comeBack(reason: ConnectionError): Promise<Session | undefined> {
    try {
      if (this.#settings.reconnect === false) throw reason;
      const { session, attempts } = await this.#retry();
      this.#tell("reconnect", { attempts });
      return session;
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#giveUp(error as MqError);
    }
  }

  #giveUp(cause: MqError): void {
    const error = new ConnectionError("closed", `The client has given up: ${cause.message}`, { cause });
    this.#closing.abort(cause);
    this.#end(error, error);
    this.#tell("giveup", cause);
  }

  #takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  /** Tells all who wait that nothing more will come. */
  #end(error: ConnectionError, failure?: ConnectionError): void {
    for (const { reject } of this.#takeUnsent()) reject(error);
    for (const hearer of this.#dispatcher.handlers) {
      hearer.ready.reject(error);
      hearer.end(failure);
    }
  }

  /** Tries to connect until it succeeds, with growing delays. */
  async #retry(signal?: AbortSignal): Promise<{ session: Session; attempts: number }> {
    const { minDelayMs = 250, maxDelayMs = 1000, attempts: limit = Infinity } = this.#settings.reconnect || {};
    const isFirst = this.#life === undefined;
    let delayMs = minDelayMs;
    for (let attempts = 1;; attempts++) {
      if (!isFirst || attempts > 1) {
        await delay(delayMs * (0.75 + Math.random() / 2), { signal: this.#anyOf(signal) });
        delayMs = Math.min(delayMs * 2, maxDelayMs);
      }
      try {
        return { session: await this.#connectOnce(signal), attempts };
      } catch (error) {
        if (!isWorthRetrying(error, isFirst) || attempts >= limit) throw error;
      }
    }
  }

  #anyOf(signal?: AbortSignal): AbortSignal {
    return signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
  }

  async #connectOnce(signal?: AbortSignal): Promise<Session> {
    const { timeoutMs, caCerts, name, meta, echo, token, heartbeat } = this.#settings;
    const either = this.#anyOf(signal);
    const conn = await dial(this.#address, { timeoutMs, caCerts, signal: either });
    const session = new Session(conn, {
      onEvent: (event) => this.#dispatcher.dispatch(event),
      onNotice: (error) => this.#tell("notice", error),
      onDropped: (events) => this.#tell("dropped", events),
    }, { ...heartbeat, lineBytes: this.#lineBytes });
    try {
      const greeting = session.greet({ name, meta, hops: meta || undefined, echo, token }, this.#dispatcher.patterns);
      this.#hello = await within(timeoutMs, greeting, either);
      either.throwIfAborted();
    } catch (cause) {
      session.abandon();
      if (!(cause instanceof MqError) || cause instanceof ProtocolError || either.aborted) throw cause;
      throw greetingError(this.address, cause, session.partialGreeting, timeoutMs);
    }
    this.#resume(session);
    return session;
  }

  #resume(session: Session): void {
    this.#session = session;
    if (session.isOver) return; // It ended with its greeting: the next one takes over.
    session.hear(this.#dispatcher.patterns); // It may have changed during the greeting.
    for (const hearer of this.#dispatcher.handlers) this.#watch(hearer, session);
    for (const unsent of this.#takeUnsent()) unsent.send(session);
  }

  /** The longest line that the broker takes, as far as is known. */
  get #lineBytes(): number {
    return (this.#hello?.limits ?? DEFAULT_LIMITS).lineBytes;
  }

  #takeUnsent(): Unsent[] {
    const unsent = this.#unsent;
    this.#unsent = [];
    this.#unsentBytes = 0;
    return unsent;
  }

  /** The session, as long as it can be used: a session has ended a moment before that is dealt with. */
  get #connection(): Session | undefined {
    return this.#session?.isOver ? undefined : this.#session;
  }

  #checkOpen(): void {
    const { aborted, reason } = this.#closing.signal;
    if (aborted) throw new ConnectionError("closed", "Cannot go on: the client was closed", { cause: reason });
  }

  #send(unsent: Unsent): void {
    this.#checkOpen();
    if (this.#connection) return unsent.send(this.#connection);
    this.#unsent.push(unsent);
    this.#unsentBytes += byteLength(unsent.line);
  }

  /** Only events are held to the limit: that there is too much to ask anything would be no help. */
  #checkRoom(line: string): void {
    const queuedBytes = this.#connection?.queuedBytes ?? this.#unsentBytes;
    const { queueBytes } = this.#settings;
    if (!isLongerThan(queueBytes - queuedBytes, line)) return;
    const why = this.#connection ? "to be sent" : "for a connection";
    const message = `Cannot publish: ${queuedBytes} bytes wait ${why} already, of ${queueBytes} allowed`;
    throw new ConnectionError("queue-full", message);
  }

  /** Sends a control line now or once there is a connection, and waits for the answer. */
  async #ask(line: string, signal?: AbortSignal): Promise<string> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#send({ line, send: (session) => void session.ask(line).then(resolve, reject), reject });
    const forget = onAbort(signal, reject);
    try {
      return await promise;
    } finally {
      forget();
    }
  }

  async #publishWithReceipt(name: string, data: Json | undefined, options: PublishOptions): Promise<Receipt> {
    const event = this.#eventLine(name, data, options);
    const line = `/pub ${++this.#references} ${this.#hopsWord(options)}${event}`;
    this.#checkRoom(line);
    try {
      return parseAnswer(await this.#ask(line, options.signal));
    } catch (cause) {
      if (!(cause instanceof ConnectionError) || cause.code !== "disconnected") throw cause;
      const message = `The connection broke before the receipt of ${quote(name)} came: ` +
        "it may or may not have been published";
      throw new ConnectionError("unconfirmed", message, { cause });
    }
  }

  /** To a broker that knows nothing of hops they are not said: it would take them for the name. */
  #hopsWord({ hops = 0 }: PublishOptions): string {
    if (!(Number.isInteger(hops) && hops >= 0 && hops <= MAX_HOPS)) {
      throw new RangeError(`Cannot publish with ${hops} hops: it takes a whole number from 0 to ${MAX_HOPS}`);
    }
    return this.#hello?.hops === undefined ? "" : formatHeaders({ hops });
  }

  #eventLine(name: string, data: Json | undefined, { raw }: PublishOptions): string {
    checkPublishable(name);
    const line = formatEvent(name, raw ? checkRaw(data) : encodeData(data));
    checkLineLength(line, this.#lineBytes);
    return line;
  }

  #add(hearer: Hearer): void {
    this.#checkOpen();
    this.#dispatcher.add(hearer);
    this.#connection?.hear(this.#dispatcher.patterns);
    if (this.#connection) this.#watch(hearer, this.#connection);
  }

  #remove(hearer: Hearer): void {
    this.#dispatcher.remove(hearer);
    hearer.ready.reject(new ConnectionError("closed", "The subscription has ended"));
    if (!this.#closing.signal.aborted) this.#connection?.hear(this.#dispatcher.patterns);
  }

  /** Waits until the broker has taken in what a hearer hears, and ends it if the broker refuses. */
  async #watch(hearer: Hearer, session: Session): Promise<void> {
    try {
      await Promise.all(hearer.patterns.map(({ text }) => session.heard(text)));
      hearer.ready.resolve();
    } catch (error) {
      if (!(error instanceof ProtocolError)) return; // The connection broke; the next one sees to it.
      hearer.ready.reject(error);
      this.#remove(hearer);
      hearer.end(error);
    }
  }

  async #call(handler: (event: MqEvent) => unknown, event: MqEvent): Promise<void> {
    try {
      await handler(event);
    } catch (error) {
      if (this.#tell("error", error)) reportError(error);
    }
  }

  /** Returns false if a listener prevented the default. */
  #tell(type: keyof ClientEventMap, detail: unknown): boolean {
    return this.dispatchEvent(new CustomEvent(type, { detail, cancelable: true }));
  }
}

function makeHearer(patterns: readonly string[], to: Pick<Hearer, "handle" | "end">): Hearer {
  if (patterns.length === 0) throw new ProtocolError("bad-pattern", "Cannot subscribe to nothing: name a pattern");
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => {}); // Whoever does not wait for it need not handle it.
  return { patterns: patterns.map((text) => new Pattern(text)), ready, ...to };
}

/** At first it may be that no broker is there yet; later it was there, and what is wrong now may pass. */
function isWorthRetrying(error: unknown, isFirst: boolean): boolean {
  return error instanceof ConnectionError && (!isFirst || error.code === "unreachable");
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
