/**
 * Reads the lines of stdin.
 *
 * @module
 */
import type { ByteReader } from "../../lib/net/transport.ts";
import { LineReader } from "../../lib/net/line_reader.ts";
import { ConnectionError, MqError, type ProtocolError } from "../../lib/protocol/errors.ts";
import { systemReason } from "../../lib/protocol/system_reason.ts";

/** Callbacks for lines; lines are numbered from 1. */
export interface InputObserver {
  /** Called with each line. A promise that it returns is awaited before the next line. */
  onLine(line: string, number: number): unknown;
  /** Called instead for a line that is too long or not UTF-8. */
  onFault(error: ProtocolError, number: number): void;
}

/** Options of {@linkcode readInput}. */
export interface InputOptions {
  /** The longest line, in bytes without its LF. */
  maxLineBytes: number;
  /** Ends the reading when it is aborted. */
  signal: AbortSignal;
}

/**
 * Reads lines of UTF-8 to the end of stdin. A byte order mark at its beginning is skipped.
 *
 * @throws {MqError} With the code `cannot-read`, if stdin is a directory, for example.
 */
export async function readInput(
  stdin: ReadableStream<Uint8Array>,
  observer: InputObserver,
  { maxLineBytes, signal }: InputOptions,
): Promise<void> {
  using source = new StreamSource(stdin, signal);
  let number = 0;
  const onLine = (line: string) => {
    signal.throwIfAborted(); // The line may be incomplete then.
    return observer.onLine(++number === 1 ? line.replace(/^\ufeff/, "") : line, number);
  };
  const onFault = (error: ProtocolError) => {
    signal.throwIfAborted();
    observer.onFault(error, ++number);
  };
  try {
    const reader = new LineReader(source, { maxLineBytes, isFile: true });
    await reader.readAll({ onLine, onFault });
  } catch (error) {
    if (signal.aborted && error === signal.reason) return;
    const isOfSource = error instanceof ConnectionError && error.code === "disconnected";
    throw isOfSource ? new MqError("cannot-read", `Cannot read stdin: ${systemReason(error.cause)}`) : error;
  }
}

/** Reads a stream through the interface of a connection, until the signal is aborted. */
class StreamSource implements ByteReader, Disposable {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #signal: AbortSignal;
  readonly #end = () => void this.#reader.cancel().catch(() => {}); // Nothing reads it any more.
  #rest: Uint8Array = new Uint8Array(0);

  constructor(stream: ReadableStream<Uint8Array>, signal: AbortSignal) {
    this.#reader = stream.getReader();
    this.#signal = signal;
    signal.addEventListener("abort", this.#end);
    if (signal.aborted) this.#end();
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    if (this.#rest.length === 0) {
      const { value, done } = await this.#reader.read();
      if (done) return null;
      this.#rest = value;
    }
    const part = this.#rest.subarray(0, buffer.length);
    buffer.set(part);
    this.#rest = this.#rest.subarray(part.length);
    return part.length;
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener("abort", this.#end);
  }
}
