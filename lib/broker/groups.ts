/**
 * The groups of a broker: their members, and what their jobs look like on the wire.
 *
 * @module
 */
import { decodeData, type Json } from "../protocol/data.ts";
import type { MemoryBudget } from "../net/memory.ts";
import { ProtocolError, quote } from "../protocol/errors.ts";
import { formatHeaders } from "../protocol/lines.ts";
import { formatPatterns, Pattern } from "../protocol/pattern.ts";
import { takeWord } from "../protocol/text.ts";
import { ID_CHARACTERS, parseRecord } from "../store/record.ts";
import type { FailedJob, GroupInfo, GroupOptions, Job, Purged, Store } from "../store/store.ts";
import type { Connection } from "./connection.ts";
import type { FanOut } from "./fan_out.ts";
import type { Journal } from "./journal.ts";
import { ALL, checkScope } from "./handlers.ts";
import type { Member } from "./members.ts";
import { Pulls } from "./pulls.ts";
import type { SystemEvents } from "./system_events.ts";
import { type Delivery, WorkGroup } from "./work_group.ts";

/** What {@linkcode Groups} work with. */
export interface GroupsOptions {
  /** Has the jobs. */
  store: Store;
  /** Writes what becomes of them. */
  journal: Journal;
  /** Sends them. */
  fanOut: FanOut;
  /** Tells what is lost. */
  systemEvents: SystemEvents;
  /** The budget for what connections hold. */
  memory: MemoryBudget;
  /** Publishes the event for a dead job. */
  publish: (name: string, data: { [key: string]: Json }) => void;
}

/** How a member joins. */
export interface JoinRequest {
  /** The group's name. */
  readonly group: string;
  /** The patterns of the events that are its jobs. */
  readonly patterns: readonly string[];
  /** The options that the member names. */
  readonly options: Partial<GroupOptions>;
  /** The id behind which a new group begins; undefined for the next event. */
  readonly after: string | undefined;
  /** How many jobs the member may have at once. */
  readonly ahead: number;
}

/** What is known of a group, with what only the broker knows. */
export interface GroupReport extends GroupInfo {
  /** The names of the members. */
  readonly members: readonly string[];
}

/** How many patterns of a group an error shows. */
const MAX_SHOWN = 5;

/** How many groups there may be. */
const MAX_GROUPS = 1000;

/** The options of a group whose members name none. */
export const DEFAULT_GROUP: GroupOptions = { ackMs: 30_000, tries: 5, dead: null };

/** The groups of one broker. */
export class Groups {
  readonly #options: GroupsOptions;
  readonly #pulls: Pulls;
  readonly #groups = new Map<string, WorkGroup>();
  /** The groups that a connection is a member of. */
  readonly #memberships = new Map<Connection, Map<WorkGroup, Member>>();
  /** What is done to a group after the other, by its name: each decides by what the one before has come to. */
  readonly #turns = new Map<string, Promise<unknown>>();

  /**
   * Makes the groups that a store has.
   *
   * @param options What they work with.
   */
  constructor(options: GroupsOptions) {
    this.#options = options;
    this.#pulls = new Pulls(options.store);
    for (const { group, patterns, options: own } of options.store.groups) this.#add(group, patterns, own);
  }

