/**
 * The interface of a connection, and connections that are not sockets: the chunks of a web stream, and a pipe in memory.
 *
 * @module
 */

const NOTHING = new Uint8Array(0);

/**
 * A connection that carries bytes in both directions, such as a `Deno.Conn`. Each direction is ended by itself.
 *
 * @example
 * ```ts
 * import { Broker } from "../broker.ts";
 *
 * await using broker = new Broker();
 * using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * using _client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
 * const transport: Transport = await listener.accept();
 * broker.attach(transport);
 * ```
 */
export interface Transport {
  /** The address of the peer. */
  readonly remoteAddr: Deno.Addr;
  /**
   * The stream to write to. It is not accessed before the first write. A chunk is its own only until the write is done: the
   * memory of a large one may be given back then.
   */
  readonly writable: WritableStream<Uint8Array>;
  /** Set while a chunk is written in parts: what the transport itself has to send waits for its end. */
  isCut?: boolean;
  /**
   * Reads at least one byte into a buffer.
   *
   * @param buffer The buffer to read into.
   * @returns How many bytes were read, or null at the end.
   */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Whether it knows of more to read at once, though the last read has not filled its buffer. */
  readonly hasMore?: boolean;
  /**
   * Makes what is written of lines, where that is not the lines themselves: the same for all connections of its kind.
   *
   * @param lines Whole lines of UTF-8, each with its LF.
   * @returns The bytes to write.
   */
  readonly frame?: (lines: Uint8Array) => Uint8Array;
  /** Ends the outgoing direction, behind all that was written. */
  closeWrite(): Promise<void>;
  /** Ends both directions at once. It may throw if the connection has been closed already. */
  close(): void;
}

/** A source of bytes, such as a `Deno.Conn`. */
export type ByteReader = Pick<Transport, "read" | "hasMore">;

/** A destination of bytes, such as a `Deno.Conn`. */
export type Sink = Pick<Transport, "writable" | "isCut">;

/**
 * Reads the chunks of a web stream into buffers, as a socket is read.
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
  /** The part of the last chunk that did not fit into the buffer. */
  #rest: Uint8Array = NOTHING;

  /**
   * Makes a reader, which locks the stream.
   *
   * @param stream The stream.
   */
  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /**
   * Reads at least one byte into a buffer.
   *
   * @param buffer The buffer to read into.
   * @returns How many bytes were read, or null at the end.
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

  /** Cancels the stream: a pending read returns null, and what still comes is discarded. */
  cancel(): void {
    this.#rest = NOTHING;
    this.#reader.cancel().catch(() => {}); // The stream has failed already.
  }
}

/** The two ends of a connection in memory. */
export interface Pipe {
  /** The broker's end. */
  readonly transport: Transport;
  /** The client's end: what the broker writes. Its backpressure reaches the broker. */
  readonly readable: ReadableStream<Uint8Array>;
  /** The client's end: what the broker reads. */
  readonly writable: WritableStream<Uint8Array>;
}

/**
 * Makes a connection within this process. It buffers nothing: a write is done when it has been read, so that what the
 * client does not read waits in the broker's write queue, which has a limit.
 *
 * @param remoteAddr The address of the client, as the broker sees it.
 * @returns The ends of the connection.
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
    transform: (chunk, controller) => controller.enqueue(chunk.slice()), // The chunk may be freed when it is written.
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
