/**
 * `GET /ws`: a WebSocket as a connection of the line protocol. Each message is a line without its LF.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { ConnectionError, MqError } from "../protocol/errors.ts";
import { encodeText } from "../protocol/text.ts";
import { ChunkReader, type Transport } from "../net/transport.ts";

/**
 * How long a WebSocket may leave its pings unanswered, in seconds. The `/ping` of the broker (`limits.answerMs`) may end
 * it sooner.
 */
const IDLE_TIMEOUT_S = 30;

/** How many bytes may wait in the socket. More wait in the write queue of the broker, where its limit holds. */
const MAX_BUFFERED_BYTES = 64 * 1024;

/** How long to wait before the socket is asked again how much waits in it, in milliseconds: at first, and at most. */
const [FIRST_POLL_MS, LAST_POLL_MS] = [1, 100];

/** The codes with which a WebSocket is closed (RFC 6455, section 7.4.1). */
const [NORMAL, UNSUPPORTED_DATA, POLICY_VIOLATION] = [1000, 1003, 1008];

/**
 * Accepts the request for a WebSocket.
 *
 * @param request The request.
 * @returns The WebSocket, which is not open yet, and the response that opens it.
 * @throws {MqError} With the code `no-upgrade`, if the request does not ask for a WebSocket.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => upgrade(new Request("http://localhost:8080/ws")), Error, "/ws is for WebSockets");
 * ```
 */
export function upgrade(request: Request): Deno.WebSocketUpgrade {
  try {
    return Deno.upgradeWebSocket(request, { idleTimeout: IDLE_TIMEOUT_S });
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause; // A TypeError tells that the headers ask for no WebSocket.
    throw new MqError("no-upgrade", "Cannot open a WebSocket: /ws is for WebSockets, and this is another request", {
      cause,
    });
  }
}

/** A connection over a WebSocket that is open. */
export class WebSocketTransport implements Transport {
  /** The address of the other end. */
  readonly remoteAddr: Deno.NetAddr;
  /** Takes the bytes to send; each whole line is sent as a message. */
  readonly writable: WritableStream<Uint8Array>;
  readonly #socket: WebSocket;
  readonly #maxUnreadBytes: number;
  readonly #incoming: ChunkReader;
  readonly #closed = Promise.withResolvers<void>();
  #messages!: ReadableStreamDefaultController<Uint8Array>;
  #failure: ConnectionError | undefined;
  readonly #decoder = new TextDecoder();
  /** The beginning of a line whose end has not been written yet. */
  #unfinished = "";

  /**
   * Takes over a WebSocket with all of its events.
   *
   * @param socket The WebSocket.
   * @param remoteAddr The address of the other end.
   * @param maxUnreadBytes How many received bytes may wait to be read. The sender of a WebSocket cannot be slowed down, so
   * the WebSocket is closed when there are more.
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
    socket.addEventListener("close", ({ wasClean }) => this.#ended(wasClean), { once: true }); // It may come twice.
    socket.onerror = () => {}; // A close event with `wasClean` false follows.
  }

  /** Resolves when the WebSocket is closed. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * Reads at least one byte.
   *
   * @param buffer Takes the bytes.
   * @returns How many bytes came; null at the end.
   * @throws {ConnectionError} With the code `disconnected`, at the end of a WebSocket that broke.
   */
  async read(buffer: Uint8Array): Promise<number | null> {
    const count = await this.#incoming.read(buffer);
    if (count === null && this.#failure) throw this.#failure;
    return count;
  }

  /** Begins to close the WebSocket behind all that was written, and asks the other end to close it, too. */
  closeWrite(): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /**
   * The same as {@linkcode WebSocketTransport.closeWrite}: Deno cannot break a WebSocket. If the other end does not answer,
   * the WebSocket ends after its `idleTimeout`.
   */
  close(): void {
    this.#socket.close(NORMAL);
  }

  get #isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  #receive(message: unknown): void {
    if (!this.#isOpen) return;
    if (typeof message !== "string") {
      return this.#socket.close(UNSUPPORTED_DATA, "A line is text: send no binary messages");
    }
    this.#messages.enqueue(encodeText(message + "\n"));
    if (this.#messages.desiredSize! >= 0) return;
    this.#socket.close(POLICY_VIOLATION, `More than ${this.#maxUnreadBytes} bytes wait to be read`);
  }

  /** A failure is thrown behind all that was received: as an error of the stream it would discard that. */
  #ended(wasClean: boolean): void {
    if (!wasClean) this.#failure = new ConnectionError("disconnected", "The WebSocket broke");
    this.#messages.close();
    this.#closed.resolve();
  }

  async #send(bytes: Uint8Array): Promise<void> {
    const lines = (this.#unfinished + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#unfinished = lines.pop()!;
    for (const line of lines) {
      this.#socket.send(line);
      if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) await this.#drained();
      if (!this.#isOpen) throw new ConnectionError("disconnected", "The WebSocket is closed");
    }
  }

  /** Resolves when the socket has sent most of what waits in it, or is closed: no event tells that. */
  async #drained(): Promise<void> {
    for (let ms = FIRST_POLL_MS; this.#isOpen; ms = Math.min(2 * ms, LAST_POLL_MS)) {
      await delay(ms);
      if (this.#socket.bufferedAmount <= MAX_BUFFERED_BYTES) return;
    }
  }
}
