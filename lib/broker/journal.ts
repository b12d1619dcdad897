/**
 * What a broker writes to its store: it is gathered into transactions, of which one is under way while the next gathers. So
 * the more is published at once, the more events share a sync of the disk.
 *
 * @module
 */
import { decodeTime, monotonicUlid } from "@std/ulid";
import { afterCurrentTick } from "../net/ticks.ts";
import { type MqError, ProtocolError } from "../protocol/errors.ts";
import { countUpTo, NameMatcher, selectRecords } from "../store/records.ts";
import type { Block, Operation, Store, Transaction } from "../store/store.ts";
import type { Publication } from "./publication.ts";

/** A block has at most about so many UTF-16 code units, and so many events. */
const BLOCK_CHARACTERS = 64 * 1024;
const BLOCK_EVENTS = 1000;

/** When more waits to be written, in UTF-16 code units, publishers are held back. */
const MAX_GATHERED_CHARACTERS = 4 * 1024 * 1024;

/** What any other change than a delayed event counts for. */
const OPERATION_CHARACTERS = 100;

/** How often a store that has failed is asked whether it works again, and how often old events are deleted. */
const MAINTENANCE_MS = 1000;

/** Is told when what it waits for is on disk. */
export interface Waiter {
  /**
   * Called once.
   *
   * @param error Why it is not on disk; undefined if it is.
   * @param result The result of the operation; undefined for an event.
   */
  settled(error: ProtocolError | undefined, result: unknown): void;
}

/** What a journal tells. */
export interface JournalObserver {
  /** Events were written. */
  onStored(): void;
  /** The store cannot be written; an event that is published now is not stored. */
  onFailed(error: MqError): void;
  /** What is to be deleted cannot be; all else goes on. */
  onDamaged(error: MqError): void;
  /** The store can be written again; so many events were published meanwhile and not stored. */
  onMended(unstored: number): void;
}

/** A block that grows. */
interface GrowingBlock {
  readonly first: string;
  readonly records: string[];
  characters: number;
  hasHeaders: boolean;
}

/** What gathers for the next transaction. */
class Gathering {
  readonly blocks: GrowingBlock[] = [];
  readonly operations: Operation[] = [];
  readonly waiters: Waiter[] = [];
  readonly operationWaiters: (Waiter | undefined)[] = [];
  readonly committed = Promise.withResolvers<void>();
  characters = 0;
  events = 0;

  add({ id, record, headers }: Publication): void {
    let block = this.blocks.at(-1);
    if (block === undefined || block.characters > BLOCK_CHARACTERS || block.records.length === BLOCK_EVENTS) {
      block = { first: id, records: [], characters: 0, hasHeaders: false };
      this.blocks.push(block);
    }
    block.records.push(record);
    block.characters += record.length;
    block.hasHeaders ||= headers !== undefined;
    this.characters += record.length;
    this.events++;
  }

  get isEmpty(): boolean {
    return this.events === 0 && this.operations.length === 0;
  }

  finish(): Transaction {
    const blocks = this.blocks.map(({ first, records, hasHeaders }): Block => {
      return { first, count: records.length, hasHeaders, text: records.join("\n") + "\n" };
    });
    return { blocks, operations: this.operations };
  }

  settle(error: ProtocolError | undefined, results: readonly unknown[]): void {
    for (const waiter of this.waiters) waiter.settled(error, undefined);
    for (const [index, waiter] of this.operationWaiters.entries()) waiter?.settled(error, results[index]);
    this.committed.resolve();
  }
}

/** The journal of one broker. */
export class Journal {
  readonly #store: Store;
  readonly #observer: JournalObserver;
  #gathering = new Gathering();
  /** The transaction that is under way, and its blocks. */
  #writing: { gathering: Gathering; blocks: readonly Block[] } | undefined;
  #isScheduled = false;
  /** Why the store cannot be written. */
  #failure: ProtocolError | undefined;
  /** How many events were not stored since it cannot. */
  #unstored = 0;
  #lastId: string;
  #maintaining: Promise<void> | undefined;
  readonly #timer: ReturnType<typeof setInterval>;

