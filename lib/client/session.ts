/**
 * One connection of a client to a broker, from dialling to its end: lines go out, answers and events come in.
 * A {@linkcode Client} lives through many sessions.
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
import { type BrokerLine, formatEvent, type HelloArguments, parseBrokerLine } from "../protocol/lines.ts";
import { within } from "../net/time.ts";
import { afterCurrentTick } from "../net/read_scheduler.ts";

/** The longest line a client takes from its broker, in bytes: lists of ten thousand clients fit. */
const MAX_REPLY_BYTES = 64 * 1024 * 1024;

/** How much of the first line is kept, to show what sort of program that is, in UTF-16 code units. */
const MAX_SHOWN_CHARACTERS = 100;

/** How long a broker gets to say goodbye, in milliseconds. */
const QUIT_MS = 5000;

/** A new connection hears everything until it is answered `/hello` and `/unsub >`: that is meant for nobody. */
const ANSWERS_TO_GREETING = 2;

/** After how many events without a receipt the broker is asked to show that it has read them, and after how long. */
const EVENTS_TO_CONFIRM = 100;
const MS_TO_CONFIRM = 5000;

const encoder = new TextEncoder();

/** Who is told what a session receives. */
export interface SessionObserver {
  /** What an event is answered through. */
  readonly respond: Respond;
  /** Called with each event. */
  onEvent(event: MqEvent): void;
  /** Called with what the broker says unasked: a line it could not read, why it is about to close. */
  onNotice(error: ProtocolError): void;
  /** Called when events are missing at this place of the stream, with how many. */
  onDropped(events: number): void;
}

/** Options of {@linkcode Session}. */
export interface SessionOptions extends HeartbeatTimes {
  /** The longest line that the broker is believed to take, in bytes, until it says so itself. */
  lineBytes: number;
}

/** Somebody who waits for an answer. */
interface PendingRequest {
  /** How many events were sent before the question: its answer confirms that they were read. */
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
  /** The patterns asked for, each with the broker's answer. */
  readonly #heard = new Map<string, Promise<void>>();
  #lineBytes: number;
  #answers = 0;
  #sent = 0;
  #confirmed = 0;
  /** For about how long some of what was sent has not been confirmed. */
  #unconfirmedMs = 0;
  #isOver = false;
  #text = "";
  #firstLine: string | undefined;
  /** What came last, where it says why the connection ends; or what is the matter on this side. */
  #closeMessage: ProtocolError | undefined;

  /**
   * Begins to read what the broker sends.
   *
   * @param conn The connection.
   * @param observer Who is told what it hears.
   * @param options What the broker is believed to take, and how long it may be silent.
   */
  constructor(conn: Deno.Conn, observer: SessionObserver, options: SessionOptions) {
    this.#conn = conn;
    this.#observer = observer;
    this.#lineBytes = options.lineBytes;
    this.#lines = new LineReader(conn, { maxLineBytes: MAX_REPLY_BYTES });
    this.#queue = new WriteQueue(conn, { limitBytes: Infinity });
    this.ended = this.#read(this.#watch(options));
  }

