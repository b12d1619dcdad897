/**
 * The log: all events that are kept, in blocks. Runs in the worker.
 *
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Block, LogInfo, Page } from "../store.ts";
import { countUpTo, lastId, NameMatcher, selectRecords } from "../records.ts";
import { attempt, readBehind } from "./damage.ts";
import { DamagedError, seal, SUM_BYTES, unseal } from "./seal.ts";
import type { Undo } from "./undo.ts";

/** About how many bytes of the log are read for a page. */
const PAGE_BYTES = 256 * 1024;

/** How many rows are read at once at most. */
const MAX_ROWS = 256;

/** How many blocks are kept in memory: groups read what was just written. */
const CACHED_BLOCKS = 32;

/** How much is deleted in one transaction. */
const DELETED_ROWS = 1000;
const DELETED_BYTES = 1024 * 1024;

/** A block as it is in the database. */
export interface BlockRow {
  /** The position of its first event. */
  readonly position: number;
  /** The id of that event. */
  readonly first: string;
  /** How many events it has. */
  readonly count: number;
  /** How many bytes the blocks before it have. */
  readonly start: number;
  /** Whether one of the events has headers: 0 or 1. */
  readonly headers: number;
  /** The records, sealed. */
  readonly records: Uint8Array;
}

/** A block without its records. */
type Head = Pick<BlockRow, "position" | "first" | "count" | "start">;

/** A block that was read. */
export interface ReadBlock {
  /** The position of its first event. */
  readonly position: number;
  /** How many events it has. */
  readonly count: number;
  /** Whether one of them has headers. */
  readonly hasHeaders: boolean;
  /** Its records, each with an LF. */
  readonly text: string;
}

/** The log of a store. */
export class Log {
  readonly #insert: StatementSync;
  readonly #from: StatementSync;
  readonly #headAt: StatementSync;
  readonly #heads: StatementSync;
  readonly #headsFrom: StatementSync;
  readonly #size: StatementSync;
  readonly #delete: StatementSync;
  readonly #cache = new Map<number, ReadBlock>();
  /** The position behind the last event, and the bytes up to there. */
  #next = 1;
  #end = 0;
  /** The id of the last event, if it has been read. */
  #last: string | undefined;
  /** The oldest block; undefined if there is none. */
  #oldest: Head | undefined;