  /**
   * Makes a journal in which nothing waits.
   *
   * @param store The store, which nobody else writes.
   * @param observer Is told what happens.
   */
  constructor(store: Store, observer: JournalObserver) {
    this.#store = store;
    this.#observer = observer;
    this.#lastId = store.log.last ?? "";
    raiseIds(this.#lastId);
    this.#timer = setInterval(() => this.#maintain(), MAINTENANCE_MS);
  }

  /** The id of the last event that was given to it, whether it is on disk or not; empty if there was none. */
  get lastId(): string {
    return this.#lastId;
  }

  /** Identifies the transaction that gathers now. */
  get transaction(): object {
    return this.#gathering;
  }

  /** Whether so much waits to be written that publishers should be held back: see {@linkcode Journal.room}. */
  get isFull(): boolean {
    return this.#gathering.characters > MAX_GATHERED_CHARACTERS;
  }

  /** Waits until what has gathered is written. */
  async room(): Promise<void> {
    const { committed } = this.#gathering;
    await committed.promise;
  }

  /** Why the store cannot be written; undefined if it can, as far as is known. */
  get failure(): string | undefined {
    return this.#failure?.message;
  }

  /** Whether the store is known not to work. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /**
   * Checks that the store works, as far as is known.
   *
   * @throws {ProtocolError} With the code `store-failed`.
   */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Adds an event to the next transaction. If the store is known not to work, the event is only counted.
   *
   * @param event The event. Its id has to be greater than that of the one before.
   * @param waiter Is told when it is on disk.
   */
  append(event: Publication, waiter?: Waiter): void {
    if (this.#failure !== undefined) {
      this.#unstored++;
      return this.#refuse(waiter);
    }
    this.#gathering.add(event);
    this.#lastId = event.id;
    if (waiter !== undefined) this.#gathering.waiters.push(waiter);
    this.#schedule();
  }

  /**
   * Adds a change to the next transaction, which has all that is added in the same turn.
   *
   * @param operation The change.
   * @param waiter Is told when it is on disk, and its result.
   */
  operate(operation: Operation, waiter?: Waiter): void {
    if (this.#failure !== undefined) return this.#refuse(waiter);
    this.#gathering.operations.push(operation);
    this.#gathering.characters += operation.do === "delay" ? operation.record.length : OPERATION_CHARACTERS;
    this.#gathering.operationWaiters.push(waiter);
    this.#schedule();
  }

  /** Tells a waiter that the store does not work, but not within its own call. */
  #refuse(waiter: Waiter | undefined): void {
    const failure = this.#failure!;
    if (waiter !== undefined) queueMicrotask(() => waiter.settled(failure, undefined));
  }

  /**
   * Adds a change, and waits until it is on disk.
   *
   * @param operation The change.
   * @returns Its result.
   * @throws {ProtocolError} With the code `store-failed`.
   */
  carryOut<T>(operation: Operation): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.operate(operation, { settled: (error, result) => error === undefined ? resolve(result as T) : reject(error) });
    return promise;
  }

  /**
   * The events that are not on disk yet.
   *
   * @param after Only those behind this id.
   * @param patterns The patterns of those that match.
   * @returns Their records, each with an LF, and how many there are.
   */
  tail(after: string, patterns: readonly string[]): { text: string; count: number } {
    const { blocks } = this.#gathering.finish();
    const text = [...this.#writing?.blocks ?? [], ...blocks].map((block) => block.text).join("");
    return selectRecords(text.slice(countUpTo(text, after).end), new NameMatcher(patterns));
  }

  /** Waits until all that it was given so far is on disk, or cannot be written. */
  async written(): Promise<void> {
    const { committed } = this.#gathering.isEmpty ? this.#writing?.gathering ?? this.#gathering : this.#gathering;
    if (this.#writing !== undefined || !this.#gathering.isEmpty) await committed.promise;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#writing !== undefined) return;
    this.#isScheduled = true;
    afterCurrentTick(() => {
      this.#isScheduled = false;
      this.#write();
    });
  }

  #write(): void {
    if (this.#writing !== undefined || this.#gathering.isEmpty) return;
    const gathering = this.#gathering;
    const transaction = gathering.finish();
    this.#gathering = new Gathering();
    this.#writing = { gathering, blocks: transaction.blocks };
    this.#store.commit(transaction).then(
      (results) => this.#written(undefined, results),
      (error) => this.#written(error, []),
    );
  }

  #written(error: MqError | undefined, results: readonly unknown[]): void {
    const { gathering } = this.#writing!;
    this.#writing = undefined;
    if (error !== undefined) this.#fail(error, gathering);
    else gathering.settle(undefined, results);
    this.#write();
    if (error === undefined && gathering.events > 0) this.#observer.onStored();
  }

  /** What has gathered meanwhile is not tried: it may depend on what has failed. */
  #fail(cause: MqError, gathering: Gathering): void {
    const isNew = this.#failure === undefined;
    this.#failure = new ProtocolError("store-failed", cause.message, { cause });
    if (isNew) this.#observer.onFailed(cause);
    for (const failed of [gathering, this.#gathering]) {
      this.#unstored += failed.events;
      failed.settle(this.#failure, []);
    }
    this.#gathering = new Gathering();
  }

  /** Now and then: deletes what is too old, or finds out whether the store works again. */
  #maintain(): void {
    this.#maintaining ??= (this.#failure === undefined ? this.#trim() : this.#mend()).finally(() => {
      this.#maintaining = undefined;
    });
  }

  async #trim(): Promise<void> {
    try {
      while (await this.#store.maintain(Date.now()));
    } catch (error) {
      if ((error as MqError).code === "store-damaged") this.#observer.onDamaged(error as MqError);
      else this.#fail(error as MqError, new Gathering());
    }
  }

  async #mend(): Promise<void> {
    try {
      await this.#store.mend();
    } catch {
      return; // It was told that the store does not work; another reason would not change what there is to do.
    }
    const unstored = this.#unstored;
    this.#failure = undefined;
    this.#unstored = 0;
    this.#observer.onMended(unstored);
  }

  /** Writes what has gathered, and waits until it is on disk. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined || !this.#gathering.isEmpty) {
      this.#write();
      await this.#writing?.gathering.committed.promise;
    }
  }

  /** Writes what has gathered, and closes the store. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
    await this.#maintaining;
    await this.#store.close();
  }
}

/** Makes all ids from now on greater than another one, whatever the clock says. */
function raiseIds(last: string): void {
  if (last !== "" && decodeTime(last) >= Date.now()) monotonicUlid(decodeTime(last) + 1);
}
