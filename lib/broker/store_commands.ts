/**
 * The control lines of a broker with a store: what each verb does, and its response. docs/protocol.md has them in section 14.
 *
 * @module
 */
import { parseDuration } from "../protocol/duration.ts";
import { ProtocolError, quote } from "../protocol/errors.ts";
import { checkGroupName, takeJoinOptions } from "../protocol/group.ts";
import { RESPONSE_BYTES } from "../protocol/limits.ts";
import { formatErr, formatOk, parsePatterns } from "../protocol/lines.ts";
import { parseReplayStart } from "../protocol/replay_start.ts";
import { byteLength, takeWord } from "../protocol/text.ts";
import type { Scope } from "../protocol/tokens.ts";
import { parseRecord } from "../store/record.ts";
import type { PeekedJob, Store } from "../store/store.ts";
import { asProtocolError, type Handler } from "./commands.ts";
import type { Connection } from "./connection.ts";
import type { Delays } from "./delays.ts";
import type { FanOut } from "./fan_out.ts";
import type { Groups } from "./groups.ts";
import type { Journal, Waiter } from "./journal.ts";
import { asDuplicate, type Keys } from "./once.ts";
import type { Publication } from "./publication.ts";
import { parsePublish, unrecognized } from "./publish_line.ts";
import type { Replays } from "./replay.ts";
import { PendingResponse, type Response, whenDone } from "./response_queue.ts";
import type { Subscriptions } from "./subscriptions.ts";
import type { Delivery } from "./work_group.ts";

/** The longest key, in UTF-16 code units. */
const MAX_KEY_CHARACTERS = 128;

/** The longest reason of a member for a job that it could not do, in UTF-16 code units. */
const MAX_WHY_CHARACTERS = 4096;

/** How many jobs one line settles at most. */
const MAX_SETTLED = 1000;

/** How many jobs `/peek` shows unless told otherwise, and at most. */
const [PEEKED_JOBS, MAX_PEEKED_JOBS] = [10, 100];

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

const STATES = ["ready", "delayed", "dead"] as const;

