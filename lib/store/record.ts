/**
 * Records: events as a store keeps them. A record is what follows `/event` on the line: `ID FROM [HEADERS] NAME [DATA]`.
 *
 * @module
 */
import { takeHeaders } from "../protocol/lines.ts";
import type { EventHeaders } from "../protocol/event.ts";

/** The length of a ULID. */
export const ID_CHARACTERS = 26;

/** No name has this character, or one below it. */
const SPACE = 0x20;

/** The parts of a record. */
export interface StoredEvent {
  /** The ULID of the event. */
  readonly id: string;
  /** The name of its sender. */
  readonly from: string;
  /** What its sender said of it besides; undefined for nothing. */
  readonly headers: EventHeaders | undefined;
  /** The event as a line: its name and data. */
  readonly line: string;
}

/**
 * Reads a record.
 *
 * @param record The record, without its LF.
 * @returns Its parts.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const { from, headers, line } = parseRecord('01JD3K5E8Q5V1M4S3R6T7W8X9Y shop {"hops":1} create {"id":1}');
 * assertEquals([from, headers, line], ["shop", { hops: 1 }, 'create {"id":1}']);
 * ```
 */
export function parseRecord(record: string): StoredEvent {
  const end = record.indexOf(" ", ID_CHARACTERS + 1);
  const [headers, line] = takeHeaders(record.slice(end + 1));
  const hasHeaders = record[end + 1] === "{";
  return {
    id: record.slice(0, ID_CHARACTERS),
    from: record.slice(ID_CHARACTERS + 1, end),
    headers: hasHeaders ? headers : undefined,
    line,
  };
}

/**
 * Cuts the name out of a record that is part of a longer text.
 *
 * @param text The text.
 * @param start Where the record begins.
 * @returns The name of its event.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(nameOfRecord("01JD3K5E8Q5V1M4S3R6T7W8X9Y shop create 1\n01JD3K5E8Q5V1M4S3R6T7W8X9Z shop read", 0), "create");
 * ```
 */
export function nameOfRecord(text: string, start: number): string {
  let name = text.indexOf(" ", start + ID_CHARACTERS + 1) + 1;
  if (text[name] === "{") name = text.indexOf(" ", name) + 1;
  let end = name;
  while (text.charCodeAt(end) > SPACE) end++; // NaN behind the end of the text.
  return text.slice(name, end);
}
