/**
 * The broker: keeps a pool of connections and sends every recognized event on to its subscribers. What it is made of is in
 * lib/broker/.
 *
 * @module
 */
import process from "node:process";
import { Authenticator } from "./broker/authenticator.ts";
import { Commands } from "./broker/commands.ts";
import type { Connection } from "./broker/connection.ts";
import { DirectPublishing } from "./broker/direct_publishing.ts";
import { FanOut } from "./broker/fan_out.ts";
import type { Waiter } from "./broker/journal.ts";
import { type BrokerOptions, Callbacks, type DirectPublishOptions, type SystemEvent } from "./broker/options.ts";
import { Pool, type Session } from "./broker/pool.ts";
import { Publication, type Publisher } from "./broker/publication.ts";
import { explainRoute } from "./broker/reports.ts";
import { type Route, Router } from "./broker/router.ts";
import { Stored, type StoreReport } from "./broker/stored.ts";
import { Subscriptions } from "./broker/subscriptions.ts";
import { SystemEvents } from "./broker/system_events.ts";
import { type Codec, LINE_CODEC } from "./net/codec.ts";
import { acceptAll, type Listener, type ListenOptions, listenTcp, prepare } from "./net/listen.ts";
import { MemoryBudget } from "./net/memory.ts";
import type { Flow } from "./net/read_scheduler.ts";
import type { Transport } from "./net/transport.ts";
import type { Json } from "./protocol/data.ts";
import { MqError, ProtocolError } from "./protocol/errors.ts";
import { checkPublishable, DEFAULT_EVENTS } from "./protocol/event.ts";
import { checkLimits, CLIENTS_PER_PAGE, DEFAULT_LIMITS, heldBytesLimit, type Limits } from "./protocol/limits.ts";
import { BROKER_NAME, formatEvent } from "./protocol/lines.ts";
import { checkRecognizable } from "./protocol/pattern.ts";
import { isLongerThan } from "./protocol/text.ts";
import type { BrokerStats, ClientInfo, EventInfo, Receipt, StoreInfo, Why } from "./protocol/responses.ts";
import type { Scope } from "./protocol/tokens.ts";
import type { Store } from "./store/store.ts";

/** What connections of another kind share with those of a broker's pool. */
interface Shared {
  /** What the time is charged to that they take before they have been of use. */
  readonly newcomers: Flow;
  /** The budget for what they hold. */
  readonly memory: MemoryBudget;
  /** What to call when the system has no descriptor for another connection: whoever can, closes some. */
  readonly onExhausted: Set<() => void>;
  /** Ends those of the pool whose transports these are, each once it has read what is queued for it. */
  end(transports: ReadonlySet<Transport>): void;
  /** Publishes that one was refused; `times` is how often that has happened for the same reason. */
  rejected(error: ProtocolError, times: number): void;
}

/**
 * An event broker on TCP.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect } from "./client.ts";
 *
 * await using broker = new Broker({ events: ["order.>"] });
 * const { port } = await broker.listen({ hostname: "127.0.0.1", port: 0 });
 * await using client = await connect({ hostname: "127.0.0.1", port });
 * const orders = client.subscribe("order.*");
 * await orders.ready;
 * assertEquals(broker.publish("order.paid", { id: 1 }).receivers, 1);
 * for await (const event of orders) {
 *   assertEquals(event.data, { id: 1 });
 *   break;
 * }
 * ```
 */
export class Broker implements AsyncDisposable {
  /** The patterns of the events that are recognized. */
  readonly events: readonly string[];
  readonly #options: BrokerOptions;
  readonly #limits: Limits;
  readonly #callbacks: Callbacks;
  readonly #authenticator: Authenticator;
  readonly #fanOut = new FanOut();
  readonly #router: Router;
  readonly #systemEvents = new SystemEvents((name, data) => this.#publishSystemEvent(name, data));
  readonly #subscriptions: Subscriptions;
  readonly #memory: MemoryBudget;
  readonly #pool: Pool;
  readonly #direct: DirectPublishing;
  /** What a broker with a store has more; undefined for one without. */
  readonly #stored: Stored | undefined;
  /** What the broker stores; undefined for nothing. */
  readonly storeInfo: StoreInfo | undefined;
  readonly #startedAt = performance.now();
  readonly #listeners: Listener[] = [];
  #published = 0;
  #closing: Promise<void> | undefined;

