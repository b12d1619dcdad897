/**
 * Events as server-sent events, which the `EventSource` of every browser reads.
 *
 * @module
 */
import type { BrokerLine } from "../protocol/lines.ts";
import type { Session } from "./session.ts";

const encoder = new TextEncoder();

/**
 * The events that a session hears, from now on to its end. It is read no faster than the stream is: what piles up waits in
 * the broker's outbox.
 *
 * @param session The session; it is closed with the stream.
 * @returns The stream.
 */
export function eventStream(session: Session): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const text = await nextText(session);
      if (text !== undefined) return controller.enqueue(encoder.encode(text));
      session.close();
      controller.close();
    },
    cancel: () => session.close(),
  }, { highWaterMark: 0 });
}

async function nextText(session: Session): Promise<string | undefined> {
  for (let line = await session.next(); line !== undefined; line = await session.next()) {
    const text = formatServerSent(line);
    if (text !== "") return text;
  }
}

/**
 * A line of a broker as a server-sent event. What is no event is a comment, which no `EventSource` looks at: the `/ping` of
 * the broker, which keeps what stands between from closing the stream, and why it ends.
 *
 * @param line The line.
 * @returns It, with the empty line behind it; empty where there is nothing to tell.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseBrokerLine } from "../protocol/lines.ts";
 *
 * const line = parseBrokerLine('/event 01JD3K5E8Q5V1M4S3R6T7W8X9Y shop create {"id":1}');
 * assertEquals(formatServerSent(line), 'id: 01JD3K5E8Q5V1M4S3R6T7W8X9Y\nevent: create\ndata: {"id":1}\n\n');
 * ```
 */
export function formatServerSent(line: BrokerLine): string {
  switch (line.type) {
    case "event":
      return `id: ${line.id}\nevent: ${line.name}\n${dataLines(line.text)}\n`;
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

/** A CR ends a line here. Without a line of data, be it empty, nobody would be told of the event. */
function dataLines(text: string): string {
  return text.split("\r").map((part) => `data: ${part}\n`).join("");
}
