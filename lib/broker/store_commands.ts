/**
 * The control lines of a broker with a store: what each verb does, and its response. docs/protocol.md has them in section 14;
 * those of groups stand in group_commands.ts.
 *
 * @module
 */
import { parseDuration } from "../protocol/duration.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { isKey, MAX_KEY_CHARACTERS } from "../protocol/key.ts";
import { formatErr, formatOk } from "../protocol/lines.ts";
import { ULID } from "../protocol/replay_start.ts";
import { takeWord } from "../protocol/text.ts";
import type { Handler } from "./commands.ts";
import type { Connection } from "./connection.ts";
import type { Delays } from "./delays.ts";
import type { FanOut } from "./fan_out.ts";
import { type GroupCommandOptions, GroupCommands } from "./group_commands.ts";
import { ask, checkScope, permitted, PUBLISHERS } from "./handlers.ts";
import type { Waiter } from "./journal.ts";
import { type Keys, publishOnce } from "./once.ts";
import type { Publication } from "./publication.ts";
import { parsePublish, unrecognized } from "./publish_line.ts";
import type { Replays } from "./replay.ts";
import { PendingResponse, type Response } from "./response_queue.ts";

/** What {@linkcode StoreCommands} work on. */
export interface StoreCommandOptions extends GroupCommandOptions {
  /** Carries out `/replay`. */
  replays: Replays;
  /** Carries out `/delay`. */
  delays: Delays;
  /** Remembers the keys of `/once`. */
  keys: Keys;
  /** Sends to connections. */
  fanOut: FanOut;
  /** The patterns of the events that are recognized. */
  events: readonly string[];
  /** Keeps a promise until it is settled. */
  keep: (task: Promise<void>) => void;
  /** Publishes an event: see {@linkcode CommandOptions}. */
  publish: (event: Publication, connection: Connection, isGuess: false, waiter: Waiter) => number | undefined;
  /** Checks an event that is to be published later, as if it were published now; returns whether it is recognized. */
  check: (event: Publication, connection: Connection) => boolean;
}

/** Carries out the control lines that need a store. */
export class StoreCommands {
  readonly #options: StoreCommandOptions;
  /** The verbs, and what each does. */
  readonly verbs: ReadonlyMap<string, Handler>;

  /**
   * Makes the commands of one broker.
   *
   * @param options What they work on.
   */
  constructor(options: StoreCommandOptions) {
    this.#options = options;
    const { store, journal } = options;
    this.verbs = new Map<string, Handler>([
      ["replay", (connection, rest) => this.#replay(connection, rest)],
      ["once", (connection, rest) => this.#once(connection, rest)],
      ["delay", (connection, rest) => this.#delay(connection, rest)],
      ["cancel", permitted(PUBLISHERS, (connection, rest) => ask(connection, "cancel", this.#cancel(rest.trim())))],
      ["log", () => formatOk("log", { ...store.log, syncMs: store.syncMs, failed: journal.failure })],
      ...new GroupCommands(options).verbs,
    ]);
  }

  #replay(connection: Connection, rest: string): Response {
    const { replays, fanOut, keep } = this.#options;
    const start = replays.begin(connection, replays.parse(connection, rest));
    return () => {
      fanOut.send(connection, "/ok replay\n");
      keep(start().then(() => {})); // The client has been told how it ended.
    };
  }

  /** `/once REF KEY [HEADERS] NAME [DATA]` */
  #once(connection: Connection, rest: string): Response {
    checkScope(connection, PUBLISHERS); // Also for a key that is known: its receipt is not for everybody.
    const { publish, events } = this.#options;
    const form = `"/once REF KEY NAME [DATA]", with a KEY of at most ${MAX_KEY_CHARACTERS} characters`;
    const [ref, tail] = takeWord(rest);
    const [key, published] = takeWord(tail);
    const { event } = parsePublish(`${ref} ${published}`, form, connection.name);
    if (!isKey(key)) throw new ProtocolError("bad-arguments", `Cannot publish: it is ${form}`);
    const response = new PendingResponse();
    publishOnce(this.#options, key, () => {
      const receivers = publish(event, connection, false, { settled: () => {} });
      if (receivers === undefined) throw unrecognized(event.line, events);
      return JSON.stringify({ id: event.id, receivers, ...(event.isStored && { stored: true }) });
    }, (receipt, error) => {
      response.resolve(error === undefined ? `/ok ${ref} ${receipt}` : formatErr(ref, error));
    });
    return response;
  }

  /** `/delay REF DURATION [HEADERS] NAME [DATA]` */
  #delay(connection: Connection, rest: string): Response {
    const { journal, delays, check, events } = this.#options;
    const form = '"/delay REF DURATION NAME [DATA]", with a DURATION of at most 3650d, such as 10s, 15m, 1h or 7d';
    const [ref, tail] = takeWord(rest);
    const [duration, published] = takeWord(tail);
    const { event } = parsePublish(`${ref} ${published}`, form, connection.name);
    const delayMs = parseDuration(duration);
    if (delayMs === undefined) throw new ProtocolError("bad-arguments", `Cannot publish: it is ${form}`);
    journal.check();
    if (!check(event, connection)) throw unrecognized(event.line, events);
    const due = Date.now() + delayMs;
    const response = new PendingResponse();
    const settled = (error: ProtocolError | undefined) => {
      if (error === undefined) delays.added(due);
      const receipt = { id: event.id, due: new Date(due).toISOString() };
      response.resolve(error === undefined ? formatOk(ref, receipt) : formatErr(ref, error));
    };
    journal.operate({ do: "delay", id: event.id, due, record: event.record }, { settled });
    if (journal.isFull) connection.holdBack(journal.room());
    return response;
  }

  async #cancel(id: string): Promise<undefined> {
    if (!ULID.test(id)) throw new ProtocolError("bad-arguments", 'Cannot cancel: it is "/cancel ID"');
    if (await this.#options.delays.cancel(id)) return undefined;
    throw new ProtocolError(
      "not-found",
      `There is no delayed event ${id}: it was published, cancelled, or never there`,
    );
  }
}
