import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { encodeLine, encodeText, isBlank, isFirstWord, takeWord, wordEnd } from "../../lib/protocol/text.ts";

const LONG = "0123456789abcdef".repeat(100);

function assertEncoded(text: string): void {
  assertEquals(encodeText(text), new TextEncoder().encode(text));
  assertEquals(encodeLine(text), new TextEncoder().encode(text + "\n"));
}

const TEXTS: [what: string, text: string][] = [
  ["nothing", ""],
  ["a short text", "create hello\n"],
  ["a short text that is not ASCII", "é€😀\n"],
  ["a long text", LONG],
  ["a long text with NULs", "\0".repeat(1000)],
  ["a long text with no ASCII in it", "é€😀".repeat(300)],
];

for (const [what, text] of TEXTS) Deno.test(`encodeText and encodeLine encode ${what}`, () => assertEncoded(text));

const SPECIAL: [what: string, character: string][] = [
  ["a character of two bytes", "é"],
  ["a character of three bytes", "€"],
  ["a character of four bytes", "😀"],
  ["a high surrogate alone", "\ud83d"],
  ["a low surrogate alone", "\ude00"],
  ["surrogates in the wrong order", "\ude00\ud83d"],
];

for (const [what, character] of SPECIAL) {
  Deno.test(`encodeText and encodeLine encode a long text that starts with ${what}`, () =>
    assertEncoded(character + LONG));
  Deno.test(`encodeText and encodeLine encode a long text with ${what} in its middle`, () =>
    assertEncoded(LONG + character + LONG));
  Deno.test(`encodeText and encodeLine encode a long text that ends in ${what}`, () => assertEncoded(LONG + character));
}

Deno.test("encodeText and encodeLine encode text of any length, ASCII or not", () => {
  for (let length = 0; length < 1000; length++) {
    assertEncoded("x".repeat(length));
    assertEncoded("x".repeat(length) + "é");
  }
});

Deno.test("encodeText returns bytes that later calls do not change", () => {
  for (const text of [LONG, "short"]) {
    const bytes = encodeText(text);
    for (const other of ["z".repeat(2000), "z"]) encodeText(other);
    assertEquals(new TextDecoder().decode(bytes), text);
  }
});

Deno.test("encodeText encodes any text as TextEncoder does", () => {
  const ascii = fc.nat({ max: 300 }).map((length) => "x".repeat(length));
  const part = fc.oneof(ascii, fc.constantFrom("é", "€", "😀", "\ud83d", "\ude00"), fc.string({ unit: "binary" }));
  const text = fc.array(part, { maxLength: 8, size: "max" }).map((parts) => parts.join(""));
  fc.assert(fc.property(text, assertEncoded), { numRuns: 1000 });
});

const WORD_ENDS: [line: string, start: number | undefined, end: number][] = [
  ["", undefined, 0],
  ["create", undefined, 6],
  ["create hello", undefined, 6],
  ["create\thello", undefined, 6],
  [" create", undefined, 0],
  ["create hello", 7, 12],
  ["create\u00a0hello x", undefined, 12],
];

for (const [line, start, end] of WORD_ENDS) {
  Deno.test(`wordEnd of ${JSON.stringify(line)} from ${start ?? "its start"}`, () => {
    assertEquals(wordEnd(line, start), end);
  });
}

const FIRST_WORDS: [word: string, line: string, isFirst: boolean][] = [
  ["create", "create", true],
  ["create", "create hello", true],
  ["create", "create\thello", true],
  ["create", "create ", true],
  ["create", "created", false],
  ["create", "created hello", false],
  ["create", "create.x", false],
  ["create", "create\u00a0hello", false],
  ["create", "create\r", false],
  ["create", "Create", false],
  ["create", " create", false],
  ["create", "hello  create", false],
  ["create", "", false],
  ["create", "crea", false],
  ["created", "create hello", false],
  ["\u00e9", "e\u0301", false],
];

for (const [word, line, isFirst] of FIRST_WORDS) {
  Deno.test(`isFirstWord is ${isFirst} for ${JSON.stringify(word)} of ${JSON.stringify(line)}`, () => {
    assertEquals(isFirstWord(word, line), isFirst);
  });
}

const TAKEN: [text: string, word: string, rest: string][] = [
  ["", "", ""],
  ["create", "create", ""],
  ["create ", "create", ""],
  ["create hello", "create", "hello"],
  ["create\thello", "create", "hello"],
  ["create \t \thello", "create", "hello"],
  ["create  a   b\t c  ", "create", "a   b\t c  "],
  [" create hello", "", "create hello"],
  ["   ", "", ""],
  ["create \u00a0x", "create", "\u00a0x"],
  ["create \rx", "create", "\rx"],
  ["create\u00a0x", "create\u00a0x", ""],
];

for (const [text, word, rest] of TAKEN) {
  Deno.test(`takeWord of ${JSON.stringify(text)}`, () => assertEquals(takeWord(text), [word, rest]));
}

const BLANK: [line: string, blank: boolean][] = [
  ["", true],
  [" ", true],
  ["\t \t", true],
  [" x", false],
  ["\u00a0", false],
  ["\0", false],
  ["\r", false],
];

for (const [line, blank] of BLANK) {
  Deno.test(`isBlank is ${blank} for ${JSON.stringify(line)}`, () => assertEquals(isBlank(line), blank));
}
