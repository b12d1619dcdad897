import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { ConnectionError, FatalProtocolError, type MqError, type ProtocolError } from "../../lib/protocol/errors.ts";
import type { ByteReader } from "../../lib/net/transport.ts";
import { LineReader, type LineReaderOptions } from "../../lib/net/line_reader.ts";
import { afterCurrentTick } from "../../lib/net/ticks.ts";

const encoder = new TextEncoder();
const LF = 0x0a;

/** What stands in the outcome of a reading for a line that could not be read. */
const TOO_LONG = { fault: "line-too-long" };
const NOT_UTF8 = { fault: "invalid-utf8" };
const BROKEN = { fault: "disconnected" };

type Outcome = (string | { fault: string })[];

/** Hands out chunks, each by as many reads as it takes; then it ends or fails. */
class Source implements ByteReader {
  /** The size of each buffer it was given. */
  readonly sizes: number[] = [];
  readonly #chunks: Uint8Array[];
  readonly #failure: Error | undefined;

  constructor(chunks: (string | Uint8Array)[], failure?: Error) {
    this.#chunks = chunks.map(bytesOf).filter((chunk) => chunk.length > 0);
    this.#failure = failure;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    this.sizes.push(buffer.length);
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return this.#failure ? Promise.reject(this.#failure) : Promise.resolve(null);
    const count = Math.min(chunk.length, buffer.length);
    buffer.set(chunk.subarray(0, count));
    if (count < chunk.length) this.#chunks.unshift(chunk.subarray(count));
    return Promise.resolve(count);
  }
}

const WHOLE: [what: string, input: string | Uint8Array, lines: Outcome][] = [
  ["a line", "one\n", ["one"]],
  ["several lines", "one\ntwo\nthree\n", ["one", "two", "three"]],
  ["no line where there is nothing", "", []],
  ["empty lines", "\n\none\n\n", ["", "", "one", ""]],
  ["lines ended by CR LF", "one\r\ntwo\r\n\r\n", ["one", "two", ""]],
  ["a CR within a line", "o\rne\r\r\n\rtwo\n", ["o\rne\r", "\rtwo"]],
  ["white space at both ends", " \tone\t \n", [" \tone\t "]],
  ["characters of several bytes", "é€😀\nнет\n", ["é€😀", "нет"]],
  ["a BOM, wherever it stands", "\ufeffone\n\ufefftwo\n", ["\ufeffone", "\ufefftwo"]],
  ["U+0085, U+2028 and U+2029 within a line", "a\u0085b\u2028c\u2029d\n", ["a\u0085b\u2028c\u2029d"]],
  ["a line of one U+FFFD", "\ufffd\n", ["\ufffd"]],
  ["U+FFFD among other lines", "one\r\na\ufffdb\n\ufeff\ufffd\n\ntwo\n", [
    "one",
    "a\ufffdb",
    "\ufeff\ufffd",
    "",
    "two",
  ]],
  ["a NUL within a line", "a\0b\n\0c\n", ["a\0b", "\0c"]],
  ["a line of one NUL", "\0\none\n\0\r\n", ["\0", "one", "\0"]],
  ["no half line at the end", "one\nhalf", ["one"]],
  ["no half line alone", "half", []],
  ["no half line that ends in CR", "one\nhalf\r", ["one"]],
  ["no half line that is half a character", bytesOf("one\né").subarray(0, -1), ["one"]],
];

for (const [what, input, lines] of WHOLE) {
  Deno.test(`LineReader reads ${what}`, async () => assertEquals(await readAll([input]), lines));

  Deno.test(`LineReader reads ${what}, read byte by byte`, async () => {
    assertEquals(await readAll(byteByByte(input)), lines);
  });
}

const LINE = "0123456789abcde\n";

Deno.test("LineReader reads a line spanning many chunks", async () => {
  assertEquals(await readAll(["cre", "ate ", "hel", "lo", "\n"]), ["create hello"]);
});

Deno.test("LineReader reads two lines of one chunk and the line cut at its end", async () => {
  assertEquals(await readAll(["one\ntwo\nth", "ree\n"]), ["one", "two", "three"]);
});

Deno.test("LineReader removes a CR in a different chunk from its LF", async () => {
  assertEquals(await readAll(["one\r", "\ntwo\r", "\n"]), ["one", "two"]);
});

