/**
 * The chunks of a web stream, read as a socket is: into the reader's own buffer.
 *
 * @module
 */
import type { ByteReader } from "./line_reader.ts";

const NOTHING = new Uint8Array(0);

/**
 * Reads the bytes of a stream.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const reader = new ChunkReader(ReadableStream.from([new Uint8Array([1, 2, 3])]));
 * const buffer = new Uint8Array(2);
 * assertEquals([await reader.read(buffer), ...buffer], [2, 1, 2]);
 * assertEquals([await reader.read(buffer), buffer[0]], [1, 3]);
 * assertEquals(await reader.read(buffer), null);
 * ```
 */
export class ChunkReader implements ByteReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  /** What did not fit into the buffer. */
  #rest: Uint8Array = NOTHING;

  /**
   * Makes a reader that has not begun to read.
   *
   * @param stream The stream; nobody else can read it from now on.
   */
  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /**
   * Reads at least one byte into a buffer.
   *
   * @param buffer Where the bytes go.
   * @returns How many came, or null at the end.
   */
  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#rest.length === 0) {
      const { value } = await this.#reader.read();
      if (value === undefined) return null;
      this.#rest = value;
    }
    const count = Math.min(buffer.length, this.#rest.length);
    buffer.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  /** Reads no more: what comes is thrown away, and a read that waits is at its end. */
  cancel(): void {
    this.#rest = NOTHING;
    this.#reader.cancel().catch(() => {}); // The stream has failed already.
  }
}
