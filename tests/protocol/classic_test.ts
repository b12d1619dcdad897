import { assertEquals, assertThrows } from "@std/assert";
import {
  ClassicCodec,
  type ClassicMessage,
  type ClassicOptions,
  lineOf,
  messageOf,
  modernPattern,
} from "../../lib/protocol/classic.ts";
import { FanOut } from "../../lib/broker/fan_out.ts";
import { MqError, ProtocolError } from "../../lib/protocol/errors.ts";
import { Router } from "../../lib/broker/router.ts";

const EVENTS = ["create", "in-transit", "order-paid"];

function codecOf(options: Partial<ClassicOptions> = {}, events: readonly string[] = EVENTS): ClassicCodec {
  return new ClassicCodec({ form: "json", ...options }, new Router(events, new FanOut()));
}

const read = (message: string, options?: Partial<ClassicOptions>) => codecOf(options).read(message);

function meaningOf({ written, name, text }: ClassicMessage): [written: string, name: string, text: string] {
  return [written, name, text];
}

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
  ["create,a record", "create", "create", "a record"],
  ["create|a record", "create", "create", "a record"],
  ["create; a record", "create", "create", "a record"],
  ["create=1", "create", "create", "1"],
  ['"create a record"', "create", "create", "a record"],
  ['"create two\\nlines"', "create", "create", '"two\\nlines"'],
  ['"{\\"event\\":\\"create\\",\\"payload\\":1}"', "create", "create", "1"],
  ['["create",{"id":1}]', "create", "create", '{"id":1}'],
  ['["create"]', "create", "create", ""],
  ['[ "in transit", 1, [2, 3] ]', "in transit", "in-transit", "[1,[2,3]]"],
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
  ['{"type":"create","message":"a"}', "create", "create", "a"],
  ['{"eventName":"create","payload":1}', "create", "create", "1"],
  ['{"event_name":"create","event-data":1}', "create", "create", "1"],
  ['{"Act":"create","Data":"x"}', "create", "create", "x"],
  ['{"EVENT":"create","PAYLOAD":"x"}', "create", "create", "x"],
  ['{"topic":"create","message":"x","qos":0}', "create", "create", '{"message":"x","qos":0}'],
  ['{"type":"event","action":"create","data":1}', "create", "create", "1"],
  ['{"type":"signed","name":"Ada"}', "signed", "signed", "Ada"],
  ['{"create":{"id":1}}', "create", "create", '{"id":1}'],
  [
    '{"event":"create","payload":{"id":12345678901234567890,"at":1.0}}',
    "create",
    "create",
    '{"id":12345678901234567890,"at":1.0}',
  ],
  ['{"event":"create","payload":{"b":1,"2":2,"1":1}}', "create", "create", '{"b":1,"2":2,"1":1}'],
  ['{"event":"create","payload":{ "a" : [ 1,\n 2 ], "b": " { " }}', "create", "create", '{"a":[1,2],"b":" { "}'],
  ['{"event":"create","payload":"a\\"}{\\\\","x":1}', "create", "create", 'a"}{\\'],
  ['{"event":"create","payload":1,"payload":2}', "create", "create", "2"],
  ['{"event":"create","payload":null}', "create", "create", "null"],
  ['{"event":"create","payload":{}}', "create", "create", "{}"],
  ['{"event":"créé","payload":1}', "créé", "créé", "1"],
  ["创建 一", "创建", "创建", "一"],
];

for (const [message, ...meaning] of MESSAGES) {
  Deno.test(`ClassicCodec reads ${message}`, () => assertEquals(meaningOf(read(message)), meaning));
}

const REFUSED: [message: string, code: string, reason: string][] = [
  ["{ event: 'create' }", "bad-message", "Cannot read { event: 'create' } as a JSON object: something is wrong at "],
  ['{"event":"create"]', "bad-message", "JSON.stringify writes one"],
  ["[object Object]", "bad-message", 'Cannot read "[object Object]": an object was written without JSON.stringify'],
  ["{}", "no-name", "Cannot find an event's name in {}: an object has it under "],
  ['{"event":7}', "no-name", "Cannot find an event's name in "],
  ['{"event":" "}', "no-name", "Cannot find an event's name in "],
  ['{"payload":"create"}', "no-name", "Cannot find an event's name in "],
  ['{"orderID":1}', "no-name", "Cannot find an event's name in "],
  ['["bogus",1]', "no-name", "Cannot find an event's name in "],
  ["[1,2]", "no-name", "Cannot find an event's name in "],
  ["hello, world", "no-name", 'Cannot find an event\'s name in "hello, world": a text begins with it'],
  ["[Ada]: hi", "no-name", "Cannot find an event's name in "],
  ["/sub create", "no-name", "Cannot find an event's name in "],
];

for (const [message, code, reason] of REFUSED) {
  Deno.test(`ClassicCodec refuses ${message}`, () => {
    assertEquals(assertThrows(() => read(message), ProtocolError, reason).code, code);
  });
}

