/**
 * A connection that never leaves this process: what is written at one end is read at the other.
 *
 * @module
 */
import type { Transport } from "./transport.ts";
import { ChunkReader } from "./chunks.ts";

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
