/**
 * The pool of connections: takes them, has what each sends carried out by its {@linkcode LineHandler}, and ends them.
 *
 * @module
 */
import type { Codec } from "../net/codec.ts";
import { tickMs } from "../net/heartbeat.ts";
import type { MemoryBudget } from "../net/memory.ts";
import { Flow, scheduler } from "../net/read_scheduler.ts";
import type { Transport } from "../net/transport.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { FAULT_GRACE_MS } from "../protocol/limits.ts";
import { formatDropped, formatErr } from "../protocol/lines.ts";
import { Pattern } from "../protocol/pattern.ts";
import type { ClientInfo } from "../protocol/responses.ts";
import type { Scope } from "../protocol/tokens.ts";
import { Admission } from "./admission.ts";
import { type Authenticator, unauthorized } from "./authenticator.ts";
import { Connection } from "./connection.ts";
import { ConnectionList } from "./connection_list.ts";
import { type Ending, LineHandler, type LineHandlerOptions } from "./line_handler.ts";
import type { SlowPolicy } from "./options.ts";
import { SlowConsumers } from "./slow_consumers.ts";
import type { Groups } from "./groups.ts";
import type { ReplayRequest, Replays } from "./replay.ts";
import { noStore } from "./no_store.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** What a session without patterns is subscribed to. */
const ALL = new Pattern(">");

/** Reported because it is a usual fault of a first client: it forgets the LF. */
const UNFINISHED_LINE = new ProtocolError(
  "unfinished-line",
  "The connection ended in the middle of a line, which does not count: every line ends with a line feed",
);

/** What a {@linkcode Pool} works with. */
export interface PoolOptions extends Omit<LineHandlerOptions, "tickMs" | "end" | "endAnswered"> {
  /** The budget for what connections hold. */
  memory: MemoryBudget;
  /** What happens to slow consumers. */
  slow: SlowPolicy;
  /** Decides what a client may do. */
  authenticator: Authenticator;
  /** Keeps the patterns of connections. */
  subscriptions: Subscriptions;
  /** The groups that connections are members of; undefined without a store. */
  groups: Groups | undefined;
  /** Sends what is stored; undefined if nothing is. */
  replays: Replays | undefined;
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
  /** The id behind which it is sent first what the store has; empty for the beginning. Default: only what comes from now on. */
  readonly after?: string;
  /** What is written first. */
  readonly first: Uint8Array;
}

/** The connections of a broker. */
export class Pool {
  /** Accepts connections into the pool, or rejects them. */
  readonly admission: Admission;
  readonly #options: PoolOptions;
  readonly #slowConsumers: SlowConsumers;
  readonly #lines: LineHandler;
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
    this.memory = options.memory;
    this.#slowConsumers = this.#makeSlowConsumers();
    this.#lines = new LineHandler({
      ...options,
      tickMs: this.#tickMs,
      end: (connection, ending) => this.#end(connection, ending),
      endAnswered: (connection, ending) => this.#endReplayed(connection, ending),
    });
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
    const deadline = setTimeout(() => this.#endAll(), limits.drainMs);
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
    clearTimeout(deadline);
    fanOut.flush();
  }

  /** Ends the connections that still wait for the disk. */
  #endAll(): void {
    for (const connection of this.connections) this.#end(connection, { reason: "draining" });
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
   * @throws {ProtocolError} With the code `too-many-connections`, `forbidden` or `too-many-patterns`; `no-store`, if it asks
   * for what is stored and nothing is. Then the connection is as it was.
   */
  attach(conn: Transport, { codec, name, scope, patterns, first, after }: Session): void {
    this.admission.checkRoom();
    const { subscriptions, systemEvents, replays } = this.#options;
    if (after !== undefined && replays === undefined) throw noStore("carry out /replay");
    subscriptions.checkNew(scope, patterns);
    const connection = this.#connect(conn, codec);
    const { name: was } = connection;
    connection.queue.push(first);
    connection.queue.flush();
    connection.authenticated(scope);
    connection.introduce({ name });
    const wanted = patterns.length > 0 ? patterns : [ALL];
    const { subscribed } = connection;
    const change = after === undefined ? subscribed.add(wanted) : subscribed.remove([ALL]); // The replay adds them.
    this.#lines.watch(connection);
    systemEvents.connected(connection);
    systemEvents.introduced(connection, was);
    systemEvents.subscribed(connection, change);
    subscriptions.join(connection);
    if (after !== undefined) this.keep(this.#replay(connection, { after, patterns: wanted, isLive: true }));
    this.keep(this.#serve(connection));
  }

  /** Replays for a client that is told nothing of it: it is ended if that fails, so that it connects again. */
  async #replay(connection: Connection, request: ReplayRequest): Promise<void> {
    const error = await this.#options.replays!.begin(connection, request)();
    if (error === undefined) return;
    this.#end(connection, { reason: error.code, closeMessage: formatErr("-", error) + "\n" });
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
      send: (connection, text) => this.#options.fanOut.send(connection, text),
    });
    this.memory.add(connection);
    this.#connections.add(connection);
    return connection;
  }

  async #serve(connection: Connection): Promise<void> {
    const reason = await this.#lines.readAll(connection);
    connection.inputEnded();
    await scheduler.run(this.newcomers, 0, () => {
      if (connection.reader.unfinishedBytes > 0) this.#lines.refuse(connection, UNFINISHED_LINE);
      if (reason !== "closed") return this.#end(connection, { reason });
      this.#endReplayed(connection, { reason });
    });
  }

  /** Ends a connection whose client sends nothing more, once it has been sent what it has asked for. */
  #endReplayed(connection: Connection, ending: Ending): void {
    connection.hasQuit = true;
    if (connection.replaying === undefined) this.#endAnswered(connection, ending);
    else void connection.replaying.then(() => this.#endAnswered(connection, ending));
  }

  /** Looks for connections that have not authenticated in time, and for silent ones. */
  #tick(): void {
    const { helloMs } = this.#options.limits;
    for (const connection of this.#connections) {
      const isLate = connection.scope === undefined && connection.connectedMs > helloMs;
      if (isLate) this.#lines.refuse(connection, unauthorized(`no token came within ${helloMs} ms`), "hello");
      else if (!connection.isPausing) connection.heartbeat?.tick();
      if (connection.codec.decode !== undefined) this.#slowConsumers.notify(connection); // It is not told itself.
    }
  }

  #endDraining(connection: Connection): void {
    const closeMessage = connection.speaksControl ? "/bye The broker is going down\n" : "";
    this.#endAnswered(connection, { reason: "draining", closeMessage });
  }

  /** Ends a connection once all of its lines are answered. It may be ended for another reason before. */
  #endAnswered(connection: Connection, ending: Ending): void {
    connection.hasQuit = true;
    connection.responses.push(() => this.#end(connection, ending));
  }

  /** Takes a connection out of the pool and lets it finish by itself. */
  #end(connection: Connection, ending: Ending): void {
    if (connection.ended) return;
    this.#options.subscriptions.leave(connection);
    if (connection.ended) return; // It had no room for what waited for it, and so was ended for that.
    connection.ended = true;
    this.#options.groups?.disconnected(connection, !this.#isOpen);
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
