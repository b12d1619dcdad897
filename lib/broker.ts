/**
 * The broker: keeps a pool of connections and sends every recognized event on to those who hear it.
 *
 * @module
 */
import process from "node:process";
import { monotonicUlid } from "@std/ulid";
import type { BrokerStats, ClientInfo, EventInfo, Why } from "./protocol/responses.ts";
import type { BrokerOptions, SystemEvent } from "./broker/options.ts";
import { Callbacks } from "./broker/callbacks.ts";
import { ClassicCodec, type ClassicMessage, lineOf } from "./protocol/classic.ts";
import { Connection } from "./broker/connection.ts";
import { Subscriptions } from "./broker/subscriptions.ts";
import { Admission } from "./broker/admission.ts";
import { ConnectionError, FatalProtocolError, MqError, ProtocolError, quote } from "./protocol/errors.ts";
import { checkPublishable, DEFAULT_EVENTS, isReserved } from "./protocol/event.ts";
import { checkRecognizable, formatPatterns } from "./protocol/pattern.ts";
import { Heartbeat, tickMs } from "./net/heartbeat.ts";
import { SystemEvents } from "./broker/system_events.ts";
import { ANSWER_BYTES, checkLimits, DEFAULT_LIMITS, FAULT_GRACE_MS, type Limits, MAX_HOPS } from "./protocol/limits.ts";
import { acceptAll, type Listener, type ListenOptions, listenTcp } from "./net/listen.ts";
import { SlowConsumers } from "./broker/slow_consumers.ts";
import {
  BROKER_NAME,
  formatDropped,
  formatErr,
  formatEvent,
  formatOk,
  HELP,
  HTTP_REFUSAL,
  isHttpRequest,
  parseHello,
  PROTOCOL_VERSION,
  takeHeaders,
} from "./protocol/lines.ts";
import { isBlank, isFirstWord, isLongerThan, takeWord } from "./protocol/text.ts";
import {
  asFatal,
  asProtocolError,
  checkAnswer,
  MAX_WHAT_CHARACTERS,
  subject,
  unauthorized,
  UNFINISHED_LINE,
} from "./broker/command_errors.ts";
import { type Route, Router } from "./broker/router.ts";
import { Authenticator } from "./broker/authenticator.ts";
import type { Scope } from "./protocol/tokens.ts";
import type { Transport } from "./net/transport.ts";
import { VERSION } from "./protocol/version.ts";

/** What a control line begins with. */
const SLASH = 0x2f;

/** The sender of the broker's own events. */
const SELF = { name: BROKER_NAME };

const NOT_CLASSIC =
  "This port is for classic clients, which send no lines: connect to the broker's other port, if it has one";
