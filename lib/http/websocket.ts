/**
 * A WebSocket as a connection of the line protocol: each message is a line, without its line feed.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { ConnectionError } from "../protocol/errors.ts";
import { ChunkReader, type Transport } from "../net/transport.ts";
import { encodeText } from "../protocol/text.ts";

/** How many bytes may wait in the socket; what is more waits in the broker's outbox, where its limit holds. */
const MAX_BUFFERED_BYTES = 64 * 1024;

/** How often it is looked whether they have left, in milliseconds: at first, and after a while. */
const [FIRST_LOOK_MS, LAST_LOOK_MS] = [1, 100];

/** Why a WebSocket is closed (RFC 6455, section 7.4.1). */
const [NORMAL, UNACCEPTABLE, AGAINST_POLICY] = [1000, 1003, 1008];

/** A connection over a WebSocket that was accepted and is open. */
export class SocketTransport implements Transport {
  /** Where the other side is. */
  readonly remoteAddr: Deno.NetAddr;
  /** Where the bytes go: a message is sent for each whole line. */
  readonly writable: WritableStream<Uint8Array>;
  readonly #socket: WebSocket;
  readonly #maxUnreadBytes: number;
  readonly #incoming: ChunkReader;
  readonly #closed = Promise.withResolvers<void>();
  #messages!: ReadableStreamDefaultController<Uint8Array>;
  #failure: ConnectionError | undefined;
  readonly #decoder = new TextDecoder();
  /** The beginning of a line that was not written to its end. */
  #begun = "";

  /**
   * Takes a WebSocket, and all of its events.
   *
   * @param socket The WebSocket.
   * @param remoteAddr Where the other side is.
   * @param maxUnreadBytes How many bytes may have come and not been read: no WebSocket can be read more slowly, so it is
   * closed when there are more.
   */
  constructor(socket: WebSocket, remoteAddr: Deno.NetAddr, maxUnreadBytes: number) {
    this.#socket = socket;
    this.remoteAddr = remoteAddr;
    this.#maxUnreadBytes = maxUnreadBytes;
    const strategy = new ByteLengthQueuingStrategy({ highWaterMark: maxUnreadBytes });
    const start = (controller: ReadableStreamDefaultController<Uint8Array>) => void (this.#messages = controller);
    this.#incoming = new ChunkReader(new ReadableStream<Uint8Array>({ start }, strategy));
    this.writable = new WritableStream({ write: (bytes) => this.#send(bytes) });
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.addEventListener("close", ({ wasClean }) => this.#ended(wasClean), { once: true }); // Some come twice.
    socket.onerror = () => {}; // It is closed after that, and not in a clean way.
  }

  /** Resolves when it is closed. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * Reads at least one byte into a buffer.
   *
   * @param buffer Where the bytes go.
   * @returns How many came, or null at the end.
   * @throws {ConnectionError} With the code `disconnected`, at the end of one that broke.
   */
  async read(buffer: Uint8Array): Promise<number | null> {
    const count = await this.#incoming.read(buffer);
    if (count === null && this.#failure) throw this.#failure;
    return count;
  }

  /** Begins to close it, behind all that was written: the other side is asked to do the same. */
  closeWrite(): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /** The same: Deno cannot break a WebSocket. One that does not answer goes when its `idleTimeout` is over. */
  close(): void {
    this.#socket.close(NORMAL);
  }

  get #isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  #receive(message: unknown): void {
    if (!this.#isOpen) return;
    if (typeof message !== "string") return this.#socket.close(UNACCEPTABLE, "A line is text: send no binary messages");
    this.#messages.enqueue(encodeText(message + "\n"));
    if (this.#messages.desiredSize! >= 0) return;
    this.#socket.close(AGAINST_POLICY, `More than ${this.#maxUnreadBytes} bytes wait to be read`);
  }

  /** It is told at the end of what has come: raised in the stream, it would throw that away. */
  #ended(wasClean: boolean): void {
    if (!wasClean) this.#failure = new ConnectionError("disconnected", "The WebSocket broke");
    this.#messages.close();
    this.#closed.resolve();
  }

  async #send(bytes: Uint8Array): Promise<void> {
    const lines = (this.#begun + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#begun = lines.pop()!;
    for (const line of lines) {
      this.#socket.send(line);
      if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) await this.#room();
      if (!this.#isOpen) throw new ConnectionError("disconnected", "The WebSocket is closed");
    }
  }

  /** Waits until what the socket holds has left. */
  async #room(): Promise<void> {
    for (let ms = FIRST_LOOK_MS; this.#isOpen; ms = Math.min(2 * ms, LAST_LOOK_MS)) {
      await delay(ms);
      if (this.#socket.bufferedAmount <= MAX_BUFFERED_BYTES) return;
    }
  }
}
