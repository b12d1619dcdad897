/**
 * How long each part of an event's way takes by itself, so that a regression shows where it is:
 * `deno bench -A tests/bench/micro_bench.ts`
 *
 * A group begins with the part that it measures: parse, match, route or encode. Its baseline, where it has one, does the
 * same work in the plainest way.
 *
 * @module
 */
import { TextLineStream } from "@std/streams/text-line-stream";
import { decodeData, encodeData } from "../../lib/protocol/data.ts";
import { Pattern } from "../../lib/protocol/pattern.ts";
import type { ByteReader } from "../../lib/net/transport.ts";
import { LineReader } from "../../lib/net/line_reader.ts";
import { WriteQueue } from "../../lib/net/write_queue.ts";
import { formatEvent, formatOk, parseBrokerLine } from "../../lib/protocol/lines.ts";
import { encodeText, wordEnd } from "../../lib/protocol/text.ts";
import { PLAIN, Publication } from "../../lib/broker/publication.ts";
import type { Subscriber, SubscriberGroup } from "../../lib/broker/subscriber_group.ts";
import { FanOut } from "../../lib/broker/fan_out.ts";
import { type Route, Router } from "../../lib/broker/router.ts";

const BLOCK_BYTES = 128 * 1024;
const BLOCKS = 10;
const DATA = "x".repeat(64);
const ULID = "01ARYZ6S41TSV4RRFFQ69G5FAV";
const LINE = `create ${DATA}\n`;
/** As many lines as a block holds whole. */
const BLOCK_TEXT = LINE.repeat(BLOCK_BYTES / LINE.length);
const BLOCK = new TextEncoder().encode(BLOCK_TEXT);
const NON_ASCII_TEXT = "é€😀 text ".repeat(BLOCK_BYTES / 15);
const NON_ASCII = new TextEncoder().encode(NON_ASCII_TEXT);
const BLOCK_LINES = BLOCK.length / LINE.length;

/** Hands out some blocks, as much of them at once as the buffer takes. */
class Blocks implements ByteReader {
  #offset = 0;
  #left = BLOCKS;

