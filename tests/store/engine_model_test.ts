/** Random calls of an engine, each compared with a model that does the same in memory. A failure says its seed and step. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { MqError } from "../../lib/protocol/errors.ts";
import { firstIdOf } from "../../lib/protocol/replay_start.ts";
import { Engine } from "../../lib/store/sqlite/engine.ts";
import type { Block, FailedJob, Operation } from "../../lib/store/store.ts";
import { Model } from "./engine_model.ts";
import { tempFolder } from "./folder.ts";

const KEPT = { keepMs: 60_000, keepBytes: 60_000, keyMs: 20_000 };
const NAMES = ["a", "b", "a.x", "b.y.z", "ä.x"];
const PATTERNS = [[">"], ["a"], ["*.x"], ["b.>", "a"], ["a", "b"], ["nothing"]];
const GROUPS = ["one", "two", "three"];
const STATES = ["ready", "delayed", "dead"] as const;

/** Numbers that look random, and are the same for the same seed (mulberry32). */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A whole number from 0 to below another one. */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % end;
  }

  one<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }

  some<T>(values: Iterable<T>): T[] {
    return [...values].filter(() => this.below(3) === 0);
  }
}

/** An engine and its model. */
class Pair {
  readonly #folder: string;
  readonly #dice: Dice;
  #engine: Engine;
  #model = new Model();
  #now = 1_800_000_000_000;
  #ids = 0;
  #idTime = 0;
  /** The delayed events and keys that there ever were. */
  readonly #delayed: string[] = [];

  constructor(folder: string, seed: number) {
    this.#folder = folder;
    this.#dice = new Dice(seed);
    this.#engine = this.#open();
  }