  /**
   * Makes a broker that does not listen yet.
   *
   * @param options What it recognizes, its limits, and the functions it calls.
   * @throws {ProtocolError} With the code `bad-pattern` or `reserved-name`, if an event is not one it can recognize.
   * @throws {RangeError} If there is no event to recognize, a limit is not a positive whole number, or limits contradict each
   * other.
   * @throws {MqError} With the code `bad-tokens`, if a token is none that can be used.
   */
  constructor(options: BrokerOptions = {}) {
    this.#options = options;
    this.#callbacks = new Callbacks(options.onError && ((error) => options.onError!(error)));
    this.events = options.catalog?.entries.map(({ pattern }) => pattern) ?? [...options.events ?? DEFAULT_EVENTS];
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    checkRecognizable(this.events);
    checkLimits(this.#limits);
    this.#authenticator = new Authenticator(options.tokens ?? []);
    const { store, keep = [">"] } = options;
    this.#router = new Router(this.events, this.#fanOut, store && keep);
    this.#subscriptions = new Subscriptions(this.#router, this.#systemEvents, this.#limits.patterns);
    this.#direct = this.#makeDirect();
    this.storeInfo = store && { keep: [...keep], syncMs: store.syncMs };
    this.#memory = new MemoryBudget(heldBytesLimit(this.#limits.memoryBytes));
    this.#stored = store && this.#makeStored(store);
    this.#pool = this.#makePool();
  }

  #makeDirect(): DirectPublishing {
    return new DirectPublishing({
      limits: this.#limits,
      events: this.events,
      systemEvents: this.#systemEvents,
      isClosing: () => this.#closing !== undefined,
      stored: () => this.#stored,
      admit: (publisher) => this.#admit(publisher),
      publish: (event, publisher, isGuess, waiter) => this.#publish(event, publisher, isGuess, waiter),
    });
  }

  #makePool(): Pool {
    const parts = { fanOut: this.#fanOut, subscriptions: this.#subscriptions, systemEvents: this.#systemEvents };
    const publish = (event: Publication, publisher: Publisher, isGuess?: boolean, waiter?: Waiter) =>
      this.#publish(event, publisher, isGuess, waiter);
    const stored = this.#stored;
    return new Pool({
      ...parts,
      publish,
      replays: stored?.replays,
      groups: stored?.groups,
      limits: this.#limits,
      memory: this.#memory,
      slow: this.#options.slow ?? "disconnect",
      authenticator: this.#authenticator,
      callbacks: this.#callbacks,
      commands: new Commands({
        ...parts,
        publish,
        host: this,
        storeCommands: stored?.commands,
        clientsAfter: (id) => this.#clientsAfter(id),
        changes: () => this.#changes,
      }),
    });
  }

