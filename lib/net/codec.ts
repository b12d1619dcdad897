/**
 * Codecs: how the bytes of a connection are read as events, and how events are written to it. A broker knows connections
 * by their codec alone, so that what old clients need concerns nobody else.
 *
 * @module
 */
import type { Json } from "../protocol/data.ts";
import { type Limits, MAX_GREETING_BYTES } from "../protocol/limits.ts";
import type { ClientInfo } from "../protocol/responses.ts";
import { type LineObserver, LineReader } from "./line_reader.ts";
import type { ByteReader } from "./transport.ts";
import type { WriteQueueOptions } from "./write_queue.ts";

/** Reads a connection. */
export interface Reader {
  /**
   * Reads to the end of the connection.
   *
   * @param observer Called with each line or message, and with each fault.
   * @throws {ConnectionError} With the code `disconnected`, if the connection broke.
   */
  readAll(observer: LineObserver): Promise<void>;
  /** How many bytes have been received. */
  readonly receivedBytes: number;
  /** How many bytes of a line have been received whose end has not. */
  readonly unfinishedBytes: number;
  /**
   * Raises the limit of a line.
   *
   * @param bytes The longest line from now on, in bytes without its LF.
   */
  raiseLimit(bytes: number): void;
}

/** An event that is to be written. */
export interface Outgoing {
  /** The event as a line, without the LF. */
  readonly line: string;
  /** The message that the event came as. Codecs may keep here what they make of the line. */
  source?: unknown;
}

/** How events are written. */
export interface EventFormat<E extends Outgoing = Outgoing> {
  /** Connections with equal keys are written the same bytes. */
  readonly key: string;
  /**
   * Writes an event.
   *
   * @param event The event.
   * @returns Its text without the LF; undefined if it is longer than this format allows.
   */
  write(event: E): string | undefined;
}

/** What a codec makes of a message. */
export interface Decoded {
  /** The event as a line, without the LF. */
  readonly line: string;
  /** The message, for {@linkcode Outgoing.source}. */
  readonly source: unknown;
  /** Whether the message may have no name, so that the name of the event is a guess. */
  readonly isGuess: boolean;
  /** The system events to tell of the connection, each once for its `key`. */
  readonly notices: readonly Notice[];
}

/** A system event about what a connection has sent. */
export interface Notice {
  /** The name of the system event. */
  readonly name: `mq.${string}`;
  /** Its data, besides what identifies the connection. */
  readonly data: { [key: string]: Json };
  /** Notices of one connection with equal keys are told once. */
  readonly key: string;
}

/** What all codecs have. */
export interface CodecBase {
  /** What `/clients` tells of the connection's form. */
  readonly info: Pick<ClientInfo, "classic">;
  /**
   * Makes a connection's reader.
   *
   * @param source The connection.
   * @param limits The broker's limits.
   */
  reader(source: ByteReader, limits: Limits): Reader;
  /**
   * The bounds of a connection's write queue.
   *
   * @param limits The broker's limits.
   */
  queueOptions(limits: Limits): WriteQueueOptions;
}

/** The codec of connections that speak the line protocol: what is read are its lines, and each connection sets its format. */
export interface LineCodec extends CodecBase {
  /** What is read are lines: nothing is to be decoded. */
  readonly decode?: undefined;
}

/** A codec of connections that know nothing of the line protocol: no control line is read from them or sent to them. */
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

/** How a connection is read and written. */
export type Codec = LineCodec | MessageCodec;

/** The broker, to who makes a codec for one of its ports. */
export interface CodecHost {
  /** The names that the broker recognizes, without those that only a wildcard matches. */
  readonly names: readonly string[];
  /** Whether clients have to authenticate, or to agree on TLS. */
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
 * @throws {MqError} If the broker cannot have such a port.
 */
export type CodecFactory = (host: CodecHost) => Codec;

/** The line protocol. Until a client has authenticated, its lines may be no longer than a greeting. */
export const LINE_CODEC: LineCodec = {
  info: { classic: null },
  reader: (source, { lineBytes }) =>
    new LineReader(source, { maxLineBytes: Math.min(lineBytes, MAX_GREETING_BYTES), limitReadAhead: true }),
  queueOptions: ({ outboxBytes }) => ({ limitBytes: outboxBytes }),
};