const CLASSIC_IS_OPEN = "Cannot listen for classic clients where there are tokens or TLS: they know neither";

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
 * const { receivers } = await client.publishConfirmed("order.paid", { id: 1 });
 * assertEquals(receivers, 0);
 * assertEquals(broker.stats().published, 1);
 * ```
 */
export class Broker implements AsyncDisposable {
  /** The patterns of the events that are recognized. */
  readonly events: readonly string[];
  readonly #options: BrokerOptions;
  readonly #limits: Limits;
  readonly #router: Router;
  readonly #authenticator: Authenticator;
  readonly #tickMs: number;
  readonly #callbacks: Callbacks;
  readonly #startedAt = Date.now();
  readonly #pool = new Map<string, Connection>();
  readonly #listeners: { listener: Listener; classic?: ClassicCodec }[] = [];
  readonly #tasks = new Set<Promise<void>>();
  readonly #systemEvents = new SystemEvents((name, data) => this.#announce(name, data));
  readonly #slowConsumers: SlowConsumers;
  readonly #verbs = new Map<string, (connection: Connection, rest: string) => string>([
    ["hello", (connection, rest) => this.#hello(connection, rest)],
    ["sub", (connection, rest) => this.#subscriptions.subscribe(connection, rest)],
    ["unsub", (connection, rest) => this.#subscriptions.unsubscribe(connection, rest)],
    ["pub", (connection, rest) => this.#publish(connection, rest)],
    ["ping", (_connection, rest) => rest === "" ? "/pong" : `/pong ${rest}`],
    ["stats", () => formatOk("stats", this.stats())],
    ["clients", () => formatOk("clients", this.clients())],
    ["events", () => formatOk("events", this.catalog())],
    ["why", (_connection, rest) => formatOk("why", this.why(rest.trim()))],
    ["help", () => HELP],
  ]);
  readonly #subscriptions: Subscriptions;
  readonly #admission: Admission;
  /** Those who are out of the pool, and are still to read what was queued for them. */
  readonly #leaving = new Set<Connection>();
  #accepted = 0;
  #published = 0;
  #ticking: ReturnType<typeof setInterval> | undefined;
  #closing: Promise<void> | undefined;
  /** Whether it has been told that it goes down: who comes in now is ended at once. */
  #isDraining = false;

  /**
   * Makes a broker that does not listen yet.
   *
   * @param options What it recognizes, its limits, and who is told what it does.
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
    this.#router = new Router(this.events);
    this.#authenticator = new Authenticator(options.tokens ?? []);
    this.#subscriptions = new Subscriptions(this.#router, this.#systemEvents, this.#limits.patterns);
    this.#admission = this.#makeEntrance();
    this.#slowConsumers = this.#makePatience();
    const { helloMs, silenceMs, answerMs } = this.#limits;
    this.#tickMs = tickMs(helloMs, silenceMs, answerMs);
  }

  /** Where it listens; empty before {@linkcode Broker.listen} and after {@linkcode Broker.close}. */
  get addrs(): Deno.NetAddr[] {
    return this.#addrs((classic) => classic === undefined);
  }

  /** Where it listens for classic clients, in the same way. */
  get classicAddrs(): Deno.NetAddr[] {
    return this.#addrs((classic) => classic !== undefined);
  }

  #addrs(isWanted: (classic?: ClassicCodec) => boolean): Deno.NetAddr[] {
    const listeners = this.#listeners.filter(({ classic }) => isWanted(classic));
    return listeners.map(({ listener }) => listener.addr as Deno.NetAddr);
  }

  /** The first address it listens on; undefined before {@linkcode Broker.listen}. */
  get addr(): Deno.NetAddr | undefined {
    return this.addrs[0] ?? this.classicAddrs[0];
  }

  /**
   * Begins to accept connections. May be called again for another address.
   *
   * @param options Where to listen.
   * @returns The first address it listens on.
   * @throws {MqError} With the code `address-in-use`, `cannot-listen` or `bad-certificate`; or with `classic`, if it is to
   * be for classic clients, which know neither tokens nor TLS, and there are tokens or a certificate, or if the default
   * name is not recognized.
   */
  listen(options: ListenOptions = {}): Promise<Deno.NetAddr> {
    try {
      if (this.#closing) throw new MqError("closed", "Cannot listen: the broker was closed");
      const classic = this.#classicCodec(options);
      const listeners = listenTcp(options);
      this.#listeners.push(...listeners.map((listener) => ({ listener, classic })));
      for (const listener of listeners) this.#keep(acceptAll(listener, this.#admission.door(classic)));
      this.#startTicking();
      return Promise.resolve(listeners[0].addr as Deno.NetAddr);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #classicCodec({ classic, tls }: ListenOptions): ClassicCodec | undefined {
    if (classic === undefined) return undefined;
    if (tls || !this.#authenticator.isOpen) throw new MqError("classic", CLASSIC_IS_OPEN);
    return new ClassicCodec(typeof classic === "string" ? { form: classic } : classic, this.#router);
  }

  /**
   * Takes a connection that came in some other way as if it had been accepted: the same limits hold for it.
   *
   * @param transport The connection. The broker closes it, at once if it is closed itself.
   */
  attach(transport: Transport): void {
    if (!this.#closing) this.#startTicking();
    this.#admission.door().enter(transport);
  }

  /** What it allows. */
  get limits(): Readonly<Limits> {
    return this.#limits;
  }

  /**
   * What one may do who shows a token.
   *
   * @param token The token; undefined for none.
   * @returns Everything, where no token is asked for; undefined if it does not let anybody in.
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
      uptimeMs: Date.now() - this.#startedAt,
      connections: this.#pool.size,
      published: this.#published,
      delivered: this.#router.delivered,
      unrecognized: this.#systemEvents.unrecognized,
      refused: this.#systemEvents.refused,
      slow: this.#systemEvents.slow,
      dropped: this.#slowConsumers.dropped,
      droppedBytes: this.#systemEvents.droppedBytes,
      errors: this.#callbacks.errors,
      cpuMs: Math.round((user + system) / 1000),
      rssBytes: Deno.memoryUsage().rss,
    };
  }

  /**
   * Who is connected.
   *
   * @returns The connections in the pool, the oldest first.
   */
  clients(): ClientInfo[] {
    return [...this.#pool.values()].map((connection) => connection.info);
  }

  /**
   * Whom it has ended, and still waits for: they have not read what was queued for them, or not closed their side.
   *
   * @returns These connections, which are not in the pool any more.
   */
  leaving(): ClientInfo[] {
    return [...this.#leaving].map((connection) => connection.info);
  }

  /**
   * What it knows of the events that it recognizes.
   *
   * @returns Each pattern in the order in which they are tried, with what its catalog says of it, if it has one.
   */
  catalog(): EventInfo[] {
    return this.#options.catalog?.entries ?? this.events.map((pattern) => ({ pattern }));
  }

  /**
   * What would become of an event, and why.
   *
   * @param name The event's name.
   * @returns What recognizes it, who would hear it and who would not. Observers are told of in neither.
   * @throws {ProtocolError} With the code `bad-name`.
   */
  why(name: string): Why {
    const { recognizedBy } = this.#router.route(name);
    const by = recognizedBy ?? (isReserved(name) ? "mq.>" : null);
    const why: Why = { name, recognized: by !== null, by, receivers: 0, hears: [], ignores: [] };
    for (const { id, name: client, patterns, queue, observe } of this.#pool.values()) {
      if (observe !== undefined) continue;
      const match = [...patterns.values()].find((pattern) => pattern.matches(name));
      if (match === undefined) {
        why.ignores.push({ id, name: client, patterns: [...patterns.keys()] });
        continue;
      }
      const hears = { id, name: client, pattern: match.text, queuedBytes: queue.queuedBytes };
      why.hears.push(queue.isFull ? { ...hears, full: true } : hears);
    }
    if (why.recognized) why.receivers = why.hears.filter(({ full }) => !full).length;
    return why;
  }

  /**
   * Drains and closes: accepts no more connections, reads no more lines, sends what is queued, and closes each
   * connection. Those that do not read it within `limits.drainMs` are closed all the same. It may be called at any time,
   * also while another call is under way, and by a function that the broker calls.
   */
  close(): Promise<void> {
    this.#closing ??= Promise.resolve().then(() => this.#drain()); // Who calls it may be in the midst of something.
    return this.#closing;
  }

  /** The same as {@linkcode Broker.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #drain(): Promise<void> {
    for (const { listener } of this.#listeners.splice(0)) listener.close();
    clearInterval(this.#ticking);
    this.#admission.close();
    this.#systemEvents.drains(this.#pool.size, this.#limits.drainMs);
    this.#isDraining = true;
    for (const connection of [...this.#pool.values()]) this.#endDraining(connection);
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
    this.#router.flush();
  }

  /** Keeps a promise until it is settled, so that closing can wait for it. */
  #keep(task: Promise<void>): void {
    const kept = task.catch((error) => this.#callbacks.fail(error)).finally(() => this.#tasks.delete(kept));
    this.#tasks.add(kept);
  }

  #makeEntrance(): Admission {
    return new Admission({
      isOpen: () => this.#closing === undefined,
      connections: () => this.#pool.size,
      enter: (conn, classic) => this.#enter(conn, classic),
      refused: (error, times) => this.#systemEvents.turnsAway(error, times),
      keep: (task) => this.#keep(task),
    }, this.#limits);
  }

  #makePatience(): SlowConsumers {
    const { slow = "disconnect" } = this.#options;
    const end = (connection: Connection, closeMessage: string, bytes: number) =>
      this.#end(connection, "slow", closeMessage, FAULT_GRACE_MS, bytes);
    const { outboxBytes } = this.#limits;
    return new SlowConsumers({
      policy: slow,
      outboxBytes,
      systemEvents: this.#systemEvents,
      router: this.#router,
      end,
    });
  }

  #enter(conn: Transport, classic?: ClassicCodec): void {
    const connection = new Connection(conn, `client-${++this.#accepted}`, this.#limits, classic);
    this.#slowConsumers.watch(connection);
    if (this.#authenticator.isOpen) connection.letIn("all");
    this.#pool.set(connection.id, connection);
    this.#router.join(connection);
    this.#systemEvents.connected(connection);
    this.#keep(this.#serve(connection));
    if (this.#isDraining) this.#endDraining(connection);
  }

  #startTicking(): void {
    this.#ticking ??= setInterval(() => this.#tick(), this.#tickMs);
  }

  /** Sees who has not been let in, and who has fallen silent. */
  #tick(): void {
    const now = Date.now();
    for (const connection of this.#pool.values()) {
      const isLate = connection.scope === undefined && now - connection.connectedAt > this.#limits.helloMs;
      if (isLate) this.#refuse(connection, unauthorized(`no token came within ${this.#limits.helloMs} ms`), "hello");
      else if (!connection.isPausing) connection.heartbeat?.tick();
      if (connection.classic) this.#slowConsumers.tellLost(connection);
    }
  }

  async #serve(connection: Connection): Promise<void> {
    const reason = await this.#readLines(connection);
    connection.inputEnded();
    if (connection.unfinishedBytes > 0) this.#refuse(connection, UNFINISHED_LINE);
    this.#end(connection, reason);
  }

  /** Reads to the end of a connection; returns how it ended. */
  async #readLines(connection: Connection): Promise<string> {
    let isFirst = true;
    const onLine = (line: string) => {
      if (isFirst && isHttpRequest(line)) this.#refuseHttp(connection);
      else this.#line(connection, line);
      isFirst = false;
      return connection.pause() ?? this.#router.pause(connection);
    };
    const onFault = (error: ProtocolError) => {
      const why = isFirst ? "it was the first" : connection.scope === undefined ? "no token had come" : undefined;
      this.#refuse(connection, why && !connection.classic ? asFatal(error, why) : error);
      isFirst = false;
    };
    try {
      await connection.intake.readAll({ onLine, onFault });
      return "closed";
    } catch (error) {
      if (error instanceof ConnectionError) return "reset";
      this.#refuse(connection, this.#asRefusal(error));
      return "internal-error";
    }
  }

  #line(connection: Connection, line: string): void {
    if (connection.ended) return;
    try {
      if (connection.scope === undefined) this.#greeting(connection, line);
      else if (connection.classic !== undefined) this.#message(connection, connection.classic, line);
      else if (line.charCodeAt(0) === SLASH) this.#control(connection, line);
      else if (!isBlank(line)) this.#event(connection, line);
    } catch (error) {
      this.#refuse(connection, this.#asRefusal(error));
    }
  }

  /** What a line is refused for. What is not the client's doing goes to whoever runs the broker, too. */
  #asRefusal(error: unknown): ProtocolError {
    const refusal = asProtocolError(error);
    if (refusal !== error) this.#callbacks.fail(error);
    return refusal;
  }

  /** A line of one who has not been let in: all it can do is to show a token. */
  #greeting(connection: Connection, line: string): void {
    if (isFirstWord("/hello", line)) this.#control(connection, line);
    else if (!isBlank(line)) this.#refuse(connection, unauthorized('first comes /hello {"token":"..."}'), "hello");
  }

  /** A message of a classic client. */
  #message(connection: Connection, classic: ClassicCodec, text: string): void {
    if (isFirstWord("/hello", text)) throw new FatalProtocolError("bad-message", NOT_CLASSIC);
    const { keys } = classic;
    const message = classic.read(text);
    if (classic.keys !== keys) this.#systemEvents.learnsKeys(connection, classic.keys);
    const glued = classic.findGlued(message);
    if (glued !== undefined) this.#systemEvents.findsGlued(connection, glued);
    this.#event(connection, lineOf(message), message);
  }

  #event(connection: Connection, line: string, message?: ClassicMessage): void {
    this.#takeEvent(connection);
    const route = this.#router.routeAfter(connection.route, line);
    if (route.recognizedBy !== undefined) this.#deliver(connection, route, line, undefined, message);
    else this.#dropUnrecognized(connection, route.name, message?.isGuess);
  }

  /** Every event that a connection publishes passes here. */
  #takeEvent(connection: Connection): void {
    if (!connection.mayPublish) {
      throw new ProtocolError("forbidden", "Cannot publish: this connection's token is for listening only");
    }
    if (connection.takeEvent()) this.#systemEvents.throttles(connection, this.#limits.eventsPerSecond);
  }

  #deliver(
    connection: Connection,
    route: Route,
    line: string,
    id?: string,
    message?: ClassicMessage,
    hops?: number,
  ): number {
    connection.route = route;
    const { catalog, onPublish } = this.#options;
    if (catalog !== undefined) catalog.check(route.recognizedBy!, line);
    const receivers = this.#router.publish(route, line, connection, id, message, hops);
    connection.published++;
    this.#published++;
    if (onPublish !== undefined) this.#callbacks.call(() => onPublish(route.name, line, connection.name, receivers));
    return receivers;
  }

  /** Carries a control line out and answers it: exactly one answer a line, but for `/pong` and `/quit`. */
  #control(connection: Connection, line: string): void {
    if (!connection.speaksControl) this.#watch(connection);
    const [verb, rest] = takeWord(line.slice(1));
    if (verb === "pong") return;
    if (verb === "quit") return this.#end(connection, "quit", "/bye\n");
    try {
      const handler = this.#verbs.get(verb);
      if (!handler) {
        throw new ProtocolError("bad-verb", `Unknown verb ${quote("/" + verb)}: /help lists those there are`);
      }
      const answer = handler(connection, rest);
      this.#checkAnswer(connection, answer);
      if (!connection.ended) this.#router.send(connection, answer + "\n");
    } catch (error) {
      this.#refuse(connection, this.#asRefusal(error), subject(verb, rest));
    }
  }

  /** A long answer has to fit behind the events that were published before. */
  #checkAnswer(connection: Connection, answer: string): void {
    if (!isLongerThan(ANSWER_BYTES, answer)) return;
    this.#router.settle(connection);
    checkAnswer(answer, connection.queue.roomBytes);
  }

  /** From now on it is told that it is too slow, and that the broker goes down; and asked whether it is still there. */
  #watch(connection: Connection): void {
    connection.speaksControl = true;
    connection.heartbeat = new Heartbeat(
      {
        get receivedBytes() {
          return connection.intake.receivedBytes;
        },
        ping: () => this.#router.send(connection, "/ping\n"),
        onTimeout: () => this.#refuse(connection, new FatalProtocolError("silent", "Closed: /ping was not answered")),
      },
      this.#limits,
      this.#tickMs,
    );
  }

  #hello(connection: Connection, rest: string): string {
    const { name: was } = connection;
    const said = parseHello(rest);
    const { name = was, meta = connection.meta, hops = connection.hops, echo = connection.echo, token, ...more } = said;
    const observe = more.observe === undefined ? connection.observe : more.observe ?? undefined;
    const scope = connection.scope ?? this.authorize(token);
    if (scope === undefined) {
      throw unauthorized(token === undefined ? "this broker asks for a token" : "it is not the right token");
    }
    const self = {
      id: connection.id,
      server: `mq/${VERSION}`,
      version: PROTOCOL_VERSION,
      limits: this.#limits,
      events: this.events,
      hops: MAX_HOPS,
    };
    const answer = formatOk("hello", self);
    this.#checkAnswer(connection, answer); // Before anything changes.
    this.#subscriptions.change(connection, () => {
      if (connection.scope === undefined) connection.letIn(scope);
      Object.assign(connection, { name, meta, hops, echo, observe });
      this.#systemEvents.introduced(connection, was);
    });
    return answer;
  }

  #publish(connection: Connection, rest: string): string {
    const [ref, tail] = takeWord(rest);
    const [{ hops }, line] = takeHeaders(tail);
    if (line === "" || ref === "-" || ref.length > MAX_WHAT_CHARACTERS) {
      const form = `"/pub REF NAME [DATA]", with a REF of at most ${MAX_WHAT_CHARACTERS} characters other than "-"`;
      throw new ProtocolError("bad-arguments", `Cannot publish: it is ${form}`);
    }
    this.#takeEvent(connection);
    const route = this.#router.routeAfter(connection.route, line);
    if (route.recognizedBy === undefined) {
      this.#dropUnrecognized(connection, route.name);
      const message = `Dropped ${quote(route.name)}: this broker recognizes ${formatPatterns(this.events)}`;
      throw new ProtocolError("unrecognized", message);
    }
    const id = monotonicUlid();
    return formatOk(ref, { id, receivers: this.#deliver(connection, route, line, id, undefined, hops) });
  }

  /** Answers a line that could not be carried out, and closes the connection if nothing can be read after it. */
  #refuse(connection: Connection, error: ProtocolError, what = "-"): void {
    if (connection.ended) return;
    if (error.code !== "unrecognized") this.#systemEvents.refuses(connection, error);
    const answer = formatErr(what, error) + "\n";
    if (error instanceof FatalProtocolError) this.#end(connection, error.code, answer, FAULT_GRACE_MS);
    else if (connection.speaksControl) this.#router.send(connection, answer);
  }

  /** A web page can have a browser send a request to any port: it must not be able to publish. */
  #refuseHttp(connection: Connection): void {
    this.#systemEvents.refuses(connection, { code: "http", message: "Refused an HTTP request" });
    this.#end(connection, "http", HTTP_REFUSAL, FAULT_GRACE_MS);
  }

  #dropUnrecognized(connection: Connection, event: string, isGuess?: boolean): void {
    checkPublishable(event);
    this.#systemEvents.dropsUnrecognized(connection, event, isGuess);
  }

  #endDraining(connection: Connection): void {
    this.#end(connection, "draining", connection.speaksControl ? "/bye The broker is going down\n" : "");
  }

  /** Takes a connection out of the pool and lets it finish by itself. */
  #end(
    connection: Connection,
    reason: string,
    closeMessage = "",
    graceMs: number = this.#limits.drainMs,
    droppedBytes = 0,
  ): void {
    if (connection.ended) return;
    this.#subscriptions.leave(connection);
    if (connection.ended) return; // What waited for it was too much.
    connection.ended = true;
    this.#pool.delete(connection.id);
    this.#leaving.add(connection);
    this.#keep(this.#finish(connection, closeMessage, graceMs, droppedBytes));
    this.#systemEvents.disconnected(connection, reason);
  }

  async #finish(connection: Connection, closeMessage: string, graceMs: number, droppedBytes: number): Promise<void> {
    const missed = connection.takeMissed();
    const isTold = missed.events > 0 && droppedBytes === 0 && connection.speaksControl; // Else how many are missing is not known.
    const gap = isTold ? formatDropped(missed.events) + "\n" : "";
    const unwritten = await connection.finish(gap + closeMessage, graceMs);
    const bytes = droppedBytes + missed.bytes + unwritten;
    this.#leaving.delete(connection);
    if (bytes > 0) this.#systemEvents.loses(connection, bytes, missed.events);
  }

  /** Tells of the broker's own systemEvents, as an event like any other. */
  #announce(name: string, data: SystemEvent): void {
    this.#callbacks.call(() => this.#options.onSystemEvent?.(name, data));
    const route = this.#router.route(name, true);
    if (route.groups.length > 0) this.#router.publish(route, formatEvent(name, JSON.stringify(data)), SELF);
  }
}