  /**
   * Opens the log.
   *
   * @param database The database.
   */
  constructor(database: DatabaseSync) {
    this.#insert = database.prepare("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)");
    this.#from = database.prepare("SELECT * FROM log WHERE position >= ? ORDER BY position LIMIT ?");
    this.#headAt = database.prepare(
      "SELECT position, first, count, start FROM log WHERE position <= ? ORDER BY position DESC LIMIT 1",
    );
    this.#heads = database.prepare("SELECT position, first, count, start FROM log ORDER BY position LIMIT ?");
    this.#headsFrom = database.prepare(
      "SELECT position, first, count, start FROM log WHERE position >= ? ORDER BY position LIMIT ?",
    );
    this.#size = database.prepare(`SELECT length(records) - ${SUM_BYTES} AS bytes FROM log WHERE position = ?`);
    this.#delete = database.prepare("DELETE FROM log WHERE position < ?");
    this.#begin();
  }

  #begin(): void {
    this.#oldest = this.#heads.get(1) as Head | undefined;
    const newest = this.#headOf(Number.MAX_SAFE_INTEGER);
    if (newest === undefined) return;
    this.#next = endOf(newest);
    this.#end = newest.start + Number(this.#size.get(newest.position)!.bytes);
  }

  /** The position of the oldest event; that of the next one if there is none. */
  get firstPosition(): number {
    return this.#oldest?.position ?? this.#next;
  }

  /** The position of the newest event; 0 if there was none yet. */
  get lastPosition(): number {
    return this.#next - 1;
  }

  /** What there is to tell of it. */
  get info(): LogInfo {
    const newest = this.#last === undefined ? this.block(this.lastPosition) : undefined;
    return {
      first: this.#oldest?.first,
      last: this.#last ??= newest && lastId(newest.text),
      events: this.#next - this.firstPosition,
      deleted: this.firstPosition - 1,
      bytes: this.#end - (this.#oldest?.start ?? this.#end),
    };
  }

  /**
   * Adds blocks.
   *
   * @param blocks The blocks.
   * @param undo Takes it back.
   */
  append(blocks: readonly Block[], undo: Undo): void {
    const [next, end, last, oldest] = [this.#next, this.#end, this.#last, this.#oldest];
    undo.add(() => {
      for (let position = next; position < this.#next; position++) this.#cache.delete(position);
      [this.#next, this.#end, this.#last, this.#oldest] = [next, end, last, oldest];
    });
    for (const block of blocks) this.#append(block);
  }

  #append({ first, count, hasHeaders, text }: Block): void {
    const [position, start] = [this.#next, this.#end];
    const head = { position, first, count, start, headers: Number(hasHeaders) };
    const records = seal(text, labelOf(head));
    this.#insert.run(position, first, count, start, head.headers, records);
    this.#oldest ??= head;
    this.#next += count;
    this.#end += records.length - SUM_BYTES;
    this.#last = lastId(text);
    this.#remember({ position, count, hasHeaders, text });
  }

  /**
   * Reads the block that has an event, or else the next one.
   *
   * @param position The position of the event.
   * @returns The block; undefined if there is none behind it.
   * @throws {DamagedError} If it is not there, or not as it was written.
   */
  block(position: number): ReadBlock | undefined {
    const wanted = Math.max(position, this.firstPosition);
    if (wanted >= this.#next) return undefined;
    const head = this.#headOf(wanted);
    if (head === undefined || wanted >= endOf(head)) throw new DamagedError(`the event number ${wanted} is missing`);
    const cached = this.#cache.get(head.position);
    return cached ?? this.#remember(readBlock(this.#from.get(head.position, 1) as unknown as BlockRow));
  }

  #remember(block: ReadBlock): ReadBlock {
    this.#cache.set(block.position, block);
    if (this.#cache.size > CACHED_BLOCKS) this.#cache.delete(this.#cache.keys().next().value!);
    return block;
  }

  /**
   * Finds an event.
   *
   * @param id An id.
   * @returns The position of the last event that is not behind the id; the one before the oldest if all are. If it cannot be
   * read, the one before its block: whoever reads on finds that out.
   */
  positionOf(id: string): number {
    if (this.#oldest === undefined || id < this.#oldest.first) return this.firstPosition - 1;
    let low = this.#oldest; // Its first event is not behind the id.
    for (let high = this.lastPosition; endOf(low) <= high;) {
      const middle = Math.ceil((endOf(low) + high) / 2);
      const head = this.#readableHeadOf(middle);
      if (head !== undefined && head.position > low.position && head.first <= id) low = head;
      else high = Math.min(middle, head?.position ?? middle) - 1;
    }
    const block = attempt(() => this.block(low.position));
    return low.position - 1 + (block === undefined ? 0 : countUpTo(block.text, id).count);
  }

  /** The head of the block that has an event; that of the next block, if it cannot be read. */
  #readableHeadOf(position: number): Head | undefined {
    const read = (position: number) => this.#headOf(position);
    return attempt(() => read(position)) ?? readBehind(position, read);
  }

  /**
   * Reads a page.
   *
   * @param after The id behind which it begins.
   * @param patterns The patterns of the events that match.
   * @returns What matches, of about {@linkcode PAGE_BYTES}; less if what follows cannot be read.
   */
  read(after: string, patterns: readonly string[]): Page {
    const matcher = new NameMatcher(patterns);
    let [text, count, bytes] = ["", 0, 0];
    let hasHeaders = false;
    let last: string | undefined;
    for (let position = this.positionOf(after) + 1; bytes < PAGE_BYTES;) {
      // What cannot be read ends the page; the next one begins there, and says so.
      const first = last === undefined ? this.block(position) : attempt(() => this.block(position));
      if (first === undefined) break;
      const blocks = [first, ...attempt(() => this.#following(first, bytes)) ?? []];
      for (const block of blocks) {
        const rest = block.position < position ? behind(block, after) : block;
        const selected = matcher.matchesAll ? rest : selectRecords(rest.text, matcher);
        text += selected.text;
        count += selected.count;
        bytes += rest.text.length;
        hasHeaders ||= block.hasHeaders;
        position = block.position + block.count;
      }
      last = lastId(blocks.at(-1)!.text);
    }
    return { text, count, hasHeaders, last };
  }

  /** The blocks that follow one on a page that has some bytes already, as many as fit. */
  #following(first: ReadBlock, bytes: number): ReadBlock[] {
    const heads = this.#headsFrom.all(first.position, MAX_ROWS) as unknown as Head[];
    const end = heads[0].start + PAGE_BYTES - bytes;
    // Where a block begins the one before it has ended: the last one that is taken is behind no more than a page.
    const more = heads.slice(1).filter((_head, index) => (heads[index + 2]?.start ?? Infinity) <= end).length;
    const rows = more > 0 ? this.#from.all(endOf(first), more) as unknown as BlockRow[] : [];
    const blocks = rows.map(readBlock);
    const isWhole = blocks.every(({ position }, index) => position === endOf(blocks[index - 1] ?? first));
    if (!isWhole) throw new DamagedError("the log has a gap");
    return blocks;
  }

  /**
   * Deletes the oldest blocks, as far as they are older or more than is kept, but not all of that in one transaction. The
   * newest block stays: it says where the log ends.
   *
   * @param oldestId Ids that are less are too old.
   * @param keepBytes How many bytes of records are kept.
   * @param undo Takes it back.
   * @returns Whether it has deleted some.
   */
  trim(oldestId: string, keepBytes: number, undo: Undo): boolean {
    const oldest = this.#oldest;
    if (oldest === undefined || (oldest.first >= oldestId && this.info.bytes <= keepBytes)) return false;
    const isSpent = (head: Head, next: Head) => next.first < oldestId || this.#end - head.start > keepBytes;
    const heads = (attempt(() => this.#heads.all(DELETED_ROWS + 1)) ?? this.#heads.all(2)) as unknown as Head[];
    let kept = 0;
    for (
      let [head, next] = heads;
      next !== undefined && isSpent(head, next);
      [head, next] = heads.slice(kept, kept + 2)
    ) {
      if (head.start - oldest.start > DELETED_BYTES) break;
      kept++;
    }
    if (kept === 0) return false;
    undo.add(() => this.#oldest = oldest);
    this.#delete.run(heads[kept].position);
    this.#oldest = heads[kept];
    return true;
  }

  #headOf(position: number): Head | undefined {
    return this.#headAt.get(position) as Head | undefined;
  }
}

/** The position behind a block. */
function endOf({ position, count }: Pick<Head, "position" | "count">): number {
  return position + count;
}

/**
 * Reads the block of a row.
 *
 * @param row The row.
 * @returns The block.
 * @throws {DamagedError} If it is not as it was written.
 */
export function readBlock(row: BlockRow): ReadBlock {
  const { position, count, first, headers, records } = row;
  const text = unseal(records, `the block of the event ${first}`, labelOf(row));
  return { position, count, hasHeaders: headers !== 0, text };
}

/** The other columns of a block, which are sealed with its records. */
function labelOf({ position, first, count, start, headers }: Omit<BlockRow, "records">): string {
  return [position, first, count, start, headers].join(" ");
}

/**
 * The part of a block behind an id.
 *
 * @param block The block.
 * @param id The id.
 * @returns What follows it.
 */
export function behind(block: ReadBlock, id: string): ReadBlock {
  const { count, end } = countUpTo(block.text, id);
  return { ...block, position: block.position + count, count: block.count - count, text: block.text.slice(end) };
}
