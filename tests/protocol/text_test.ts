import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { encodeText } from "../../lib/protocol/text.ts";

const LONG = "0123456789abcdef".repeat(100);

function assertEncoded(text: string): void {
  assertEquals(encodeText(text), new TextEncoder().encode(text));
}

const TEXTS: [what: string, text: string][] = [
  ["nothing", ""],
  ["a short text", "create hello\n"],
  ["a short text that is not ASCII", "é€😀\n"],
  ["a long text", LONG],
  ["a long text with NULs", "\0".repeat(1000)],
  ["a long text with no ASCII in it", "é€😀".repeat(300)],
];

for (const [what, text] of TEXTS) Deno.test(`encodeText encodes ${what}`, () => assertEncoded(text));

const SPECIAL: [what: string, character: string][] = [
  ["a character of two bytes", "é"],
  ["a character of three bytes", "€"],
  ["a character of four bytes", "😀"],
  ["a high surrogate alone", "\ud83d"],
  ["a low surrogate alone", "\ude00"],
  ["surrogates in the wrong order", "\ude00\ud83d"],
];

for (const [what, character] of SPECIAL) {
  Deno.test(`encodeText encodes a long text that starts with ${what}`, () => assertEncoded(character + LONG));
  Deno.test(`encodeText encodes a long text with ${what} in its middle`, () => assertEncoded(LONG + character + LONG));
  Deno.test(`encodeText encodes a long text that ends in ${what}`, () => assertEncoded(LONG + character));
}

Deno.test("encodeText encodes text of any length, ASCII or not", () => {
  for (let length = 0; length < 1000; length++) {
    assertEncoded("x".repeat(length));
    assertEncoded("x".repeat(length) + "é");
  }
});

Deno.test("encodeText hands out bytes that it does not touch again", () => {
  for (const text of [LONG, "short"]) {
    const bytes = encodeText(text);
    for (const other of ["z".repeat(2000), "z"]) encodeText(other);
    assertEquals(new TextDecoder().decode(bytes), text);
  }
});

Deno.test("encodeText does what TextEncoder does with any text", () => {
  const ascii = fc.nat({ max: 300 }).map((length) => "x".repeat(length));
  const part = fc.oneof(ascii, fc.constantFrom("é", "€", "😀", "\ud83d", "\ude00"), fc.string({ unit: "binary" }));
  const text = fc.array(part, { maxLength: 8, size: "max" }).map((parts) => parts.join(""));
  fc.assert(fc.property(text, assertEncoded), { numRuns: 1000 });
});
