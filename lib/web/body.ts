/**
 * The body of a request as the data of an event.
 *
 * @module
 */
import { encodeData, isJson } from "../data.ts";
import { ProtocolError } from "../errors.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads a body, but no more of it than a line may be long.
 *
 * @param body The body; null for none.
 * @param maxBytes How long a line may be.
 * @returns Its text, without one last line end.
 * @throws {ProtocolError} With the code `line-too-long` or `invalid-utf8`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await readBody(new Response('{"id":1}\n').body, 1000), '{"id":1}');
 * ```
 */
export async function readBody(body: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > maxBytes) throw new ProtocolError("line-too-long", `A body may be at most ${maxBytes} bytes long`);
    chunks.push(chunk);
  }
  try {
    return decoder.decode(await new Blob(chunks as BlobPart[]).arrayBuffer()).replace(/\r?\n$/, "");
  } catch (cause) {
    throw new ProtocolError("invalid-utf8", "Cannot read the body: it is not UTF-8", { cause });
  }
}

/**
 * Writes a text as the data of a line. One line goes as it is. JSON of several lines is joined, which is the same JSON; any
 * other text that would not come out as it went in, having line ends in it or white space before it, becomes a string in
 * JSON.
 *
 * @param text The text.
 * @returns The data.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(dataOf("hello"), "hello");
 * assertEquals(dataOf('{\n  "id": 1\n}'), '{"id": 1}');
 * assertEquals(dataOf("two\nlines"), '"two\\nlines"');
 * ```
 */
export function dataOf(text: string): string {
  if (!/[\r\n]|^[ \t]/.test(text)) return text;
  return isJson(text) ? text.replaceAll(/\s*[\r\n]\s*/g, "") : encodeData(text); // No string of JSON has line ends in it.
}
