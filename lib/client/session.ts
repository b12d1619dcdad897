/**
 * One connection of a client to a broker, from its start to its end: lines are sent, responses and events are received. A
 * {@linkcode Client} that reconnects has one session after another.
 *
 * @module
 */
import type { Hello } from "../protocol/responses.ts";
import { ConnectionError, MqError, ProtocolError, quote } from "../protocol/errors.ts";
import { byteLength, copySubstring } from "../protocol/text.ts";
import { isName, MqEvent, type Respond } from "../protocol/event.ts";
import type { PartialGreeting } from "../net/connection_errors.ts";
import { Heartbeat, type HeartbeatTimes, tickMs } from "../net/heartbeat.ts";
import { LineReader } from "../net/line_reader.ts";
import { WriteQueue } from "../net/write_queue.ts";
import { Queue } from "./queue.ts";
import {
  type BrokerEvent,
  type BrokerLine,
  formatEvent,
  type HelloArguments,
  parseBrokerLine,
} from "../protocol/lines.ts";
import { within } from "../net/time.ts";
import { afterCurrentTick } from "../net/ticks.ts";

/** The longest line that a client accepts from a broker, in bytes: a list of ten thousand clients fits. */
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;

/** How much of the first line is kept for the error of a connection to another program, in UTF-16 code units. */
const MAX_SHOWN_CHARACTERS = 100;

/** How long a broker may take to answer `/quit`, in milliseconds. */
const QUIT_MS = 5000;

/** A new connection is subscribed to everything until `/hello` and `/unsub >` are answered: events before that are ignored. */
const GREETING_RESPONSES = 2;

/** After how many events without a receipt a `/ping` confirms that the broker has read them, and after how long. */
const EVENTS_TO_CONFIRM = 100;
const MS_TO_CONFIRM = 5000;

const encoder = new TextEncoder();

/** A job that the broker has delivered. */
export interface DeliveredJob {
  /** The number by which it is settled, over the session that it came by. */
  readonly number: number;
  /** Which delivery of the job this is, from 1. */
  readonly attempt: number;
  /** The name of the group. */
  readonly group: string;
  /** The event. */
  readonly event: MqEvent;
}

/** Is told what a session receives. */
export interface SessionObserver {
  /** Publishes the reply to an event. */
  readonly respond: Respond;
  /** Called with each event. */
  onEvent(event: MqEvent): void;
  /** Called with an error that is no response: a line that the broker could not read, or why it closes the connection. */
  onNotice(error: ProtocolError): void;
  /** Called with the number of events that the broker dropped at this position. */
  onDropped(events: number): void;
  /** Called with each event of a replay. */
  onPast(event: MqEvent): void;
  /** Called with the JSON of the end of a replay. */
  onReplayed(json: string): void;
  /** Called with each job. */
  onJob(job: DeliveredJob): void;
}

/** Options of {@linkcode Session}. */
export interface SessionOptions extends HeartbeatTimes {
  /** The longest line that the broker is assumed to accept, in bytes, until its `/hello` tells. */
  lineBytes: number;
}

/** A control line that waits for its response. */
interface PendingRequest {
  /** How many events were sent before it: the response confirms that the broker has read them. */
  sentBefore: number;
  resolve(json: string): void;
  reject(error: MqError): void;
}

/** One connection to a broker. */
export class Session {
  /** Resolves when the connection has ended, with the reason. */
  readonly ended: Promise<ConnectionError>;
  readonly #conn: Deno.Conn;
  readonly #lines: LineReader;
  readonly #queue: WriteQueue;
  readonly #observer: SessionObserver;
  readonly #pending = new Queue<PendingRequest>();
  /** The patterns that were subscribed to, each with the response of the broker. */
  readonly #subscribed = new Map<string, Promise<void>>();
  #lineBytes: number;
  #responses = 0;
  #sent = 0;
  #confirmed = 0;
  /** For about how long events have been unconfirmed. */
  #unconfirmedMs = 0;
  #hasEnded = false;
  #text = "";
  #firstLine: string | undefined;
  /** The reason for the end of the connection: the last line of the broker, if it says one, or an error on this side. */
  #closeMessage: ProtocolError | undefined;

  /**
   * Starts to read what the broker sends.
   *
   * @param conn The connection.
   * @param observer Is told what the session receives.
   * @param options The longest line that is sent, and how long the broker may be silent.
   */
  constructor(conn: Deno.Conn, observer: SessionObserver, options: SessionOptions) {
    this.#conn = conn;
    this.#observer = observer;
    this.#lineBytes = options.lineBytes;
    this.#lines = new LineReader(conn, { maxLineBytes: MAX_RESPONSE_BYTES });
    this.#queue = new WriteQueue(conn, { limitBytes: Infinity });
    this.ended = this.#read(this.#watch(options));
  }

