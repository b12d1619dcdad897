/**
 * The pool of connections: reads what each sends, carries it out or refuses it, and ends connections. What a line leads to
 * is decided elsewhere: {@linkcode Commands} for control lines, {@linkcode Broker.publish} for events.
 *
 * @module
 */
import type { Codec, MessageCodec } from "../net/codec.ts";
import { Heartbeat, tickMs } from "../net/heartbeat.ts";
import { MemoryBudget } from "../net/memory.ts";
import { Flow, scheduler } from "../net/read_scheduler.ts";
import type { Transport } from "../net/transport.ts";
import { ConnectionError, FatalProtocolError, ProtocolError } from "../protocol/errors.ts";
import { FAULT_GRACE_MS, heldBytesLimit, type Limits } from "../protocol/limits.ts";
import { formatDropped, formatErr, HTTP_REFUSAL, isHttpRequest } from "../protocol/lines.ts";
import { Pattern } from "../protocol/pattern.ts";
import type { ClientInfo } from "../protocol/responses.ts";
import { isBlank, isFirstWord, takeWord } from "../protocol/text.ts";
import type { Scope } from "../protocol/tokens.ts";
import { Admission } from "./admission.ts";
import { type Authenticator, unauthorized } from "./authenticator.ts";
import { asFatal, asProtocolError, type Commands, responseSubject } from "./commands.ts";
import { Connection } from "./connection.ts";
import { ConnectionList } from "./connection_list.ts";
import type { FanOut } from "./fan_out.ts";
import type { Callbacks, SlowPolicy } from "./options.ts";
import { Publication } from "./publication.ts";
import { SlowConsumers } from "./slow_consumers.ts";
import type { Subscriptions } from "./subscriptions.ts";
import type { SystemEvents } from "./system_events.ts";

/** What a session without patterns is subscribed to. */
const ALL = new Pattern(">");

/** What a control line begins with. */
const SLASH = 0x2f;

/** Reported because it is a usual fault of a first client: it forgets the LF. */
const UNFINISHED_LINE = new ProtocolError(
  "unfinished-line",
  "The connection ended in the middle of a line, which does not count: every line ends with a line feed",
);

/** What a {@linkcode Pool} works with. */
export interface PoolOptions {
  /** The broker's limits. */
  limits: Limits;
  /** What happens to slow consumers. */
  slow: SlowPolicy;
  /** Decides what a client may do. */
  authenticator: Authenticator;
  /** Carries out control lines. */
  commands: Commands;
  /** Keeps the patterns of connections. */
  subscriptions: Subscriptions;
  /** Sends to connections. */
  fanOut: FanOut;
  /** Publishes what happens to connections. */
  systemEvents: SystemEvents;
  /** Told of errors that are not a client's doing. */
  callbacks: Callbacks;
  /** Publishes an event of a connection. */
  publish: (event: Publication, connection: Connection, isGuess?: boolean) => unknown;
}

/** What is known of a client whose connection is attached with {@linkcode Pool.attach}. */
export interface Session {
  /** How the connection is read and written. */
  readonly codec: Codec;
  /** The client's name. */
  readonly name: string;
  /** What it may do. */
  readonly scope: Scope;
  /** What it subscribes to; none for all events. */
  readonly patterns: readonly Pattern[];
  /** What is written first. */
  readonly first: Uint8Array;
}

/** How a connection is ended. */
interface Ending {
  /** Why, as `mq.disconnect` tells it. */
  readonly reason: string;
  /** Whole lines that are written to it at last, each with its LF. Default: none. */
  readonly closeMessage?: string;
  /** After how many milliseconds it is closed in any case. Default: the limit `drainMs`. */
  readonly graceMs?: number;
  /** How many bytes that were meant for it have been dropped. Default: 0. */
  readonly droppedBytes?: number;
}

/** The connections of a broker. */
export class Pool {
  /** Accepts connections into the pool, or rejects them. */
  readonly admission: Admission;
  readonly #options: PoolOptions;
  readonly #slowConsumers: SlowConsumers;
  readonly #tickMs: number;
  readonly #connections = new ConnectionList<Connection>();
  /** The connections that are out of the pool, and are still to read what was queued for them. */
  readonly #leaving = new Set<Connection>();
  readonly #tasks = new Set<Promise<void>>();
  /**
   * All who have not sent a valid first line share one flow, which is also charged for the beginning and the end of each
   * connection: so those who come do not hold up those who are there, however many come.
   */
  readonly newcomers: Flow = new Flow();
  /** The budget for what connections hold. */
  readonly memory: MemoryBudget;
  /** What to call when the system has no descriptor for another connection. */
  readonly onExhausted: Set<() => void> = new Set();
  #accepted = 0;
  #ticking: ReturnType<typeof setInterval> | undefined;
  #isOpen = true;
  /** Whether `mq.drain` has been published: a connection that is accepted now is ended at once. */
  #isDraining = false;

