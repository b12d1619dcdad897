/**
 * The control lines: what each verb does, and its response. A new verb is a line in the table of {@linkcode Commands}, one
 * method, and a rule in docs/protocol.md. `/sub` and `/unsub` stand in subscriptions.ts.
 *
 * @module
 */
import { FatalProtocolError, ProtocolError, quote } from "../protocol/errors.ts";
import { INBOX } from "../protocol/event.ts";
import { type Limits, MAX_HOPS, RESPONSE_BYTES } from "../protocol/limits.ts";
import { formatOk, HELP, parseHello, PROTOCOL_VERSION, takeHeaders } from "../protocol/lines.ts";
import { formatPatterns } from "../protocol/pattern.ts";
import type { BrokerStats, EventInfo, Hello, Why } from "../protocol/responses.ts";
import { encodeText, takeWord } from "../protocol/text.ts";
import type { Scope } from "../protocol/tokens.ts";
import { VERSION } from "../protocol/version.ts";
import { unauthorized } from "./authenticator.ts";
import type { Connection } from "./connection.ts";
import type { FanOut } from "./fan_out.ts";
import { Publication } from "./publication.ts";
import { describePage } from "./reports.ts";
import { SharedResponses } from "./shared_responses.ts";
import type { Subscriptions } from "./subscriptions.ts";
import type { SystemEvents } from "./system_events.ts";

/** The longest REF and verb that a response repeats, in UTF-16 code units. */
const MAX_WHAT_CHARACTERS = 64;

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

const HELP_BYTES = encodeText(HELP + "\n");

/** The broker, to its commands. */
export interface CommandHost {
  /** The patterns of the events that are recognized. */
  readonly events: readonly string[];
  /** The broker's limits. */
  readonly limits: Readonly<Limits>;
  /** The response to `/stats`. */
  stats(): BrokerStats;
  /** The response to `/events`. */
  describeEvents(): EventInfo[];
  /** The response to `/why NAME`. */
  explainRouting(name: string): Why;
  /** What a token allows; undefined if it is not accepted. */
  authorize(token: string | undefined): Scope | undefined;
}

/** What the commands of one broker work on. */
export interface CommandOptions {
  /** The broker. */
  host: CommandHost;
  /** Sends the responses. */
  fanOut: FanOut;
  /** Carries out `/sub` and `/unsub`. */
  subscriptions: Subscriptions;
  /** Told of each `/hello`. */
  systemEvents: SystemEvents;
  /** Returns the connections that were accepted after the one with an id, the oldest first, as many as `/clients` lists. */
  clientsAfter: (id: string) => Connection[];
  /** Returns a number that grows with whatever a client does that changes what a response tells. */
  changes: () => number;
  /** Publishes an event; returns for how many it is queued, undefined if nothing recognizes it. */
  publish: (event: Publication, connection: Connection) => number | undefined;
}

/** Carries out a verb; `rest` is what follows it on the line. Returns the response, or its bytes with the LF. */
type Handler = (connection: Connection, rest: string) => string | Uint8Array;

/** Carries out control lines. */
export class Commands {
  readonly #options: CommandOptions;
  readonly #verbs: ReadonlyMap<string, Handler>;
  readonly #shared = new SharedResponses();
  /** What does not change: the response to `/events`, and that to `/hello` behind the id of the connection. */
  #events: Uint8Array | undefined;
  #self: string | undefined;