  /** Whether the connection has ended: lines that are sent from then on are lost. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** What was received so far, for the error of a greeting that fails. */
  get partialGreeting(): PartialGreeting {
    return { closeMessage: this.#closeMessage, firstLine: this.#firstLine, receivedBytes: this.#lines.receivedBytes };
  }

  /** About how many bytes wait to be sent. */
  get queuedBytes(): number {
    return this.#text.length + this.#queue.queuedBytes;
  }

  /** How many events were sent that the broker has not confirmed to have read. */
  get unconfirmed(): number {
    return this.#sent - this.#confirmed;
  }

  /**
   * Sends `/hello`, and replaces the patterns that a new connection has.
   *
   * @param args The arguments of `/hello`.
   * @param patterns The patterns to subscribe to.
   * @returns The response to `/hello`.
   * @throws {ProtocolError} If the broker refuses it.
   * @throws {MqError} With the code `bad-reply`, if the response is not one of a broker.
   */
  async greet(args: HelloArguments, patterns: readonly string[]): Promise<Hello> {
    const responses = [this.command(`/hello ${JSON.stringify(args)}`), this.command("/unsub >")];
    this.subscribeTo(patterns);
    const [json] = await Promise.all(responses);
    await Promise.allSettled(this.#subscribed.values());
    const hello = parseResponse<Partial<Hello> | null>(json);
    if (!Array.isArray(hello?.events) || !(Number(hello.limits?.lineBytes) > 0)) {
      throw new MqError("bad-reply", `It does not say what it recognizes or what its limits are: ${quote(json)}`);
    }
    this.#lineBytes = hello.limits!.lineBytes;
    return hello as Hello;
  }

  /**
   * Changes the subscriptions of the connection to some patterns, and no others.
   *
   * @param patterns The texts of the patterns.
   */
  subscribeTo(patterns: readonly string[]): void {
    const wanted = new Set(patterns);
    const gone = [...this.#subscribed.keys()].filter((pattern) => !wanted.has(pattern));
    for (const pattern of gone) {
      this.#subscribed.delete(pattern);
      this.command(`/unsub ${pattern}`).catch(() => {}); // Refused if its /sub was; so each has a line of its own.
    }
    const added = patterns.filter((pattern) => !this.#subscribed.has(pattern));
    for (const words of this.#fitLines(added)) {
      const response = this.command(`/sub ${words}`).then(() => {});
      response.catch(() => {}); // It is reported by `subscribed`.
      for (const pattern of words.split(" ")) this.#subscribed.set(pattern, response);
    }
  }

  /**
   * Waits until the broker has subscribed the connection to a pattern.
   *
   * @param pattern The text of one of the patterns given to {@linkcode Session.subscribeTo}.
   * @throws {ProtocolError} If the broker refuses it.
   * @throws {ConnectionError} With the code `disconnected`, if the connection ends before.
   */
  subscribed(pattern: string): Promise<void> {
    return this.#subscribed.get(pattern) ?? Promise.resolve();
  }

  /**
   * Sends an event line, at the end of the current tick of the event loop and together with the other lines of that.
   *
   * @param line The line, without its LF.
   */
  sendEvent(line: string): void {
    this.#write(line);
    if (++this.#sent % EVENTS_TO_CONFIRM === 0) this.#confirm();
  }

  /**
   * Sends a control line and waits for its response.
   *
   * @param line The line, without its LF.
   * @returns The JSON of the response; may be empty.
   * @throws {ProtocolError} The error of the response, `line-too-long`, or `bad-arguments` if there is a line end in it.
   * @throws {ConnectionError} With the code `disconnected`, if the connection ends before.
   */
  command(line: string): Promise<string> {
    if (/[\r\n]/.test(line)) {
      // Two lines would have two responses.
      const message = `Cannot send ${quote(line.slice(0, MAX_SHOWN_CHARACTERS))}: it has a line end in it`;
      return Promise.reject(new ProtocolError("bad-arguments", message));
    }
    const bytes = byteLength(line);
    if (bytes > this.#lineBytes) {
      // The response of the broker would not say to which line it belongs.
      const message = `Cannot send ${bytes} bytes: the broker takes lines of ${this.#lineBytes}`;
      return Promise.reject(new ProtocolError("line-too-long", message));
    }
    if (this.#hasEnded) return Promise.reject(this.#disconnected("The connection was closed"));
    this.#write(line);
    return new Promise((resolve, reject) => this.#pending.push({ sentBefore: this.#sent, resolve, reject }));
  }

  /** Sends what is queued and `/quit`, and closes the connection when the broker has read all of it. */
  async quit(): Promise<void> {
    this.#write("/quit");
    await within(QUIT_MS, this.ended).catch(() => {}); // Too late: `unconfirmed` tells what is not known.
    this.closeNow();
  }

  /** Closes the connection without `/quit`. */
  closeNow(): void {
    try {
      this.#conn.close();
    } catch {
      // It throws only where it was closed already: when a write failed.
    }
  }

  #write(line: string): void {
    if (this.#text === "") afterCurrentTick(() => this.#flush());
    this.#text += line + "\n";
  }

  #flush(): void {
    this.#queue.push(encoder.encode(this.#text));
    this.#text = "";
    this.#queue.flush();
  }

  /** Joins patterns with spaces, as many as fit a line. */
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

  /** Sends `/ping` to a silent broker, and ends the connection if nothing comes. Returns a function that stops this. */
  #watch(times: HeartbeatTimes): () => void {
    const everyMs = tickMs(times.silenceMs, times.answerMs);
    const lines = this.#lines;
    const peer = {
      get receivedBytes() {
        return lines.receivedBytes;
      },
      ping: () => void this.command("/ping").catch(() => {}), // It fails only with the connection, which is reported.
      onTimeout: () => {
        const seconds = (times.silenceMs + times.answerMs) / 1000;
        this.#closeMessage = new ProtocolError("silent", `The broker has been silent for ${seconds} s`);
        this.closeNow();
      },
    };
    const heartbeat = new Heartbeat(peer, times, everyMs);
    const timer = setInterval(() => {
      heartbeat.tick();
      this.#confirmOld(everyMs);
    }, everyMs);
    return () => clearInterval(timer);
  }

  /** Confirms events that have been unconfirmed for long, so that few are uncertain when the connection breaks. */
  #confirmOld(passedMs: number): void {
    this.#unconfirmedMs = this.unconfirmed > 0 ? this.#unconfirmedMs + passedMs : 0;
    if (this.#unconfirmedMs >= MS_TO_CONFIRM) this.#confirm();
  }

  #confirm(): void {
    this.#unconfirmedMs = 0;
    this.command("/ping").catch(() => {}); // It fails only with the connection, which is reported.
  }

  async #read(stopWatching: () => void): Promise<ConnectionError> {
    const reason = await this.#readLines();
    this.#hasEnded = true;
    stopWatching();
    this.closeNow();
    while (this.#pending.length > 0) this.#pending.shift()!.reject(reason);
    return reason;
  }

  async #readLines(): Promise<ConnectionError> {
    try {
      await this.#lines.readAll({
        onLine: (line) => {
          this.#firstLine ??= copySubstring(line.slice(0, MAX_SHOWN_CHARACTERS));
          this.#handle(parseBrokerLine(line));
        },
        onFault: (error) => {
          throw error;
        },
      });
      return this.#disconnected("The connection was closed");
    } catch (cause) {
      if (!(cause instanceof MqError)) throw cause;
      return this.#disconnected(cause.message, cause);
    }
  }

  /** The error with which the connection ended: what the broker said last, rather than how the socket ended. */
  #disconnected(message: string, cause?: MqError): ConnectionError {
    const said = this.#closeMessage;
    return said
      ? new ConnectionError("disconnected", said.message, { cause: said })
      : new ConnectionError("disconnected", message, { cause });
  }

