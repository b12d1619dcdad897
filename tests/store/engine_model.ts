/** What a store has, as plainly as it can be said: lists, sets, and nothing that is fast. Engines are compared with it. */
import { Pattern } from "../../lib/protocol/pattern.ts";
import { firstIdOf } from "../../lib/protocol/replay_start.ts";
import { ID_CHARACTERS, nameOfRecord } from "../../lib/store/record.ts";
import type {
  Block,
  DelayedEvent,
  DueEvents,
  GroupInfo,
  GroupOptions,
  Job,
  LogInfo,
  Operation,
  PeekedJob,
  Pulled,
  PullRequest,
  Purged,
} from "../../lib/store/store.ts";

/** How much one call of an engine looks at. */
const CALL_CHARACTERS = 1024 * 1024;

/** How much an engine keeps. */
export interface Kept {
  readonly keepMs: number;
  readonly keepBytes: number;
  readonly keyMs: number;
}

interface ModelBlock {
  readonly first: string;
  readonly position: number;
  readonly bytes: number;
  readonly records: readonly string[];
}

interface Row {
  dead: boolean;
  at: number;
  tries: number;
  why: string;
  record: string;
}

/** A group. */
export interface ModelGroup {
  patterns: readonly string[];
  options: GroupOptions;
  cursor: number;
  /** The positions up to the cursor without a row that are not settled, and which of them are delivered. */
  opened: Set<number>;
  delivered: Set<number>;
  /** The jobs that have failed. */
  rows: Map<number, Row>;
  /** What is left of the cursor and of `opened` when the store is opened again. */
  saved: { cursor: number; opened: Set<number> };
}

const byteLength = (text: string) => new TextEncoder().encode(text).length;
const idOf = (record: string) => record.slice(0, ID_CHARACTERS);
const least = (values: number[]) => values.length === 0 ? undefined : Math.min(...values);

/** A store in memory. */
export class Model {
  blocks: ModelBlock[] = [];
  next = 1;
  last: string | undefined;
  groups = new Map<string, ModelGroup>();
  delayed = new Map<string, DelayedEvent>();
  keys = new Map<string, { at: number; receipt: string }>();

  clone(): Model {
    return Object.assign(new Model(), structuredClone({ ...this }));
  }

  get first(): number {
    return this.blocks[0]?.position ?? this.next;
  }

  get info(): LogInfo {
    const bytes = this.blocks.reduce((sum, block) => sum + block.bytes, 0);
    const [first, events] = [this.blocks[0]?.first, this.next - this.first];
    return { first, last: this.last, events, deleted: this.first - 1, bytes };
  }

  /** The record at a position, if the log has it. */
  recordAt(position: number): string | undefined {
    const block = this.blocks.find(({ position: first, records }) => {
      return first <= position && position < first + records.length;
    });
    return block?.records[position - block.position];
  }

  /** The records behind an id that match. */
  read(after: string, patterns: readonly string[]): string[] {
    const records = this.blocks.flatMap((block) => block.records);
    return records.filter((record) => idOf(record) > after && matches(patterns, record));
  }

  append({ first, text }: Block): void {
    const records = text.split("\n").slice(0, -1);
    this.blocks.push({ first, position: this.next, bytes: byteLength(text), records });
    this.next += records.length;
    this.last = idOf(records.at(-1)!);
  }

  apply(operation: Operation): unknown {
    switch (operation.do) {
      case "group":
        return this.#configure(operation);
      case "forget":
        return this.groups.delete(operation.group);
      case "delay":
        return void this.delayed.set(operation.id, { ...operation });
      case "cancel":
        return this.delayed.delete(operation.id);
      case "key":
        return void this.keys.set(operation.key, { at: operation.at, receipt: operation.receipt });
      case "settle":
        return this.#settle(operation);
      case "kick":
        return this.#kick(operation.group, operation.id);
      case "purge":
        return this.#purge(operation.group, operation.state);
    }
  }