Deno.test("LineReader reads a line of 1 MiB read in small chunks", async () => {
  const line = "0123456789abcdef".repeat(65536);
  const chunks = Array.from({ length: 1025 }, (_, index) => `${line}\nnext\n`.slice(index * 1024, (index + 1) * 1024));
  assertEquals(await readAll(chunks), [line, "next"]);
});

Deno.test("LineReader reads a line of the default limit, 1 MiB, and none longer", async () => {
  const line = "x".repeat(1024 * 1024);
  assertEquals(await readAll([`${line}\n${line}x\nnext\n`]), [line, TOO_LONG, "next"]);
});

Deno.test("LineReader yields each line as soon as it is complete", async () => {
  const { promise: never } = Promise.withResolvers<null>();
  const source = new Source(["one\ntwo\nth"]);
  const reader = new LineReader({ read: (buffer) => source.sizes.length === 0 ? source.read(buffer) : never });
  const { promise: two, resolve } = Promise.withResolvers<string>();
  const lines: string[] = [];
  reader.readAll({ onLine: (line) => lines.push(line) === 2 && resolve(line), onFault: () => {} });
  assertEquals([await two, lines], ["two", ["one", "two"]]);
});

Deno.test("LineReader throws an error of its observer", async () => {
  const thrown = new Error("enough");
  const lines: string[] = [];
  const onLine = (line: string) => {
    lines.push(line);
    throw thrown;
  };
  const reading = new LineReader(new Source(["one\ntwo\n"])).readAll({ onLine, onFault: () => {} });
  assertEquals([await assertRejects(() => reading) === thrown, lines], [true, ["one"]]);
});

const FILES: [what: string, input: string | Uint8Array, lines: Outcome][] = [
  ["nothing", "", []],
  ["no line more than there is", "one\n", ["one"]],
  ["the line at its end", "one\ntwo", ["one", "two"]],
  ["a CR at its end", "one\r", ["one\r"]],
  ["a line of the limit at its end", "12345678", ["12345678"]],
  ["an over-long line at its end", "one\n123456789", ["one", TOO_LONG]],
  ["the lines around one that is not UTF-8", concat("one\n", [0xe9], "\ntwo\n"), ["one", NOT_UTF8, "two"]],
  ["a line at its end that is not UTF-8", concat("one\n", [0xe9]), ["one", NOT_UTF8]],
  ["what looks like TLS", "\x16\x03\n\x15", ["\x16\x03", "\x15"]],
];

for (const [what, input, lines] of FILES) {
  Deno.test(`LineReader reads from a file ${what}`, async () => {
    const options = { isFile: true, maxLineBytes: 8 };
    assertEquals(await readAll([input], options), lines);
    assertEquals(await readAll(byteByByte(input), options), lines);
  });
}

Deno.test("LineReader reads no unfinished line of a file that fails", async () => {
  assertEquals(await readAll(["one\ntw"], { isFile: true }, new Error("it fails")), ["one", BROKEN]);
});

const LIMITED: [what: string, input: string | Uint8Array, lines: Outcome][] = [
  ["a line exactly at the limit", "12345678\n", ["12345678"]],
  ["a line one byte over the limit", "123456789\n", [TOO_LONG]],
  ["a line far over the limit", `${"x".repeat(10_000)}\n`, [TOO_LONG]],
  ["the lines around an over-long one", "before\n123456789\nafter\n", ["before", TOO_LONG, "after"]],
  ["lines between over-long ones", `a\n${"x".repeat(20)}\nb\n${"y".repeat(5000)}\nc\n`, [
    "a",
    TOO_LONG,
    "b",
    TOO_LONG,
    "c",
  ]],
  ["several over-long lines in a row", `${"123456789\n".repeat(3)}after\n`, [TOO_LONG, TOO_LONG, TOO_LONG, "after"]],
  ["an over-long line that is never finished", `before\n${"x".repeat(10_000)}`, ["before"]],
  ["an over-long line and a half line", "123456789\nhalf", [TOO_LONG]],
  ["an over-long line and an empty one", "123456789\n\n", [TOO_LONG, ""]],
  ["bytes, not characters", "éééé\nééééx\n", ["éééé", TOO_LONG]],
  ["a CR as part of the line", "1234567\r\n12345678\r\n", ["1234567", TOO_LONG]],
  ["an over-long line that is not UTF-8", concat("12345678", [0xff], "\nafter\n"), [TOO_LONG, "after"]],
  ["an over-long line ended within a character", concat("12345678", [0xc3], "\nafter\n"), [TOO_LONG, "after"]],
  ["U+FFFD beside an over-long line", "\ufffd\n123456789\n\ufffda\n", ["\ufffd", TOO_LONG, "\ufffda"]],
  ["a line of one NUL before an over-long one", "\0\n123456789\nafter\n", ["\0", TOO_LONG, "after"]],
  ["a line of one NUL after an over-long one", "123456789\n\0\nafter\n", [TOO_LONG, "\0", "after"]],
];

