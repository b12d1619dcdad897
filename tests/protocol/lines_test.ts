import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/protocol/errors.ts";
import {
  type BrokerLine,
  type EventHeaders,
  formatErr,
  formatEvent,
  formatHeaders,
  formatOk,
  isHttpRequest,
  parseBrokerLine,
  parseHello,
  parsePatterns,
  takeHeaders,
} from "../../lib/protocol/lines.ts";

const ULID = "01ARYZ6S41TSV4RRFFQ69G5FAV";

const HTTP = [
  "GET / HTTP/1.1",
  "GET / HTTP/1.0",
  "POST /create HTTP/1.1",
  "create /x HTTP/1.1",
  "OPTIONS * HTTP/1.1",
  "CONNECT example.org:443 HTTP/1.1",
  "GET http://127.0.0.1:3001/create?x=%7B%7D HTTP/1.1",
  "PRI * HTTP/2.0",
];

for (const line of HTTP) {
  Deno.test(`isHttpRequest is true for ${line}`, () => assertEquals(isHttpRequest(line), true));
}

const NOT_HTTP = [
  "",
  "create",
  "create HTTP/1.1",
  "create  HTTP/1.1",
  "create / HTTP/1.1 x",
  "create / HTTP/1.1 ",
  "create / http/1.1",
  "create / HTTPS/1.1",
  "create / HTTP/11",
  "create /HTTP/1.1",
  " GET / HTTP/1.1",
  'create {"url":"/ HTTP/1.1"}',
];

for (const line of NOT_HTTP) {
  Deno.test(`isHttpRequest is false for ${JSON.stringify(line)}`, () => assertEquals(isHttpRequest(line), false));
}

Deno.test("isHttpRequest is false for an event whose data is words before HTTP/1.1", () => {
  assertEquals(isHttpRequest("create we still speak HTTP/1.1"), false);
});

Deno.test("isHttpRequest is false for a control line that ends in HTTP/1.1", () => {
  assertEquals(isHttpRequest("/pub 7 create HTTP/1.1"), false);
});

const BROKER_LINES: [line: string, parsed: BrokerLine][] = [
  ["create", { type: "event", name: "create", text: "" }],
  ["create hello", { type: "event", name: "create", text: "hello" }],
  ["create  a   b\t c  ", { type: "event", name: "create", text: "a   b\t c  " }],
  ["create /ok", { type: "event", name: "create", text: "/ok" }],
  ['mq.connect {"id":"x"}', { type: "event", name: "mq.connect", text: '{"id":"x"}' }],
  [`/event ${ULID} shop create`, { type: "event", name: "create", text: "", id: ULID, from: "shop" }],
  [`/event ${ULID} shop create  a  b `, { type: "event", name: "create", text: "a  b ", id: ULID, from: "shop" }],
  ["/ok sub", { type: "ok", what: "sub", json: "" }],
  ['/ok 7 {"receivers": 2}', { type: "ok", what: "7", json: '{"receivers": 2}' }],
  ["/err pub bad-arguments It takes a name", {
    type: "err",
    what: "pub",
    code: "bad-arguments",
    text: "It takes a name",
  }],
  [`/event ${ULID} shop {"hops":16} create {"id":1}`, {
    type: "event",
    name: "create",
    text: '{"id":1}',
    id: ULID,
    from: "shop",
    hops: 16,
  }],
  [`/event ${ULID} shop {"reply":"_INBOX.a.1"} create 1`, {
    type: "event",
    name: "create",
    text: "1",
    id: ULID,
    from: "shop",
    reply: "_INBOX.a.1",
  }],
  [`/event ${ULID} shop create {"hops":16}`, {
    type: "event",
    name: "create",
    text: '{"hops":16}',
    id: ULID,
    from: "shop",
  }],
  ["/err - bad-name", { type: "err", what: "-", code: "bad-name", text: "" }],
  ["/ping", { type: "ping", text: "" }],
  ["/ping a  b ", { type: "ping", text: "a  b " }],
  ["/pong", { type: "pong", text: "" }],
  ["/pong a  b ", { type: "pong", text: "a  b " }],
  ["/bye", { type: "bye", text: "" }],
  ["/bye The broker is going down", { type: "bye", text: "The broker is going down" }],
  ["/# /ping [TEXT]   ask for an answer", { type: "help", text: "/ping [TEXT]   ask for an answer" }],
  ["/#", { type: "help", text: "" }],
];