Deno.test("ClassicCodec looks for the configured keys before all others", () => {
  const keys = { name: "what", data: "with" };
  const told = (message: string) => meaningOf(read(message, { keys }));
  assertEquals(told('{"what":"create","with":1,"event":"in transit"}'), ["create", "create", "1"]);
  assertEquals(told('{"What":"bogus","with":1,"payload":2}'), ["bogus", "bogus", "1"]);
  assertEquals(told('{"type":"create","payload":2}'), ["create", "create", "2"]);
});

const NAMELESS: [message: string, text: string][] = [
  ['{"orderID": 12345678901234567890}', '{"orderID":12345678901234567890}'],
  ['{"name":"Ada","message":"hi"}', '{"name":"Ada","message":"hi"}'],
  ["hello, world", "hello, world"],
  ["hello  world", "hello  world"],
  ["[Ada]: hi", "[Ada]: hi"],
  ["[1, 2]", "[1,2]"],
  ["42", "42"],
  ["null", "null"],
  ['"two\\nlines"', '"two\\nlines"'],
];

for (const [message, text] of NAMELESS) {
  Deno.test(`ClassicCodec reads ${message} as the default event`, () => {
    const { name, text: data } = read(message, { defaultName: "in transit" });
    assertEquals([name, data], ["in-transit", text]);
  });
}

Deno.test("ClassicCodec uses the default name only for an object without a name", () => {
  const options = { defaultName: "create" };
  assertEquals(meaningOf(read('{"event":"bogus","payload":1}', options)), ["bogus", "bogus", "1"]);
  assertThrows(() => read("[object Object]", options), ProtocolError, "without JSON.stringify");
});

for (const defaultName of ["bogus", "create.*", ">", "", "*"]) {
  Deno.test(`ClassicCodec refuses the default name ${JSON.stringify(defaultName)}`, () => {
    const error = assertThrows(() => codecOf({ defaultName }), MqError, `Cannot take "${defaultName}" as the name`);
    assertEquals(error.code, "classic");
  });
}

Deno.test("ClassicCodec reports which names are a guess", () => {
  assertEquals(read("hello world").isGuess, true);
  assertEquals(read('{"type":"chat"}').isGuess, true);
  for (const message of ["create 1", '{"event":"bogus"}', '{"type":"create"}']) {
    assertEquals(read(message).isGuess, false);
  }
});

for (
  const [written, pattern] of [
    [">", ">"],
    ["*", "*"],
    ["order.*", "order.*"],
    ["order.>", "order.>"],
    ["in transit", "in-transit"],
    ["order placed.*", "order-placed.*"],
    ["order/paid", "order-paid"],
    ["créé", "créé"],
    ["order *", "order *"],
    ["a>b", "a>b"],
  ]
) {
  Deno.test(`modernPattern returns ${pattern} for ${written}`, () => assertEquals(modernPattern(written), pattern));
}

Deno.test("names in a list with wildcards are recognized by its patterns, too", () => {
  const codec = codecOf({}, [">", "create"]);
  assertEquals(meaningOf(codec.read("order.paid 1")), ["order.paid", "order.paid", "1"]);
  assertEquals(meaningOf(codec.read('{"create":1}')), ["create", "create", "1"]);
  assertThrows(() => codec.read('{"orderID":1}'), ProtocolError, "Cannot find an event's name");
});

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
  Deno.test(`ClassicCodec writes the line ${line}`, () => {
    assertEquals(codecOf({ form: "text" }).write(messageOf(line)), text);
    assertEquals(codecOf().write(messageOf(line)), json);
  });
}

/** What a listener of each form gets of a message. */
function heard(message: string, options: Partial<ClassicOptions> = {}): { text: string; json: string } {
  const codec = codecOf({ ...options, form: "json" });
  const sent = codec.read(message);
  return { text: codecOf({ form: "text" }).write(sent), json: codec.write(sent) };
}

for (
  const message of [
    "create  two  spaces",
    "create\ttabbed",
    "create 1",
    "create",
    'create   {"id": 1}',
    "create:a record",
    'create "quoted"',
    "create, a record",
    "in transit: 7",
  ]
) {
  Deno.test(`text is output unchanged: ${JSON.stringify(message)}`, () => assertEquals(heard(message).text, message));
}

for (const message of ["create  two  spaces", "create\ttabbed", "create 1", "create", 'create   {"id": 1}']) {
  Deno.test(`text is read as a line unchanged: ${JSON.stringify(message)}`, () =>
    assertEquals(lineOf(read(message)), message));
}

for (
  const message of [
    '{ "more": 12345678901234567890, "event":"create", "payload":{"id":1.0} }',
    '{"event":"in-transit","content":1}',
    '{"b":1,"2":2,"1":1,"Type":"create"}',
    '{"event":"create","payload":"\\u00e9\\n\\ud83d"}',
    '["create",{"id": 1.0}]',
    '{"create":1}',
  ]
) {
  Deno.test(`JSON is output unchanged: ${message}`, () => assertEquals(heard(message).json, message));
}