  #add(name: string, patterns: readonly string[], options: GroupOptions): WorkGroup {
    const { memory, journal, systemEvents } = this.#options;
    const group = new WorkGroup(name, patterns, options, {
      memory,
      pull: (request) => this.#pulls.pull(request),
      giveBack: (group, jobs) => this.#giveBack(group, jobs),
      operate: (operation, waiter) => journal.operate(operation, waiter),
      transaction: () => journal.transaction,
      canSettle: () => !journal.hasFailed,
      send: (group, member, jobs, first) => this.#send(group, member, jobs, first),
      died: (group, job) => this.#publishDead(group, job),
      told: ({ name }, job) => systemEvents.jobDied({ group: name, ...describeDead(job) }),
      unreadable: (error) => systemEvents.storeUnreadable(error),
      expired: ({ name }, events) => systemEvents.eventsExpired(name, events),
    });
    this.#groups.set(name, group);
    return group;
  }

  #giveBack(group: string, jobs: readonly Job[]): void {
    this.#options.store.giveBack(group, jobs.map(({ key }) => key)).catch(() => {
      // The store has ended: when it is opened again, it has them.
    });
  }

  /** Something was published. */
  wake(): void {
    for (const group of this.#groups.values()) group.wake();
  }

  /**
   * A connection joins a group. Its first job comes behind the response.
   *
   * @param connection The connection.
   * @param request Which, and how.
   * @returns The response to `/join`, once the group is on disk.
   * @throws {ProtocolError} With the code `bad-arguments`, if the connection is a member already, or the group would work on
   * its own dead jobs; `group-differs`, if the group has other members that have joined it in another way;
   * `too-many-groups`.
   */
  join(connection: Connection, request: JoinRequest): Promise<Json> {
    return this.#inTurn(request.group, () => this.#join(connection, request));
  }

  #inTurn<T>(name: string, act: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(name) ?? Promise.resolve();
    const turn = before.then(act, act);
    this.#turns.set(name, turn);
    const forget = () => this.#turns.get(name) === turn && this.#turns.delete(name);
    turn.then(forget, forget);
    return turn;
  }

  async #join(connection: Connection, request: JoinRequest): Promise<Json> {
    const { group: name, patterns, options: named, after, ahead } = request;
    const known = this.#groups.get(name);
    if (known !== undefined && this.#memberOf(connection, known) !== undefined) {
      throw new ProtocolError("bad-arguments", `Cannot join ${quote(name)}: this connection is a member of it`);
    }
    if (known === undefined && this.#groups.size + this.#turns.size > MAX_GROUPS) {
      throw new ProtocolError("too-many-groups", `Cannot have more than ${MAX_GROUPS} groups: /forget some first`);
    }
    const options = { ...DEFAULT_GROUP, ...known?.options, ...named };
    if (options.dead !== null) checkScope(connection, ALL); // Members say why jobs are dead, and that is published.
    checkDead(name, patterns, options);
    if (known !== undefined) checkSame(known, patterns, options);
    const { journal } = this.#options;
    const isNew = await journal.carryOut<boolean>({
      do: "group",
      group: name,
      patterns,
      options,
      after: after ?? journal.lastId,
    });
    const group = this.#groups.get(name) ?? this.#add(name, patterns, options);
    group.patterns = patterns;
    group.options = options;
    if (!connection.ended) this.#enter(connection, group, ahead);
    // The response is the next in its queue: no later line is read before.
    connection.responses.push(() => this.#begin(connection, group));
    return { group: name, patterns: [...patterns], ...options, ahead, isNew };
  }

  #enter(connection: Connection, group: WorkGroup, ahead: number): void {
    const own = this.#memberships.get(connection) ?? new Map<WorkGroup, Member>();
    this.#memberships.set(connection, own);
    own.set(group, group.join(connection, ahead));
  }

  #begin(connection: Connection, group: WorkGroup): void {
    const member = this.#memberOf(connection, group);
    if (member !== undefined) group.told(member);
  }

  #memberOf(connection: Connection, group: WorkGroup): Member | undefined {
    return this.#memberships.get(connection)?.get(group);
  }

  /**
   * A connection leaves a group.
   *
   * @param connection The connection.
   * @param name The group's name.
   * @throws {ProtocolError} With the code `no-group`, if it is no member of it.
   */
  leave(connection: Connection, name: string): void {
    const group = this.#groups.get(name);
    const member = group && this.#memberOf(connection, group);
    if (group === undefined || member === undefined) {
      throw new ProtocolError("no-group", `Cannot leave ${quote(name)}: this connection is no member of it`);
    }
    this.#memberships.get(connection)!.delete(group);
    group.leave(member);
  }

  /**
   * A connection has ended: it leaves all of its groups.
   *
   * @param connection The connection.
   * @param isDraining Whether that is because the broker ends.
   */
  disconnected(connection: Connection, isDraining: boolean): void {
    const own = this.#memberships.get(connection);
    this.#memberships.delete(connection);
    for (const [group, member] of own ?? []) group.lost(member, isDraining);
  }

  /**
   * The jobs of a connection that it settles.
   *
   * @param connection The connection.
   * @param numbers The numbers of the jobs.
   * @returns The jobs.
   * @throws {ProtocolError} With the code `no-job`, if it does not have one of them.
   */
  deliveriesOf(connection: Connection, numbers: readonly number[]): Delivery[] {
    const deliveries = numbers.map((number) => connection.jobs.get(number));
    const missing = deliveries.indexOf(undefined);
    if (missing === -1) return deliveries as Delivery[];
    const why = "it is settled, or was given to somebody else after its time";
    throw new ProtocolError("no-job", `This connection does not have the job ${numbers[missing]}: ${why}`);
  }

  /**
   * Finds a group.
   *
   * @param name Its name.
   * @returns The group.
   * @throws {ProtocolError} With the code `no-group`.
   */
  get(name: string): WorkGroup {
    const group = this.#groups.get(name);
    if (group !== undefined) return group;
    const names = [...this.#groups.keys()].slice(0, 10).join(", ") || "none";
    throw new ProtocolError("no-group", `There is no group ${quote(name)}; the groups are: ${names}`);
  }

  /**
   * Discards a group without members.
   *
   * @param name Its name.
   * @throws {ProtocolError} With the code `no-group`; `group-differs`, if it has members; `store-failed`.
   */
  forget(name: string): Promise<void> {
    return this.#inTurn(name, async () => {
      const { length } = this.get(name).members;
      if (length > 0) {
        const why = `it has members (${length}); end them first`;
        throw new ProtocolError("group-differs", `Cannot forget the group ${quote(name)}: ${why}`);
      }
      const forget = () => this.#options.journal.carryOut({ do: "forget", group: name });
      await this.get(name).hold(forget); // What was taken of it is given back to it, and to no other of its name.
      this.#groups.delete(name);
    });
  }

  /**
   * Discards jobs of a group: those that are dead, or those that are not delivered.
   *
   * @param name Its name.
   * @param state Which of them.
   * @returns What was discarded.
   * @throws {ProtocolError} With the code `no-group` or `store-failed`.
   */
  purge(name: string, state: "ready" | "dead"): Promise<Purged> {
    return this.#inTurn(name, () => {
      const purge = () => this.#options.journal.carryOut<Purged>({ do: "purge", group: name, state });
      return this.get(name).hold(purge);
    });
  }

  /** What is known of all groups. */
  async describe(): Promise<GroupReport[]> {
    const infos = await this.#options.store.describeGroups();
    return infos.map((info) => {
      const group = this.#groups.get(info.group);
      const waiting = group?.waiting ?? 0;
      const byAge = group?.members.toSorted((a, b) => a.connection.id < b.connection.id ? -1 : 1) ?? [];
      const members = byAge.map(({ connection }) => connection.name);
      return { ...info, members, ready: info.ready + waiting, inFlight: info.inFlight - waiting };
    });
  }

  #send({ name }: WorkGroup, { connection }: Member, jobs: readonly Job[], first: number): void {
    let text = "";
    for (const [index, { tries, record }] of jobs.entries()) {
      text += `/job ${first + index} ${tries + 1} ${name} ${withHeaders(connection, record)}\n`;
    }
    this.#options.fanOut.send(connection, text, jobs.length);
  }

  #publishDead({ name, options }: WorkGroup, job: FailedJob): void {
    if (options.dead === null) return;
    const [, text] = takeWord(parseRecord(job.record).line);
    const data = decodeData(text);
    this.#options.publish(options.dead, { group: name, ...describeDead(job), ...(data !== undefined && { data }) });
  }
}

