/**
 * Everything that a stranger's bytes reach, and how the work grows with their number: ten times the input takes about ten
 * times the work. What grows faster lets one line stop everybody.
 */
import { assert } from "@std/assert";
import { parseCatalog } from "../lib/catalog/catalog.ts";
import { parseHead } from "../lib/http/head.ts";
import { decodeBody } from "../lib/http/publish.ts";
import { formatMessage } from "../lib/http/server_sent_events.ts";
import { MessageScanner } from "../lib/net/message_reader.ts";
import { findGlued } from "../lib/protocol/classic.ts";
import { readMessage } from "../lib/protocol/classic/message.ts";
import { dataFromText, decodeData } from "../lib/protocol/data.ts";
import { quote, visible } from "../lib/protocol/errors.ts";
import { checkName, isName } from "../lib/protocol/event.ts";
import { isHttpRequest, parseBrokerLine, parseHello, parsePatterns, takeHeaders } from "../lib/protocol/lines.ts";
import { Pattern } from "../lib/protocol/pattern.ts";
import { isBlank, takeWord } from "../lib/protocol/text.ts";

/** How much more work ten times the input may take: ten times, and somewhat more for caches that it does not fit into. */
const MAX_FACTOR = 12;

/** The sizes at which the work is measured, in parts of its limit. */
const SIZES = [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1];

/** Work that takes less time than this at its limit, in milliseconds, is not compared: it stops nobody, however it grows. */
const LEAST_MS = 40;

const repeat = (unit: string) => (size: number) => unit.repeat(Math.ceil(size / unit.length)).slice(0, size);

const SPACES = repeat(" ");
const SHAPES: readonly ((size: number) => string)[] = [
  repeat("x"),
  SPACES,
  repeat("x "),
  repeat("\r"),
  repeat(" \r"),
  repeat('"'),
  repeat('\\"'),
  repeat("."),
  repeat("x."),
  repeat("*.>"),
  repeat("{"),
  repeat('{"a":'),
  repeat("["),
  repeat("[1,"),
  repeat("create"),
  repeat("create 1"),
  repeat("create: "),
  repeat("1a"),
  repeat("é\u{1f600}"),
  repeat("\u202e"),
  (size) => `[1,${SPACES(size)}2,\n3]`,
  (size) => `{"event":"create","data":"${repeat("x\\n")(size)}"}`,
  (size) => `create ${repeat("a")(size)}`,
  (size) => `a ${repeat("a")(size)}`,
  (size) => `a ${repeat("a ")(size)}`,
];

const names = new Set(["create", "update", "a"]);
const reading = { names, recognizes: (name: string) => names.has(name) };
/** Schemas whose expressions backtrack, and such as compare items with each other. */
const HARD_SCHEMAS = {
  pattern: { anyOf: ["^(a+)+$", "(a|a)*b", "(.*,){20}x", "a*a*a*c", "^[a-z]+$"].map((pattern) => ({ pattern })) },
  "pattern-beside-unique-items": { uniqueItems: true, pattern: "^(x+x+)+y$" },
  "property-patterns": { patternProperties: { "^(a+)+$": false, "(x|x)*y": false }, additionalProperties: true },
};

const loaded = await parseCatalog(
  JSON.stringify(Object.fromEntries([
    ...Object.entries(HARD_SCHEMAS).map(([name, schema]) => [name, { schema }]),
    ...["url", "uri", "email", "hostname", "date-time", "regex", "json-pointer", "uri-template", "iri", "byte", "ipv6"]
      .map((
        format,
      ) => [format, { schema: { type: "string", format } }]),
  ])),
);