for (const [line, parsed] of BROKER_LINES) {
  Deno.test(`parseBrokerLine parses ${line}`, () => assertEquals(parseBrokerLine(line), parsed));
}

for (
  const line of ["/", "/sub a", "/OK sub", "/okay", "/constructor", "/__proto__", "/events x y z", "//ok sub", "/#x"]
) {
  Deno.test(`parseBrokerLine refuses ${line}, which no broker sends`, () => assertBadReply(line));
}

for (const word of ['{"hops":0}', '{"hops":256}', '{"hops":01', "{}", '{"hops": 1}', "{"]) {
  Deno.test(`parseBrokerLine refuses an event with ${word} in place of its name`, () => {
    assertBadReply(`/event ${ULID} shop ${word} create`);
  });
}

const REPLY = '"reply":"_INBOX.a.1"';
const GOOD_HEADERS: [word: string, headers: EventHeaders][] = [
  ['{"hops":1}', { hops: 1 }],
  ['{"hops":255}', { hops: 255 }],
  [`{${REPLY}}`, { reply: "_INBOX.a.1" }],
  [`{"hops":3,${REPLY}}`, { hops: 3, reply: "_INBOX.a.1" }],
  ['{"reply":"commande.créée"}', { reply: "commande.créée" }],
  [`{"reply":"${"n".repeat(255)}"}`, { reply: "n".repeat(255) }],
];

for (const [word, headers] of GOOD_HEADERS) {
  Deno.test(`takeHeaders reads ${word.slice(0, 60)}, and formatHeaders writes it`, () => {
    assertEquals(takeHeaders(`${word} create  a `), [headers, "create  a "]);
    assertEquals(formatHeaders(headers), `${word} `);
  });
}

const BAD_HEADERS = [
  "{",
  "{}",
  "{,}",
  '{"hops":0}',
  '{"hops":01}',
  '{"hops":1e1}',
  '{"hops":256}',
  '{"hops":"1"}',
  '{"hops":1,}',
  '{"hops":1,"hops":2}',
  `{"hops":1${REPLY}}`,
  `{"hops":256,${REPLY}}`,
  `{${REPLY},"hops":1}`,
  `{${REPLY},}`,
  `{,${REPLY}}`,
  `{${REPLY}`,
  `{${REPLY}}x`,
  `{${REPLY},"color":"red"}`,
  '{"reply":""}',
  '{"reply":null}',
  '{"reply":"a..b"}',
  '{"reply":"a.*"}',
  '{"reply":"mq.connect"}',
  '{"reply":"\\u0061"}',
  `{"reply":"${"n".repeat(256)}"}`,
];

for (const word of BAD_HEADERS) {
  Deno.test(`takeHeaders refuses ${word.slice(0, 60)}`, () => {
    assertEquals(assertThrows(() => takeHeaders(`${word} create`), ProtocolError).code, "bad-arguments");
  });
}

for (const line of ["", " create", "/event", `/event ${ULID}`, `/event ${ULID} shop`, "/ok", "/err", "/err 7"]) {
  Deno.test(`parseBrokerLine refuses ${JSON.stringify(line)}, in which a word is missing`, () => assertBadReply(line));
}

Deno.test("parseBrokerLine quotes what it refuses", () => {
  assertStringIncludes(assertThrows(() => parseBrokerLine("/huh x")).message, '"/huh x"');
});

const HELLOS: [text: string, hello: ReturnType<typeof parseHello>][] = [
  ["", {}],
  [" \t", {}],
  ["{}", {}],
  ['{"name":"shop"}', { name: "shop" }],
  ['{"name":"店-1"}', { name: "店-1" }],
  ['{"name":"mqtt"}', { name: "mqtt" }],
  [`{"name":"${"x".repeat(64)}"}`, { name: "x".repeat(64) }],
  ['{"meta":true}', { meta: true }],
  ['{"reply":true}', { reply: true }],
  ['{"echo":false}', { echo: false }],
  [' {"name":"a","meta":false,"echo":true} ', { name: "a", meta: false, echo: true }],
];

