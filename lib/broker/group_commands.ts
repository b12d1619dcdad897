/**
 * The control lines of groups: how connections join them, settle their jobs, and look after them. docs/protocol.md has them in
 * 14.6 to 14.9.
 *
 * @module
 */
import { parseDuration } from "../protocol/duration.ts";
import { ProtocolError, quote } from "../protocol/errors.ts";
import { checkGroupName, takeJoinOptions } from "../protocol/group.ts";
import { type Limits, RESPONSE_BYTES } from "../protocol/limits.ts";
import { formatErr, formatOk, parsePatterns } from "../protocol/lines.ts";
import { parseReplayStart, ULID } from "../protocol/replay_start.ts";
import { byteLength, isLongerThan, takeWord } from "../protocol/text.ts";
import { parseRecord } from "../store/record.ts";
import type { PeekedJob, Store } from "../store/store.ts";
import type { Handler } from "./commands.ts";
import type { Connection } from "./connection.ts";
import type { Groups } from "./groups.ts";
import { ALL, ask, LISTENERS, permitted } from "./handlers.ts";
import type { Journal, Waiter } from "./journal.ts";
import { PendingResponse, type Response } from "./response_queue.ts";
import type { Subscriptions } from "./subscriptions.ts";
import type { Delivery } from "./work_group.ts";

/** The longest reason of a member for a job that it could not do, in UTF-16 code units. */
const MAX_WHY_CHARACTERS = 4096;

/** How many jobs one line settles at most. */
const MAX_SETTLED = 1000;

/** How many jobs `/peek` shows unless told otherwise, and at most. */
const [PEEKED_JOBS, MAX_PEEKED_JOBS] = [10, 100];

/** How much of the data of one of several jobs is shown, in UTF-16 code units: one job always fits a response. */
const MAX_SHOWN_CHARACTERS = 4096;

const STATES = ["ready", "delayed", "dead"] as const;

/** What {@linkcode GroupCommands} work on. */
export interface GroupCommandOptions {
  /** The store. */
  store: Store;
  /** Writes it. */
  journal: Journal;
  /** The groups. */
  groups: Groups;
  /** Says who may have what is stored. */
  subscriptions: Subscriptions;
  /** How many patterns a group may have. */
  maxPatterns: number;
  /** The broker's limits. */
  limits: Limits;
}

/** Carries out the control lines of groups. */
export class GroupCommands {
  readonly #options: GroupCommandOptions;
  /** The verbs, and what each does. */
  readonly verbs: ReadonlyMap<string, Handler>;

  /**
   * Makes the commands of one broker.
   *
   * @param options What they work on.
   */
  constructor(options: GroupCommandOptions) {
    this.#options = options;
    this.verbs = new Map<string, Handler>([
      ["join", (connection, rest) => this.#join(connection, rest)],
      ["leave", (connection, rest) => this.#leave(connection, rest.trim())],
      ["ack", (connection, rest) => this.#ack(connection, rest)],
      ["nack", (connection, rest) => this.#nack(connection, rest)],
      ["bury", (connection, rest) => this.#bury(connection, rest)],
      ["touch", (connection, rest) => this.#touch(connection, rest)],
      ["groups", (connection) => ask(connection, "groups", this.#describeGroups())],
      ["peek", permitted(LISTENERS, (connection, rest) => ask(connection, "peek", this.#peek(rest)))],
      ["kick", permitted(ALL, (connection, rest) => ask(connection, "kick", this.#kick(rest)))],
      ["purge", permitted(ALL, (connection, rest) => ask(connection, "purge", this.#purge(rest)))],
      ["forget", permitted(ALL, (connection, rest) => ask(connection, "forget", options.groups.forget(rest.trim())))],
    ]);
  }

  /** `/join GROUP [OPTIONS] PATTERN...` */
  #join(connection: Connection, rest: string): Response {
    const { groups, subscriptions, maxPatterns, journal } = this.#options;
    const [word, tail] = takeWord(rest);
    const group = checkGroupName(word);
    const [{ from, ahead, ...options }, texts] = takeJoinOptions(tail);
    const patterns = parsePatterns("join", texts, maxPatterns, "GROUP PATTERN...");
    subscriptions.checkNew(connection.scope!, patterns);
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
    const [delivery] = this.#options.groups.deliveriesOf(connection, parseNumbers(verb, word, 1));
    return [delivery, tail];
  }

  /** What a client tells is done before it asks. */
  async #describeGroups(): Promise<unknown> {
    const { groups, journal } = this.#options;
    await journal.written();
    return fit(await groups.describe());
  }

  /** `/peek GROUP STATE [COUNT]`, or `/peek GROUP dead ID` */
  async #peek(rest: string): Promise<unknown> {
    const [name, state, which = String(PEEKED_JOBS), ...more] = words(rest);
    const isOne = state === "dead" && ULID.test(which);
    const isGood = more.length === 0 && STATES.some((known) => known === state) &&
      (isOne || isCount(which, MAX_PEEKED_JOBS));
    if (!isGood) {
      const form = `"/peek GROUP STATE [COUNT]", with ready, delayed or dead, and 1 to ${MAX_PEEKED_JOBS}`;
      throw new ProtocolError("bad-arguments", `Cannot show jobs: it is ${form}, or "/peek GROUP dead ID"`);
    }
    const { groups, journal, store, limits } = this.#options;
    const group = groups.get(name);
    await journal.written();
    const jobs = await store.peek(group.name, state as typeof STATES[number], isOne ? which : Number(which));
    return isOne ? jobs.map((job) => describeWhole(job, limits.lineBytes)) : fit(jobs.map((job) => describeJob(job)));
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
    const jobs = await this.#options.journal.carryOut<number>({ do: "kick", group: name, id });
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
    return await this.#options.groups.purge(name, state);
  }
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

/** A job with all of its data, if that fits a line. */
function describeWhole(job: PeekedJob, lineBytes: number): object {
  const whole = describeJob(job, Infinity);
  return isLongerThan(lineBytes, JSON.stringify(whole)) ? describeJob(job) : whole;
}

/** A job, as `/peek` shows it. */
function describeJob({ tries, at, why, record }: PeekedJob, maxCharacters: number = MAX_SHOWN_CHARACTERS): object {
  const { id, from, line } = parseRecord(record);
  const [event, text] = takeWord(line);
  const data = text.slice(0, maxCharacters);
  const cut = data.length < text.length && { cut: true };
  return {
    id,
    from,
    event,
    data,
    ...cut,
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

function parseNumbers(verb: string, rest: string, most: number = MAX_SETTLED): number[] {
  const numbers = words(rest);
  const isGood = numbers.length >= 1 && numbers.length <= most &&
    numbers.every((word) => /^[1-9]\d{0,14}$/.test(word));
  if (isGood) return [...new Set(numbers.map(Number))];
  const what = most === 1 ? "the number of a job" : `the numbers of jobs, 1 to ${most}`;
  throw new ProtocolError("bad-arguments", `Cannot carry out /${verb}: it takes ${what}`);
}