/** What text of strangers goes through, with the most of it that does, in UTF-16 code units. */
const READERS: readonly [name: string, limit: number, read: (text: string) => unknown][] = [
  ["takeWord", 2 ** 20, takeWord],
  ["isBlank", 2 ** 20, isBlank],
  ["isHttpRequest", 2 ** 20, isHttpRequest],
  ["checkName", 2 ** 20, checkName],
  ["isName", 2 ** 20, isName],
  ["Pattern", 2 ** 20, (text) => new Pattern(text)],
  ["parsePatterns", 2 ** 20, (text) => parsePatterns("sub", text, 1000)],
  ["parseHello", 2 ** 20, parseHello],
  ["takeHeaders", 2 ** 20, (text) => takeHeaders(`{${text}`)],
  ["parseBrokerLine", 2 ** 20, parseBrokerLine],
  ["parseBrokerLine of an event", 2 ** 20, (text) => parseBrokerLine(`/event 01JD3K5E8Q5V1M4S3R6T7W8X9Y shop ${text}`)],
  ["quote", 2 ** 20, quote],
  ["visible", 2 ** 13, visible],
  ["decodeData", 2 ** 20, decodeData],
  ["dataFromText", 2 ** 20, dataFromText],
  ["decodeBody", 2 ** 20, (text) => decodeBody(new TextEncoder().encode(text))],
  ["formatMessage", 2 ** 20, (text) => formatMessage(`create ${text}`, "01JD3K5E8Q5V1M4S3R6T7W8X9Y")],
  ["parseHead", 2 ** 14, (text) => parseHead(`GET /${text} HTTP/1.1\r\nHost: x\r\n\r\n`)],
  ["parseHead of a header", 2 ** 14, (text) => parseHead(`GET / HTTP/1.1\r\nHost: x\r\na: ${text}\r\n\r\n`)],
  ["MessageScanner", 60_000, (text) => new MessageScanner().push(text)],
  ["readMessage", 60_000, (text) => readMessage(text, reading)],
  ["findGlued", 60_000, (text) => findGlued(readMessage(text, reading), names)],
  ...loaded.entries.map(({ pattern }): [string, number, (text: string) => unknown] => [
    `${pattern} of a catalog`,
    2 ** 20,
    (text) => checkFormat(pattern, text),
  ]),
  ["the names of properties in data, by a catalog", 2 ** 20, checkProperty],
];

function checkFormat(pattern: string, text: string): void {
  const line = `${pattern} ${JSON.stringify(text)}`;
  if (line.length <= 2 ** 20 + 100) loaded.check(pattern, line);
}

function checkProperty(name: string): void {
  const line = `property-patterns ${JSON.stringify({ [name]: 1 })}`;
  if (line.length <= 2 ** 20 + 100) loaded.check("property-patterns", line);
}

/** The time of some work, in milliseconds. */
function cost(work: () => unknown): number {
  const before = performance.now();
  try {
    work();
  } catch {
    // To refuse is work, too.
  }
  return performance.now() - before;
}

/** Work on texts of several sizes, and how long each has taken at least: noise only adds to it. */
class Measurement {
  readonly #texts: readonly string[];
  readonly #read: (text: string) => unknown;
  readonly #costs: number[] = SIZES.map(() => Infinity);

  constructor(limit: number, shape: (size: number) => string, read: (text: string) => unknown) {
    this.#texts = SIZES.map((size) => shape(Math.floor(limit * size)));
    this.#read = read;
  }

  /** Measures once more, the sizes in turns. */
  measure(): void {
    for (const [index, text] of this.#texts.entries()) {
      this.#costs[index] = Math.min(this.#costs[index], cost(() => this.#read(text)));
    }
  }

  /** Whether the work is too little to tell how it grows. */
  get isLittle(): boolean {
    return this.#costs.at(-1)! < LEAST_MS;
  }

  /** By which factor ten times the input takes more work: the slope of a line through all measurements, both axes logarithmic. */
  get growth(): number {
    const points = this.#costs.map((ms, index) => [Math.log10(SIZES[index]), Math.log10(ms)]);
    const [meanX, meanY] = [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
    const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
    const variance = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
    return 10 ** (covariance / variance);
  }
}

/** How often each is measured: at least, and at most if it seems to grow too fast. */
const [MIN_ROUNDS, MAX_ROUNDS] = [3, 30];

/** By which factor ten times the input takes more work; 0 where it is too little to tell. */
function growth(limit: number, shape: (size: number) => string, read: (text: string) => unknown): number {
  const measurement = new Measurement(limit, shape, read);
  for (let round = 1;; round++) {
    measurement.measure();
    if (round < MIN_ROUNDS) continue;
    if (measurement.isLittle) return 0;
    if (measurement.growth <= MAX_FACTOR || round === MAX_ROUNDS) return measurement.growth;
  }
}

for (const [name, limit, read] of READERS) {
  Deno.test(`the work of ${name} grows no faster than its input`, () => {
    for (const shape of SHAPES) {
      const factor = growth(limit, shape, read);
      assert(factor <= MAX_FACTOR, `${quote(shape(20))}: ${factor.toFixed(1)} times the work for ten times the input`);
    }
  });
}

Deno.test("the measure of growth sees what is quadratic", () => {
  const quadratic = (text: string) => /x*y|x*z/.test(text);
  assert(growth(20_000, repeat("x"), quadratic) > MAX_FACTOR);
});
