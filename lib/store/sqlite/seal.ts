/**
 * Texts as the database has them: with a checksum behind them, since SQLite does not notice when a disk changes a part of what
 * was written. Runs in the worker.
 *
 * @module
 */
import { crc32 } from "node:zlib";

/** The size of the checksum, a CRC-32. */
export const SUM_BYTES = 4;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Something in the database is not as it was written. */
export class DamagedError extends Error {}

/**
 * Seals a text.
 *
 * @param text The text.
 * @param label What else is to stay as it is, such as the other columns of its row.
 * @returns The text in UTF-8, and its checksum with that of the label.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const sealed = seal("create 1", "row 7");
 * assertEquals(unseal(sealed, "the row", "row 7"), "create 1");
 * assertThrows(() => unseal(sealed, "the row", "row 8"), DamagedError, "the row is not as it was written");
 * ```
 */
export function seal(text: string, label: string = ""): Uint8Array {
  const sealed = encoder.encode(text + "\0".repeat(SUM_BYTES));
  const end = sealed.length - SUM_BYTES;
  viewOf(sealed).setUint32(end, sumOf(sealed.subarray(0, end), label));
  return sealed;
}

/**
 * Checks and reads what {@linkcode seal} has returned.
 *
 * @param sealed The text with its checksum.
 * @param what What it is, for the message of the error.
 * @param label The label that it was sealed with.
 * @returns The text.
 * @throws {DamagedError} If the text or the label is another one.
 */
export function unseal(sealed: Uint8Array, what: string, label: string = ""): string {
  const end = sealed.length - SUM_BYTES;
  const text = sealed.subarray(0, Math.max(end, 0));
  const isWhole = end >= 0 && viewOf(sealed).getUint32(end) === sumOf(text, label);
  if (!isWhole) throw new DamagedError(`${what} is not as it was written`);
  return decoder.decode(text);
}

/** The label's checksum would be the start value of the text's, but Deno 2.4 reckons wrongly with one above 2 ** 31. */
function sumOf(text: Uint8Array, label: string): number {
  return (crc32(text) ^ crc32(label)) >>> 0;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