  #handle(line: BrokerLine): void {
    this.#closeMessage = undefined;
    switch (line.type) {
      case "event":
        return this.#onEvent(line);
      case "ok":
        return this.#takePending().resolve(line.json);
      case "pong":
        return this.#takePending().resolve(line.text);
      case "err":
        return this.#onError(line.what, new ProtocolError(line.code, line.text));
      case "ping":
        return this.#write(line.text === "" ? "/pong" : `/pong ${line.text}`);
      case "bye":
        return this.#onBye(line.text);
      case "dropped":
        return this.#observer.onDropped(line.events);
      case "past":
        return this.#observer.onPast(this.#toEvent(line.event));
      case "replayed":
        return this.#observer.onReplayed(line.json);
      case "job":
        return this.#observer.onJob({ ...line, event: this.#toEvent(line.event) });
      case "skipped":
        return; // Only observers are sent samples.
    }
  }

  #onEvent(line: BrokerLine & { type: "event" }): void {
    const { name, text } = line;
    if (this.#responses >= GREETING_RESPONSES) this.#observer.onEvent(this.#toEvent(line));
    else if (!isName(name)) throw new ProtocolError("bad-reply", `${quote(formatEvent(name, text))} is no event`);
  }

  #toEvent(line: BrokerEvent): MqEvent {
    return new MqEvent(line.name, line.text, line, this.#observer.respond);
  }

  #takePending(): PendingRequest {
    const request = this.#pending.shift();
    if (!request) throw new ProtocolError("bad-reply", "The broker sent a response to no control line");
    this.#responses++;
    this.#confirmed = request.sentBefore;
    return request;
  }

  #onError(what: string, error: ProtocolError): void {
    if (what !== "-") return this.#takePending().reject(error);
    this.#closeMessage = error;
    this.#observer.onNotice(error);
  }

  /** Without a text, `/bye` answers `/quit`: the broker has read all that was sent. */
  #onBye(text: string): void {
    if (text === "") this.#confirmed = this.#sent;
    else this.#closeMessage = new ProtocolError("bye", text);
  }
}

/**
 * Reads the JSON of a response.
 *
 * @param json The JSON.
 * @returns The value. Its type is not checked.
 * @throws {MqError} With the code `bad-reply`, if it is not JSON.
 */
export function parseResponse<T>(json: string): T {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new MqError("bad-reply", `Cannot read the broker's response ${quote(json)}`, { cause });
  }
}