  read(buffer: Uint8Array): Promise<number | null> {
    if (this.#left === 0) return Promise.resolve(null);
    const bytes = BLOCK.subarray(this.#offset, this.#offset + buffer.length);
    buffer.set(bytes);
    this.#offset += bytes.length;
    if (this.#offset === BLOCK.length) {
      this.#offset = 0;
      this.#left--;
    }
    return Promise.resolve(bytes.length);
  }
}

/** A listener whose queue writes to nowhere. */
class NullListener implements Subscriber {
  readonly id = crypto.randomUUID();
  readonly name = "null";
  readonly patterns: ReadonlyMap<string, Pattern>;
  readonly format = PLAIN;
  readonly echo = true;
  group: SubscriberGroup | undefined;
  readonly queue = new WriteQueue({ writable: new WritableStream() }, { limitBytes: 1024 * 1024 });
  delivered = 0;

  constructor(pattern: string) {
    this.patterns = new Map([[pattern, new Pattern(pattern)]]);
  }

  overflow(): void {
    throw new Error("The queue of a benchmark is full");
  }

  onTooLong(): void {
    throw new Error("No line of a benchmark is too long");
  }
}

/** A router with some listeners of one group. */
function routerTo(listeners: NullListener[], fanOut: FanOut = new FanOut()): Router {
  const router = new Router([">"], fanOut);
  for (const listener of listeners) router.join(listener);
  return router;
}

function listenersTo(pattern: string, count: number): NullListener[] {
  return Array.from({ length: count }, () => new NullListener(pattern));
}

/** A thousand lines, cut out of one text as TextLineStream cuts them, whose names come in turns. */
function thousandLines(names: string[]): string[] {
  return Array.from({ length: 1000 }, (_, index) => `${names[index % names.length]} ${DATA}`).join("\n").split("\n");
}

/** The result of what is measured; else the compiler might leave it out. */
let _kept: unknown;

function bench(group: string, name: string, fn: () => unknown, baseline = false): void {
  Deno.bench({ name, group, baseline, fn: () => void (_kept = fn()) });
}

function benchAsync(group: string, name: string, fn: () => Promise<void>, baseline = false): void {
  Deno.bench({ name, group, baseline, fn });
}

const parsed = `${BLOCK_LINES * BLOCKS} lines of ${LINE.length} bytes`;

benchAsync("parse: lines", `TextLineStream alone, from text, ${parsed}`, async () => {
  const blocks = ReadableStream.from(Array(BLOCKS).fill(BLOCK_TEXT)) as ReadableStream<string>;
  const reader = blocks.pipeThrough(new TextLineStream()).getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) _kept = next.value;
}, true);
benchAsync("parse: lines", `LineReader, from bytes, ${parsed}`, async () => {
  await new LineReader(new Blocks()).readAll({ onLine: (line) => _kept = line, onFault: (error) => _kept = error });
});

// Why LineReader decodes strictly only what the lax decoder put U+FFFD into.
const lax = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
for (const [what, bytes] of [["ASCII", BLOCK], ["non-ASCII", NON_ASCII]] as const) {
  const group = `parse: 128 KiB of ${what}`;
  bench(group, `lax TextDecoder, ${what}`, () => lax.decode(bytes), true);
  bench(group, `lax TextDecoder and a search for U+FFFD, ${what}`, () => lax.decode(bytes).includes("\ufffd"));
  bench(group, `strict TextDecoder, ${what}`, () => strict.decode(bytes));
}

const names = Array.from({ length: 1000 }, (_, index) => `order.item${index % 10}`);
for (const text of ["order.item5", "order.*", "order.>", ">"]) {
  const pattern = new Pattern(text);
  bench("match", `Pattern.matches of ${text}, 1000 names`, () => names.filter((name) => pattern.matches(name)).length);
}

const TEN_NAMES = Array.from({ length: 10 }, (_, index) => `order.item${index}`);
for (const [what, lines] of [["1 name", thousandLines(["create"])], ["10 names", thousandLines(TEN_NAMES)]] as const) {
  const router = routerTo(listenersTo(">", 1));
  bench(`route: ${what}`, `Router.route, 1000 lines of ${what}`, () => {
    for (const line of lines) _kept = router.route(line.slice(0, wordEnd(line)));
  }, true);
  let last: Route | undefined;
  bench(`route: ${what}`, `Router.routeAfter, 1000 lines of ${what}`, () => {
    for (const line of lines) last = router.routeAfter(last, line);
  });
}

const lines = thousandLines(["create"]);
for (const count of [1, 10, 100]) {
  const listeners = listenersTo(">", count);
  const fanOut = new FanOut();
  const router = routerTo(listeners, fanOut);
  benchAsync("route: publish", `FanOut.publish and flush, 1000 lines to ${count}`, async () => {
    const route = router.route("create");
    for (const line of lines) fanOut.publish(route, new Publication(line, "null"), listeners[0]);
    fanOut.flush();
    for (const { queue } of listeners) await queue.drained();
  });
}

for (const [what, pattern] of [["with the same patterns", ">"], ["with patterns of its own", "create"]]) {
  const router = routerTo(listenersTo(">", 100));
  const listener = new NullListener(pattern);
  bench("route: groups", `Router.join, 10 look-ups and leave, among 100, ${what}`, () => {
    router.join(listener);
    for (const name of TEN_NAMES) _kept = router.route(name);
    router.leave(listener);
  });
}

const encoder = new TextEncoder();
const ENCODED = [["ASCII", BLOCK_TEXT], ["ASCII but for its end", BLOCK_TEXT + "é"], ["non-ASCII", NON_ASCII_TEXT]];
for (const [what, text] of ENCODED) {
  bench(`encode: 128 KiB of ${what}`, `TextEncoder.encode, ${what}`, () => encoder.encode(text), true);
  bench(`encode: 128 KiB of ${what}`, `encodeText, ${what}`, () => encodeText(text));
}

const value = { id: 7, name: "shop", data: DATA };
const json = JSON.stringify(value);
bench("encode: one line", "formatEvent", () => formatEvent("create", DATA));
bench("encode: one line", "formatOk of a /pub", () => formatOk("7", { id: ULID, receivers: 2 }));
bench("encode: one line", "encodeData of a text", () => encodeData(DATA));
bench("encode: one line", "encodeData of an object", () => encodeData(value));
bench("encode: one line", "decodeData of a text", () => decodeData(DATA));
bench("encode: one line", "decodeData of an object", () => decodeData(json));
bench("encode: one line", "parseBrokerLine of an event", () => parseBrokerLine(`create ${DATA}`));
bench(
  "encode: one line",
  "parseBrokerLine of an event with meta",
  () => parseBrokerLine(`/event ${ULID} shop ${LINE}`),
);
bench("encode: one line", "parseBrokerLine of an answer", () => parseBrokerLine(`/ok 7 ${json}`));
