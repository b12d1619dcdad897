/**
 * A session of the line protocol that the gateway holds for somebody who speaks HTTP, over a connection in memory: the
 * very rules and limits hold that hold for everybody.
 *
 * @module
 */
import { TextLineStream } from "@std/streams/text-line-stream";
import type { Broker } from "../broker.ts";
import { MqError, ProtocolError } from "../protocol/errors.ts";
import { type BrokerLine, parseBrokerLine } from "../protocol/lines.ts";
import { pipe } from "../net/transport.ts";

/** What a client that comes over HTTP is called. */
const NAME = "http";

const encoder = new TextEncoder();

/** Who asks. */
export interface HttpPeer {
  /** Where it is. */
  readonly remoteAddr: Deno.NetAddr;
  /** What lets it in. */
  readonly token: string | undefined;
}

/** A client of a broker, within the same process. */
export class Session {
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  /**
   * Connects to a broker, and introduces itself.
   *
   * @param broker The broker.
   * @param peer For whom.
   */
  constructor(broker: Broker, { remoteAddr, token }: HttpPeer) {
    const { transport, readable, writable } = pipe(remoteAddr);
    const text = readable.pipeThrough<string>(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>);
    this.#lines = text.pipeThrough(new TextLineStream()).getReader();
    this.#writer = writable.getWriter();
    broker.attach(transport);
    this.send(`/hello ${JSON.stringify({ name: NAME, meta: true, token })}`);
  }

  /**
   * Sends a line.
   *
   * @param line The line, without its LF.
   */
  send(line: string): void {
    this.#writer.write(encoder.encode(line + "\n")).catch(() => {}); // Its end is read, too.
  }

  /**
   * Reads what the broker says next. A `/ping` has been answered then.
   *
   * @returns It, taken apart; undefined at the end.
   */
  async next(): Promise<BrokerLine | undefined> {
    const { value } = await this.#lines.read();
    if (value === undefined) return undefined;
    const line = parseBrokerLine(value);
    if (line.type === "ping") this.send("/pong");
    return line;
  }

  /**
   * Waits for an answer, and passes over all that comes before it.
   *
   * @param what What is answered.
   * @returns The JSON of the answer.
   * @throws {ProtocolError} If something was refused: with its code and sentence.
   * @throws {MqError} With the code `draining`, if the broker is going down.
   */
  async answer(what: string): Promise<string> {
    for (let line = await this.next(); line !== undefined; line = await this.next()) {
      if (line.type === "err") throw new ProtocolError(line.code as ProtocolError["code"], line.text);
      if (line.type === "ok" && line.what === what) return line.json;
    }
    throw new MqError("draining", "The broker is going down");
  }

  /** Leaves. */
  close(): void {
    this.#writer.close().catch(() => {}); // The broker has closed it.
    this.#lines.cancel().catch(() => {}); // They have broken off, and nobody reads on.
  }
}
