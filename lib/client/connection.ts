/**
 * The connection of a client to its broker: connects, reconnects, and queues what is sent while there is no connection.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { greetingError } from "../net/connection_errors.ts";
import { dial } from "../net/dial.ts";
import type { HeartbeatTimes } from "../net/heartbeat.ts";
import { afterCurrentTick } from "../net/ticks.ts";
import { atMost, onAbort, within } from "../net/time.ts";
import { type Address, formatAddress, parseAddress } from "../protocol/address.ts";
import { ConnectionError, MqError, ProtocolError } from "../protocol/errors.ts";
import { DEFAULT_LIMITS, DEFAULT_PORT } from "../protocol/limits.ts";
import type { Hello } from "../protocol/responses.ts";
import { byteLength, isLongerThan } from "../protocol/text.ts";
import { parseToken } from "../protocol/tokens.ts";
import { Backoff } from "./backoff.ts";
import type { ConnectOptions } from "./options.ts";
import { Session, type SessionObserver } from "./session.ts";

/** How long {@linkcode ClientConnection.settle} waits for a broker that reads nothing, in milliseconds. */
const SETTLE_MS = 5000;

/** Is told what happens to a connection. */
export interface ConnectionObserver extends SessionObserver {
  /** The texts of the patterns to subscribe to. */
  readonly patterns: readonly string[];
  /** Called after each connect, before the queued lines are sent. */
  onConnect(session: Session): void;
  /** Called when the connection broke. */
  onDisconnect(reason: ConnectionError): void;
  /** Called after each reconnect, with the number of attempts that it took. */
  onReconnect(attempts: number): void;
  /** Called when the connection is closed for good; with a failure if the client no longer tries to reconnect. */
  onClosed(reason: ConnectionError, failure?: ConnectionError): void;
}

/** A line that is queued until there is a connection. */
interface Unsent {
  readonly line: string;
  send(session: Session): void;
  reject(error: MqError): void;
}

/** The options, with the defaults of those that have one. */
type Settings =
  & Required<Pick<ConnectOptions, "meta" | "echo" | "reconnect" | "wait" | "timeoutMs" | "queueBytes">>
  & Pick<ConnectOptions, "name" | "token" | "caCerts">
  & { heartbeat: HeartbeatTimes };

/** The connection of a {@linkcode Client}: one session after another. */
export class ClientConnection {
  /** Resolves when the connection is closed for good: to undefined, or to the error because of which it was not restored. */
  readonly closed: Promise<MqError | undefined>;
  readonly #closed = Promise.withResolvers<MqError | undefined>();
  readonly #observer: ConnectionObserver;
  readonly #address: Address;
  readonly #settings: Settings;
  readonly #closing = new AbortController();
  readonly #backoff: Backoff;
  #unsent: Unsent[] = [];
  #unsentBytes = 0;
  /** How many events without a receipt may be lost, and were not reported yet. */
  #lost = 0;
  #hello: Hello | undefined;
  #session: Session | undefined;
  #opening: Promise<void> | undefined;
  /** Settles after the last session; undefined before the first. */
  #sessions: Promise<void> | undefined;

  /**
   * Makes a connection that is not opened yet.
   *
   * @param options Where the broker is, and how to behave.
   * @param observer Is told what happens to it.
   */
  constructor(options: ConnectOptions, observer: ConnectionObserver) {
    const { url, hostname = "localhost", port = DEFAULT_PORT, tls = false } = options;
    this.#address = url === undefined ? { hostname, port, tls } : parseAddress(url);
    this.#settings = withDefaults(options);
    this.#backoff = new Backoff(this.#settings.reconnect || {});
    this.#observer = observer;
    this.closed = this.#closed.promise;
  }

