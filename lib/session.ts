/**
 * One connection of a client to a broker, from dialling to its end: lines go out, answers and events come in.
 * A {@linkcode Client} lives through many sessions.
 *
 * @module
 */
import { clearImmediate, setImmediate } from "node:timers";
import { type Address, formatAddress } from "./address.ts";
import { ConnectionError, MqError, ProtocolError, TimeoutError } from "./errors.ts";
import { MqEvent } from "./event.ts";
import { LineReader } from "./lines.ts";
import { Outbox } from "./outbox.ts";
import { type BrokerLine, parseBrokerLine } from "./protocol.ts";

/** The longest line a client takes from its broker, in bytes: lists of ten thousand clients fit. */
const MAX_REPLY_BYTES = 64 * 1024 * 1024;

/** How long a broker gets to say goodbye, in milliseconds. */
const QUIT_MS = 5000;

const encoder = new TextEncoder();

/** Who is told what a session hears. */
export interface SessionObserver {
  /** Called with each event. */
  onEvent(event: MqEvent): void;
  /** Called with what the broker says unasked: a line it could not read, why it is about to close. */
  onNotice(error: ProtocolError): void;
}

/** Somebody who waits for an answer. */
interface Asker {
  resolve(json: string): void;
  reject(error: MqError): void;
}

/** One connection to a broker. */
export class Session {
  /** Resolves when the connection has ended, with the reason. */
  readonly ended: Promise<ConnectionError>;
  readonly #conn: Deno.TcpConn;
  readonly #outbox: Outbox;
  readonly #observer: SessionObserver;
  readonly #askers: Asker[] = [];
  #text = "";
  #lastWords = "";
  #scheduled: ReturnType<typeof setImmediate> | undefined;

  /**
   * Begins to read what the broker sends.
   *
   * @param conn The connection.
   * @param observer Who is told what it hears.
   */
  constructor(conn: Deno.TcpConn, observer: SessionObserver) {
    this.#conn = conn;
    this.#observer = observer;
    this.#outbox = new Outbox(conn.writable, { limitBytes: Infinity });
    this.ended = this.#read();
  }

  /** The bytes that are still to be written. */
  get queuedBytes(): number {
    return this.#outbox.queuedBytes + this.#text.length;
  }

  /**
   * Sends a line at the end of this turn of the event loop, together with the others of this turn.
   *
   * @param line The line, without its LF.
   */
  send(line: string): void {
    this.#scheduled ??= setImmediate(() => this.#flush());
    this.#text += line + "\n";
  }

  /**
   * Sends a control line and waits for its answer.
   *
   * @param line The line, without its LF.
   * @returns The JSON of the answer; may be empty.
   * @throws {ProtocolError} What the broker answers it with, if it refuses.
   * @throws {ConnectionError} With the code `disconnected`, if the connection ends before.
   */
  ask(line: string): Promise<string> {
    this.send(line);
    return new Promise((resolve, reject) => this.#askers.push({ resolve, reject }));
  }

  /** Sends what is queued, says goodbye, and closes the connection when the broker has read it all. */
  async quit(): Promise<void> {
    this.send("/quit");
    await within(QUIT_MS, this.ended).catch(() => {});
    this.abandon();
  }

  /** Closes the connection at once. */
  abandon(): void {
    clearImmediate(this.#scheduled);
    try {
      this.#conn.close();
    } catch {
      // It was closed when a write failed.
    }
  }

  #flush(): void {
    this.#scheduled = undefined;
    this.#outbox.push(encoder.encode(this.#text));
    this.#text = "";
    this.#outbox.flush();
  }

  async #read(): Promise<ConnectionError> {
    const reason = await this.#readLines();
    this.abandon();
    for (const asker of this.#askers.splice(0)) asker.reject(reason);
    return reason;
  }

  async #readLines(): Promise<ConnectionError> {
    const lines = new LineReader(this.#conn, { maxLineBytes: MAX_REPLY_BYTES });
    try {
      for (let line = await lines.next(); line !== null; line = await lines.next()) this.#handle(parseBrokerLine(line));
      return new ConnectionError("disconnected", this.#lastWords || "The broker closed the connection");
    } catch (cause) {
      if (!(cause instanceof MqError)) throw cause;
      return new ConnectionError("disconnected", cause.message, { cause });
    }
  }

  #handle(line: BrokerLine): void {
    switch (line.type) {
      case "event":
        return this.#observer.onEvent(new MqEvent(line.name, line.text, line.id, line.from));
      case "ok":
        return this.#askers.shift()?.resolve(line.json);
      case "pong":
        return this.#askers.shift()?.resolve(line.text);
      case "err":
        return this.#refused(line.what, new ProtocolError(line.code, line.text));
      case "ping":
        return this.send(line.text === "" ? "/pong" : `/pong ${line.text}`);
      case "bye":
        this.#lastWords = line.text;
    }
  }

  #refused(what: string, error: ProtocolError): void {
    if (what !== "-") return this.#askers.shift()?.reject(error);
    this.#lastWords = error.message;
    this.#observer.onNotice(error);
  }
}

/**
 * Opens a TCP connection to a broker. For `localhost` both of its addresses are tried: a broker may listen on either.
 *
 * @param address Where the broker is.
 * @param timeoutMs How long that may take, in milliseconds.
 * @param signal Gives up when it is aborted.
 * @returns The connection.
 * @throws {ConnectionError} With the code `unreachable`.
 */
export async function dial(address: Address, timeoutMs: number, signal?: AbortSignal): Promise<Deno.TcpConn> {
  const hostnames = address.hostname === "localhost" ? ["127.0.0.1", "::1"] : [address.hostname];
  let cause: unknown;
  for (const hostname of hostnames) {
    signal?.throwIfAborted();
    const dialling = Deno.connect({ hostname, port: address.port });
    try {
      return await within(timeoutMs, dialling, signal);
    } catch (error) {
      dialling.then((late) => late.close(), () => {});
      signal?.throwIfAborted();
      cause ??= error;
    }
  }
  throw new ConnectionError("unreachable", `No broker answers at ${formatAddress(address)}`, { cause });
}

/**
 * Waits for a promise, but not for ever.
 *
 * @param timeoutMs How long, in milliseconds.
 * @param promise What is waited for.
 * @param signal Gives up when it is aborted.
 * @returns What the promise resolves to.
 * @throws {TimeoutError} When the time has run out.
 */
export async function within<T>(timeoutMs: number, promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new TimeoutError("timeout", `No answer within ${timeoutMs} ms`)), timeoutMs);
  const abort = () => reject(signal!.reason);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  try {
    return await Promise.race([promise, givenUp]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}
