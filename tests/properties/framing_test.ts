/** Bytes become the same lines however they come in. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { MqError } from "../../lib/protocol/errors.ts";
import type { ByteReader } from "../../lib/net/transport.ts";
import { LineReader } from "../../lib/net/line_reader.ts";
import { afterCurrentTick } from "../../lib/net/ticks.ts";
import { runs } from "./arbitraries.ts";

const LF = 0x0a;
const TLS_RECORDS = [0x15, 0x16];
const LAST_FAULTS = ["invalid-utf8", "tls"];
const encoder = new TextEncoder();

/** What came of reading: the lines, with the code of a fault in the place of each that could not be read. */
interface Reading {
  lines: (string | { fault: string })[];
  /** How long the line is that was cut off at the end; after a fault that ends the reading nobody asks. */
  unfinishedBytes: number | undefined;
}

/** Has enough after some lines, and lets the reader wait after each, or not. */
interface Observing {
  enough: number;
  pauses: boolean;
}

/** A part of the input: text, bytes that may be malformed, or as many `x` as make a line `offset` over the limit. */
type Piece = string | Uint8Array | { offset: number };

const somePiece: fc.Arbitrary<Piece> = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("a", "b c", "é", "€", "😀", "\0", "\ufeff", "\ufffd", "\u2028", "\x85") },
  { weight: 8, arbitrary: fc.constantFrom("\n", "\r\n", "\r", "\r\r\n", "\n\n") },
  { weight: 3, arbitrary: fc.record({ offset: fc.integer({ min: -3, max: 2 }) }) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom(...TLS_RECORDS).map((type) => new Uint8Array([type])) },
);

const someInput = fc.record({
  maxLineBytes: fc.constantFrom(3, 8, 100, 1000, 1023, 1024, 1025, 4000),
  pieces: fc.array(somePiece, { maxLength: 60, size: "max" }),
  readSizes: fc.array(
    fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 200_000 })),
    { minLength: 1, maxLength: 8 },
  ),
});

Deno.test("LineReader reads the same as a reader of all the bytes at once, however they are split", async () => {
  const property = fc.asyncProperty(someInput, fc.boolean(), async (input, fails) => {
    const bytes = bytesOf(input);
    const reading = await read(sourceOf(bytes, input.readSizes, fails), input.maxLineBytes);
    assertEquals(reading, readAtOnce(bytes, input.maxLineBytes, fails));
  });
  await fc.assert(property, runs(1500));
});

Deno.test("LineReader reads the same lines however the bytes are split", async () => {
  const property = fc.asyncProperty(someInput, someInput, async (input, { readSizes }) => {
    const bytes = bytesOf(input);
    const sources = [sourceOf(bytes, input.readSizes), sourceOf(bytes, readSizes)];
    const [one, other] = await Promise.all(sources.map((source) => read(source, input.maxLineBytes)));
    assertEquals(one, other);
  });
  await fc.assert(property, runs(200));
});

Deno.test("LineReader is not affected by other readers", async () => {
  const observing = fc.record({ enough: fc.constantFrom(Infinity, 0, 1, 5), pauses: fc.boolean() });
  const readers = fc.array(fc.tuple(someInput, observing), { minLength: 2, maxLength: 8 });
  const property = fc.asyncProperty(readers, async (readers) => {
    await Promise.all(readers.map(async ([input, observing]) => {
      const bytes = bytesOf(input);
      const { lines } = await read(sourceOf(bytes, input.readSizes), input.maxLineBytes, observing);
      assertEquals(lines, readAtOnce(bytes, input.maxLineBytes).lines.slice(0, observing.enough));
    }));
  });
  await fc.assert(property, runs(100));
});

