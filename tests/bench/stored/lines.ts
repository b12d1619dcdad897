/** Splits what a broker sends into lines, without decoding them. */
import { concat } from "@std/bytes/concat";

const LF = 10;

/** Called with the place of a line in some bytes, without its LF. They are only valid during the call. */
export type OnLine = (bytes: Uint8Array, start: number, end: number) => void;

/** Finds the lines in chunks of bytes, however they are split. */
export class LineSplitter {
  /** The beginning of a line whose end has not arrived. */
  #rest = new Uint8Array(0);

  split(chunk: Uint8Array, onLine: OnLine): void {
    let start = this.#endRest(chunk, onLine);
    for (let end = chunk.indexOf(LF, start); end >= 0; end = chunk.indexOf(LF, start)) {
      onLine(chunk, start, end);
      start = end + 1;
    }
    if (start < chunk.length) this.#rest = concat([this.#rest, chunk.subarray(start)]);
  }

  /** Completes the unfinished line, if there is one and the chunk has its end; returns where the next line begins. */
  #endRest(chunk: Uint8Array, onLine: OnLine): number {
    if (this.#rest.length === 0) return 0;
    const end = chunk.indexOf(LF);
    if (end < 0) return 0;
    const line = concat([this.#rest, chunk.subarray(0, end)]);
    this.#rest = new Uint8Array(0);
    onLine(line, 0, line.length);
    return end + 1;
  }
}

/** Whether a line begins with something. */
export function lineStartsWith(bytes: Uint8Array, start: number, end: number, prefix: Uint8Array): boolean {
  if (end - start < prefix.length) return false;
  for (let index = 0; index < prefix.length; index++) {
    if (bytes[start + index] !== prefix[index]) return false;
  }
  return true;
}