  /** Where the broker is, as `HOST:PORT`. */
  get address(): string {
    return formatAddress(this.#address);
  }

  /** The current session, if it has not ended. */
  get session(): Session | undefined {
    return this.#session?.hasEnded ? undefined : this.#session;
  }

  /** The last response to `/hello`; undefined before the first connection. */
  get hello(): Hello | undefined {
    return this.#hello;
  }

  /** The longest line that the broker accepts, in bytes; the default before the first connection. */
  get lineBytes(): number {
    return (this.#hello?.limits ?? DEFAULT_LIMITS).lineBytes;
  }

  /**
   * Connects for the first time. Does nothing if that has been done; waits if it is being done.
   *
   * @param signal Aborts connecting.
   */
  async open(signal?: AbortSignal): Promise<void> {
    this.checkOpen();
    if (this.#sessions !== undefined) return;
    await (this.#opening ??= this.#open(signal).finally(() => this.#opening = undefined));
  }

  async #open(signal?: AbortSignal): Promise<void> {
    const session = this.#settings.wait ? (await this.#retry(signal)).session : await this.#connect(signal);
    this.#sessions = this.#keepConnected(session);
  }

  /**
   * Sends an event line, or queues it until there is a connection.
   *
   * @param line The line, without its LF.
   * @throws {ConnectionError} With the code `queue-full` or `closed`.
   */
  sendEvent(line: string): void {
    this.#checkRoom(line);
    this.#send({ line, send: (session) => session.sendEvent(line), reject: () => this.#lost++ });
  }

  /**
   * Sends a `/pub`, or queues it until there is a connection, and waits for the receipt.
   *
   * @param line The line, without its LF.
   * @param signal Stops waiting when it is aborted.
   * @param onSend Called when the line is sent.
   * @returns The JSON of the receipt.
   * @throws As {@linkcode ClientConnection.command}; with the code `queue-full`.
   */
  async sendPublish(line: string, signal?: AbortSignal, onSend?: () => void): Promise<string> {
    this.#checkRoom(line);
    return await this.command(line, signal, onSend);
  }

  /**
   * Sends a control line, or queues it until there is a connection, and waits for the response.
   *
   * @param line The line, without its LF.
   * @param signal Stops waiting when it is aborted; a line that is still queued then is not sent.
   * @param onSend Called when the line is sent.
   * @returns The JSON of the response; may be empty.
   * @throws {ProtocolError} The error of the response.
   * @throws {ConnectionError} With the code `disconnected` or `closed`.
   */
  async command(line: string, signal?: AbortSignal, onSend = () => {}): Promise<string> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let isOver = false;
    const send = (session: Session) => {
      if (isOver) return;
      onSend();
      session.command(line).then(resolve, reject);
    };
    this.#send({ line, send, reject });
    const forget = onAbort(signal, reject);
    try {
      return await promise;
    } finally {
      isOver = true;
      forget();
    }
  }

  /**
   * Waits until the broker has read all that was sent, as long as it goes on reading. Does not wait without a connection.
   */
  async settle(): Promise<void> {
    const { session } = this;
    if (session === undefined) return;
    const read = session.command("/ping").then(() => true, () => true); // If the connection breaks, `takeLost` counts what was lost.
    let [before, left] = [Infinity, session.queuedBytes];
    while (left < before && !await atMost(SETTLE_MS, read)) [before, left] = [left, session.queuedBytes];
  }

  /**
   * Counts the events without a receipt that are not known to have reached the broker, each once.
   *
   * @returns How many were lost since the last call.
   */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  /** Whether it is closed, or is being closed. */
  get isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Throws a ConnectionError with the code `closed` if it is closed. */
  checkOpen(): void {
    const { aborted, reason } = this.#closing.signal;
    if (aborted) throw new ConnectionError("closed", "The client is closed", { cause: reason });
  }

  /** Sends what is queued and `/quit`, and closes the connection for good. */
  async close(): Promise<void> {
    this.#closing.abort(new ConnectionError("closed", "The client was closed"));
    await this.#session?.quit();
    await this.#sessions;
    this.#end(this.#closing.signal.reason);
    this.#closed.resolve(undefined);
  }

  async #keepConnected(first: Session): Promise<void> {
    await new Promise<void>((resolve) => afterCurrentTick(resolve)); // The caller of `connect` can add its listeners first.
    for (let session: Session | undefined = first; session !== undefined;) {
      const since = performance.now();
      const reason: ConnectionError = await session.ended;
      this.#backoff.ended(reason, performance.now() - since);
      this.#session = undefined;
      this.#lost += session.unconfirmed;
      if (this.isClosing) return;
      this.#observer.onDisconnect(reason);
      session = await this.#reconnect(reason);
    }
  }

  async #reconnect(reason: ConnectionError): Promise<Session | undefined> {
    try {
      if (this.#settings.reconnect === false) throw reason;
      const { session, attempts } = await this.#retry();
      this.#observer.onReconnect(attempts);
      return session;
    } catch (error) {
      if (!this.isClosing) this.#fail(error as MqError);
    }
  }

  /** Closes the connection because it cannot be restored. */
  #fail(cause: MqError): void {
    const error = new ConnectionError("closed", `The client no longer tries to reconnect: ${cause.message}`, { cause });
    this.#closing.abort(cause);
    this.#end(error, error);
    this.#closed.resolve(cause);
  }