  /**
   * Makes an empty pool.
   *
   * @param options What it works with.
   */
  constructor(options: PoolOptions) {
    this.#options = options;
    const { limits, systemEvents } = options;
    const { helloMs, silenceMs, answerMs } = limits;
    this.#tickMs = tickMs(helloMs, silenceMs, answerMs);
    this.memory = new MemoryBudget(heldBytesLimit(limits.memoryBytes));
    this.#slowConsumers = this.#makeSlowConsumers();
    this.admission = new Admission({
      newcomers: this.newcomers,
      isOpen: () => this.#isOpen,
      connections: () => this.size,
      admit: (conn, codec) => this.#admit(conn, codec),
      rejected: (error, times) => systemEvents.rejected(error, times),
      exhausted: () => this.onExhausted.forEach((makeRoom) => makeRoom()),
      keep: (task) => this.keep(task),
    }, limits);
  }

  #makeSlowConsumers(): SlowConsumers {
    const { limits: { outboxBytes }, slow: policy, systemEvents, fanOut } = this.#options;
    const disconnect = (connection: Connection, ending: Ending) =>
      this.#end(connection, { ...ending, graceMs: FAULT_GRACE_MS });
    return new SlowConsumers({ policy, outboxBytes, systemEvents, fanOut, disconnect });
  }

  /** How many connections there are. */
  get size(): number {
    return this.#connections.size;
  }

  /** How many events were dropped for slow consumers. */
  get dropped(): number {
    return this.#slowConsumers.dropped;
  }

  /** The connections, the oldest first. */
  get connections(): Iterable<Connection> {
    return this.#connections;
  }

  /**
   * Returns the connections that were accepted after another one.
   *
   * @param id The id of the other one, which may have left; an empty string for none.
   * @param most How many are returned at most.
   * @returns The oldest of them, the oldest first.
   */
  connectionsAfter(id: string, most: number): Connection[] {
    return this.#connections.after(id, most);
  }

  /** What is known of the connections that have been ended and not closed yet. */
  get leaving(): ClientInfo[] {
    return [...this.#leaving].map((connection) => connection.info);
  }

  /**
   * Keeps a promise until it is settled, so that draining can wait for it.
   *
   * @param task The promise. What it rejects with is an error of the broker.
   */
  keep(task: Promise<void>): void {
    const kept = task.catch((error) => this.#options.callbacks.fail(error)).finally(() => this.#tasks.delete(kept));
    this.#tasks.add(kept);
  }

  /** Begins to look for silent connections, now and then. */
  startTicking(): void {
    if (this.#isOpen) this.#ticking ??= setInterval(() => this.#tick(), this.#tickMs);
  }

  /** Accepts no more connections from listeners. */
  closeAdmission(): void {
    this.#isOpen = false;
  }

  /** Ends every connection, once it has read what is queued for it, and waits until all are closed. */
  async drain(): Promise<void> {
    const { limits, systemEvents, fanOut } = this.#options;
    clearInterval(this.#ticking);
    this.admission.close();
    systemEvents.draining(this.size, limits.drainMs);
    this.#isDraining = true;
    for (const connection of this.connections) this.#endDraining(connection);
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
    fanOut.flush();
  }

  /**
   * Ends connections, each once it has read what is queued for it.
   *
   * @param transports The transports of the connections.
   */
  end(transports: ReadonlySet<Transport>): void {
    for (const connection of this.connections) {
      if (transports.has(connection.transport)) this.#endDraining(connection);
    }
  }

  /**
   * Takes a connection into the pool whose client has authenticated and subscribed in another way than by lines.
   *
   * @param conn The connection.
   * @param session What is known of the client.
   * @throws {ProtocolError} With the code `too-many-connections`, `forbidden` or `too-many-patterns`. Then the connection is as
   * it was.
   */
  attach(conn: Transport, { codec, name, scope, patterns, first }: Session): void {
    this.admission.checkRoom();
    const { subscriptions, systemEvents } = this.#options;
    subscriptions.checkNew(scope, patterns);
    const connection = this.#connect(conn, codec);
    const { name: was } = connection;
    connection.queue.push(first);
    connection.queue.flush();
    connection.authenticated(scope);
    connection.introduce({ name });
    const change = connection.subscribed.add(patterns.length > 0 ? patterns : [ALL]);
    this.#watch(connection);
    systemEvents.connected(connection);
    systemEvents.introduced(connection, was);
    systemEvents.subscribed(connection, change);
    subscriptions.join(connection);
    this.keep(this.#serve(connection));
  }

  #admit(conn: Transport, codec: Codec): void {
    const { authenticator, subscriptions, systemEvents } = this.#options;
    const connection = this.#connect(conn, codec);
    if (authenticator.isOpen) connection.authenticated("all");
    subscriptions.join(connection);
    systemEvents.connected(connection);
    this.keep(this.#serve(connection));
    if (this.#isDraining) this.#endDraining(connection);
  }

  #connect(conn: Transport, codec: Codec): Connection {
    const connection = new Connection(conn, {
      name: `client-${++this.#accepted}`,
      limits: this.#options.limits,
      codec,
      overflow: this.#slowConsumers,
      flow: this.newcomers,
      memory: this.memory,
    });
    this.memory.add(connection);
    this.#connections.add(connection);
    return connection;
  }

  async #serve(connection: Connection): Promise<void> {
    const reason = await this.#readAll(connection);
    connection.inputEnded();
    await scheduler.run(this.newcomers, 0, () => {
      if (connection.reader.unfinishedBytes > 0) this.#refuse(connection, UNFINISHED_LINE);
      this.#end(connection, { reason });
    });
  }

  /** Reads to the end of a connection; returns how it ended. */
  async #readAll(connection: Connection): Promise<string> {
    const { fanOut } = this.#options;
    let isFirst = true;
    let isNew = true;
    const onLine = (line: string) => {
      if (isFirst && isHttpRequest(line)) this.#refuseHttp(connection);
      else this.#read(connection, line);
      if (isNew && connection.scope !== undefined) {
        connection.reader.flow = new Flow();
        isNew = false;
      }
      isFirst = false;
      if (connection.mayPause || fanOut.mayPause) return connection.pause() ?? fanOut.pause(connection);
    };
    const onFault = (error: ProtocolError) => {
      const why = isFirst ? "it was the first" : connection.scope === undefined ? "no token had come" : undefined;
      this.#refuse(connection, why && !connection.codec.decode ? asFatal(error, why) : error);
      isFirst = false;
    };
    try {
      await connection.reader.readAll({ onLine, onFault });
      return "closed";
    } catch (error) {
      if (error instanceof ConnectionError) return "reset";
      this.#refuse(connection, this.#asRefusal(error));
      return "internal-error";
    }
  }

  /** A line, or a message of another codec. */
  #read(connection: Connection, line: string): void {
    if (connection.ended) return;
    try {
      const { codec } = connection;
      if (connection.scope === undefined) this.#readGreeting(connection, line);
      else if (codec.decode !== undefined) this.#readMessage(connection, codec, line);
      else if (line.charCodeAt(0) === SLASH) this.#runCommand(connection, line);
      else if (!isBlank(line)) this.#options.publish(new Publication(line, connection.name), connection);
    } catch (error) {
      this.#refuse(connection, this.#asRefusal(error));
    }
  }

  /** A line of a client that has not authenticated: only `/hello` with a token is carried out. */
  #readGreeting(connection: Connection, line: string): void {
    if (isFirstWord("/hello", line)) this.#runCommand(connection, line);
    else if (!isBlank(line)) this.#refuse(connection, unauthorized('first comes /hello {"token":"..."}'), "hello");
  }

  #readMessage(connection: Connection, codec: MessageCodec, text: string): void {
    const { line, source, isGuess, notices } = codec.decode(text);
    for (const notice of notices) this.#options.systemEvents.noticed(connection, notice);
    this.#options.publish(new Publication(line, connection.name, undefined, source), connection, isGuess);
  }

  /** Carries a control line out: exactly one response a line, but for `/pong` and `/quit`. */
  #runCommand(connection: Connection, line: string): void {
    if (!connection.speaksControl) this.#watch(connection);
    const [verb, rest] = takeWord(line.slice(1));
    if (verb === "pong") return;
    if (verb === "quit") return this.#end(connection, { reason: "quit", closeMessage: "/bye\n" });
    try {
      this.#options.commands.run(connection, verb, rest);
    } catch (error) {
      this.#refuse(connection, this.#asRefusal(error), responseSubject(verb, rest));
    }
  }

  /** From now on the client gets control lines, and is asked whether it is still there when it is silent. */
  #watch(connection: Connection): void {
    let pings = 0;
    connection.speaksControl = true;
    connection.heartbeat = new Heartbeat(
      {
        get receivedBytes() {
          return connection.isOneWay ? pings : connection.reader.receivedBytes;
        },
        ping: () => {
          pings++;
          this.#options.fanOut.send(connection, "/ping\n");
        },
        onTimeout: () => this.#refuse(connection, new FatalProtocolError("silent", "Closed: /ping was not answered")),
      },
      this.#options.limits,
      this.#tickMs,
    );
  }

  /** Looks for connections that have not authenticated in time, and for silent ones. */
  #tick(): void {
    const { helloMs } = this.#options.limits;
    for (const connection of this.#connections) {
      const isLate = connection.scope === undefined && connection.connectedMs > helloMs;
      if (isLate) this.#refuse(connection, unauthorized(`no token came within ${helloMs} ms`), "hello");
      else if (!connection.isPausing) connection.heartbeat?.tick();
      if (connection.codec.decode !== undefined) this.#slowConsumers.notify(connection); // It is not told itself.
    }
  }

  /** The refusal of a line for an error. What is not the client's doing the program is told, too. */
  #asRefusal(error: unknown): ProtocolError {
    const refusal = asProtocolError(error);
    if (refusal !== error) this.#options.callbacks.fail(error);
    return refusal;
  }

  /** Responds to a line that could not be carried out, and closes the connection after a fatal error. */
  #refuse(connection: Connection, error: ProtocolError, what = "-"): void {
    if (connection.ended) return;
    if (error.code !== "unrecognized") this.#options.systemEvents.refusedLine(connection, error);
    const response = formatErr(what, error) + "\n";
    const isFatal = error instanceof FatalProtocolError;
    if (isFatal) this.#end(connection, { reason: error.code, closeMessage: response, graceMs: FAULT_GRACE_MS });
    else if (connection.speaksControl) this.#options.fanOut.send(connection, response);
  }

  /** A web page can have a browser send a request to any port: it must not be able to publish. */
  #refuseHttp(connection: Connection): void {
    this.#options.systemEvents.refusedLine(connection, { code: "http", message: "Refused an HTTP request" });
    this.#end(connection, { reason: "http", closeMessage: HTTP_REFUSAL, graceMs: FAULT_GRACE_MS });
  }

  #endDraining(connection: Connection): void {
    const closeMessage = connection.speaksControl ? "/bye The broker is going down\n" : "";
    this.#end(connection, { reason: "draining", closeMessage });
  }

  /** Takes a connection out of the pool and lets it finish by itself. */
  #end(connection: Connection, ending: Ending): void {
    if (connection.ended) return;
    this.#options.subscriptions.leave(connection);
    if (connection.ended) return; // It had no room for what waited for it, and so was ended for that.
    connection.ended = true;
    this.#connections.delete(connection);
    this.#leaving.add(connection);
    this.keep(this.#finish(connection, ending));
    this.#options.systemEvents.disconnected(connection, ending.reason);
  }

  async #finish(connection: Connection, ending: Ending): Promise<void> {
    const { closeMessage = "", graceMs = this.#options.limits.drainMs, droppedBytes = 0 } = ending;
    const dropped = connection.takeDropped();
    const isCounted = droppedBytes === 0; // Else it is not known how many events were dropped.
    const isTold = dropped.events > 0 && isCounted && connection.speaksControl;
    const notice = isTold ? formatDropped(dropped.events) + "\n" : "";
    const unwritten = await connection.finish(notice + closeMessage, graceMs);
    const bytes = droppedBytes + dropped.bytes + unwritten;
    this.#leaving.delete(connection);
    this.memory.delete(connection);
    if (bytes > 0) this.#options.systemEvents.dropped(connection, bytes, dropped.events);
  }
}
