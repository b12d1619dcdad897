/** What reads lines takes any text there is: it reads it or refuses it, and does nothing else. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { decodeData, encodeData } from "../../lib/protocol/data.ts";
import { ProtocolError } from "../../lib/protocol/errors.ts";
import {
  formatErr,
  formatEvent,
  formatOk,
  isHttpRequest,
  parseBrokerLine,
  parseHello,
  parsePatterns,
} from "../../lib/protocol/lines.ts";
import { MAX_GREETING_BYTES } from "../../lib/protocol/limits.ts";
import { isBlank, isFirstWord, takeWord, wordEnd } from "../../lib/protocol/text.ts";
import { resultOf, runs, someJson, someName, somePattern, someText, textOf } from "./arbitraries.ts";
import { isPattern } from "./reference.ts";

const ULID = "01ARYZ6S41TSV4RRFFQ69G5FAV";

/** What may be a line of the protocol. */
const someLine = fc.oneof(
  someText,
  textOf(" ", " ", "\t", "/", "create", "/event", ULID, "/ok", "/err", "-", "/bye", "/ping", "/#", "/dropped", "7"),
);

Deno.test("takeWord splits the first word off any text, and loses only the space after it", () => {
  const property = fc.property(someLine, (text) => {
    const [, word, rest] = /^([^ \t]*)[ \t]*([^]*)$/.exec(text)!;
    assertEquals(takeWord(text), [word, rest]);
    assertEquals(wordEnd(text), word.length);
    assertEquals(isFirstWord(word, text), true);
  });
  fc.assert(property, runs(2000));
});

Deno.test("takeWord returns the words of a text one by one, for any text", () => {
  const property = fc.property(someLine, (text) => {
    const taken: string[] = [];
    for (let rest = text, word = ""; rest !== "";) {
      [word, rest] = takeWord(rest);
      if (word !== "") taken.push(word);
    }
    assertEquals(text.split(/[ \t]+/).filter((word) => word !== ""), taken);
    assertEquals(isBlank(text), taken.length === 0);
  });
  fc.assert(property, runs(2000));
});

const someRequest = fc.tuple(
  fc.oneof(fc.constantFrom("GET", "create", "", "/pub"), textOf("M-SEARCH", "!")),
  fc.oneof(fc.constantFrom("*", "/", "a:b", "a", "a:", ":a", ""), textOf("/", ":", "http://a/?b", "\u00a0")),
  fc.oneof(fc.constantFrom("HTTP/1.1", "HTTP/2", "http/1.1"), textOf("HTTP/", "1", ".")),
).map((words) => words.join(" "));

Deno.test("isHttpRequest is true only for a method, a target and a version of HTTP", () => {
  const property = fc.property(fc.oneof(someLine, someRequest), (line) => {
    const [method, target = "", version = "", ...more] = line.split(" ");
    const isTarget = !/\s/.test(target) && (/^\/|^\*$/.test(target) || target.slice(1, -1).includes(":"));
    const isMethod = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(method); // RFC 9110, section 5.6.2: a token.
    const isVersion = /^HTTP\/[0-9](\.[0-9])?$/.test(version);
    assertEquals(isHttpRequest(line), isMethod && isTarget && isVersion && more.length === 0);
  });
  fc.assert(property, runs(5000));
});

Deno.test("parseBrokerLine parses any line or refuses it as a bad reply", () => {
  const property = fc.property(someLine, (line) => {
    const parsed = resultOf(() => parseBrokerLine(line), ProtocolError);
    if (parsed instanceof ProtocolError) assertEquals(parsed.code, "bad-reply");
  });
  fc.assert(property, runs(5000));
});

Deno.test("parseBrokerLine parses any data that formatEvent writes, with meta and without", () => {
  const property = fc.property(someName, fc.option(someJson, { nil: undefined }), fc.constantFrom("shop", "店"), (
    name,
    data,
    from,
  ) => {
    const text = encodeData(data);
    const line = formatEvent(name, text);
    assertEquals(parseBrokerLine(line), { type: "event", name, text });
    assertEquals(parseBrokerLine(`/event ${ULID} ${from} ${line}`), { type: "event", name, text, id: ULID, from });
    assertEquals(decodeData(text), data);
  });
  fc.assert(property, runs(1000));
});

Deno.test("parseBrokerLine parses what formatOk and formatErr write", () => {
  const word = someText.map((text) => text.replaceAll(/[ \t]/g, "")).filter((text) => text !== "");
  const property = fc.property(word, someJson, word, someText, (what, value, code, sentence) => {
    assertEquals(parseBrokerLine(formatOk(what, value)), { type: "ok", what, json: JSON.stringify(value) });
    const text = sentence.replace(/^[ \t]+/, "");
    const error = new ProtocolError(code, text);
    assertEquals(parseBrokerLine(formatErr(what, error)), { type: "err", what, code, text });
  });
  fc.assert(property, runs(1000));
});

const HELLO_KEYS = ["name", "meta", "echo", "token"];
const someHello = fc.oneof(
  someText,
  fc.record({
    name: fc.oneof(fc.constantFrom("shop", "mq", "two words", "x".repeat(64), "x".repeat(65)), someJson),
    meta: fc.oneof(fc.boolean(), someJson),
    echo: fc.oneof(fc.boolean(), someJson),
    token: fc.oneof(someText, someJson),
    color: someJson,
  }, { requiredKeys: [] }).map((hello) => JSON.stringify(hello)),
);

Deno.test("parseHello accepts an object with a valid name, switches and a token, and refuses any other text", () => {
  const property = fc.property(someHello, (text) => {
    const hello = resultOf(() => parseHello(text), ProtocolError);
    const given = text.trim() === "" ? {} : parseJson(text);
    const isGood = isHello(given) && text.length <= MAX_GREETING_BYTES;
    if (!isGood) return assertEquals(hello instanceof ProtocolError && hello.code, "bad-arguments");
    for (const key of HELLO_KEYS) assertEquals((hello as typeof given)[key], given[key]);
  });
  fc.assert(property, runs(2000));
});

Deno.test("parsePatterns accepts text in which all words are patterns, and refuses any other", () => {
  const attempt = fc.array(fc.oneof({ weight: 6, arbitrary: somePattern }, someText), { maxLength: 4 });
  const property = fc.property(attempt, fc.constantFrom(" ", "\t", "  "), (texts, space) => {
    const rest = texts.join(space);
    const expected = [...new Set(rest.split(/[ \t]+/).filter((text) => text !== ""))];
    const patterns = resultOf(() => parsePatterns("sub", rest, 1000), ProtocolError);
    if (expected.length > 0 && expected.every(isPattern)) {
      assertEquals(patterns instanceof ProtocolError || patterns.map(({ text }) => text), expected);
    } else {
      const code = expected.length === 0 ? "bad-arguments" : "bad-pattern";
      assertEquals(patterns instanceof ProtocolError && patterns.code, code);
    }
  });
  fc.assert(property, runs(1000));
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether a client may say that of itself: rule 5.4. */
function isHello(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const { name = "any", meta = true, echo = true, token = "" } = value as Record<string, unknown>;
  const hasTypes = typeof name === "string" && typeof meta === "boolean" && typeof echo === "boolean" &&
    typeof token === "string";
  return hasTypes && /^[^\s\p{C}]{1,64}$/u.test(name) && name.length <= 64 && name !== "mq";
}
