import { assertEquals, assertThrows } from "@std/assert";
import { findGlued, formatMessage, lineOf, messageOf, readMessage } from "../lib/classic.ts";
import { ProtocolError } from "../lib/errors.ts";

const RECOGNIZED = ["create", "in-transit", "order-paid"];
const read = (message: string) => readMessage(message, (name) => RECOGNIZED.includes(name));

const MESSAGES: [message: string, written: string, name: string, text: string][] = [
  ["create", "create", "create", ""],
  ["create a record", "create", "create", "a record"],
  ["create  two  spaces", "create", "create", "two  spaces"],
  ["create\thello", "create", "create", "hello"],
  ['create {"id":1}', "create", "create", '{"id":1}'],
  ["create:a record", "create", "create", "a record"],
  ["create: a record", "create", "create", "a record"],
  ['create:{"id":1}', "create", "create", '{"id":1}'],
  ["create:", "create", "create", ""],
  ["create :)", "create", "create", ":)"],
  ["in transit", "in transit", "in-transit", ""],
  ["in transit order 7", "in transit", "in-transit", "order 7"],
  ['in transit {"id":1}', "in transit", "in-transit", '{"id":1}'],
  ['in transit: {"id":1}', "in transit", "in-transit", '{"id":1}'],
  ["in-transit 1", "in-transit", "in-transit", "1"],
  ["order:paid 1", "order:paid", "order-paid", "1"],
  ["unknown words here", "unknown", "unknown", "words here"],
  ["/sub create", "/sub", "/sub", "create"],
  ['{"event":"create","payload":{"id":1}}', "create", "create", '{"id":1}'],
  ['{"event":"create","payload":"a record"}', "create", "create", "a record"],
  ['{"event":"create","payload":""}', "create", "create", '""'],
  ['{"event":"create"}', "create", "create", ""],
  ['{"name":"create","data":[1,2]}', "create", "create", "[1,2]"],
  ['{"eventType":"create","eventPayload":7}', "create", "create", "7"],
  ['{"event":"create","record":{"id":1}}', "create", "create", '{"id":1}'],
  ['{"event":"create","id":1,"table":"users"}', "create", "create", '{"id":1,"table":"users"}'],
  ['{"event":"create","payload":1,"time":"now"}', "create", "create", "1"],
  ['{"name":"Ada","eventType":"create"}', "create", "create", "Ada"],
  ['{"event":"signed","name":"create"}', "create", "create", "signed"],
  ['{"event":"signed","name":"Ada"}', "signed", "signed", "Ada"],
  ['{"event":" in transit ","payload":1}', "in transit", "in-transit", "1"],
  ['{"event":"order/paid","payload":1}', "order/paid", "order-paid", "1"],
  ['{"event":{"id":1},"name":"create"}', "create", "create", '{"id":1}'],
  ['{"event":"create","__proto__":{"payload":1}}', "create", "create", '{"payload":1}'],
];

for (const [message, written, name, text] of MESSAGES) {
  Deno.test(`readMessage reads ${message}`, () => {
    const { object: _object, gap: _gap, ...read } = readMessage(message, (name) => RECOGNIZED.includes(name));
    assertEquals(read, { written, name, text });
  });
}

for (
  const [message, reason] of [
    ["{ event: 'create' }", "Cannot read \"{ event: 'create' }\" as a JSON object: "],
    ["{}", 'Cannot find an event\'s name in "{}": it stands under "event"'],
    ['{"event":7}', "Cannot find an event's name in "],
    ['{"event":" "}', "Cannot find an event's name in "],
    ['{"payload":"create"}', "Cannot find an event's name in "],
  ]
) {
  Deno.test(`readMessage refuses ${message}`, () => {
    assertEquals(assertThrows(() => read(message), ProtocolError, reason).code, "bad-message");
  });
}

const WRITTEN: [line: string, text: string, json: string][] = [
  ["create", "create", '{"event":"create","payload":""}'],
  ["create hello", "create hello", '{"event":"create","payload":"hello"}'],
  ['create "hello"', "create hello", '{"event":"create","payload":"hello"}'],
  ['create "42"', "create 42", '{"event":"create","payload":"42"}'],
  ["create 42", "create 42", '{"event":"create","payload":42}'],
  ['create ""', "create", '{"event":"create","payload":""}'],
  ['create "two\\nlines"', "create two lines", '{"event":"create","payload":"two\\nlines"}'],
  [
    'create {"id":12345678901234567890}',
    'create {"id":12345678901234567890}',
    '{"event":"create","payload":{"id":12345678901234567890}}',
  ],
  ["create null", "create null", '{"event":"create","payload":null}'],
  ['create say "hi"', 'create say "hi"', '{"event":"create","payload":"say \\"hi\\""}'],
];

for (const [line, text, json] of WRITTEN) {
  Deno.test(`formatMessage writes the line ${line}`, () => {
    assertEquals(formatMessage(messageOf(line), "text"), text);
    assertEquals(formatMessage(messageOf(line), "json"), json);
  });
}

Deno.test("formatMessage gives an object as it came, every key of it, on one line", () => {
  const message = read('{"name":"create",\r\n  "big":12345678901234567890, "payload":"a\\nb"}');
  assertEquals(formatMessage(message, "json"), '{"name":"create",   "big":12345678901234567890, "payload":"a\\nb"}');
  assertEquals(formatMessage(message, "text"), "create a b");
});

for (const message of ["create  two  spaces", "create\ttabbed", "create 1", "create", 'create   {"id": 1}']) {
  Deno.test(`a text goes out as it came: ${JSON.stringify(message)}`, () => {
    assertEquals(lineOf(read(message)), message);
    assertEquals(formatMessage(read(message), "text"), message);
  });
}

Deno.test("formatMessage keeps a space in a name", () => {
  const message = read('{"event":"in transit"}');
  assertEquals(formatMessage(message, "text"), "in transit");
  assertEquals(formatMessage(read("in transit"), "json"), '{"event":"in transit","payload":""}');
});

for (
  const [message, found] of [
    ["create", undefined],
    ["create a record", undefined],
    ["create createdAt", undefined],
    ["create a re-create_d", undefined],
    ["create onecreate two", "create"],
    ["createcreate", "create"],
    ['create {"id":1}update {"id":2}', "update"],
    ["updatecreate", "create"],
    ["create.d create", "create"],
  ] as const
) {
  Deno.test(`findGlued finds ${found} in ${message}`, () => {
    assertEquals(findGlued(message, ["create", "update"]), found);
  });
}
