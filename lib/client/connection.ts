/**
 * A client's connection to its broker: it is made, made again when it breaks, and what is to be sent waits for it.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { greetingError } from "../net/connection_errors.ts";
import { dial } from "../net/dial.ts";
import type { HeartbeatTimes } from "../net/heartbeat.ts";
import { afterCurrentTick } from "../net/read_scheduler.ts";
import { atMost, onAbort, within } from "../net/time.ts";
import { type Address, formatAddress, parseAddress } from "../protocol/address.ts";
import { ConnectionError, MqError, ProtocolError } from "../protocol/errors.ts";
import { DEFAULT_LIMITS, DEFAULT_PORT } from "../protocol/limits.ts";
import type { Hello } from "../protocol/responses.ts";
import { byteLength, isLongerThan } from "../protocol/text.ts";
import { parseToken } from "../protocol/tokens.ts";
import type { ConnectOptions } from "./options.ts";
import { Session, type SessionObserver } from "./session.ts";

/** How long a broker that is told nothing new may take to show that it has read all, in milliseconds. */
const SETTLE_MS = 5000;

/** What a connection tells its client. */
export interface ConnectionObserver extends SessionObserver {
  /** The texts of the patterns that the broker is to be asked for. */
  readonly patterns: readonly string[];
  /** Called each time the client is connected, before what has waited is sent. */
  onConnect(session: Session): void;
  /** Called when the connection broke. */
  onDisconnect(reason: ConnectionError): void;
  /** Called when there is a connection again. */
  onReconnect(attempts: number): void;
  /** Called once, when there will be no more connection. With a failure, the client no longer tries to reconnect. */
  onClosed(reason: ConnectionError, failure?: ConnectionError): void;
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

/** The connection of a {@linkcode Client}, through as many sessions as it takes. */
export class ClientConnection {
  /** Resolves when there will be no more connection: to undefined, or to what ended it. */
  readonly closed: Promise<MqError | undefined>;
  readonly #closed = Promise.withResolvers<MqError | undefined>();
  readonly #observer: ConnectionObserver;
  readonly #address: Address;
  readonly #settings: Settings;
  readonly #closing = new AbortController();
  #unsent: Unsent[] = [];
  #unsentBytes = 0;
  /** Events without a receipt that were lost, as far as is known, and of which nobody has been told. */
  #lost = 0;
  #hello: Hello | undefined;
  #session: Session | undefined;
  /** Settles when no more sessions follow; undefined before the first. */
  #sessions: Promise<void> | undefined;

  /**
   * Makes a connection that is not open yet.
   *
   * @param options Where the broker is, and how to behave.
   * @param observer What it tells its client.
   */
  constructor(options: ConnectOptions, observer: ConnectionObserver) {
    const { url, hostname = "localhost", port = DEFAULT_PORT, tls = false } = options;
    this.#address = url === undefined ? { hostname, port, tls } : parseAddress(url);
    this.#settings = withDefaults(options);
    this.#observer = observer;
    this.closed = this.#closed.promise;
  }