  #makeStored(store: Store): Stored {
    return new Stored({
      store,
      limits: this.#limits,
      memory: this.#memory,
      events: this.events,
      fanOut: this.#fanOut,
      subscriptions: this.#subscriptions,
      systemEvents: this.#systemEvents,
      keep: (task) => this.#pool.keep(task),
      publish: (event, publisher, isGuess, waiter) => this.#publish(event, publisher, isGuess, waiter),
      check: (event, publisher) => this.#examine(event, publisher) !== undefined,
      publishDelayed: ({ line, from, headers }) => this.#direct.publishOwn(new Publication(line, from, headers)),
      publishDead: (name, data) => this.#publishDead(name, data),
    });
  }

  /** How many events, refused lines, and connections that came, went or changed there were. */
  get #changes(): number {
    const { unrecognized, refused } = this.#systemEvents;
    return this.#published + unrecognized + refused + this.#router.changes;
  }

  /** Where it listens; empty before {@linkcode Broker.listen} and after {@linkcode Broker.close}. */
  get addrs(): Deno.NetAddr[] {
    return this.#listeners.map(({ addr }) => addr as Deno.NetAddr);
  }

  /** The first address it listens on; undefined before {@linkcode Broker.listen}. */
  get addr(): Deno.NetAddr | undefined {
    return this.addrs[0];
  }

  /** What it allows. */
  get limits(): Readonly<Limits> {
    return this.#limits;
  }

  /**
   * Begins to accept connections. May be called again for another address.
   *
   * @param options Where to listen, and the codec of the connections there.
   * @returns The first address it listens on.
   * @throws {MqError} With the code `address-in-use`, `cannot-listen` or `bad-certificate`; or what the codec throws.
   */
  listen(options: ListenOptions = {}): Promise<Deno.NetAddr> {
    try {
      if (this.#closing) throw new MqError("closed", "Cannot listen: the broker was closed");
      const codec = this.#makeCodec(options);
      const listeners = listenTcp(options);
      this.#listeners.push(...listeners);
      const acceptor = this.#pool.admission.acceptor(codec);
      for (const listener of listeners) this.#pool.keep(acceptAll(listener, acceptor));
      this.#pool.startTicking();
      return Promise.resolve(listeners[0].addr as Deno.NetAddr);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #makeCodec({ codec, tls }: ListenOptions): Codec {
    if (codec === undefined) return LINE_CODEC;
    const isProtected = tls !== undefined || !this.#authenticator.isOpen;
    const { names } = this.#router;
    return codec({ names, isProtected, recognizedBy: (name) => this.#router.recognizedBy(name) });
  }

  /**
   * Takes a connection that was accepted in some other way, such as a WebSocket: the same limits hold for it.
   *
   * @param transport The connection. The broker closes it, at once if it is closed itself.
   */
  attach(transport: Transport): void {
    this.#pool.startTicking();
    prepare(transport);
    this.#pool.admission.acceptor(LINE_CODEC).accept(transport);
  }

  /**
   * Takes a connection whose client has authenticated and subscribed in another way than by lines.
   *
   * @param transport The connection.
   * @param session What is known of the client.
   * @throws {ProtocolError} With the code `too-many-connections`, `forbidden` or `too-many-patterns`. Then the connection is as
   * it was.
   * @throws {MqError} With the code `draining`, if the broker is going down.
   *
   * @internal It changes with the gateway.
   */
  attachSession(transport: Transport, session: Session): void {
    if (this.#closing) throw new MqError("draining", "Cannot subscribe: the broker is going down");
    this.#pool.startTicking();
    this.#pool.attach(transport, session);
  }

  /**
   * What connections of another kind share with those of the pool.
   *
   * @internal It changes with the gateway.
   */
  get shared(): Shared {
    const { newcomers, memory, onExhausted } = this.#pool;
    return {
      newcomers,
      memory,
      onExhausted,
      end: (transports) => this.#pool.end(transports),
      rejected: (error, times) => this.#systemEvents.rejected(error, times),
    };
  }

  /** How many bytes wait in the queues of all connections. */
  get queuedBytes(): number {
    let bytes = 0;
    for (const { queue } of this.#pool.connections) bytes += queue.queuedBytes;
    return bytes;
  }

  /**
   * Publishes an event from the program around the broker, which needs no connection.
   *
   * @param name Its name.
   * @param data Its data, any JSON value; undefined for none.
   * @param options Who publishes it, and what that publisher may do.
   * @returns Its id, and for how many subscribers it is queued.
   * @throws {ProtocolError} With the code `bad-name`, `reserved-name`, `line-too-long`, `forbidden`, `rate-limited`,
   * `unrecognized` or `invalid-data`.
   * @throws {MqError} With the code `draining`, if the broker is going down.
   * @throws {TypeError} If JSON has no form for the data, raw data has a line end in it, or `from` is not one word.
   * @throws {RangeError} If there are more hops than an event can have.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   *
   * await using broker = new Broker();
   * const { receivers } = broker.publish("create", { id: 1 }, { from: "shop" });
   * assertEquals(receivers, 0); // Nobody is subscribed.
   * ```
   */
  publish(name: string, data?: Json, options: DirectPublishOptions = {}): Receipt {
    return this.#direct.publish(name, data, options);
  }

  /**
   * Publishes an event from the program around the broker, and waits until it is on disk, if it is one that is stored.
   *
   * @param name Its name.
   * @param data Its data, any JSON value; undefined for none.
   * @param options Who publishes it, what that publisher may do, and a key: with the same key an event is published once
   * within two minutes, and gets the receipt of the first one.
   * @returns Its id, for how many subscribers it is queued, whether it is stored, and whether it was published before.
   * @throws As {@linkcode Broker.publish}; a {@linkcode ProtocolError} with the code `store-failed`, if it is not known to be
   * on disk; with a key, `no-store`, `bad-arguments` if it is none, or `too-many-keys`.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   *
   * await using broker = new Broker();
   * const { stored } = await broker.publishConfirmed("create", { id: 1 });
   * assertEquals(stored, undefined); // This broker has no store.
   * ```
   */
  async publishConfirmed(
    name: string,
    data?: Json,
    options: DirectPublishOptions & { key?: string } = {},
  ): Promise<Receipt> {
    return await this.#direct.publishConfirmed(name, data, options);
  }

  /** Checks whether a publisher may publish, and takes an event from its rate. */
  #admit(publisher: Publisher): void {
    if (!publisher.mayPublish) {
      throw new ProtocolError("forbidden", "Cannot publish: this token is for listening only");
    }
    if (publisher.takeEvent()) this.#systemEvents.throttled(publisher, this.#limits.eventsPerSecond);
  }

  /**
   * The one way in: every event that is published passes here, whether it came as a line, as a message of another codec,
   * with `/pub`, over HTTP or from the program. Here it is decided whether the publisher may publish it, whether it keeps
   * to its rate, what recognizes the name, whether the data fits the catalog, and who gets it.
   *
   * @returns For how many subscribers it is queued; undefined if nothing recognizes it, so that it was dropped.
   */
  #publish(event: Publication, publisher: Publisher, isGuess?: boolean, waiter?: Waiter): number | undefined {
    const route = this.#examine(event, publisher, isGuess);
    if (route === undefined) return undefined;
    const { line } = event;
    const { onPublish } = this.#options;
    if (route.isKept && waiter !== undefined) this.#stored!.journal.check();
    const receivers = this.#fanOut.publish(route, event, publisher);
    if (route.isKept) this.#store(event, publisher, waiter);
    publisher.published++;
    this.#published++;
    if (onPublish !== undefined) this.#callbacks.call(() => onPublish(route.name, line, publisher.name, receivers));
    return receivers;
  }

  /** Decides whether an event may be published, and on which route; undefined if nothing recognizes it. */
  #examine({ line }: Publication, publisher: Publisher, isGuess?: boolean): Route | undefined {
    this.#admit(publisher);
    const { catalog } = this.#options;
    const route = this.#router.routeAfter(publisher.route, line);
    if (route.recognizedBy === undefined) {
      checkPublishable(route.name);
      this.#systemEvents.unrecognizedEvent(publisher, route.name, isGuess);
      return undefined;
    }
    publisher.route = route;
    if (catalog !== undefined) catalog.check(route.recognizedBy, line);
    return route;
  }

  /** The event for a dead job is as long as an event may be, with its data or without. */
  #publishDead(name: string, { data, ...about }: { [key: string]: Json }): void {
    const line = formatEvent(name, JSON.stringify({ ...about, ...(data !== undefined && { data }) }));
    const isTooLong = isLongerThan(this.#limits.lineBytes, line);
    this.#direct.publishOwn(new Publication(isTooLong ? formatEvent(name, JSON.stringify(about)) : line, BROKER_NAME));
  }

  #store(event: Publication, publisher: Publisher, waiter?: Waiter): void {
    const { journal } = this.#stored!;
    event.isStored = true;
    journal.append(event, waiter);
    if (journal.isFull) publisher.holdBack?.(journal.room());
  }

  /** The broker's own events take the same route, but need no permission. */
  #publishSystemEvent(name: string, data: SystemEvent): void {
    this.#callbacks.call(() => this.#options.onSystemEvent?.(name, data));
    const route = this.#router.route(name, true);
    if (route.groups.length === 0) return;
    this.#fanOut.publish(route, new Publication(formatEvent(name, JSON.stringify(data)), BROKER_NAME));
  }

  /**
   * Finds out what a client may do.
   *
   * @param token Its token; undefined for none.
   * @returns What the token allows, or everything if the broker has no tokens; undefined if it is not accepted.
   */
  authorize(token: string | undefined): Scope | undefined {
    return this.#authenticator.isOpen ? "all" : this.#authenticator.authorize(token ?? "");
  }

  /**
   * What it has counted so far.
   *
   * @returns A copy.
   */
  stats(): BrokerStats {
    const { user, system } = process.cpuUsage();
    return {
      uptimeMs: Math.round(performance.now() - this.#startedAt),
      connections: this.#pool.size,
      published: this.#published,
      delivered: this.#fanOut.delivered,
      unrecognized: this.#systemEvents.unrecognized,
      refused: this.#systemEvents.refused,
      slow: this.#systemEvents.slow,
      dropped: this.#pool.dropped,
      droppedBytes: this.#systemEvents.droppedBytes,
      errors: this.#callbacks.errors,
      cpuMs: Math.round((user + system) / 1000),
      rssBytes: Deno.memoryUsage().rss,
    };
  }

  /**
   * What is known of its store.
   *
   * @returns Whether the store works, its log and its groups; undefined for a broker without one, or that is going down.
   *
   * @internal It changes with the metrics.
   */
  async describeStore(): Promise<StoreReport | undefined> {
    return this.#closing === undefined ? await this.#stored?.describe() : undefined;
  }

  /**
   * Who is connected.
   *
   * @returns The connections in the pool, the oldest first.
   */
  clients(): ClientInfo[] {
    return [...this.#pool.connections].map((connection) => connection.info);
  }

  /** The connections of a page of `/clients`: those that were accepted after another one. */
  #clientsAfter(id: string): Connection[] {
    return this.#pool.connectionsAfter(id, CLIENTS_PER_PAGE);
  }

  /**
   * The connections that it has ended and still waits for: they have not read what was queued for them, or not closed their
   * side.
   *
   * @returns These connections, which are not in the pool any more.
   */
  leaving(): ClientInfo[] {
    return this.#pool.leaving;
  }

  /**
   * Describes the events that it recognizes.
   *
   * @returns Each pattern in the order in which they are tried, with what its catalog says of it, if it has one.
   */
  describeEvents(): EventInfo[] {
    return this.#options.catalog?.entries ?? this.events.map((pattern) => ({ pattern }));
  }

  /**
   * Explains who would get an event, and why.
   *
   * @param name The event's name.
   * @returns What recognizes it, who would get it and who would not, at most 100 of each. Observers are in neither list.
   * @throws {ProtocolError} With the code `bad-name`.
   */
  explainRouting(name: string): Why {
    return explainRoute(this.#router.explain(name), this.#pool.connections);
  }

  /**
   * Drains and closes: accepts no more connections, reads no more lines, sends what is queued, and closes each
   * connection. Connections that do not read it within `limits.drainMs` are closed all the same. It may be called at any
   * time, also while another call is under way, and by a function that the broker calls.
   */
  close(): Promise<void> {
    this.#pool.closeAdmission();
    this.#closing ??= Promise.resolve().then(() => this.#drain()); // Not within the call that the caller may be part of.
    return this.#closing;
  }

  /** The same as {@linkcode Broker.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #drain(): Promise<void> {
    for (const listener of this.#listeners.splice(0)) listener.close();
    this.#stored?.stop();
    await this.#pool.drain();
    await this.#stored?.close();
  }
}
