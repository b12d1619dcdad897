/**
 * `GET /ws`: a WebSocket (RFC 6455) as a connection of the line protocol. Each message is a line without its LF.
 *
 * The frames are read here and not by the package `ws`, and not by Deno's `WebSocket`: the bytes are unmasked on their way from
 * the socket into the buffer of the line reader, which asks for them when it is its turn. So a WebSocket is slowed down as a
 * TCP connection is, and buffers nothing; a message may be as long as it likes, and is discarded as it arrives.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { ConnectionError, MqError } from "../protocol/errors.ts";
import { encodeText } from "../protocol/text.ts";
import type { Transport } from "../net/transport.ts";
import type { HttpRequest, Upgraded } from "./connection.ts";
import { CLOSE, type Ending, frame, frameLines, FrameReader, NORMAL, PING, PING_REPLY } from "./frames.ts";

/** What is added to the key of a client to prove that the server speaks WebSocket (RFC 6455, section 1.3). */
const KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** 16 bytes in Base64. */
const KEY = /^[A-Za-z\d+/]{22}==$/;

/** How much is read from the socket at once, in bytes: a few thousand of the smallest frames. */
const READ_BYTES = 4096;

const NOTHING = new Uint8Array(0);

/**
 * Accepts the request for a WebSocket.
 *
 * @param request The request.
 * @returns The headers of the response that opens it.
 * @throws {MqError} With the code `no-upgrade`, if the request does not ask for a WebSocket.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const headers = new Headers({
 *   connection: "Upgrade",
 *   upgrade: "websocket",
 *   "sec-websocket-version": "13",
 *   "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
 * });
 * assertEquals(acceptUpgrade({ headers })["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
 * assertThrows(() => acceptUpgrade({ headers: new Headers() }), Error, "/ws is for WebSockets");
 * ```
 */
export function acceptUpgrade({ headers }: Pick<HttpRequest, "headers">): Record<string, string> {
  const has = (name: string, word: string) =>
    headers.get(name)?.toLowerCase().split(",").some((part) => part.trim() === word) ?? false;
  const key = headers.get("sec-websocket-key") ?? "";
  const isUpgrade = has("connection", "upgrade") && has("upgrade", "websocket");
  if (!isUpgrade || headers.get("sec-websocket-version") !== "13" || !KEY.test(key)) {
    throw new MqError("no-upgrade", "Cannot open a WebSocket: /ws is for WebSockets, and this is another request");
  }
  const accept = createHash("sha1").update(key + KEY_SUFFIX).digest("base64");
  return { upgrade: "websocket", connection: "Upgrade", "sec-websocket-accept": accept };
}

/** A connection over a WebSocket. */
export class WebSocketTransport implements Transport {
  /** The address of the other end. */
  readonly remoteAddr: Deno.Addr;
  /** Takes the frames to send. */
  readonly writable: WritableStream<Uint8Array>;
  /** Makes a message of each line. */
  readonly frame: NonNullable<Transport["frame"]> = frameLines;
  readonly #conn: Transport;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #frames = new FrameReader();
  readonly #onClose: () => void;
  readonly #closed = Promise.withResolvers<void>();
  readonly #buffer = new Uint8Array(READ_BYTES);
  /** What has been read from the socket and not decoded yet. */
  #rest: Uint8Array;
  /** Whether the last read has filled the buffer. */
  #isFull = false;
  /** Frames that wait for the end of a chunk that is written in parts, which may end within a frame. */
  readonly #waiting: { frame: Uint8Array; resolve: () => void }[] = [];
  #isCut = false;
  /** The last ping that is not answered, while an answer is being sent (RFC 6455, 5.5.3: only the last need be). */
  #ping: Uint8Array | undefined;
  #isAnswering = false;
  #isClosing = false;
  #hasSentClose = false;
  /** Whether it waits for bytes, has got some since the last ping, and has sent one. */
  #isReading = false;
  #hasReceived = false;
  #hasPinged = false;

