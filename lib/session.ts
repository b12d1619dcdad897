/**
 * One connection of a client to a broker, from dialling to its end: lines go out, answers and events come in.
 * A {@linkcode Client} lives through many sessions.
 *
 * @module
 */
import { type Address, formatAddress } from "./address.ts";
import type { Hello } from "./answers.ts";
import { ConnectionError, MqError, ProtocolError, quote } from "./errors.ts";
import { MqEvent } from "./event.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { LineReader } from "./lines.ts";
import { Outbox } from "./outbox.ts";
import { type BrokerLine, type Introduction, parseBrokerLine } from "./protocol.ts";
import { within } from "./time.ts";
import { atTurnEnd } from "./turn.ts";

/** The longest line a client takes from its broker, in bytes: lists of ten thousand clients fit. */
const MAX_REPLY_BYTES = 64 * 1024 * 1024;

/** How long a broker gets to say goodbye, in milliseconds. */
const QUIT_MS = 5000;

/** A new connection hears everything until it is answered `/hello` and `/unsub >`: that is meant for nobody. */
const ANSWERS_TO_GREETING = 2;

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
  /** How many events were sent before the question: its answer confirms that they were read. */
  sentBefore: number;
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
  /** The patterns asked for, each with the broker's answer. */
  readonly #heard = new Map<string, Promise<void>>();
  #lineBytes: number;
  #answers = 0;
  #sent = 0;
  #confirmed = 0;
  #text = "";
  #lastWords = "";

  /**
   * Begins to read what the broker sends.
   *
   * @param conn The connection.
   * @param observer Who is told what it hears.
   * @param limits What the broker is believed to take, until it says so itself.
   */
  constructor(conn: Deno.TcpConn, observer: SessionObserver, limits: Limits = DEFAULT_LIMITS) {
    this.#conn = conn;
    this.#observer = observer;
    this.#lineBytes = limits.lineBytes;
    this.#outbox = new Outbox(conn, { limitBytes: Infinity });
    this.ended = this.#read();
  }

  /** How many events were sent of which the broker has not shown that it has read them. */
  get unconfirmed(): number {
    return this.#sent - this.#confirmed;
  }

  /**
   * Introduces the client, and replaces the everything that a new connection hears.
   *
   * @param introduction What the client says of itself.
   * @param patterns What it hears.
   * @returns What the broker says of itself.
   * @throws {ProtocolError} If the broker refuses the introduction.
   */
  async greet(introduction: Introduction, patterns: readonly string[]): Promise<Hello> {
    const answers = [this.ask(`/hello ${JSON.stringify(introduction)}`), this.ask("/unsub >")];
    this.hear(patterns);
    const [json] = await Promise.all(answers);
    await Promise.allSettled(this.#heard.values());
    const hello = parseAnswer<Hello>(json);
    this.#lineBytes = hello.limits.lineBytes;
    return hello;
  }

  /**
   * Has the broker send the events that match some patterns, and no others.
   *
   * @param patterns The texts of the patterns.
   */
  hear(patterns: readonly string[]): void {
    const wanted = new Set(patterns);
    const gone = [...this.#heard.keys()].filter((pattern) => !wanted.has(pattern));
    for (const pattern of gone) {
      this.#heard.delete(pattern);
      this.ask(`/unsub ${pattern}`).catch(() => {}); // Refused if its /sub was; so each has a line of its own.
    }
    const added = patterns.filter((pattern) => !this.#heard.has(pattern));
    for (const words of this.#fitLines(added)) {
      const answer = this.ask(`/sub ${words}`).then(() => {});
      answer.catch(() => {});
      for (const pattern of words.split(" ")) this.#heard.set(pattern, answer);
    }
  }

  /**
   * Waits until the broker has taken a pattern in.
   *
   * @param pattern The text of one of the patterns that the session is to hear.
   * @throws {ProtocolError} If the broker refuses it.
   * @throws {ConnectionError} With the code `disconnected`, if the connection ends before.
   */
  heard(pattern: string): Promise<void> {
    return this.#heard.get(pattern) ?? Promise.resolve();
  }

  /**
   * Sends an event at the end of this turn of the event loop, together with the other lines of this turn.
   *
   * @param line Its line, without the LF.
   */
  send(line: string): void {
    this.#sent++;
    this.#write(line);
  }

  /**
   * Sends a control line and waits for its answer.
   *
   * @param line The line, without its LF.
   * @returns The JSON of the answer; may be empty.
   * @throws {ProtocolError} What the broker answers it with, if it refuses, or `line-too-long`.
   * @throws {ConnectionError} With the code `disconnected`, if the connection ends before.
   */
  ask(line: string): Promise<string> {
    const bytes = byteLength(line);
    if (bytes > this.#lineBytes) {
      // The broker's answer would not tell which line it is for.
      const message = `Cannot send ${bytes} bytes: the broker takes lines of ${this.#lineBytes}`;
      return Promise.reject(new ProtocolError("line-too-long", message));
    }
    this.#write(line);
    return new Promise((resolve, reject) => this.#askers.push({ sentBefore: this.#sent, resolve, reject }));
  }

  /** Sends what is queued, says goodbye, and closes the connection when the broker has read it all. */
  async quit(): Promise<void> {
    this.#write("/quit");
    await within(QUIT_MS, this.ended).catch(() => {});
    this.abandon();
  }

  /** Closes the connection at once. */
  abandon(): void {
    try {
      this.#conn.close();
    } catch {
      // It was closed when a write failed.
    }
  }

  #write(line: string): void {
    if (this.#text === "") atTurnEnd(() => this.#flush());
    this.#text += line + "\n";
  }

  #flush(): void {
    this.#outbox.push(encoder.encode(this.#text));
    this.#text = "";
    this.#outbox.flush();
  }

  /** Joins patterns to texts that fit a line each. */
  #fitLines(patterns: readonly string[]): string[] {
    const room = this.#lineBytes - "/sub ".length;
    const lines: string[] = [];
    for (const pattern of patterns) {
      const longer = `${lines.at(-1)} ${pattern}`;
      if (lines.length > 0 && byteLength(longer) <= room) lines[lines.length - 1] = longer;
      else lines.push(pattern);
    }
    return lines;
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
      await lines.readAll({
        onLine: (line) => this.#handle(parseBrokerLine(line)),
        onFault: (error) => {
          throw error;
        },
      });
      return new ConnectionError("disconnected", this.#lastWords || "The connection was closed");
    } catch (cause) {
      if (!(cause instanceof MqError)) throw cause;
      return new ConnectionError("disconnected", cause.message, { cause });
    }
  }

  #handle(line: BrokerLine): void {
    this.#lastWords = "";
    switch (line.type) {
      case "event":
        return this.#event(line);
      case "ok":
        return this.#answered().resolve(line.json);
      case "pong":
        return this.#answered().resolve(line.text);
      case "err":
        return this.#refused(line.what, new ProtocolError(line.code, line.text));
      case "ping":
        return this.#write(line.text === "" ? "/pong" : `/pong ${line.text}`);
      case "bye":
        return this.#goodbye(line.text);
    }
  }

  #event({ name, text, id, from }: BrokerLine & { type: "event" }): void {
    if (this.#answers >= ANSWERS_TO_GREETING) this.#observer.onEvent(new MqEvent(name, text, id, from));
  }

  #answered(): Asker {
    const asker = this.#askers.shift();
    if (!asker) throw new ProtocolError("bad-reply", "The broker answered what was not asked");
    this.#answers++;
    this.#confirmed = asker.sentBefore;
    return asker;
  }

  #refused(what: string, error: ProtocolError): void {
    if (what !== "-") return this.#answered().reject(error);
    this.#lastWords = error.message;
    this.#observer.onNotice(error);
  }

  /** Without a text it answers `/quit`: all that was sent before has been read. */
  #goodbye(text: string): void {
    this.#lastWords = text;
    if (text === "") this.#confirmed = this.#sent;
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
    const givingUp = new AbortController();
    const dialling = Deno.connect({ hostname, port: address.port, signal: givingUp.signal });
    try {
      return await within(timeoutMs, dialling, signal);
    } catch (error) {
      givingUp.abort();
      dialling.then((late) => late.close(), () => {});
      signal?.throwIfAborted();
      cause ??= error;
    }
  }
  throw new ConnectionError("unreachable", `No broker answers at ${formatAddress(address)}`, { cause });
}

/**
 * Reads the JSON of an answer.
 *
 * @param json The JSON.
 * @returns Its value, believed to be what the question asks for.
 * @throws {MqError} With the code `bad-reply`, if it is not JSON.
 */
export function parseAnswer<T>(json: string): T {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new MqError("bad-reply", `Cannot read the broker's answer ${quote(json)}`, { cause });
  }
}

function byteLength(line: string): number {
  return encoder.encode(line).length;
}
