/**
 * Codecs decode the bytes of a connection to events, and encode events for it. The broker depends only on these interfaces,
 * so that it does not know which kinds of clients there are.
 *
 * @module
 */
import type { Json } from "../protocol/data.ts";
import { type Limits, MAX_GREETING_BYTES } from "../protocol/limits.ts";
import type { ClientInfo } from "../protocol/responses.ts";
import { type LineObserver, LineReader } from "./line_reader.ts";
import type { MemoryBudget } from "./memory.ts";
import type { Flow } from "./read_scheduler.ts";
import type { ByteReader } from "./transport.ts";
import type { WriteQueueOptions } from "./write_queue.ts";

/** Reads the lines or messages of a connection. */
export interface Reader {
  /**
   * Reads to the end of the connection.
   *
   * @param observer The callbacks.
   * @throws {ConnectionError} With the code `disconnected`, if the connection broke.
   */
  readAll(observer: LineObserver): Promise<void>;
  /** What the time is charged to that its lines or messages take. */
  flow: Flow;
  /** How much of the memory budget it has taken, in bytes. */
  readonly heldBytes: number;
  /** How many bytes have been received. */
  readonly receivedBytes: number;
  /** The length so far of the line whose end has not been received, in bytes. */
  readonly unfinishedBytes: number;
  /**
   * Raises the limit for lines.
   *
   * @param bytes The longest line from now on, in bytes without its LF.
   */
  raiseLimit(bytes: number): void;
}

/** An event to be written. */
export interface Outgoing {
  /** The event as a line, without the LF. */
  readonly line: string;
  /** The message that the event was received as. Codecs may store here what they derive from the line. */
  source?: unknown;
}

/** How events are written. */
export interface EventFormat<E extends Outgoing = Outgoing> {
  /** Connections with equal keys receive the same bytes. */
  readonly key: string;
  /**
   * Writes an event.
   *
   * @param event The event.
   * @returns Its text without the LF; undefined if it is longer than this format allows.
   */
  write(event: E): string | undefined;
}

/** A decoded message. */
export interface Decoded {
  /** The event as a line, without the LF. */
  readonly line: string;
  /** The message, for {@linkcode Outgoing.source}. */
  readonly source: unknown;
  /** Whether the name of the event is a guess, because the message may have none. */
  readonly isGuess: boolean;
  /** System events about the connection. */
  readonly notices: readonly Notice[];
}

/** A system event about what a connection has sent. */
export interface Notice {
  /** The name of the system event. */
  readonly name: `mq.${string}`;
  /** Its data, without the id and name of the connection. */
  readonly data: { [key: string]: Json };
  /** Of the notices of one connection with equal keys, only the first is published. */
  readonly key: string;
}

/** The common part of all codecs. */
export interface CodecBase {
  /** The properties of the codec in the response to `/clients`. */
  readonly info: Pick<ClientInfo, "classic">;
  /**
   * Makes the reader of a connection.
   *
   * @param source The connection.
   * @param limits The broker's limits.
   * @param memory The budget for what is read and not passed on yet.
   */
  reader(source: ByteReader, limits: Limits, memory: MemoryBudget): Reader;
  /**
   * The options of the write queue of a connection.
   *
   * @param limits The broker's limits.
   */
  queueOptions(limits: Limits): WriteQueueOptions;
}

/** The codec of the line protocol. Its lines are not decoded. */
export interface LineCodec extends CodecBase {
  /** Undefined: lines are not decoded. */
  readonly decode?: undefined;
  /** How events are written. Default: as lines, in the form that each connection asks for. */
  readonly format?: EventFormat<Outgoing & { readonly id: string }>;
  /**
   * Writes control lines in another form.
   *
   * @param lines Whole lines, each with its LF.
   * @returns Their text.
   */
  readonly formatControl?: (lines: string) => string;
  /** Whether nothing is expected from the client, so that it is not expected to answer a `/ping`. Default: false. */
  readonly isOneWay?: boolean;
}

/** A codec of connections that do not use the line protocol. No control lines are read from them or sent to them. */
export interface MessageCodec extends CodecBase {
  /** How events are written. */
  readonly format: EventFormat;
  /**
   * Reads a message.
   *
   * @param text The message.
   * @returns The event.
   * @throws {ProtocolError} With the code `bad-message` or `no-name`.
   */
  decode(text: string): Decoded;
}

/** The codec of a connection. */
export type Codec = LineCodec | MessageCodec;

/** The broker, as a {@linkcode CodecFactory} sees it. */
export interface CodecHost {
  /** The names that the broker recognizes, without those that only a wildcard matches. */
  readonly names: readonly string[];
  /** Whether the broker requires tokens or TLS. */
  readonly isProtected: boolean;
  /**
   * Which pattern recognizes a name.
   *
   * @param name The name.
   * @returns The pattern; undefined if none does.
   */
  recognizedBy(name: string): string | undefined;
}

/**
 * Makes the codec of a port.
 *
 * @param host The broker.
 * @returns The codec.
 * @throws {MqError} If the broker cannot have a port with this codec.
 *
 * @internal It changes with the broker; {@linkcode classic} makes one.
 */
export type CodecFactory = (host: CodecHost) => Codec;

/** The codec of the line protocol. Before a client is authorized, its lines have the limit of a `/hello`. */
export const LINE_CODEC: LineCodec = {
  info: { classic: null },
  reader: (source, { lineBytes }, memory) =>
    new LineReader(source, { maxLineBytes: Math.min(lineBytes, MAX_GREETING_BYTES), limitReadAhead: true, memory }),
  queueOptions: ({ outboxBytes }) => ({ limitBytes: outboxBytes }),
};
