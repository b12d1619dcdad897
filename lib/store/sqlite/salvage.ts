/**
 * Reads a log whose database may be damaged: its blocks one after another, past those that cannot be read. Runs in the worker.
 *
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { LogCursor, SalvagedPage } from "../inspect.ts";
import { ID_CHARACTERS } from "../record.ts";
import { lastId, NameMatcher, selectRecords } from "../records.ts";
import { attempt, readBehind } from "./damage.ts";
import { behind, type BlockRow, Log, type ReadBlock, readBlock } from "./log.ts";
import { DamagedError } from "./seal.ts";

/** About how many UTF-16 code units of the log are read for a page. */
const PAGE_CHARACTERS = 256 * 1024;

/** Reads what can be read of a log. */
export class Salvage {
  readonly #from: StatementSync;
  /** The log; undefined if its beginning or its end cannot be read. */
  readonly #log: Log | undefined;

  /**
   * Begins to read.
   *
   * @param database The database.
   */
  constructor(database: DatabaseSync) {
    this.#from = database.prepare("SELECT * FROM log WHERE position >= ? ORDER BY position LIMIT 1");
    this.#log = attempt(() => new Log(database));
  }

  /**
   * Reads a page: see {@linkcode StoreInspection.read}.
   *
   * @param cursor Where it begins.
   * @param patterns The patterns of the events that match.
   */
  read({ after, position = this.#begin(after) }: LogCursor, patterns: readonly string[]): SalvagedPage {
    const matcher = new NameMatcher(patterns);
    let [text, characters] = ["", 0];
    while (characters < PAGE_CHARACTERS) {
      const { block, lost } = this.#next(position, after);
      const isLost = lost !== undefined;
      if (isLost || block === undefined) return { text, lost, next: block && { after, position: block.position } };
      const rest = behind(block, after);
      text += selectRecords(rest.text, matcher).text;
      characters += block.text.length;
      if (rest.count > 0) after = lastId(rest.text);
      position = block.position + block.count;
    }
    return { text, lost: undefined, next: { after, position } };
  }

  /** The position behind an id; 0 if it cannot be found. */
  #begin(after: string): number {
    return attempt(() => this.#log!.positionOf(after) + 1) ?? 0;
  }

  /** The block at a position, or the next that can be read; undefined at the end. And what is lost before it. */
  #next(position: number, after: string): { block: ReadBlock | undefined; lost: string | undefined } {
    const found = attempt(() => ({ block: this.#blockFrom(position) }));
    const block = found === undefined ? readBehind(position, (next) => this.#blockFrom(next)) : found.block;
    const end = block?.position ?? (this.#log && this.#log.lastPosition + 1);
    const events = position > 0 && end !== undefined ? end - position : undefined;
    const isLost = found === undefined || (events !== undefined && events > 0);
    return { block, lost: isLost ? describeLoss(events, after, block?.text.slice(0, ID_CHARACTERS)) : undefined };
  }

  #blockFrom(position: number): ReadBlock | undefined {
    const row = this.#from.get(position) as unknown as BlockRow | undefined;
    if (row === undefined) return undefined;
    if (row.position < position) throw new DamagedError("the log is not in order"); // It would be read again and again.
    return readBlock(row);
  }
}

function describeLoss(events: number | undefined, after: string, before: string | undefined): string {
  const what = events === undefined ? "some events" : events === 1 ? "1 event" : `${events} events`;
  const where = [...after === "" ? [] : [`behind ${after}`], ...before === undefined ? [] : [`before ${before}`]];
  return [`${what} of the log cannot be read`, ...where.length > 0 ? [where.join(" and ")] : []].join(", ");
}
