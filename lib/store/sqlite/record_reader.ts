/**
 * Reads records of the log by their positions: quickly, where they follow one another. Runs in the worker.
 *
 * @module
 */
import type { NameMatcher } from "../records.ts";
import type { Log, ReadBlock } from "./log.ts";

/** Reads one record after another. It stands at one of them, or at none. */
export class RecordReader {
  readonly #log: Log;
  #block: ReadBlock | undefined;
  #position = 0;
  /** Where in the text of the block the record begins, and where its LF is. */
  #start = 0;
  #end = 0;

  /**
   * Makes a reader that stands at no record.
   *
   * @param log The log.
   */
  constructor(log: Log) {
    this.#log = log;
  }

  /** The size of the record, in UTF-16 code units. */
  get characters(): number {
    return this.#end - this.#start;
  }

  /** The record, without its LF. */
  get record(): string {
    return this.#block!.text.slice(this.#start, this.#end);
  }

  /**
   * Whether the record matches.
   *
   * @param matcher Decides it.
   */
  matches(matcher: NameMatcher): boolean {
    return matcher.matches(this.#block!.text, this.#start);
  }

  /**
   * Goes to a record. If there is none, the reader stands at none, and holds no memory.
   *
   * @param position The position of its event.
   * @returns Whether the log has it.
   */
  seek(position: number): boolean {
    const isAhead = this.#block !== undefined && position >= this.#position &&
      position < this.#block.position + this.#block.count;
    if (!isAhead) {
      this.#block = position < this.#log.firstPosition ? undefined : this.#log.block(position);
      if (this.#block === undefined) return false;
      this.#position = this.#block.position;
      this.#setStart(0);
    }
    for (; this.#position < position; this.#position++) this.#setStart(this.#end + 1);
    return true;
  }

  #setStart(start: number): void {
    this.#start = start;
    this.#end = this.#block!.text.indexOf("\n", start);
  }
}
