/**
 * What a broker needs of a connection, whatever carries it.
 *
 * @module
 */
import type { ByteReader } from "./line_reader.ts";
import type { Sink } from "./write_queue.ts";

/**
 * Bytes in both directions, such as a `Deno.Conn`: what comes is read, what goes is written, and each of the two ends by
 * itself.
 */
export interface Transport extends ByteReader, Sink {
  /** Where the other side is. */
  readonly remoteAddr: Deno.Addr;
  /** Ends what goes to the other side, behind all that was written. */
  closeWrite(): Promise<void>;
  /** Ends both directions at once. It may throw if that has happened already. */
  close(): void;
}
