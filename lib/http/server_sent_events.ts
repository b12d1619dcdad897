/**
 * `GET /events`: events as server-sent events, which the `EventSource` of every browser reads. To the broker a reader is a
 * connection whose codec writes them, so that the text for all readers of the same patterns is made and encoded once. That is
 * why it is not made by the `ServerSentEventStream` of `@std/http`, of which each reader would have its own.
 *
 * @module
 */
import type { EventFormat, LineCodec, Outgoing, Reader } from "../net/codec.ts";
import type { LineObserver } from "../net/line_reader.ts";
import { Flow, scheduler } from "../net/read_scheduler.ts";
import type { ByteReader, Transport } from "../net/transport.ts";
import { ConnectionError } from "../protocol/errors.ts";
import { parseBrokerLine } from "../protocol/lines.ts";
import { takeWord } from "../protocol/text.ts";
import type { Upgraded } from "./connection.ts";

/** How much is read at once of what a reader sends, which is ignored, in bytes. */
const READ_BYTES = 1024;

/** How much of an event is taken apart at once, in UTF-16 code units. */
const PIECE_CHARACTERS = 16 * 1024;

/** The format of server-sent events. A message ends with an empty line: whoever writes it adds the second LF. */
const FORMAT: EventFormat<Outgoing & { readonly id: string }> = {
  key: "server-sent events",
  write: ({ line, id }) => formatMessage(line, id),
};

/** The codec of connections that read server-sent events. */
export const EVENT_STREAM_CODEC: LineCodec = {
  info: { classic: null },
  reader: (source) => new IgnoringReader(source),
  queueOptions: ({ outboxBytes }) => ({ limitBytes: outboxBytes }),
  format: FORMAT,
  isOneWay: true,
  formatControl: (lines) => lines.split("\n").slice(0, -1).map(formatComment).join(""),
};

/** Reads what a client sends who has nothing to say, up to its end. */
class IgnoringReader implements Reader {
  readonly #source: ByteReader;
  flow: Flow = new Flow();
  receivedBytes = 0;
  readonly heldBytes = 0;
  readonly unfinishedBytes = 0;

  constructor(source: ByteReader) {
    this.#source = source;
  }

  async readAll(_observer: LineObserver): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    try {
      for (let count = await this.#source.read(buffer); count !== null; count = await this.#source.read(buffer)) {
        this.receivedBytes += count;
        await scheduler.run(this.flow, count, () => {});
      }
    } catch (cause) {
      throw new ConnectionError("disconnected", "The connection broke", { cause });
    }
  }

  raiseLimit(): void {}
}

/** The connection of a reader, which is written to and not listened to. */
export class EventStreamTransport implements Transport {
  /** The address of the reader. */
  readonly remoteAddr: Deno.Addr;
  readonly #conn: Transport;
  readonly #onClose: () => void;
  readonly #closed = Promise.withResolvers<void>();

  /**
   * Takes over a connection that has asked for events.
   *
   * @param upgraded The connection.
   * @param onClose Called when it is closed.
   */
  constructor({ conn }: Pick<Upgraded, "conn">, onClose: () => void) {
    this.#conn = conn;
    this.remoteAddr = conn.remoteAddr;
    this.#onClose = onClose;
  }

  /** The stream to write to. */
  get writable(): WritableStream<Uint8Array> {
    return this.#conn.writable;
  }

  /** Reads what the reader sends. */
  read(buffer: Uint8Array): Promise<number | null> {
    return this.#conn.read(buffer);
  }

  /** Ends the stream behind all that was written. */
  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
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
}

/**
 * Makes a server-sent event.
 *
 * @param line The line of the event.
 * @param id Its id.
 * @returns The message, without the second of the two LFs at its end.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const id = "01JD3K5E8Q5V1M4S3R6T7W8X9Y";
 * assertEquals(formatMessage('create {"id":1}', id), `event: create\ndata: {"id":1}\nid: ${id}\n`);
 * ```
 */
export function formatMessage(line: string, id: string): string {
  const [name, text] = takeWord(line);
  // A CR ends a line of the stream, so that each part of the data has one of its own (HTML, section 9.2.6).
  const data = text.includes("\r") ? piecesOf(text).map((piece) => piece.split("\r").join("\ndata: ")) : [text];
  return [`event: ${name}\ndata: `, ...data, `\nid: ${id}\n`].join("");
}

/** A megabyte of CRs is taken in pieces: split and join take a third of the time of replaceAll, but memory for each part. */
function piecesOf(text: string): string[] {
  const count = Math.ceil(text.length / PIECE_CHARACTERS);
  return Array.from(
    { length: count },
    (_, index) => text.slice(index * PIECE_CHARACTERS, (index + 1) * PIECE_CHARACTERS),
  );
}

/**
 * Makes a comment of a control line, which an `EventSource` ignores: of `/ping`, which keeps proxies from closing the stream,
 * of the number of dropped events, and of why the stream ends. Nothing else is told.
 */
function formatComment(text: string): string {
  const line = parseBrokerLine(text);
  switch (line.type) {
    case "ping":
      return ": ping\n\n";
    case "dropped":
      return `: dropped ${line.events}\n\n`;
    case "bye":
    case "err":
      return `: ${line.text}\n\n`;
    default:
      return "";
  }
}