Deno.test("ClassicCodec writes a message that came in the other form by its name and data", () => {
  assertEquals(heard("in transit:7").json, '{"event":"in transit","payload":7}');
  assertEquals(heard('{"event":"in transit"}').text, "in transit");
  assertEquals(heard('{"event":"create","payload":"42"}').text, "create 42");
  assertEquals(heard('"create a"'), { text: "create a", json: '{"event":"create","payload":"a"}' });
  assertEquals(heard('{"name":"create",\r\n  "payload":"a\\nb"}'), {
    text: "create a b",
    json: '{"name":"create",   "payload":"a\\nb"}',
  });
});

Deno.test("ClassicCodec writes messages without a name unchanged, or with the default name", () => {
  const options = { defaultName: "create" };
  assertEquals(heard("[Ada]: hi", options), { text: "[Ada]: hi", json: '{"event":"create","payload":"[Ada]: hi"}' });
  assertEquals(heard('{"orderID":1}', options), { text: 'create {"orderID":1}', json: '{"orderID":1}' });
});

Deno.test("ClassicCodec writes every object with the configured keys", () => {
  const keys = { name: "type", data: "message" };
  assertEquals(codecOf({ keys }).write(messageOf("create 1")), '{"type":"create","message":1}');
  for (
    const [message, json] of [
      ["create a", '{"type":"create","message":"a"}'],
      ['{"event":"create","payload":1.0}', '{"type":"create","message":1.0}'],
      ['{"TYPE":"create","message":1}', '{"type":"create","message":1}'],
      ['{"type":"create","a":1,"b":2}', '{"type":"create","message":{"a":1,"b":2}}'],
      ['["create",1]', '{"type":"create","message":1}'],
      ['{ "message":1,"type":"create","at":2 }', '{ "message":1,"type":"create","at":2 }'],
    ]
  ) {
    assertEquals(heard(message, { keys }).json, json);
  }
});

Deno.test("ClassicCodec learns the keys of the last recognized object", () => {
  const codec = codecOf();
  const written = () => codec.write(messageOf("create 1"));
  assertEquals(written(), '{"event":"create","payload":1}');
  codec.read('{"eventType":"create","eventMessage":"a"}');
  assertEquals(written(), '{"eventType":"create","eventMessage":1}');
  for (
    const unknown of ['{"type":"bogus","message":1}', '{"type":"create","record":1}', '{"type":"create"}', "create 1"]
  ) {
    codec.read(unknown);
    assertEquals(written(), '{"eventType":"create","eventMessage":1}');
  }
  codec.read('{"Act":"create","Data":"a"}');
  assertEquals(written(), '{"Act":"create","Data":1}');
});

const ONE: string[] = [
  "create",
  "create a record",
  "create createdAt",
  "create a re-create_d",
  "create.d create",
  "create an event (create) just happened!",
  "save /home/error/a.txt",
  "save /home/me/save",
  "save C:\\error\\save it",
  "error $(error)",
  "error: cannot read file",
  "error in line 5: read failed",
  "read a thread about bread",
  "create a recreate test",
  "create user@read.example now",
  "create a 'read' button",
  'create a "read me" file',
  "create #read now",
  "create re-read it",
  "create x=read y",
  "error console.error failed",
  "create fn(read) now",
  "create https://example.org/read/error?save=1",
  'create {"create":1}',
  'create ["a","read b"]',
  "save notes.txt, save more",
  "save error save",
  "recreate",
  "create:the re-create: again",
  "hello world",
];

const TWO: [message: string, name: string][] = [
  ["create onecreate two", "create"],
  ["createcreate", "create"],
  ["updatecreate", "create"],
  ["createupdatedelete", "update"],
  ["create 1create 2", "create"],
  ["create 1update 2", "update"],
  ["create 1update 2delete 3", "update"],
  ['create {"id":1}update {"id":2}', "update"],
  ['create {"id":1}create {"id":2}', "create"],
  ["create [1]delete [2]", "delete"],
  ['create "a"update "b"', "update"],
  ["create 'a'update 'b'", "update"],
  ["create hello!create bye", "create"],
  ["create ready?update it", "update"],
  ["create fn(x)delete fn(y)", "delete"],
  ["save files/test.txtsave files/other.txt", "save"],
  ["save /home/a.txtsave /home/b.txt", "save"],
  ["create:onecreate:two", "create"],
  ["create:1update:2", "update"],
  ["create: 1update: 2", "update"],
  ["create\tonecreate\ttwo", "create"],
  ["in transit order 7in transit order 8", "in transit"],
  ["create order 66delete order 67", "delete"],
  ["create 🎉create 🎉", "create"],
];

const glued = (message: string) => {
  const codec = codecOf({}, ["create", "read", "update", "delete", "error", "save", "in-transit"]);
  return codec.findGlued(codec.read(message));
};

for (const message of ONE) {
  Deno.test(`ClassicCodec reads as one message: ${message}`, () => assertEquals(glued(message), undefined));
}

for (const [message, name] of TWO) {
  Deno.test(`ClassicCodec finds a second message in ${message}`, () => assertEquals(glued(message), name));
}

Deno.test("ClassicCodec reads nesting as deep as a message is long", () => {
  const deep = "[".repeat(30_000) + "]".repeat(30_000);
  assertEquals(read(`{"event":"create","payload":${deep}}`).text, deep);
});
