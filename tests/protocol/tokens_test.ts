import { assert, assertEquals, assertThrows } from "@std/assert";
import { MqError } from "../../lib/protocol/errors.ts";
import { parseToken, parseTokens } from "../../lib/protocol/tokens.ts";

Deno.test("parseTokens reads tokens and their scopes, and ignores comments and blank lines", () => {
  const text = "\r\n# two classes\r\n  s3cret  \r\npublish\tspeak\n  listen   hear\n#x\n\n";
  assertEquals(parseTokens(text), [
    { scope: "all", token: "s3cret" },
    { scope: "publish", token: "speak" },
    { scope: "listen", token: "hear" },
  ]);
});

Deno.test("parseTokens reads the name of a scope alone on a line as a token", () => {
  assertEquals(parseTokens("publish"), [{ scope: "all", token: "publish" }]);
});

for (const text of ["", "\n\n", "# nothing\n"]) {
  Deno.test(`parseTokens refuses ${JSON.stringify(text)}, which has no token`, () => {
    assertEquals(assertThrows(() => parseTokens(text), MqError, "Cannot find a token").code, "bad-tokens");
  });
}

for (const line of ["write s3cret", "publish s3cret twice", "s3cret publish"]) {
  Deno.test(`parseTokens refuses ${line}, and does not quote it`, () => {
    const error = assertThrows(() => parseTokens(`fine\n${line}\n`), MqError, "Cannot read line 2 of the tokens: ");
    assert(!error.message.includes("s3cret"));
  });
}

Deno.test("parseToken removes white space around a token, including line ends and a byte order mark", () => {
  for (const around of ["s3cret", "s3cret\r", "s3cret\r\n", "\ufeffs3cret\n", " \ts3cret\u00a0"]) {
    assertEquals(parseToken(around), "s3cret");
  }
  const every = Array.from({ length: 94 }, (_, index) => String.fromCharCode(0x21 + index)).join("");
  assertEquals(parseToken(every), every);
});

for (
  const [text, problem] of [
    ["", "it is empty"],
    ["\r\n", "it is empty"],
    ["two words", "its character 4 is U+0020, and a token takes visible characters of ASCII alone"],
    ["sécret", "its character 2 is U+00E9, and a token takes visible characters of ASCII alone"],
    ["a\u{1f511}", "its character 2 is U+1F511, and a token takes visible characters of ASCII alone"],
    ["a\x7f", "its character 2 is U+007F, and a token takes visible characters of ASCII alone"],
    ["x".repeat(1025), "it is 1025 characters long, and may have 1024"],
  ]
) {
  Deno.test(`parseToken reports why ${JSON.stringify(text.slice(0, 20))} is not valid`, () => {
    const { code, message } = assertThrows(() => parseToken(text), MqError);
    assertEquals([code, message], ["bad-tokens", `Cannot use the token: ${problem}`]);
  });
}

Deno.test("parseTokens reports the line of an invalid token", () => {
  for (const line of ["sécret", "listen sécret"]) {
    const { message } = assertThrows(() => parseTokens(`fine\n\n${line}\n`), MqError);
    const why = "its character 2 is U+00E9, and a token takes visible characters of ASCII alone";
    assertEquals(message, `Cannot read line 3 of the tokens: ${why}`);
  }
});