for (const [what, input, lines] of LIMITED) {
  Deno.test(`LineReader with a limit reads ${what}`, async () => {
    assertEquals(await readAll([input], { maxLineBytes: 8 }), lines);
  });

  Deno.test(`LineReader with a limit reads ${what}, byte by byte`, async () => {
    assertEquals(await readAll(byteByByte(input), { maxLineBytes: 8 }), lines);
  });
}

Deno.test("LineReader with a limit reports an over-long line as a recoverable error", async () => {
  const [error] = await faults(new LineReader(new Source(["123456789\n"]), { maxLineBytes: 8 }));
  assertStringIncludes(error.message, "8 bytes");
  assertEquals(error instanceof FatalProtocolError, false);
});

const MALFORMED: [what: string, input: Uint8Array, lines: Outcome][] = [
  ["a byte that UTF-8 has not", concat("one\ntwo\nx", [0xff], "y\nafter\n"), ["one", "two", NOT_UTF8]],
  ["a first line that is not UTF-8", concat([0xff], "\nafter\n"), [NOT_UTF8]],
  ["a character cut off by the line's end", concat("one\n", [0xe2, 0x82], "\nafter\n"), ["one", NOT_UTF8]],
  ["a character that spans two lines", concat("one\n", [0xc3], "\n", [0xa9], "\n"), ["one", NOT_UTF8]],
  ["an overlong form", concat("one\n", [0xc0, 0xaf], "\n"), ["one", NOT_UTF8]],
  ["an encoded surrogate", concat("one\n", [0xed, 0xa0, 0x80], "\n"), ["one", NOT_UTF8]],
  ["UTF-16", concat("one\n", [0xff, 0xfe, 0x61, 0x00, 0x0a, 0x00]), ["one", NOT_UTF8]],
  ["U+FFFD in the lines before it", concat("\ufffd\na\ufffd\n", [0xff], "\n"), ["\ufffd", "a\ufffd", NOT_UTF8]],
  ["U+FFFD in the same line", concat("one\n\ufffd", [0xff], "\ufffd\n"), ["one", NOT_UTF8]],
  ["U+FFFD in the line after it", concat("one\n", [0xff], "\n\ufffd\n"), ["one", NOT_UTF8]],
  ["a line of one NUL before it", concat("\0\n", [0xff], "\n"), ["\0", NOT_UTF8]],
  ["a good line in CR LF before it", concat("one\r\n", [0xff], "\r\n"), ["one", NOT_UTF8]],
];

for (const [what, input, lines] of MALFORMED) {
  Deno.test(`LineReader ends at text that is not UTF-8: ${what}`, async () => {
    assertEquals(await readAll([input]), lines);
  });

  Deno.test(`LineReader ends at text that is not UTF-8: ${what}, byte by byte`, async () => {
    assertEquals(await readAll(byteByByte(input)), lines);
  });
}

Deno.test("LineReader reports an over-long line before text that is not UTF-8", async () => {
  const input = concat("one\n123456789\ntwo\n", [0xff], "\nthree\n");
  assertEquals(await readAll([input], { maxLineBytes: 8 }), ["one", TOO_LONG, "two", NOT_UTF8]);
});

Deno.test("LineReader reports text that is not UTF-8 as fatal, with its cause", async () => {
  const [error] = await faults(new LineReader(new Source([new Uint8Array([0xff, LF])])));
  assertInstanceOf(error, FatalProtocolError);
  assertInstanceOf(error.cause, TypeError);
});

Deno.test("LineReader reads nothing more from its source after text that is not UTF-8", async () => {
  const source = new Source([new Uint8Array([0xff, LF]), "after\n"]);
  assertEquals([await drain(new LineReader(source)), source.sizes.length], [[NOT_UTF8], 1]);
});

