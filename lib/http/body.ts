/**
 * The body of a request as text.
 *
 * @module
 */
import { ProtocolError } from "../protocol/errors.ts";

/** A byte order mark at the beginning says how the text is encoded, and is no part of it (WHATWG Encoding, 6). */
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads a body, but no more of it than a line may be long.
 *
 * @param body The body; null for none.
 * @param maxBytes How long a line may be.
 * @returns Its text, without a byte order mark before it and one line end behind it.
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