  #open(): Engine {
    return new Engine({ folder: this.#folder, syncMs: 1, ...KEPT }, this.#now);
  }

  close(): void {
    this.#engine.close();
  }

  /** Does something, and compares all that can be seen. */
  step(): void {
    const dice = this.#dice;
    this.#now += dice.one([0, 0, 1, 10, 500, 5000, -3000]);
    const kind = dice.below(100);
    if (kind < 45) this.#commit();
    else if (kind < 75) this.#pull();
    else if (kind < 85) this.#giveBack();
    else if (kind < 94) this.#maintain();
    else if (kind < 97) this.#reopen();
    else if (kind < 98) this.#engine.sync(this.#now);
    else this.#engine.mend(this.#now);
    this.#compare();
  }

  #id(): string {
    this.#idTime = Math.max(this.#idTime, this.#now);
    return firstIdOf(this.#idTime).slice(0, 10) + String(++this.#ids).padStart(16, "0");
  }

  #record(): string {
    const { below, one } = { below: (end: number) => this.#dice.below(end), one: () => this.#dice.one(NAMES) };
    const headers = below(5) === 0 ? '{"hops":1} ' : "";
    const data = below(40) === 0 ? "ü".repeat(below(20_000)) : below(4) === 0 ? "" : ` ${below(1000)}`;
    return `${this.#id()} shop ${headers}${one()}${data && ` ${data}`}`;
  }

  #block(): Block {
    const records = Array.from({ length: 1 + this.#dice.below(8) }, () => this.#record());
    const text = records.map((record) => record + "\n").join("");
    return { first: records[0].slice(0, 26), count: records.length, hasHeaders: text.includes(" {"), text };
  }

  /** What is applied to a copy first: an operation depends on those before it. */
  #commit(): void {
    const dice = this.#dice;
    const draft = this.#model.clone();
    const blocks = Array.from({ length: dice.below(4) }, () => this.#block());
    for (const block of blocks) draft.append(block);
    const operations: Operation[] = [];
    const results: unknown[] = [];
    for (let left = dice.below(5); left > 0; left--) {
      const operation = this.#operation(draft);
      operations.push(operation);
      results.push(draft.apply(operation));
    }
    const [taken] = draft.delayed.values();
    if (taken !== undefined && dice.below(5) === 0) {
      operations.push({ do: "delay", ...taken }); // There cannot be two with the same id.
      assertThrows(() => this.#engine.commit({ blocks, operations }), MqError, "UNIQUE");
      return;
    }
    const committed = this.#engine.commit({ blocks, operations });
    this.#model = draft;
    assertEquals(committed, { results, log: draft.info });
  }

  #operation(draft: Model): Operation {
    const dice = this.#dice;
    const group = dice.one(GROUPS);
    switch (dice.below(12)) {
      case 0:
        return {
          do: "group",
          group,
          patterns: dice.one(PATTERNS),
          options: this.#options(),
          after: this.#anyId(draft),
        };
      case 1:
        return { do: "delay", id: this.#newDelayed(), due: this.#now + dice.below(10_000), record: this.#record() };
      case 2:
        return { do: "cancel", id: dice.one([this.#id(), ...this.#delayed]) };
      case 3:
        return { do: "key", key: `k${dice.below(20)}`, at: this.#now, receipt: `{"id":${dice.below(100)}}` };
      case 4:
        return { do: "kick", group, id: dice.below(2) === 0 ? undefined : this.#deadId(draft, group) };
      case 5:
        return dice.below(4) > 0
          ? this.#settle(draft, group)
          : { do: "purge", group, state: dice.one(["ready", "dead"]) };
      case 6:
        return dice.below(6) > 0 ? this.#settle(draft, group) : { do: "forget", group };
      default:
        return this.#settle(draft, group);
    }
  }

  #options() {
    return { ackMs: 1 + this.#dice.below(10), tries: 3, dead: this.#dice.one([null, "gone"]) };
  }

  #newDelayed(): string {
    this.#delayed.push(this.#id());
    return this.#delayed.at(-1)!;
  }

  /** The id of an event, or one between two events, or none. */
  #anyId(model: Model): string {
    const position = model.first + this.#dice.below(model.next - model.first + 1);
    const id = model.recordAt(position)?.slice(0, 26) ?? "";
    return this.#dice.one([id, id, "", model.last ?? "", firstIdOf(this.#now - 2000), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"]);
  }

  #deadId(model: Model, group: string): string {
    const rows = [...model.groups.get(group)?.rows.values() ?? []].filter(({ dead }) => dead);
    return rows.length === 0 ? this.#id() : this.#dice.one(rows).record.slice(0, 26);
  }

  #settle(draft: Model, group: string): Operation {
    const dice = this.#dice;
    const known = draft.groups.get(group);
    const operation = {
      do: "settle" as const,
      group,
      done: [] as number[],
      again: [] as FailedJob[],
      dead: [] as FailedJob[],
    };
    for (const key of dice.some(known?.delivered ?? [])) {
      const row = known!.rows.get(key);
      const record = row?.record ?? draft.recordAt(key) ?? `${this.#id()} shop a deleted`;
      const job = { key, tries: (row?.tries ?? 0) + 1, why: dice.one(["", "ÄÖ", "no"]), record };
      const way = dice.below(4);
      if (way < 2) operation.done.push(key);
      else if (way === 2) operation.again.push({ ...job, at: dice.one([0, this.#now + dice.below(8000)]) });
      else operation.dead.push({ ...job, at: this.#now });
    }
    operation.done.push(1_000_000 + dice.below(10)); // Nobody has that.
    return operation;
  }

  #pull(): void {
    const dice = this.#dice;
    const requests = Array.from({ length: 1 + dice.below(3) }, () => {
      return { group: dice.one(GROUPS), most: dice.one([1, 1, 2, 3, 5, 12]) };
    });
    const pulled = this.#engine.pull(requests, this.#now);
    const expected = this.#model.pull(requests, this.#now);
    assertEquals(pulled.length, expected.length);
    for (const [index, { hasMore, ...rest }] of pulled.entries()) {
      const { hasMore: really, ...others } = expected[index];
      assertEquals(rest, others);
      assert(hasMore || !really, "there are more jobs than it says");
      const wasFull = rest.jobs.length === requests[index].most;
      assert(wasFull || hasMore === really, "it says that there are more jobs, where there are none");
    }
  }

  #giveBack(): void {
    const group = this.#dice.one(GROUPS);
    const keys = this.#dice.some(this.#model.groups.get(group)?.delivered ?? []);
    this.#engine.giveBack(group, keys);
    this.#model.giveBack(group, keys);
  }

  #maintain(): void {
    const { hasMore, log } = this.#engine.maintain(this.#now);
    assertEquals([hasMore, log], [this.#model.maintain(this.#now, KEPT), this.#model.info]);
  }

  #reopen(): void {
    this.#engine.close();
    this.#engine = this.#open();
    this.#model.reopen(this.#now, KEPT);
    const { log, keys } = this.#engine.opened;
    assertEquals(log, this.#model.info);
    const [own, expected] = [new Map(keys.map(({ key, ...rest }) => [key, rest])), this.#model.keys];
    assertEquals(own, expected);
  }

  #compare(): void {
    const [engine, model, now, dice] = [this.#engine, this.#model, this.#now, this.#dice];
    const infos = engine.describeGroups(now).sort((a, b) => a.group < b.group ? -1 : 1);
    assertEquals(infos, [...model.groups.keys()].sort().map((name) => model.describe(name, now)));
    assertEquals(engine.due(now), model.due(now));
    const [group, state, most] = [dice.one(GROUPS), dice.one(STATES), 1 + dice.below(20)];
    assertEquals(engine.peek(group, state, most, now), model.peek(group, state, most, now));
    const [after, patterns] = [this.#anyId(model), dice.one(PATTERNS)];
    assertEquals(this.#readAll(after, patterns), model.read(after, patterns));
  }

  #readAll(after: string, patterns: readonly string[]): string[] {
    const records: string[] = [];
    for (let from: string | undefined = after; from !== undefined;) {
      const page = this.#engine.read(from, patterns);
      records.push(...page.text.split("\n").slice(0, -1));
      from = page.last;
    }
    return records;
  }
}

const SEEDS = Deno.env.get("MQ_SEEDS")?.split(",").map(Number) ?? [1, 2, 3, 4];
const STEPS = Number(Deno.env.get("MQ_STEPS") ?? 700);

for (const seed of SEEDS) {
  Deno.test(`Engine does what a model does (seed ${seed})`, async () => {
    await using folder = tempFolder();
    const pair = new Pair(folder.path, seed);
    for (let step = 0; step < STEPS; step++) {
      try {
        pair.step();
      } catch (cause) {
        throw new Error(`Seed ${seed}, step ${step}: ${cause instanceof Error ? cause.message : cause}`, { cause });
      }
    }
    pair.close();
  });
}