/** A group that works on its own dead jobs would never end. */
function checkDead(name: string, patterns: readonly string[], { dead }: GroupOptions): void {
  const own = patterns.find((text) => dead !== null && new Pattern(text).matches(dead));
  if (own === undefined) return;
  const what = `its pattern ${quote(own)} matches the event ${quote(dead!)} of its own dead jobs`;
  throw new ProtocolError("bad-arguments", `Cannot join ${quote(name)}: ${what}`);
}

/** A group is what its first member has made it, as long as it has members. */
function checkSame(group: WorkGroup, patterns: readonly string[], options: GroupOptions): void {
  if (group.members.length === 0) return;
  const own = JSON.stringify([[...group.patterns].sort(), group.options]);
  if (own === JSON.stringify([[...patterns].sort(), options])) return;
  const problem = `Cannot join ${quote(group.name)} otherwise than its members, who have joined ${describe(group)}`;
  throw new ProtocolError("group-differs", `${problem}; join as they did, end them first, or use another group`);
}

/** How the members of a group have joined it, as the end of a sentence. */
function describe({ patterns, options: { ackMs, tries, dead } }: WorkGroup): string {
  const [often, deadJobs] = [
    tries === 1 ? "1 try" : `${tries} tries`,
    dead === null ? "no event" : `the event ${dead}`,
  ];
  return `for ${
    formatPatterns(patterns, MAX_SHOWN, " ")
  } with ${often}, ${ackMs} ms for a job and ${deadJobs} for dead jobs`;
}

/** A record with those of its headers that a connection has asked for. */
function withHeaders({ wanted }: Connection, record: string): string {
  const hasHeaders = record[record.indexOf(" ", ID_CHARACTERS + 1) + 1] === "{";
  if (!hasHeaders || (wanted.hops && wanted.reply)) return record;
  const { id, from, headers, line } = parseRecord(record);
  const { hops, reply } = headers ?? {};
  const known = formatHeaders({ hops: wanted.hops ? hops : undefined, reply: wanted.reply ? reply : undefined });
  return `${id} ${from} ${known}${line}`;
}

/** What is told of a dead job, without its data. */
function describeDead({ tries, why, record }: FailedJob): { [key: string]: Json } {
  const { id, from, line } = parseRecord(record);
  const [event] = takeWord(line);
  return { id, event, from, tries, why };
}
