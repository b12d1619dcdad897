/**
 * The control lines: what each verb does, and its response. A new verb is a line in the table of {@linkcode Commands}, one
 * method, and a rule in docs/protocol.md. `/sub` and `/unsub` stand in subscriptions.ts.
 *
 * @module
 */
import { FatalProtocolError, MqError, ProtocolError, quote } from "../protocol/errors.ts";
import { INBOX } from "../protocol/event.ts";
import { type Limits, MAX_HOPS, RESPONSE_BYTES } from "../protocol/limits.ts";
import { formatOk, HELP, parseHello, PROTOCOL_VERSION, STORE_HELP } from "../protocol/lines.ts";
import type { BrokerStats, EventInfo, Hello, StoreInfo, Why } from "../protocol/responses.ts";
import { ULID } from "../protocol/replay_start.ts";
import { encodeText, takeWord } from "../protocol/text.ts";
import type { Scope } from "../protocol/tokens.ts";
import { VERSION } from "../protocol/version.ts";
import { unauthorized } from "./authenticator.ts";
import type { Connection } from "./connection.ts";
import type { FanOut } from "./fan_out.ts";
import type { Publication } from "./publication.ts";
import { describePage } from "./reports.ts";
import { SharedResponses } from "./shared_responses.ts";
import { noStore, STORE_VERBS } from "./no_store.ts";
import { MAX_WHAT_CHARACTERS, parsePublish, StoredReceipt, unrecognized } from "./publish_line.ts";
import type { StoreCommands } from "./store_commands.ts";
import type { Subscriptions } from "./subscriptions.ts";
import type { Response } from "./response_queue.ts";
import type { Waiter } from "./journal.ts";
import type { SystemEvents } from "./system_events.ts";

/** The broker, to its commands. */
export interface CommandHost {
  /** The patterns of the events that are recognized. */
  readonly events: readonly string[];
  /** The broker's limits. */
  readonly limits: Readonly<Limits>;
  /** What the broker stores; undefined for nothing. */
  readonly storeInfo: StoreInfo | undefined;
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
  /** Carries out what needs a store; undefined for a broker without one. */
  storeCommands: StoreCommands | undefined;
  /** Returns the connections that were accepted after the one with an id, the oldest first, as many as `/clients` lists. */
  clientsAfter: (id: string) => Connection[];
  /** Returns a number that grows with whatever a client does that changes what a response tells. */
  changes: () => number;
  /**
   * Publishes an event; returns for how many it is queued, undefined if nothing recognizes it. The waiter is told when the
   * event is on disk, if it is stored.
   */
  publish: (event: Publication, connection: Connection, isGuess: false, waiter: Waiter) => number | undefined;
}

/** The verbs whose responses repeat the REF of the line. */
const WITH_REF: readonly string[] = ["pub", "once", "delay"];

/** Carries out a verb; `rest` is what follows it on the line. Returns the response. */
export type Handler = (connection: Connection, rest: string) => Response;

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
    const { host, subscriptions, storeCommands } = options;
    const help = encodeText(storeCommands === undefined ? `${HELP}\n` : `${HELP}\n${STORE_HELP}\n`);
    const refuse = (verb: string): Handler => () => {
      throw noStore(`carry out /${verb}`);
    };
    const storeVerbs = storeCommands?.verbs ?? STORE_VERBS.map((verb): [string, Handler] => [verb, refuse(verb)]);
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
      ["help", () => help],
      ...storeVerbs,
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
    if (bytes instanceof Uint8Array) this.#checkRoom(connection, bytes);
    if (!connection.ended) connection.responses.push(bytes);
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
    const { limits, events, storeInfo: store } = this.#options.host;
    const self: Omit<Hello, "id"> = {
      server: `mq/${VERSION}`,
      version: PROTOCOL_VERSION,
      limits,
      events: [...events],
      hops: MAX_HOPS,
      inbox: INBOX,
      ...(store && { store }),
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

  #publish(connection: Connection, rest: string): Response {
    const { ref, event } = parsePublish(rest, '"/pub REF NAME [DATA]"', connection.name);
    const receipt = new StoredReceipt(ref, event);
    const receivers = this.#options.publish(event, connection, false, receipt);
    if (receivers === undefined) throw unrecognized(event.line, this.#options.host.events);
    if (!event.isStored) return formatOk(ref, { id: event.id, receivers });
    receipt.receivers = receivers;
    return receipt;
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
  const word = WITH_REF.includes(verb) && takeWord(rest)[1] !== "" ? takeWord(rest)[0] : verb;
  return word === "" || word.length > MAX_WHAT_CHARACTERS ? "-" : word;
}

/**
 * The error that a line is refused with. An error that is not the client's doing closes its connection only; that the store
 * cannot be read does not even that.
 *
 * @param error What was thrown.
 * @returns The error to send.
 */
export function asProtocolError(error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const isOfStore = error instanceof MqError && ["store-failed", "store-damaged"].includes(error.code);
  if (isOfStore) return new ProtocolError("store-failed", message, { cause: error });
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