  /**
   * Takes over a connection that has asked for a WebSocket.
   *
   * @param upgraded The connection, and the head of the response, which is sent first.
   * @param onClose Called when it is closed.
   */
  constructor({ conn, head, rest }: Upgraded, onClose: () => void = () => {}) {
    this.#conn = conn;
    this.remoteAddr = conn.remoteAddr;
    this.#rest = rest;
    this.#onClose = onClose;
    this.#writer = conn.writable.getWriter();
    this.writable = new WritableStream({ write: (bytes) => this.#write(bytes) });
    this.#send(head);
  }

  /**
   * Reads at least one byte.
   *
   * @param buffer Takes the bytes.
   * @returns How many bytes came; null when the other end has closed the WebSocket.
   * @throws {ConnectionError} With the code `disconnected`, if the WebSocket broke.
   */
  async read(buffer: Uint8Array): Promise<number | null> {
    for (;;) {
      const { used, written } = this.#frames.decode(this.#rest, buffer);
      this.#rest = this.#rest.subarray(used);
      const { ping, ending } = this.#frames.takeControls();
      if (ping !== undefined) this.#answer(ping);
      if (written > 0) return written;
      if (ending !== undefined) {
        this.#close(ending);
        return null;
      }
      if (this.#rest.length === 0) await this.#receive();
    }
  }

  /** Whether more has been received than was asked for, or is about to be. */
  get hasMore(): boolean {
    return this.#rest.length > 0 || this.#isFull;
  }

  async #receive(): Promise<void> {
    this.#isReading = true;
    const count = await this.#conn.read(this.#buffer);
    this.#isReading = false;
    this.#hasReceived = true;
    if (count === null) throw new ConnectionError("disconnected", "The WebSocket broke");
    this.#isFull = count === READ_BYTES;
    this.#rest = this.#buffer.subarray(0, count);
  }

  /** Begins to close the WebSocket behind all that was written, and asks the other end to close it, too. */
  closeWrite(): Promise<void> {
    return this.#close({ code: NORMAL, reason: "" });
  }

  /** Resolves when it is closed. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Closes the connection at once. */
  close(): void {
    this.#onClose();
    this.#closed.resolve();
    this.#conn.close();
  }

  /**
   * Finds out whether the other end is still there, by a ping of the WebSocket. To be called at intervals that leave time for
   * an answer.
   *
   * @returns False if it has not answered the ping before, though its answer would have been read.
   */
  isAlive(): boolean {
    const isSilent = this.#hasPinged && this.#isReading && !this.#hasReceived;
    this.#hasReceived = false;
    this.#hasPinged = this.#isReading && !this.#isClosing;
    if (this.#hasPinged) this.#sendBetween(frame(PING, NOTHING));
    return !isSilent;
  }

  async #close({ code, reason }: Ending): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#hasSentClose = !this.#isCut;
    const text = encodeText(reason);
    const payload = new Uint8Array(2 + text.length);
    payload.set([code >> 8, code & 0xff]);
    payload.set(text, 2);
    await this.#sendBetween(frame(CLOSE, payload));
  }

  /** Sends the answer to a ping, and then that to the last one that has come meanwhile. */
  async #answer(ping: Uint8Array): Promise<void> {
    this.#ping = ping;
    if (this.#isAnswering) return;
    this.#isAnswering = true;
    for (let next = this.#takePing(); next !== undefined; next = this.#takePing()) {
      await this.#sendBetween(frame(PING_REPLY, next));
    }
    this.#isAnswering = false;
  }

  #takePing(): Uint8Array | undefined {
    const ping = this.#isClosing ? undefined : this.#ping;
    this.#ping = undefined;
    return ping;
  }

  /** Whether a chunk is written in parts. What is to be sent between frames waits for its end. */
  set isCut(isCut: boolean) {
    this.#isCut = isCut;
    if (isCut) return;
    this.#hasSentClose = this.#isClosing;
    for (const { frame, resolve } of this.#waiting.splice(0)) this.#send(frame).then(resolve);
  }

  #sendBetween(frame: Uint8Array): Promise<void> {
    if (!this.#isCut) return this.#send(frame);
    return new Promise((resolve) => void this.#waiting.push({ frame, resolve }));
  }

  #send(bytes: Uint8Array): Promise<void> {
    return this.#writer.write(bytes).catch(() => {}); // That the connection broke is found out by reading it.
  }

  async #write(frames: Uint8Array): Promise<void> {
    if (this.#hasSentClose) throw new ConnectionError("disconnected", "The WebSocket is closed");
    await this.#writer.write(frames);
  }
}
