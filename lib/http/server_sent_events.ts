/**
 * `GET /events`: events as server-sent events, which the `EventSource` of every browser reads.
 *
 * @module
 */
import { type ServerSentEventMessage, ServerSentEventStream } from "@std/http/server-sent-event-stream";
import { TextLineStream } from "@std/streams/text-line-stream";
import type { Broker } from "../broker.ts";
import { MqError, ProtocolError } from "../protocol/errors.ts";
import { type BrokerLine, parseBrokerLine } from "../protocol/lines.ts";
import { pipe } from "../net/transport.ts";
import type { HttpPeer } from "./access.ts";

/** The name of a client over HTTP. */
const NAME = "http";

const encoder = new TextEncoder();

/**
 * The events that an HTTP client subscribes to. To the broker it is a connection like any other, with the same rules and
 * limits: it speaks the line protocol over a connection in memory.
 *
 * @example
 * ```ts
 * import { assertMatch } from "@std/assert";
 * import { Broker } from "../broker.ts";
 *
 * await using broker = new Broker();
 * const remoteAddr: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 50_000 };
 * const events = new EventStream(broker, { remoteAddr, token: undefined });
 * const response = new Response(await events.open(["create"]));
 * broker.publish("create", { id: 1 });
 * const [text] = await Promise.all([response.text(), broker.close()]);
 * assertMatch(text, /^event: create\ndata: \{"id":1\}\nid: \w{26}\n\n/);
 * ```
 */
export class EventStream {
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  /**
   * Connects to a broker.
   *
   * @param broker The broker.
   * @param peer The HTTP client.
   */
  constructor(broker: Broker, { remoteAddr, token }: HttpPeer) {
    const { transport, readable, writable } = pipe(remoteAddr);
    const text = readable.pipeThrough<string>(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>);
    this.#lines = text.pipeThrough(new TextLineStream()).getReader();
    this.#writer = writable.getWriter();
    broker.attach(transport);
    this.#send(`/hello ${JSON.stringify({ name: NAME, meta: true, token })}`);
  }

  /**
   * Subscribes. The stream is read no faster than the client reads, and its connection is closed at its end.
   *
   * @param patterns The patterns of the events; none for all events.
   * @returns The text of the server-sent events.
   * @throws {ProtocolError} With the code of what the broker has refused.
   * @throws {MqError} With the code `draining`, if the broker is closing.
   */
  async open(patterns: readonly string[]): Promise<ReadableStream<Uint8Array>> {
    try {
      this.#send(`/sub ${patterns.join(" ") || ">"}`);
      await this.#subscribed();
    } catch (error) {
      this.close();
      throw error;
    }
    return this.#messages().pipeThrough(new ServerSentEventStream());
  }

  /** Closes the connection. */
  close(): void {
    this.#writer.close().catch(() => {}); // It fails if the broker has closed the connection.
    this.#lines.cancel().catch(() => {}); // It fails if the connection broke.
  }

  #send(line: string): void {
    this.#writer.write(encoder.encode(line + "\n")).catch(() => {}); // A broken connection is noticed when it is read.
  }

  async #subscribed(): Promise<void> {
    for (let line = await this.#next(); line !== undefined; line = await this.#next()) {
      if (line.type === "err") throw new ProtocolError(line.code as ProtocolError["code"], line.text);
      if (line.type === "ok" && line.what === "sub") return;
    }
    throw new MqError("draining", "The broker is closing");
  }

  /** Reads the next line, and answers it if it is a `/ping`; undefined at the end. */
  async #next(): Promise<BrokerLine | undefined> {
    const { value } = await this.#lines.read();
    if (value === undefined) return undefined;
    const line = parseBrokerLine(value);
    if (line.type === "ping") this.#send("/pong");
    return line;
  }

  #messages(): ReadableStream<ServerSentEventMessage> {
    return new ReadableStream({
      pull: async (controller) => {
        const message = await this.#nextMessage();
        if (message !== undefined) return controller.enqueue(message);
        this.close();
        controller.close();
      },
      cancel: () => this.close(),
    }, { highWaterMark: 0 });
  }

  async #nextMessage(): Promise<ServerSentEventMessage | undefined> {
    for (let line = await this.#next(); line !== undefined; line = await this.#next()) {
      const message = messageOf(line);
      if (message !== undefined) return message;
    }
  }
}

/**
 * Makes a server-sent event of a line. What is no event becomes a comment, which an `EventSource` ignores: `/ping`, which
 * keeps proxies from closing the stream, the number of dropped events, and why the stream ends.
 *
 * Each value begins with a space, which readers take off (HTML, section 9.2.6): without it they would take off one that
 * belongs to the value.
 *
 * @param line The line.
 * @returns The message; undefined if there is nothing to tell.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseBrokerLine } from "../protocol/lines.ts";
 *
 * const line = parseBrokerLine('/event 01JD3K5E8Q5V1M4S3R6T7W8X9Y shop create {"id":1}');
 * assertEquals(messageOf(line), { event: " create", data: ' {"id":1}', id: " 01JD3K5E8Q5V1M4S3R6T7W8X9Y" });
 * ```
 */
export function messageOf(line: BrokerLine): ServerSentEventMessage | undefined {
  switch (line.type) {
    case "event": // A CR ends a line of the stream, so that each part of the data has one of its own.
      return { event: ` ${line.name}`, data: ` ${line.text.replaceAll("\r", "\r ")}`, id: ` ${line.id}` };
    case "ping":
      return { comment: " ping" };
    case "dropped":
      return { comment: ` dropped ${line.events}` };
    case "bye":
    case "err":
      return { comment: ` ${line.text}` };
  }
}