  #end(reason: ConnectionError, failure?: ConnectionError): void {
    for (const { reject } of this.#takeUnsent()) reject(reason);
    this.#observer.onClosed(reason, failure);
  }

  /** Connects, with as many attempts as are allowed and growing delays between them. */
  async #retry(signal?: AbortSignal): Promise<{ session: Session; attempts: number }> {
    const { attempts: limit = Infinity } = this.#settings.reconnect || {};
    const isFirst = this.#sessions === undefined;
    for (let attempts = 1;; attempts++) {
      if (!isFirst || attempts > 1) await delay(this.#backoff.nextMs(), { signal: this.#anyOf(signal) });
      try {
        return { session: await this.#connect(signal), attempts };
      } catch (error) {
        if (!isWorthRetrying(error, isFirst) || attempts >= limit) throw error;
        this.#backoff.failed(error as ConnectionError);
      }
    }
  }

  async #connect(signal?: AbortSignal): Promise<Session> {
    const { timeoutMs, caCerts, heartbeat } = this.#settings;
    const either = this.#anyOf(signal);
    const conn = await dial(this.#address, { timeoutMs, caCerts, signal: either });
    const session = new Session(conn, this.#observer, { ...heartbeat, lineBytes: this.lineBytes });
    try {
      this.#hello = await within(timeoutMs, this.#greet(session), either);
      either.throwIfAborted();
    } catch (cause) {
      session.closeNow();
      if (!(cause instanceof MqError) || cause instanceof ProtocolError || either.aborted) throw cause;
      throw greetingError(this.address, cause, session.partialGreeting, timeoutMs);
    }
    this.#use(session);
    return session;
  }

  #greet(session: Session): Promise<Hello> {
    const { name, meta, echo, token } = this.#settings;
    const headers = meta || undefined; // Events without meta have no place for headers.
    return session.greet({ name, meta, hops: headers, reply: headers, echo, token }, this.#observer.patterns);
  }

  #use(session: Session): void {
    this.#session = session;
    if (session.hasEnded) return; // It ended during its greeting: a reconnect follows.
    this.#observer.onConnect(session);
    for (const unsent of this.#takeUnsent()) unsent.send(session);
  }

  #anyOf(signal?: AbortSignal): AbortSignal {
    return signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
  }

  #send(unsent: Unsent): void {
    this.checkOpen();
    if (this.session) return unsent.send(this.session);
    this.#unsent.push(unsent);
    this.#unsentBytes += byteLength(unsent.line);
  }

  #takeUnsent(): Unsent[] {
    const unsent = this.#unsent;
    this.#unsent = [];
    this.#unsentBytes = 0;
    return unsent;
  }

  /** Limits the queue for events only: a full queue must not prevent commands. */
  #checkRoom(line: string): void {
    const queuedBytes = this.session?.queuedBytes ?? this.#unsentBytes;
    const { queueBytes } = this.#settings;
    if (!isLongerThan(queueBytes - queuedBytes, line)) return;
    const why = this.session ? "to be sent" : "for a connection";
    const message = `Cannot publish: ${queuedBytes} bytes wait ${why} already, of ${queueBytes} allowed`;
    throw new ConnectionError("queue-full", message);
  }
}

function withDefaults(options: ConnectOptions): Settings {
  const { silenceMs, answerMs, outboxBytes } = DEFAULT_LIMITS;
  return {
    name: options.name,
    token: options.token === undefined ? undefined : parseToken(options.token),
    caCerts: options.caCerts,
    heartbeat: { silenceMs, answerMs, ...options.heartbeat },
    meta: options.meta ?? true,
    echo: options.echo ?? true,
    reconnect: options.reconnect ?? {},
    wait: options.wait ?? false,
    timeoutMs: options.timeoutMs ?? 5000,
    queueBytes: options.queueBytes ?? outboxBytes,
  };
}

/** Before the first connection, only a broker that is not there yet is worth another attempt; later any failure may pass. */
function isWorthRetrying(error: unknown, isFirst: boolean): boolean {
  return error instanceof ConnectionError && (!isFirst || error.code === "unreachable");
}