Deno.test("LineReader reads the lines before its source failed, then a ConnectionError", async () => {
  const failure = new Deno.errors.ConnectionReset("reset");
  const lines: string[] = [];
  const reader = new LineReader(new Source(["one\ntwo\n", "three\nhalf"], failure));
  const reading = reader.readAll({ onLine: (line) => lines.push(line), onFault: () => {} });
  const error = await assertRejects(() => reading, ConnectionError);
  assertEquals([lines, error.code, error.cause], [["one", "two", "three"], "disconnected", failure]);
});

Deno.test("LineReader of a source that fails at once throws a ConnectionError", async () => {
  assertEquals(await drain(new LineReader(new Source([], new Error("broken")))), [BROKEN]);
});

Deno.test("LineReader reports an over-long line before its source failed", async () => {
  const lines = ["one\n123456789\ntwo\n12345678901"];
  assertEquals(await readAll(lines, { maxLineBytes: 8 }, new Error("broken")), ["one", TOO_LONG, "two", BROKEN]);
});

Deno.test("LineReader starts with a read of 1 KiB at most", async () => {
  const source = new Source([]);
  await drain(new LineReader(source));
  assert(source.sizes[0] <= 1024, `${source.sizes[0]} bytes`);
});

Deno.test("LineReader reads at least 16 KiB at once from a busy source", async () => {
  const source = new Source(Array.from({ length: 32 }, () => "0123456789abcde\n".repeat(1024)));
  await drain(new LineReader(source));
  assert(Math.max(...source.sizes) >= 16 * 1024, `${Math.max(...source.sizes)} bytes`);
});

Deno.test("LineReader processes a small read before busy sources are at their end, however many they are", async () => {
  const busy = Array.from({ length: 20 }, () => drain(new LineReader(new Source([LINE.repeat(32768)]))));
  await new Promise<void>((resolve) => afterCurrentTick(resolve)); // All of them are busy now.
  const first = await Promise.race([drain(new LineReader(new Source(["a\n"]))), ...busy]);
  assertEquals(first, ["a"]);
  await Promise.all(busy);
});

Deno.test("LineReader does not block the event loop while its source always has more", async () => {
  const source = new Source([`${"x".repeat(1023)}\n`.repeat(16 * 1024)]);
  const reading = drain(new LineReader(source));
  await new Promise<void>((resolve) => afterCurrentTick(resolve));
  assert(source.sizes.length < 10, `${source.sizes.length} reads`);
  assertEquals((await reading).length, 16 * 1024);
});

Deno.test("LineReader releases a large buffer when its source is idle", async () => {
  const source = new Source(["0123456789abcde\n".repeat(65536), ...Array(20).fill("ping\n")]);
  await drain(new LineReader(source));
  assert(source.sizes.at(-1)! <= 1024, `${source.sizes.at(-1)} bytes`);
});

Deno.test("LineReader buffers no more than one read of a line that it discards", async () => {
  const source = new Source(["x".repeat(1024 * 1024), "\n"]);
  await drain(new LineReader(source, { maxLineBytes: 1000 }));
  assert(Math.max(...source.sizes) <= 128 * 1024, `${Math.max(...source.sizes)} bytes`);
});

/** Reads to the end; a fault stands in its place among the lines. */
async function readAll(
  chunks: (string | Uint8Array)[],
  options?: LineReaderOptions,
  failure?: Error,
): Promise<Outcome> {
  return await drain(new LineReader(new Source(chunks, failure), options));
}

async function drain(reader: LineReader): Promise<Outcome> {
  const outcome: Outcome = [];
  const onLine = (line: string) => outcome.push(line);
  const onFault = ({ code }: MqError) => outcome.push({ fault: code });
  await reader.readAll({ onLine, onFault }).catch(onFault);
  return outcome;
}

/** Reads to the end; returns the faults alone. */
async function faults(reader: LineReader): Promise<ProtocolError[]> {
  const errors: ProtocolError[] = [];
  await reader.readAll({ onLine: () => {}, onFault: (error) => errors.push(error) });
  return errors;
}

function byteByByte(input: string | Uint8Array): Uint8Array[] {
  return Array.from(bytesOf(input), (byte) => new Uint8Array([byte]));
}

function bytesOf(input: string | Uint8Array): Uint8Array {
  return typeof input === "string" ? encoder.encode(input) : input;
}

function concat(...parts: (string | number[])[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => typeof part === "string" ? [...encoder.encode(part)] : part));
}