for (const [text, hello] of HELLOS) {
  Deno.test(`parseHello parses ${JSON.stringify(text)}`, () => assertEquals(parseHello(text), hello));
}

for (const text of ['{"color":"red","name":"shop"}', '{"__proto__":{"meta":1},"name":"shop"}']) {
  Deno.test(`parseHello ignores unknown keys: ${text}`, () => {
    const { name, meta, echo } = parseHello(text);
    assertEquals([name, meta, echo], ["shop", undefined, undefined]);
  });
}

const BAD_HELLOS = [
  "shop",
  "{",
  "null",
  "true",
  "1",
  '"shop"',
  "[]",
  '[{"name":"shop"}]',
  '{"meta":1}',
  '{"meta":"true"}',
  '{"meta":null}',
  '{"reply":1}',
  '{"echo":0}',
  '{"echo":[]}',
  '{"name":1}',
  '{"name":null}',
  '{"name":{}}',
  '{"name":["shop"]}',
  '{"name":""}',
  '{"name":" "}',
  '{"name":"two words"}',
  '{"name":"a\\tb"}',
  '{"name":"a\\nb"}',
  '{"name":"a\\u00a0b"}',
  '{"name":"a\\u0000b"}',
  '{"name":"a\\u007fb"}',
  '{"name":"a\\u200bb"}',
  '{"name":"\\ud800"}',
  '{"name":"mq"}',
  `{"name":"${"x".repeat(65)}"}`,
];

for (const text of BAD_HELLOS) {
  Deno.test(`parseHello refuses ${text}`, () => {
    assertEquals(assertThrows(() => parseHello(text), ProtocolError).code, "bad-arguments");
  });
}

Deno.test("formatEvent writes only the name without data", () => {
  assertEquals(formatEvent("create", ""), "create");
});

Deno.test("formatEvent writes name and data with a space between them", () => {
  assertEquals(formatEvent("create", "a  b "), "create a  b ");
});

const OKS: [value: unknown, line: string][] = [
  [undefined, "/ok 7"],
  [null, "/ok 7 null"],
  [[], "/ok 7 []"],
  [{ text: "a\nb" }, '/ok 7 {"text":"a\\nb"}'],
];

for (const [value, line] of OKS) {
  Deno.test(`formatOk writes ${line}`, () => assertEquals(formatOk("7", value), line));
}

Deno.test("formatErr writes the ref, the code and the message", () => {
  assertEquals(formatErr("7", new ProtocolError("bad-name", "No  name")), "/err 7 bad-name No  name");
});

Deno.test("parseBrokerLine parses what formatOk writes", () => {
  assertEquals(parseBrokerLine(formatOk("7", { id: 1 })), { type: "ok", what: "7", json: '{"id":1}' });
});

Deno.test("parseBrokerLine parses what formatErr writes", () => {
  const line = formatErr("-", new ProtocolError("line-too-long", "Discarded a line"));
  assertEquals(parseBrokerLine(line), { type: "err", what: "-", code: "line-too-long", text: "Discarded a line" });
});

function assertBadReply(line: string): void {
  assertEquals(assertThrows(() => parseBrokerLine(line), ProtocolError).code, "bad-reply");
}

Deno.test("isHttpRequest takes linear time", () => {
  for (const line of ["x " + ":".repeat(2 ** 20), "x ".repeat(2 ** 19), "x".repeat(2 ** 20)]) {
    assertEquals(isHttpRequest(line), false); // It would take hours if it were not linear.
  }
});

Deno.test("parsePatterns returns each pattern once, and refuses more than the limit", () => {
  assertEquals(parsePatterns("sub", "a ".repeat(500_000), 1).map(({ text }) => text), ["a"]);
  assertThrows(
    () => parsePatterns("unsub", "a b c", 2),
    ProtocolError,
    "Cannot carry out /unsub with more than 2 patterns",
  );
});