  /**
   * Makes the commands of one broker.
   *
   * @param options What they work on.
   */
  constructor(options: CommandOptions) {
    this.#options = options;
    const { host, subscriptions } = options;
    this.#verbs = new Map<string, Handler>([
      ["hello", (connection, rest) => this.#hello(connection, rest)],
      ["sub", (connection, rest) => subscriptions.subscribe(connection, rest)],
      ["unsub", (connection, rest) => subscriptions.unsubscribe(connection, rest)],
      ["pub", (connection, rest) => this.#publish(connection, rest)],
      ["ping", (_connection, rest) => rest === "" ? "/pong" : `/pong ${rest}`],
      ["stats", () => this.#share("stats", () => formatOk("stats", host.stats()))],
      ["clients", (_connection, rest) => this.#clients(rest.trim())],
      ["events", () => this.#events ??= encodeText(formatOk("events", host.describeEvents()) + "\n")],
      ["why", (_connection, rest) => this.#why(rest.trim())],
      ["help", () => HELP_BYTES],
    ]);
  }

  /**
   * Carries out a control line, and sends its response.
   *
   * @param connection The connection that sent it.
   * @param verb The verb, without its slash.
   * @param rest What follows the verb.
   * @throws {ProtocolError} If it is refused: then nothing has changed, and {@linkcode responseSubject} tells which line the
   * error belongs to.
   */
  run(connection: Connection, verb: string, rest: string): void {
    const handler = this.#verbs.get(verb);
    if (handler === undefined) {
      throw new ProtocolError("bad-verb", `Unknown verb ${quote("/" + verb)}: /help lists those there are`);
    }
    const response = handler(connection, rest);
    const bytes = typeof response === "string" ? encodeText(response + "\n") : response;
    this.#checkRoom(connection, bytes);
    if (!connection.ended) this.#options.fanOut.send(connection, bytes);
  }

  #hello(connection: Connection, rest: string): Uint8Array {
    const introduction = parseHello(rest);
    const { token } = introduction;
    const scope = connection.scope ?? this.#options.host.authorize(token);
    if (scope === undefined) {
      throw unauthorized(token === undefined ? "this broker asks for a token" : "it is not the right token");
    }
    const response = encodeText(`/ok hello {"id":"${connection.id}",${this.#self ??= this.#describeSelf()}\n`);
    this.#checkRoom(connection, response); // Before anything changes.
    const { name } = connection;
    const { subscriptions, systemEvents } = this.#options;
    subscriptions.change(connection, () => {
      if (connection.scope === undefined) connection.authenticated(scope);
      connection.introduce(introduction);
      systemEvents.introduced(connection, name);
    });
    return response;
  }

  /** What the broker says of itself: JSON without its opening brace. */
  #describeSelf(): string {
    const { limits, events } = this.#options.host;
    const self: Omit<Hello, "id"> = {
      server: `mq/${VERSION}`,
      version: PROTOCOL_VERSION,
      limits,
      events: [...events],
      hops: MAX_HOPS,
      inbox: INBOX,
    };
    return JSON.stringify(self).slice(1);
  }

  #clients(after: string): Uint8Array {
    if (after !== "" && !ULID.test(after)) {
      const form = '"/clients", or "/clients ID" with the id of the last connection of the page before';
      throw new ProtocolError("bad-arguments", `Cannot list what follows ${quote(after)}: it is ${form}`);
    }
    const connections = this.#options.clientsAfter(after);
    const question = `clients ${connections[0]?.id ?? ""}`;
    return this.#share(question, () => formatOk("clients", describePage(connections)));
  }

  #why(name: string): Uint8Array {
    return this.#share(`why ${name}`, () => formatOk("why", this.#options.host.explainRouting(name)));
  }

  #share(question: string, make: () => string): Uint8Array {
    return this.#shared.get(question, this.#options.changes(), make);
  }

  #publish(connection: Connection, rest: string): string {
    const [ref, tail] = takeWord(rest);
    const [headers, line] = takeHeaders(tail);
    if (line === "" || ref === "-" || ref.length > MAX_WHAT_CHARACTERS) {
      const form = `"/pub REF NAME [DATA]", with a REF of at most ${MAX_WHAT_CHARACTERS} characters other than "-"`;
      throw new ProtocolError("bad-arguments", `Cannot publish: it is ${form}`);
    }
    const event = new Publication(line, connection.name, headers);
    const receivers = this.#options.publish(event, connection);
    if (receivers === undefined) throw unrecognized(line, this.#options.host.events);
    return formatOk(ref, { id: event.id, receivers });
  }

  /** A long response has to fit behind the events that were published before. A short one always gets room. */
  #checkRoom(connection: Connection, { length }: Uint8Array): void {
    if (length <= RESPONSE_BYTES) return;
    this.#options.fanOut.settle(connection);
    const { roomBytes } = connection.queue;
    if (length <= roomBytes) return;
    const message = `Cannot answer: that would take ${length} bytes, and there is room for ${roomBytes}`;
    throw new ProtocolError("answer-too-long", message);
  }
}

/**
 * The error for an event that asked for a receipt and is not recognized.
 *
 * @param line Its line.
 * @param events The patterns of the events that are recognized.
 * @returns The error to send.
 */
export function unrecognized(line: string, events: readonly string[]): ProtocolError {
  const [name] = takeWord(line);
  return new ProtocolError(
    "unrecognized",
    `Dropped ${quote(name)}: this broker recognizes ${formatPatterns(events)}`,
  );
}

/**
 * What a response begins with: the verb, or the REF of a `/pub`.
 *
 * @param verb The verb.
 * @param rest What follows it.
 * @returns It; `-` for what is too long to repeat.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(responseSubject("sub", "order.*"), "sub");
 * assertEquals(responseSubject("pub", "7 create"), "7");
 * assertEquals(responseSubject("x".repeat(65), ""), "-");
 * ```
 */
export function responseSubject(verb: string, rest: string): string {
  const word = verb === "pub" && takeWord(rest)[1] !== "" ? takeWord(rest)[0] : verb;
  return word === "" || word.length > MAX_WHAT_CHARACTERS ? "-" : word;
}

/**
 * The error that a line is refused with. An error that is not the client's doing closes its connection only.
 *
 * @param error What was thrown.
 * @returns The error to send.
 */
export function asProtocolError(error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new FatalProtocolError("internal-error", `The broker failed: ${message}`, { cause: error });
}

/**
 * Makes an error close the connection. After a first line that is too long nothing is read: it may be the head of an HTTP
 * request, and its body follows. Nor is anything read of a client that should have shown a token.
 *
 * @param error What the line was refused for.
 * @param why Why nothing is read after it, as the rest of the sentence.
 * @returns The error to send.
 */
export function asFatal(error: ProtocolError, why: string): ProtocolError {
  if (error instanceof FatalProtocolError) return error;
  return new FatalProtocolError(error.code, `${error.message}, and ${why}`);
}
