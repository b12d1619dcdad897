/** Counts the replies of a broker without decoding them, since the load generator shares the cores with the broker. */
import { LineSplitter, lineStartsWith } from "./lines.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The lines that a broker sends to a publisher, by how they begin. */
export interface ReplyKinds {
  /** Acknowledges one publish. */
  readonly counted: string;
  /** Means nothing here. Any line of another kind is an error. */
  readonly skipped: readonly string[];
}

/** Counts the lines that acknowledge a publish. */
export class ReplyCounter {
  readonly #lines = new LineSplitter();
  readonly #counted: Uint8Array;
  readonly #skipped: readonly Uint8Array[];
  #count = 0;
  /** Made once, not for each chunk. */
  readonly #onLine = (bytes: Uint8Array, start: number, end: number) => {
    if (lineStartsWith(bytes, start, end, this.#counted)) this.#count++;
    else if (!this.#skipped.some((prefix) => lineStartsWith(bytes, start, end, prefix))) {
      throw unexpectedLine(bytes, start, end);
    }
  };

  constructor({ counted, skipped }: ReplyKinds) {
    this.#counted = encoder.encode(counted);
    this.#skipped = skipped.map((prefix) => encoder.encode(prefix));
  }

  /**
   * Takes the next bytes.
   *
   * @returns How many acknowledgements they complete.
   * @throws {Error} At a line that is of none of the kinds.
   */
  add(chunk: Uint8Array): number {
    this.#count = 0;
    this.#lines.split(chunk, this.#onLine);
    return this.#count;
  }
}

/** The error for a line that a broker must not send. */
export function unexpectedLine(bytes: Uint8Array, start: number, end: number): Error {
  return new Error(`Unexpected reply ${JSON.stringify(decoder.decode(bytes.subarray(start, end)).trimEnd())}`);
}