/** Large enough for its buffers to grow, and to be given back. */
Deno.test("LineReader reads lines of any length up to its limit", async () => {
  const lengths = fc.array(
    fc.oneof(fc.nat({ max: 2000 }), fc.nat({ max: 300_000 }), fc.constantFrom(1023, 1024, 131_071, 131_072, 131_073)),
    { maxLength: 12 },
  );
  const property = fc.asyncProperty(lengths, someInput, async (lengths, { readSizes }) => {
    const bytes = encoder.encode(lengths.map((length, index) => `${index}`.repeat(length) + "\n").join(""));
    const sizes = readSizes.map((size) => size * 100); // One byte at a time takes too long.
    assertEquals(await read(sourceOf(bytes, sizes), 300_000), readAtOnce(bytes, 300_000));
  });
  await fc.assert(property, runs(50));
});

/** What a reader makes of a source. */
async function read(source: ByteReader, maxLineBytes: number, observing?: Observing): Promise<Reading> {
  const { enough, pauses } = observing ?? { enough: Infinity, pauses: false };
  const lines: Reading["lines"] = [];
  const hadEnough = new Error("Enough");
  let isPaused = false;
  const take = (line: Reading["lines"][number]) => {
    assert(!isPaused, "It does not wait");
    if (lines.length === enough) throw hadEnough;
    lines.push(line);
  };
  const pause = async () => {
    isPaused = true;
    await new Promise<void>((resolve) => afterCurrentTick(resolve));
    isPaused = false;
  };
  const onLine = (line: string) => {
    take(line);
    return pauses ? pause() : undefined;
  };
  const onFault = ({ code }: MqError) => take({ fault: code });
  const reader = new LineReader(source, { maxLineBytes });
  await reader.readAll({ onLine, onFault }).catch((error) => error === hadEnough || onFault(error));
  return { lines, unfinishedBytes: hasEnded(lines) ? undefined : reader.unfinishedBytes };
}

/** What a reader of all the bytes at once makes of them. */
function readAtOnce(bytes: Uint8Array, maxLineBytes: number, fails = false): Reading {
  const lines: Reading["lines"] = TLS_RECORDS.includes(bytes[0]) ? [{ fault: "tls" }] : [];
  let rest = bytes;
  for (let end = rest.indexOf(LF); end !== -1 && !hasEnded(lines); end = rest.indexOf(LF)) {
    lines.push(end > maxLineBytes ? { fault: "line-too-long" } : decode(rest.subarray(0, end)));
    rest = rest.subarray(end + 1);
  }
  if (hasEnded(lines)) return { lines, unfinishedBytes: undefined };
  if (fails) lines.push({ fault: "disconnected" });
  return { lines, unfinishedBytes: rest.length > maxLineBytes ? 0 : rest.length };
}

function decode(line: Uint8Array): string | { fault: string } {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line).replace(/\r$/, "");
  } catch {
    return { fault: "invalid-utf8" };
  }
}

/** Whether nothing is read behind the last of these lines. */
function hasEnded(lines: Reading["lines"]): boolean {
  const last = lines.at(-1);
  return typeof last === "object" && LAST_FAULTS.includes(last.fault);
}

/** Hands out bytes by reads of these sizes, over and over; then it ends or fails. */
function sourceOf(bytes: Uint8Array, readSizes: number[], fails = false): ByteReader {
  let rest = bytes;
  let reads = 0;
  return {
    read(buffer) {
      assert(buffer.length > 0, "There is no room to read into");
      if (rest.length === 0) return fails ? Promise.reject(new Error("Broken")) : Promise.resolve(null);
      const part = rest.subarray(0, Math.min(buffer.length, readSizes[reads++ % readSizes.length]));
      buffer.set(part);
      rest = rest.subarray(part.length);
      return Promise.resolve(part.length);
    },
  };
}

function bytesOf({ pieces, maxLineBytes }: { pieces: Piece[]; maxLineBytes: number }): Uint8Array {
  const parts = pieces.map((piece) => {
    if (piece instanceof Uint8Array) return piece;
    return encoder.encode(typeof piece === "string" ? piece : "x".repeat(maxLineBytes + piece.offset));
  });
  return new Uint8Array(parts.flatMap((part) => [...part]));
}