  /** Where the broker is, as `HOST:PORT`. */
  get address(): string {
    return formatAddress(this.#address);
  }

  /** The session, as long as it can be used: a session has ended a moment before that is dealt with. */
  get session(): Session | undefined {
    return this.#session?.isOver ? undefined : this.#session;
  }

  /** What the broker said of itself at the last connection; undefined if it was never reached. */
  get hello(): Hello | undefined {
    return this.#hello;
  }

  /** The longest line that the broker takes, in bytes, as far as is known. */
  get lineBytes(): number {
    return (this.#hello?.limits ?? DEFAULT_LIMITS).lineBytes;
  }

  /**
   * Connects for the first time.
   *
   * @param signal Gives up when it is aborted.
   */
  async open(signal?: AbortSignal): Promise<void> {
    const session = this.#settings.wait ? (await this.#retry(signal)).session : await this.#connect(signal);
    this.#sessions = this.#keepConnected(session);
  }

  /**
   * Sends an event line, now or once there is a connection.
   *
   * @param line The line, without its LF.
   * @throws {ConnectionError} With the code `queue-full` or `closed`.
   */
  sendEvent(line: string): void {
    this.#checkRoom(line);
    this.#send({ line, send: (session) => session.send(line), reject: () => this.#lost++ });
  }

  /**
   * Sends a `/pub`, which takes room in the queue as an event line does, and waits for its receipt.
   *
   * @param line The line, without its LF.
   * @param signal Stops waiting when it is aborted.
   * @param onSend Called when it is sent: at once, or when there is a connection.
   * @returns The JSON of the receipt.
   * @throws As {@linkcode ClientConnection.ask}; with the code `queue-full`.
   */
  async askReceipt(line: string, signal?: AbortSignal, onSend?: () => void): Promise<string> {
    this.#checkRoom(line);
    return await this.ask(line, signal, onSend);
  }

  /**
   * Sends a control line, now or once there is a connection, and waits for the answer.
   *
   * @param line The line, without its LF.
   * @param signal Stops waiting when it is aborted.
   * @param onSend Called when it is sent: at once, or when there is a connection.
   * @returns The JSON of the answer; may be empty.
   * @throws {ProtocolError} What the broker answers it with, if it refuses.
   * @throws {ConnectionError} With the code `disconnected` or `closed`.
   */
  async ask(line: string, signal?: AbortSignal, onSend = () => {}): Promise<string> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const send = (session: Session) => {
      onSend();
      session.ask(line).then(resolve, reject);
    };
    this.#send({ line, send, reject });
    const forget = onAbort(signal, reject);
    try {
      return await promise;
    } finally {
      forget();
    }
  }

  /**
   * Waits until the broker has read all that was sent, as long as it reads on. Without a connection, and where that
   * breaks, there is nothing to wait for.
   */
  async settle(): Promise<void> {
    const { session } = this;
    if (session === undefined) return;
    const read = session.ask("/ping").then(() => true, () => true); // Where the connection breaks, `takeLost` tells.
    let [before, left] = [Infinity, session.queuedBytes];
    while (left < before && !await atMost(SETTLE_MS, read)) [before, left] = [left, session.queuedBytes];
  }

  /**
   * How many events without a receipt are not known to have reached the broker. Each is told once.
   *
   * @returns Their number.
   */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  /** Whether it is being closed, or is closed. */
  get isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Throws once it is closed. */
  checkOpen(): void {
    const { aborted, reason } = this.#closing.signal;
    if (aborted) throw new ConnectionError("closed", "Cannot go on: the client was closed", { cause: reason });
  }

  /** Sends what is queued, says goodbye to the broker, and closes for good. */
  async close(): Promise<void> {
    this.#closing.abort(new ConnectionError("closed", "The client was closed"));
    await this.#session?.quit();
    await this.#sessions;
    this.#end(this.#closing.signal.reason);
    this.#closed.resolve(undefined);
  }

  async #keepConnected(first: Session): Promise<void> {
    await new Promise<void>((resolve) => afterCurrentTick(resolve)); // Who has connected comes to listen to what happens.
    for (let session: Session | undefined = first; session !== undefined;) {
      const reason: ConnectionError = await session.ended;
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

  /** Closes, because there is no broker to reconnect to. */
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

  /** Tries to connect until it succeeds, with growing delays. */
  async #retry(signal?: AbortSignal): Promise<{ session: Session; attempts: number }> {
    const { minDelayMs = 250, maxDelayMs = 1000, attempts: limit = Infinity } = this.#settings.reconnect || {};
    const isFirst = this.#sessions === undefined;
    let delayMs = minDelayMs;
    for (let attempts = 1;; attempts++) {
      if (!isFirst || attempts > 1) {
        await delay(delayMs * (0.75 + Math.random() / 2), { signal: this.#anyOf(signal) });
        delayMs = Math.min(delayMs * 2, maxDelayMs);
      }
      try {
        return { session: await this.#connect(signal), attempts };
      } catch (error) {
        if (!isWorthRetrying(error, isFirst) || attempts >= limit) throw error;
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
      session.abandon();
      if (!(cause instanceof MqError) || cause instanceof ProtocolError || either.aborted) throw cause;
      throw greetingError(this.address, cause, session.partialGreeting, timeoutMs);
    }
    this.#use(session);
    return session;
  }

  #greet(session: Session): Promise<Hello> {
    const { name, meta, echo, token } = this.#settings;
    const headers = meta || undefined; // Only events with meta have a place for them.
    return session.greet({ name, meta, hops: headers, reply: headers, echo, token }, this.#observer.patterns);
  }

  #use(session: Session): void {
    this.#session = session;
    if (session.isOver) return; // It ended with its greeting: the next one takes over.
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

  /** Only events are held to the limit: that there is too much to ask anything would be no help. */
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

/** At first it may be that no broker is there yet; later it was there, and what is wrong now may pass. */
function isWorthRetrying(error: unknown, isFirst: boolean): boolean {
  return error instanceof ConnectionError && (!isFirst || error.code === "unreachable");
}