/** What {@linkcode StoreCommands} work on. */
export interface StoreCommandOptions {
  /** The store. */
  store: Store;
  /** Writes it. */
  journal: Journal;
  /** Carries out `/replay`. */
  replays: Replays;
  /** Carries out `/join` and what follows it. */
  groups: Groups;
  /** Carries out `/delay`. */
  delays: Delays;
  /** Remembers the keys of `/once`. */
  keys: Keys;
  /** Says who may have what is stored. */
  subscriptions: Subscriptions;
  /** Sends to connections. */
  fanOut: FanOut;
  /** The patterns of the events that are recognized. */
  events: readonly string[];
  /** How many patterns a group may have. */
  maxPatterns: number;
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
    const { store } = options;
    this.verbs = new Map<string, Handler>([
      ["replay", (connection, rest) => this.#replay(connection, rest)],
      ["once", (connection, rest) => this.#once(connection, rest)],
      ["delay", (connection, rest) => this.#delay(connection, rest)],
      ["cancel", permitted(PUBLISHERS, (connection, rest) => ask(connection, "cancel", this.#cancel(rest.trim())))],
      ["join", (connection, rest) => this.#join(connection, rest)],
      ["leave", (connection, rest) => this.#leave(connection, rest.trim())],
      ["ack", (connection, rest) => this.#ack(connection, rest)],
      ["nack", (connection, rest) => this.#nack(connection, rest)],
      ["bury", (connection, rest) => this.#bury(connection, rest)],
      ["touch", (connection, rest) => this.#touch(connection, rest)],
      ["groups", (connection) => ask(connection, "groups", this.#describeGroups())],
      ["log", () => formatOk("log", { ...store.log, syncMs: store.syncMs })],
      ["peek", permitted(LISTENERS, (connection, rest) => ask(connection, "peek", this.#peek(rest)))],
      ["kick", permitted(ALL, (connection, rest) => ask(connection, "kick", this.#kick(rest)))],
      ["purge", permitted(ALL, (connection, rest) => ask(connection, "purge", this.#purge(rest)))],
      ["forget", permitted(ALL, (connection, rest) => ask(connection, "forget", this.#forget(rest.trim())))],
    ]);
  }

  #replay(connection: Connection, rest: string): Response {
    const { replays, fanOut, keep } = this.#options;
    const start = replays.begin(connection, replays.parse(connection, rest));
    return () => {
      fanOut.send(connection, "/ok replay\n");
      keep(start());
    };
  }

  /** `/once REF KEY [HEADERS] NAME [DATA]` */
  #once(connection: Connection, rest: string): Response {
    const { keys, journal, publish, events } = this.#options;
    const form = `"/once REF KEY NAME [DATA]", with a KEY of at most ${MAX_KEY_CHARACTERS} characters`;
    const [ref, tail] = takeWord(rest);
    const [key, published] = takeWord(tail);
    const { event } = parsePublish(`${ref} ${published}`, form, connection.name);
    if (key.length > MAX_KEY_CHARACTERS) throw new ProtocolError("bad-arguments", `Cannot publish: it is ${form}`);
    const now = Date.now();
    const response = new PendingResponse();
    const isKnown = keys.find(key, now, (receipt, error) => {
      response.resolve(error === undefined ? `/ok ${ref} ${asDuplicate(receipt!)}` : formatErr(ref, error));
    });
    if (isKnown) return response;
    keys.checkRoom();
    journal.check();
    const receivers = publish(event, connection, false, { settled: () => {} });
    if (receivers === undefined) throw unrecognized(event.line, events);
    const receipt = JSON.stringify({ id: event.id, receivers, ...(event.isStored && { stored: true }) });
    const end = keys.begin(key, now);
    const settled = (error: ProtocolError | undefined) => {
      end(receipt, error);
      response.resolve(error === undefined ? `/ok ${ref} ${receipt}` : formatErr(ref, error));
    };
    journal.operate({ do: "key", key, at: now, receipt }, { settled }); // In the transaction of the event.
    return response;
  }

  /** `/delay REF DURATION [HEADERS] NAME [DATA]` */
  #delay(connection: Connection, rest: string): Response {
    const { journal, delays, check, events } = this.#options;
    const form = '"/delay REF DURATION NAME [DATA]", with a DURATION such as 10s, 15m, 1h or 7d';
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

  /** `/join GROUP [OPTIONS] PATTERN...` */
  #join(connection: Connection, rest: string): Response {
    const { groups, subscriptions, maxPatterns, journal } = this.#options;
    const [word, tail] = takeWord(rest);
    const group = checkGroupName(word);
    const [{ from, ahead, ...options }, texts] = takeJoinOptions(tail);
    const patterns = parsePatterns("join", texts, maxPatterns);
    subscriptions.checkNew(connection.scope!, patterns);
    if (options.dead) checkScope(connection, ALL); // The broker publishes it for the group.
    const after = from === "new" ? undefined : parseReplayStart(from, Date.now());
    journal.check();
    const request = { group, ahead, options, after, patterns: patterns.map(({ text }) => text) };
    return ask(connection, "join", groups.join(connection, request));
  }

  #leave(connection: Connection, name: string): Response {
    this.#options.groups.leave(connection, name);
    return formatOk("leave");
  }

  /** `/ack N...` */
  #ack(connection: Connection, rest: string): Response {
    const numbers = parseNumbers("ack", rest);
    const deliveries = this.#options.groups.deliveriesOf(connection, numbers);
    const settlement = new Settled("ack", deliveries.length);
    for (const delivery of deliveries) delivery.group.done(delivery, settlement);
    return settlement;
  }

  /** `/nack N [DELAY] [WHY]` */
  #nack(connection: Connection, rest: string): Response {
    const [delivery, tail] = this.#takeDelivery("nack", connection, rest);
    const [word, more] = takeWord(tail);
    const delayMs = parseDuration(word);
    const why = delayMs === undefined ? tail : more;
    const settlement = new Settled("nack", 1);
    delivery.group.fail(delivery, delayMs ?? 0, why.slice(0, MAX_WHY_CHARACTERS), settlement);
    return settlement;
  }

  /** `/bury N [WHY]` */
  #bury(connection: Connection, rest: string): Response {
    const [delivery, why] = this.#takeDelivery("bury", connection, rest);
    const settlement = new Settled("bury", 1);
    delivery.group.bury(delivery, why.slice(0, MAX_WHY_CHARACTERS), settlement);
    return settlement;
  }

  #touch(connection: Connection, rest: string): Response {
    const numbers = parseNumbers("touch", rest);
    const deliveries = this.#options.groups.deliveriesOf(connection, numbers);
    for (const delivery of deliveries) delivery.group.touch(delivery);
    return formatOk("touch");
  }

  #takeDelivery(verb: string, connection: Connection, rest: string): [delivery: Delivery, tail: string] {
    const [word, tail] = takeWord(rest);
    const [delivery] = this.#options.groups.deliveriesOf(connection, parseNumbers(verb, word));
    return [delivery, tail];
  }

  /** What a client tells is done before it asks. */
  async #describeGroups(): Promise<unknown> {
    const { groups, journal } = this.#options;
    await journal.written();
    return fit(await groups.describe());
  }

  /** `/peek GROUP STATE [COUNT]` */
  async #peek(rest: string): Promise<unknown> {
    const [name, state, most = String(PEEKED_JOBS), ...more] = words(rest);
    const isGood = more.length === 0 && STATES.some((known) => known === state) && isCount(most, MAX_PEEKED_JOBS);
    if (!isGood) {
      const form = `"/peek GROUP STATE [COUNT]", with ready, delayed or dead, and 1 to ${MAX_PEEKED_JOBS}`;
      throw new ProtocolError("bad-arguments", `Cannot show jobs: it is ${form}`);
    }
    const { groups, journal, store } = this.#options;
    const group = groups.get(name);
    await journal.written();
    const jobs = await store.peek(group.name, state as typeof STATES[number], Number(most));
    return fit(jobs.map(describeJob));
  }

  /** `/kick GROUP ID|all` */
  async #kick(rest: string): Promise<unknown> {
    const [name, which, ...more] = words(rest);
    const isGood = more.length === 0 && (which === "all" || ULID.test(which));
    if (!isGood) {
      throw new ProtocolError("bad-arguments", 'Cannot deliver again: it is "/kick GROUP ID" or "/kick GROUP all"');
    }
    const group = this.#options.groups.get(name);
    const id = which === "all" ? undefined : which;
    const jobs = await this.#options.journal.carryOut<number>({ do: "kick", group: name, id, at: Date.now() });
    if (jobs === 0 && id !== undefined) {
      throw new ProtocolError("not-found", `The group ${quote(name)} has no dead job of the event ${id}`);
    }
    group.wake();
    return { jobs };
  }

  /** `/purge GROUP ready|dead` */
  async #purge(rest: string): Promise<unknown> {
    const [name, state, ...more] = words(rest);
    const isGood = more.length === 0 && (state === "ready" || state === "dead");
    if (!isGood) {
      throw new ProtocolError(
        "bad-arguments",
        'Cannot discard jobs: it is "/purge GROUP ready" or "/purge GROUP dead"',
      );
    }
    const group = this.#options.groups.get(name);
    const waiting = state === "ready" ? group.takeWaiting() : [];
    const { journal } = this.#options;
    const done = waiting.map(({ key }) => key);
    if (done.length > 0) journal.operate({ do: "settle", group: name, done, again: [], dead: [] });
    const jobs = await journal.carryOut<number>({ do: "purge", group: name, state });
    return { jobs: jobs + waiting.length };
  }

  async #forget(name: string): Promise<undefined> {
    const { groups, journal } = this.#options;
    const group = groups.get(name);
    const { length } = group.members;
    if (length > 0) {
      throw new ProtocolError("group-differs", `Cannot forget the group ${quote(name)}: it has members (${length})`);
    }
    await journal.carryOut({ do: "forget", group: name });
    groups.forget(group);
    return undefined;
  }
}

/** The scopes of tokens that permit to publish, to listen, or both. */
const PUBLISHERS: readonly Scope[] = ["all", "publish"];
const LISTENERS: readonly Scope[] = ["all", "listen"];
const ALL: readonly Scope[] = ["all"];

/** A handler for those connections whose token has one of some scopes. */
function permitted(scopes: readonly Scope[], handler: Handler): Handler {
  return (connection, rest) => {
    checkScope(connection, scopes);
    return handler(connection, rest);
  };
}

function checkScope({ scope }: Connection, scopes: readonly Scope[]): void {
  if (scopes.includes(scope!)) return;
  const what = scope === "listen" ? "listening" : "publishing";
  throw new ProtocolError("forbidden", `Cannot carry it out: this connection's token is for ${what} only`);
}

/** The response to a line that the store has to be asked for: the connection's next lines wait for it. */
function ask(connection: Connection, what: string, result: Promise<unknown>): Response {
  connection.holdBack(result.then(() => {}, () => {})); // What it rejects with is the response.
  return whenDone(what, result, asProtocolError);
}

/** The response to a line that settles jobs: it is sent when all of them are on disk. */
class Settled extends PendingResponse implements Waiter {
  readonly #verb: string;
  #left: number;
  #error: ProtocolError | undefined;

  constructor(verb: string, jobs: number) {
    super();
    this.#verb = verb;
    this.#left = jobs;
  }

  settled(error: ProtocolError | undefined): void {
    this.#error ??= error;
    if (--this.#left > 0) return;
    this.resolve(this.#error === undefined ? formatOk(this.#verb) : formatErr(this.#verb, this.#error));
  }
}

/** A job, as `/peek` shows it. */
function describeJob({ tries, at, why, record }: PeekedJob): object {
  const { id, from, line } = parseRecord(record);
  const [event, data] = takeWord(line);
  return {
    id,
    from,
    event,
    data,
    tries,
    ...(at !== undefined && { at: new Date(at).toISOString() }),
    ...(why && { why }),
  };
}

/** As many of some values as fit a response. */
function fit(values: object[]): object[] {
  let bytes = RESPONSE_BYTES - 100;
  const count = values.findIndex((value) => (bytes -= byteLength(JSON.stringify(value)) + 1) < 0);
  return count === -1 ? values : values.slice(0, count);
}

function words(rest: string): string[] {
  return rest.split(/[ \t]+/).filter((word) => word !== "");
}

function isCount(text: string, max: number): boolean {
  return /^[1-9]\d{0,3}$/.test(text) && Number(text) <= max;
}

function parseNumbers(verb: string, rest: string): number[] {
  const numbers = words(rest);
  const isGood = numbers.length >= 1 && numbers.length <= MAX_SETTLED &&
    numbers.every((word) => /^[1-9]\d{0,14}$/.test(word));
  if (isGood) return [...new Set(numbers.map(Number))];
  throw new ProtocolError(
    "bad-arguments",
    `Cannot carry out /${verb}: it takes the numbers of jobs, 1 to ${MAX_SETTLED}`,
  );
}