  #configure({ group: name, patterns, options, after }: Operation & { do: "group" }): boolean {
    const known = this.groups.get(name);
    if (known !== undefined) {
      Object.assign(known, { patterns, options });
      return false;
    }
    const before = this.blocks.flatMap(({ records }) => records).filter((record) => idOf(record) <= after).length;
    const cursor = this.first - 1 + before;
    const empty = { opened: new Set<number>(), delivered: new Set<number>(), rows: new Map<number, Row>() };
    this.groups.set(name, { patterns, options, cursor, ...empty, saved: { cursor, opened: new Set() } });
    return true;
  }

  #settle({ group: name, done, again, dead }: Operation & { do: "settle" }): void {
    const group = this.groups.get(name);
    if (group === undefined) return;
    const close = (key: number) => {
      if (!group.delivered.delete(key)) return false;
      group.opened.delete(key);
      group.rows.delete(key);
      return true;
    };
    for (const key of done) close(key);
    for (const { key, ...row } of again) if (close(key)) group.rows.set(key, { ...row, dead: false });
    for (const { key, ...row } of dead) if (close(key)) group.rows.set(key, { ...row, dead: true });
    save(group);
  }

  #kick(name: string, id: string | undefined): number {
    const rows = [...this.groups.get(name)?.rows.values() ?? []];
    const kicked = rows.filter((row) => row.dead && (id === undefined || idOf(row.record) === id));
    for (const row of kicked) Object.assign(row, { dead: false, at: 0, tries: 0 });
    return kicked.length;
  }

  #purge(name: string, state: "ready" | "dead"): Purged {
    const group = this.groups.get(name);
    if (group === undefined) return { jobs: 0, events: 0 };
    let jobs = 0;
    for (const [key, { dead }] of group.rows) {
      if (dead === (state === "dead") && !group.delivered.has(key)) jobs += Number(group.rows.delete(key));
    }
    if (state === "dead") return { jobs, events: 0 };
    for (const key of group.opened) if (!group.delivered.has(key)) jobs += Number(group.opened.delete(key));
    const events = this.next - 1 - Math.max(group.cursor, this.first - 1);
    group.cursor = this.next - 1;
    save(group);
    return { jobs, events };
  }

  pull(requests: readonly PullRequest[], now: number): Pulled[] {
    const budget = { characters: CALL_CHARACTERS };
    const pulled: Pulled[] = [];
    for (const { group, most } of requests) {
      if (budget.characters <= 0) break;
      const known = this.groups.get(group);
      const nothing = { jobs: [], nextDue: undefined, hasMore: false, expired: 0 };
      pulled.push(known === undefined ? nothing : this.#pull(known, most, now, budget));
    }
    return pulled;
  }

  #pull(group: ModelGroup, most: number, now: number, budget: { characters: number }): Pulled {
    const jobs: Job[] = [];
    let expired = 0;
    const isFull = () => jobs.length === most || budget.characters <= 0;
    for (const [key, { tries, record }] of waitingRows(group, 0, now)) {
      if (isFull()) break;
      jobs.push({ key, tries, record });
      group.delivered.add(key);
      budget.characters -= byteLength(record);
    }
    for (const key of waitingOpened(group)) {
      if (isFull()) break;
      const record = this.recordAt(key);
      if (record === undefined) expired += Number(group.opened.delete(key));
      else {
        jobs.push({ key, tries: 0, record });
        group.delivered.add(key);
        budget.characters -= record.length;
      }
    }
    const deleted = Math.max(0, this.first - 1 - group.cursor);
    group.cursor += deleted;
    while (!isFull() && group.cursor < this.next - 1) this.#look(group, ++group.cursor, jobs, budget);
    const later = [...group.rows.values()].filter(({ dead, at }) => !dead && at > now).map(({ at }) => at);
    const isWaiting = waitingRows(group, 0, Infinity).length > 0;
    const nextDue = isWaiting ? least(later) : undefined; // It may be that of one that is delivered: the clock was set back.
    const hasRows = waitingRows(group, 0, now).length > 0;
    const hasMore = hasRows || waitingOpened(group).length > 0 || group.cursor < this.next - 1;
    return { jobs, nextDue, hasMore, expired: expired + deleted };
  }

  #look(group: ModelGroup, key: number, jobs: Job[], budget: { characters: number }): void {
    const record = this.recordAt(key)!;
    budget.characters -= record.length;
    if (!matches(group.patterns, record)) return;
    group.opened.add(key);
    group.delivered.add(key);
    jobs.push({ key, tries: 0, record });
  }

  giveBack(name: string, keys: readonly number[]): void {
    for (const key of keys) this.groups.get(name)?.delivered.delete(key);
  }

  describe(name: string, now: number): GroupInfo {
    const group = this.groups.get(name)!;
    const { patterns, options, cursor, rows, delivered } = group;
    const record = this.recordAt(cursor);
    return {
      group: name,
      patterns,
      options,
      lag: this.next - 1 - Math.max(cursor, this.first - 1),
      ready: waitingRows(group, 0, now).length + waitingOpened(group).length,
      inFlight: delivered.size,
      delayed: waitingRows(group, now + 1, Infinity).length,
      dead: [...rows.values()].filter(({ dead }) => dead).length,
      last: record && idOf(record),
    };
  }

  peek(name: string, state: "ready" | "delayed" | "dead", most: number, now: number): PeekedJob[] {
    const group = this.groups.get(name);
    if (group === undefined) return [];
    const [from, to] = state === "delayed" ? [now + 1, Infinity] : [0, state === "dead" ? Infinity : now];
    const shown = waitingRows(group, from, to, state === "dead").map(([, { at, tries, why, record }]) => {
      return { at: at === 0 ? undefined : at, tries, why, record };
    });
    if (state !== "ready") return shown.slice(0, most);
    const opened = waitingOpened(group).map((key) => this.recordAt(key)).filter((record) => record !== undefined);
    const rest = this.blocks.flatMap(({ records, position }) => {
      return records.filter((record, index) => position + index > group.cursor && matches(group.patterns, record));
    });
    const fresh = [...opened, ...rest].map((record) => ({ tries: 0, at: undefined, why: "", record }));
    return [...shown, ...fresh].slice(0, most);
  }

  due(now: number): DueEvents {
    const all = [...this.delayed.values()].sort((a, b) => a.due - b.due || (a.id < b.id ? -1 : 1));
    const events = all.filter(({ due }) => due <= now).slice(0, 1000);
    return { events: events.map(({ id, due, record }) => ({ id, due, record })), nextDue: all[events.length]?.due };
  }

  /** Returns whether something was deleted of the log. */
  maintain(now: number, { keepMs, keepBytes, keyMs }: Kept): boolean {
    this.forgetKeys(now - keyMs);
    const oldest = firstIdOf(now - keepMs);
    const before = this.blocks.length;
    while (this.blocks.length > 1 && (this.blocks[1].first < oldest || this.info.bytes > keepBytes)) {
      this.blocks.shift();
    }
    if (this.blocks.length === before) return false;
    for (const group of this.groups.values()) if (group.saved.cursor < group.cursor) save(group);
    return true;
  }

  forgetKeys(before: number): void {
    for (const [key, { at }] of this.keys) if (at < before) this.keys.delete(key);
  }

  /** The broker ends, and its store is opened again. */
  reopen(now: number, { keyMs }: Kept): void {
    this.forgetKeys(now - keyMs);
    for (const group of this.groups.values()) {
      const { cursor, opened } = group.saved;
      Object.assign(group, { cursor, opened: new Set(opened), delivered: new Set() });
    }
  }
}

function matches(patterns: readonly string[], record: string): boolean {
  return patterns.some((text) => new Pattern(text).matches(nameOfRecord(record, 0)));
}

function save(group: ModelGroup): void {
  group.saved = { cursor: group.cursor, opened: new Set(group.opened) };
}

/** The jobs with a row that are not delivered, and whose time is from one to another. */
function waitingRows({ rows, delivered }: ModelGroup, from: number, to: number, dead = false): [number, Row][] {
  const found = [...rows].filter(([key, row]) => {
    return row.dead === dead && !delivered.has(key) && row.at >= from && row.at <= to;
  });
  return found.sort(([key, a], [other, b]) => a.at - b.at || key - other);
}

/** The jobs without a row that were given back. */
function waitingOpened({ opened, delivered }: ModelGroup): number[] {
  return [...opened].filter((key) => !delivered.has(key)).sort((a, b) => a - b);
}
