/**
 * What the lines of a connection lead to: they are carried out or refused. How is decided elsewhere: {@linkcode Commands} for
 * control lines, {@linkcode Broker.publish} for events.
 *
 * @module
 */
import type { MessageCodec } from "../net/codec.ts";
import { Heartbeat } from "../net/heartbeat.ts";
import { Flow } from "../net/read_scheduler.ts";
import { ConnectionError, FatalProtocolError, type ProtocolError } from "../protocol/errors.ts";
import { FAULT_GRACE_MS, type Limits } from "../protocol/limits.ts";
import { formatErr, HTTP_REFUSAL, isHttpRequest } from "../protocol/lines.ts";
import { isBlank, isFirstWord, takeWord } from "../protocol/text.ts";
import { unauthorized } from "./authenticator.ts";
import { asFatal, asProtocolError, type Commands, responseSubject } from "./commands.ts";
import type { Connection } from "./connection.ts";
import type { FanOut } from "./fan_out.ts";
import type { Callbacks } from "./options.ts";
import { Publication } from "./publication.ts";
import { eventIn } from "./publish_line.ts";
import type { SystemEvents } from "./system_events.ts";

/** What a control line begins with. */
const SLASH = 0x2f;

/** How a connection is ended. */
export interface Ending {
  /** Why, as `mq.disconnect` tells it. */
  readonly reason: string;
  /** Whole lines that are written to it at last, each with its LF. Default: none. */
  readonly closeMessage?: string;
  /** After how many milliseconds it is closed in any case. Default: the limit `drainMs`. */
  readonly graceMs?: number;
  /** How many bytes that were meant for it have been dropped. Default: 0. */
  readonly droppedBytes?: number;
}

/** What a {@linkcode LineHandler} works with. */
export interface LineHandlerOptions {
  /** The broker's limits. */
  limits: Limits;
  /** How often connections are looked at, in milliseconds. */
  tickMs: number;
  /** Carries out control lines. */
  commands: Commands;
  /** Sends to connections. */
  fanOut: FanOut;
  /** Publishes what happens to connections. */
  systemEvents: SystemEvents;
  /** Told of errors that are not a client's doing. */
  callbacks: Callbacks;
  /** Publishes an event of a connection. */
  publish: (event: Publication, connection: Connection, isGuess?: boolean) => unknown;
  /** Takes a connection out of the pool and lets it finish by itself. */
  end: (connection: Connection, ending: Ending) => void;
  /** The same, once all of its lines are answered. */
  endAnswered: (connection: Connection, ending: Ending) => void;
}

/** Carries out what connections send, line by line, or refuses it. */
export class LineHandler {
  readonly #options: LineHandlerOptions;

  /**
   * Makes the handler of one broker.
   *
   * @param options What it works with.
   */
  constructor(options: LineHandlerOptions) {
    this.#options = options;
  }

  /**
   * Reads to the end of a connection.
   *
   * @param connection The connection.
   * @returns How it ended.
   */
  async readAll(connection: Connection): Promise<string> {
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
      this.refuse(connection, why && !connection.codec.decode ? asFatal(error, why) : error);
      isFirst = false;
    };
    try {
      await connection.reader.readAll({ onLine, onFault });
      return "closed";
    } catch (error) {
      if (error instanceof ConnectionError) return "reset";
      this.refuse(connection, this.#asRefusal(error));
      return "internal-error";
    }
  }

  /** A line, or a message of another codec. */
  #read(connection: Connection, line: string): void {
    if (connection.ended || connection.hasQuit) return;
    try {
      const { codec } = connection;
      if (connection.scope === undefined) this.#readGreeting(connection, line);
      else if (codec.decode !== undefined) this.#readMessage(connection, codec, line);
      else if (line.charCodeAt(0) === SLASH) this.#runCommand(connection, line);
      else if (!isBlank(line)) this.#options.publish(new Publication(line, connection.name), connection);
    } catch (error) {
      this.refuse(connection, this.#asRefusal(error), "-", connection.codec.decode ? "" : eventIn(line));
    }
  }

  /** A line of a client that has not authenticated: only `/hello` with a token is carried out. */
  #readGreeting(connection: Connection, line: string): void {
    if (isFirstWord("/hello", line)) this.#runCommand(connection, line);
    else if (!isBlank(line)) this.refuse(connection, unauthorized('first comes /hello {"token":"..."}'), "hello");
  }

  #readMessage(connection: Connection, codec: MessageCodec, text: string): void {
    const { line, source, isGuess, notices } = codec.decode(text);
    for (const notice of notices) this.#options.systemEvents.noticed(connection, notice);
    this.#options.publish(new Publication(line, connection.name, undefined, source), connection, isGuess);
  }

  /** Carries a control line out: exactly one response a line, but for `/pong` and `/quit`. */
  #runCommand(connection: Connection, line: string): void {
    if (!connection.speaksControl) this.watch(connection);
    const [verb, rest] = takeWord(line.slice(1));
    if (verb === "pong") return;
    if (verb === "quit") return this.#options.endAnswered(connection, { reason: "quit", closeMessage: "/bye\n" });
    try {
      this.#options.commands.run(connection, verb, rest);
    } catch (error) {
      this.refuse(connection, this.#asRefusal(error), responseSubject(verb, rest), eventIn(line));
    }
  }

  /**
   * From now on the client gets control lines, and is asked whether it is still there when it is silent.
   *
   * @param connection Its connection.
   */
  watch(connection: Connection): void {
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
        onTimeout: () => this.refuse(connection, new FatalProtocolError("silent", "Closed: /ping was not answered")),
      },
      this.#options.limits,
      this.#options.tickMs,
    );
  }

  /** The refusal of a line for an error. What is not the client's doing the program is told, too. */
  #asRefusal(error: unknown): ProtocolError {
    const refusal = asProtocolError(error);
    if (refusal !== error) this.#options.callbacks.fail(error);
    return refusal;
  }

  /**
   * Responds to a line that could not be carried out, and closes the connection after a fatal error.
   *
   * @param connection The connection.
   * @param error Why it could not.
   * @param what Which line it was, as the response tells it.
   * @param event The name of the event in it; empty if there is none.
   */
  refuse(connection: Connection, error: ProtocolError, what = "-", event = ""): void {
    if (connection.ended) return;
    if (error.code !== "unrecognized") this.#options.systemEvents.refusedLine(connection, error, event);
    const response = formatErr(what, error) + "\n";
    const isFatal = error instanceof FatalProtocolError;
    if (isFatal) this.#options.end(connection, { reason: error.code, closeMessage: response, graceMs: FAULT_GRACE_MS });
    else if (connection.speaksControl) connection.responses.push(formatErr(what, error));
  }

  /** A web page can have a browser send a request to any port: it must not be able to publish. */
  #refuseHttp(connection: Connection): void {
    this.#options.systemEvents.refusedLine(connection, { code: "http", message: "Refused an HTTP request" });
    this.#options.end(connection, { reason: "http", closeMessage: HTTP_REFUSAL, graceMs: FAULT_GRACE_MS });
  }
}