  /** Whether the connection has ended: what is sent or asked from then on goes nowhere. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** What was received so far, for the error of a greeting that fails. */
  get partialGreeting(): PartialGreeting {
    return { closeMessage: this.#closeMessage, firstLine: this.#firstLine, receivedBytes: this.#lines.receivedBytes };
  }

  /** About how many bytes wait to be sent. */
  get queuedBytes(): number {
    return this.#text.length + this.#queue.queuedBytes;
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
  async greet(introduction: HelloArguments, patterns: readonly string[]): Promise<Hello> {
    const answers = [this.ask(`/hello ${JSON.stringify(introduction)}`), this.ask("/unsub >")];
    this.hear(patterns);
    const [json] = await Promise.all(answers);
    await Promise.allSettled(this.#heard.values());
    const hello = parseAnswer<Partial<Hello> | null>(json);
    if (!Array.isArray(hello?.events) || !(Number(hello.limits?.lineBytes) > 0)) {
      throw new MqError("bad-reply", `It does not say what it recognizes or what its limits are: ${quote(json)}`);
    }
    this.#lineBytes = hello.limits!.lineBytes;
    return hello as Hello;
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
      answer.catch(() => {}); // Told to those who wait for it: see `heard`.
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
    this.#write(line);
    if (++this.#sent % EVENTS_TO_CONFIRM === 0) this.#confirm();
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
    return new Promise((resolve, reject) => this.#pending.push({ sentBefore: this.#sent, resolve, reject }));
  }

  /** Sends what is queued, says goodbye, and closes the connection when the broker has read it all. */
  async quit(): Promise<void> {
    this.#write("/quit");
    await within(QUIT_MS, this.ended).catch(() => {}); // Too late: `unconfirmed` tells what is not known.
    this.abandon();
  }

  /** Closes the connection at once. */
  abandon(): void {
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

  /** Asks a silent broker for a sign of life, and ends the connection if none comes; returns how to stop that. */
  #watch(times: HeartbeatTimes): () => void {
    const everyMs = tickMs(times.silenceMs, times.answerMs);
    const lines = this.#lines;
    const peer = {
      get receivedBytes() {
        return lines.receivedBytes;
      },
      ping: () => void this.ask("/ping").catch(() => {}), // It fails with the connection, which is told.
      onTimeout: () => {
        const seconds = (times.silenceMs + times.answerMs) / 1000;
        this.#closeMessage = new ProtocolError("silent", `The broker has been silent for ${seconds} s`);
        this.abandon();
      },
    };
    const heartbeat = new Heartbeat(peer, times, everyMs);
    const timer = setInterval(() => {
      heartbeat.tick();
      this.#confirmOld(everyMs);
    }, everyMs);
    return () => clearInterval(timer);
  }

  /** So that little is uncertain when the connection breaks. */
  #confirmOld(passedMs: number): void {
    this.#unconfirmedMs = this.unconfirmed > 0 ? this.#unconfirmedMs + passedMs : 0;
    if (this.#unconfirmedMs >= MS_TO_CONFIRM) this.#confirm();
  }

  #confirm(): void {
    this.#unconfirmedMs = 0;
    this.ask("/ping").catch(() => {}); // It fails with the connection, which is told.
  }

  async #read(stopWatching: () => void): Promise<ConnectionError> {
    const reason = await this.#readLines();
    this.#isOver = true;
    stopWatching();
    this.abandon();
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

  /** What the broker said last explains the end better than how the connection ended. */
  #disconnected(message: string, cause?: MqError): ConnectionError {
    const words = this.#closeMessage;
    return words
      ? new ConnectionError("disconnected", words.message, { cause: words })
      : new ConnectionError("disconnected", message, { cause });
  }

  #handle(line: BrokerLine): void {
    this.#closeMessage = undefined;
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
      case "dropped":
        return this.#observer.onDropped(line.events);
      case "skipped":
        return; // Nobody asks for a sample here.
    }
  }

  #event(line: BrokerLine & { type: "event" }): void {
    const { name, text } = line;
    const { respond } = this.#observer;
    if (this.#answers >= ANSWERS_TO_GREETING) this.#observer.onEvent(new MqEvent(name, text, line, respond));
    else if (!isName(name)) throw new ProtocolError("bad-reply", `${quote(formatEvent(name, text))} is no event`);
  }

  #answered(): PendingRequest {
    const request = this.#pending.shift();
    if (!request) throw new ProtocolError("bad-reply", "The broker answered what was not asked");
    this.#answers++;
    this.#confirmed = request.sentBefore;
    return request;
  }

  #refused(what: string, error: ProtocolError): void {
    if (what !== "-") return this.#answered().reject(error);
    this.#closeMessage = error;
    this.#observer.onNotice(error);
  }

  /** Without a text it answers `/quit`: all that was sent before has been read. */
  #goodbye(text: string): void {
    if (text === "") this.#confirmed = this.#sent;
    else this.#closeMessage = new ProtocolError("bye", text);
  }
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
