/**
 * The interface of a connection, and connections that are not sockets: the chunks of a web stream, and a pipe in memory.
 *
 * @module
 */

const NOTHING = new Uint8Array(0);

/** What lines are read from, such as a `Deno.Conn`. */
export interface ByteReader {
  /**
   * Reads at least one byte into a buffer.
   *
   * @param buffer Where the bytes go.
   * @returns How many came, or null at the end.
   */
  read(buffer: Uint8Array): Promise<number | null>;
}

/** What an outbox writes to, such as a `Deno.Conn`. */
export interface Sink {
  /** Where the bytes go. It is not asked for before there is something to write. */
  readonly writable: WritableStream<Uint8Array>;
}

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

/** The two ends of a connection in memory. */
export interface Pipe {
  /** The broker's end. */
  readonly transport: Transport;
  /** What the broker writes; it is not written faster than it is read. */
  readonly readable: ReadableStream<Uint8Array>;
  /** What the broker reads. */
  readonly writable: WritableStream<Uint8Array>;
}

/**
 * Makes a connection in memory. The back-pressure of streams bounds it: a write is done when it was read, so that what is
 * not read waits in the broker's outbox, where its limit holds.
 *
 * @param remoteAddr Where the client is that somebody speaks for.
 * @returns Its ends.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const { transport, readable, writable } = pipe({ transport: "tcp", hostname: "127.0.0.1", port: 50000 });
 * new Response("create 1\n").body!.pipeTo(writable);
 * const buffer = new Uint8Array(100);
 * assertEquals(await transport.read(buffer), 9);
 * assertEquals(await transport.read(buffer), null);
 * await transport.closeWrite();
 * assertEquals(await new Response(readable).text(), "");
 * ```
 */
export function pipe(remoteAddr: Deno.NetAddr): Pipe {
  const toBroker = new TransformStream<Uint8Array, Uint8Array>();
  let outgoing!: TransformStreamDefaultController<Uint8Array>;
  const fromBroker = new TransformStream<Uint8Array, Uint8Array>({
    start: (controller) => void (outgoing = controller),
  });
  const incoming = new ChunkReader(toBroker.readable);
  const transport: Transport = {
    remoteAddr,
    read: (buffer) => incoming.read(buffer),
    writable: fromBroker.writable,
    closeWrite: () => Promise.resolve(outgoing.terminate()),
    close() {
      outgoing.terminate();
      incoming.cancel();
    },
  };
  return { transport, readable: fromBroker.readable, writable: toBroker.writable };
}
