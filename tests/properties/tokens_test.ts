/** Any text is a list of tokens or refused, and a gate knows the tokens that it was given. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { MqError } from "../../lib/protocol/errors.ts";
import { Authenticator } from "../../lib/broker/authenticator.ts";
import { parseTokens, type Token } from "../../lib/protocol/tokens.ts";
import { resultOf, runs, someText, textOf } from "./arbitraries.ts";

const word = textOf("s3cret", "publish", "#", "~", "!", "-")
  .map((text) => text.replaceAll(/[^\x21-\x7e]/gu, ""))
  .filter((text) => text !== "" && !text.startsWith("#"));
const someToken = fc.record<Token>({ token: word, scope: fc.constantFrom("all", "publish", "listen") });

Deno.test("parseTokens reads any text as tokens without white space, or refuses it", () => {
  const attempt = fc.oneof(someText, textOf("publish", "listen", "all", "#", " ", " ", "\n", "\r\n", "\t", "s3cret"));
  const property = fc.property(attempt, (text) => {
    const tokens = resultOf(() => parseTokens(text), MqError);
    if (tokens instanceof MqError) return assertEquals(tokens.code, "bad-tokens");
    assert(tokens.length > 0);
    for (const { token } of tokens) assert(text.includes(token) && /^[\x21-\x7e]+$/.test(token));
  });
  fc.assert(property, runs(2000));
});

Deno.test("parseTokens reads the tokens of a file, whatever white space and comments separate them", () => {
  const between = fc.array(fc.constantFrom("\n", "  \n", "# publish me\n", "\r\n", "#\n"), { maxLength: 2 });
  const lines = fc.array(fc.tuple(someToken, between), { minLength: 1, maxLength: 8 });
  const property = fc.property(lines, fc.constantFrom(" ", "\t ", "  "), (lines, space) => {
    const text = lines.map(([{ token, scope }, between]) => `${scope}${space}${token}\n${between.join("")}`).join("");
    assertEquals(parseTokens(text), lines.map(([token]) => token));
  });
  fc.assert(property, runs(500));
});

Deno.test("Authenticator.authorize accepts only its tokens, each with the scope of its first line", () => {
  const tokens = fc.array(someToken, { maxLength: 8 });
  const property = fc.property(tokens, fc.array(word, { maxLength: 8 }), (tokens, others) => {
    const gate = new Authenticator(tokens);
    assertEquals(gate.isOpen, tokens.length === 0);
    const similar = tokens.flatMap(({ token }) => [token, `${token} `, [...token].slice(1).join("")]);
    for (const shown of ["", ...others, ...similar]) {
      assertEquals(gate.authorize(shown), tokens.find(({ token }) => token === shown.trim())?.scope);
    }
  });
  fc.assert(property, runs(500));
});
