import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type Catalog, connect, MqError, parseCatalog, ProtocolError } from "../../mod.ts";
import { startBroker } from "../helpers.ts";

const read = (file: string) => Deno.readTextFile(new URL(`../files/${file}`, import.meta.url));

/** Why a catalog does not take an event; nothing, if it does. */
function reason(catalog: Catalog, line: string): string | undefined {
  const [name] = line.split(" ");
  try {
    catalog.check(catalog.find(name)!.pattern, line);
  } catch (error) {
    return (error as ProtocolError).message;
  }
}

/** The catalog of one event, `a`, with a schema. */
function catalogOf(schema: unknown): Promise<Catalog> {
  return parseCatalog(JSON.stringify({ a: { schema } }));
}

// What it says

const REASONS: [schema: unknown, line: string, reason: string | undefined][] = [
  [{ type: "object" }, "a", "its data must be object"],
  [{ type: "object" }, "a bare text", "its data must be object"],
  [{ properties: { id: { type: "integer" } } }, 'a {"id":"1"}', "its data at /id must be integer"],
  [{ items: { properties: { id: { minimum: 1 } } } }, 'a [{"id":0}]', "its data at /0/id must be >= 1"],
  [{ required: ["id"] }, "a {}", "its data must have required property 'id'"],
  [
    { properties: { id: {} }, additionalProperties: false },
    'a {"ID":1}',
    'its data must NOT have additional properties: "ID"',
  ],
  [
    { properties: { id: {} }, unevaluatedProperties: false },
    'a {"ID":1}',
    'its data must NOT have unevaluated properties: "ID"',
  ],
  [{ propertyNames: { maxLength: 2 } }, 'a {"long":1}', 'its data property name must be valid: "long"'],
  [{ enum: ["x", 1, null] }, "a y", 'its data must be equal to one of the allowed values: "x", 1, null'],
  [{ const: { x: 1 } }, "a y", 'its data must be equal to constant: {"x":1}'],
  [{ format: "email" }, "a y", 'its data must match format "email"'],
  [{ anyOf: [{ type: "null" }, { type: "integer" }] }, "a y", "its data must match a schema in anyOf"],
  [{ oneOf: [{ type: "integer" }, { type: "number" }] }, "a 1", "its data must match exactly one schema in oneOf"],
  [{ contains: { const: 1 } }, "a [2]", "its data must contain at least 1 valid item(s)"],
  [false, "a 1", "its data boolean schema is false"],
  // What objects inherit is not in the data, and what a sender names so is.
  [{ enum: [{ x: 1 }] }, 'a {"toString":1}', 'its data must be equal to one of the allowed values: {"x":1}'],
  [{ const: { x: [{}] } }, 'a {"x":[{"valueOf":1}]}', 'its data must be equal to constant: {"x":[{}]}'],
  [{ const: { toString: 1 } }, 'a {"toString":1}', undefined],
  [{ items: { const: { x: 1 } } }, 'a [{"constructor":1}]', 'its data at /0 must be equal to constant: {"x":1}'],
  [unique({ required: ["toString"] }), "a {}", "its data must have required property 'toString'"],
  [unique({ properties: { valueOf: { type: "number" } } }), "a {}", undefined],
  [unique({ dependentRequired: { toString: ["b"] } }), "a {}", undefined],
  [unique({ required: ["__proto__"] }), 'a {"__proto__":1}', undefined],
  [
    { anyOf: [{ required: ["a"], properties: { a: {} } }, false], unevaluatedProperties: false },
    'a {"a":1,"toString":1}',
    'its data must NOT have unevaluated properties: "toString"',
  ],
  // An array has elements, but no properties.
  [{ properties: { id: {} }, unevaluatedProperties: false }, "a [1]", undefined],
  [
    { unevaluatedProperties: { type: "object" }, items: { type: "integer" } },
    'a [1,"2"]',
    "its data at /1 must be integer",
  ],
  [unique({ unevaluatedProperties: false }), "a [[1],[1]]", "its data must NOT have duplicate items"],
  [unique({ unevaluatedProperties: false }), "a [[1],[2],{}]", undefined],
  // Those that TypeBox judges, because of unique items here.
  [unique({ type: "object" }), "a bare text", "its data must be object"],
  [unique({ items: { properties: { id: { minimum: 1 } } } }), 'a [{"id":0}]', "its data at /0/id must be >= 1"],
  [unique({ required: ["id"] }), "a {}", "its data must have required property 'id'"],
  [
    unique({ properties: { id: {} }, additionalProperties: false }),
    'a {"ID":1}',
    'its data must NOT have additional properties: "ID"',
  ],
  [unique({ propertyNames: { maxLength: 2 } }), 'a {"long":1}', 'its data property name must be valid: "long"'],
  [unique({ enum: ["x", 1, null] }), "a y", 'its data must be equal to one of the allowed values: "x", 1, null'],
  [unique({ const: { x: 1 } }), "a y", 'its data must be equal to constant: {"x":1}'],
  [unique({ anyOf: [{ type: "null" }, { type: "integer" }] }), "a y", "its data must match a schema in anyOf"],
  [unique({ contains: { const: 1 } }), "a [2]", "its data must contain at least 1 valid item"],
  [unique({}), "a [1,1]", "its data must NOT have duplicate items"],
  [unique({ items: false }), "a [1]", "its data at /0 boolean schema is false"],
  // What ajv, by itself, does not hold as the standard says.
  [{ multipleOf: 0.01 }, "a 19.99", undefined],
  [{ multipleOf: 0.01 }, "a 19.999", "its data must be multiple of 0.01"],
  [{ required: ["__proto__"] }, "a {}", "its data must have required property '__proto__'"],
  [{ required: ["toString"] }, "a {}", "its data must have required property 'toString'"],
  [{ type: "string", nullable: true }, "a null", "its data must be string"],
  [{ $async: true, type: "string" }, "a 1", "its data must be string"],
  [{ pattern: "^[\\w\\.\\_]+$" }, "a a b", 'its data must match pattern "^[\\w\\.\\_]+$"'], // No pattern with the flag u.
  [{ format: "idn-email" }, "a y", 'its data must match format "idn-email"'],
  [{ format: "int32" }, "a 2147483648", 'its data must match format "int32"'],
  [{ format: "byte" }, "a YQ=", 'its data must match format "byte"'],
];

/** A schema that ajv is not left to judge by. */
function unique(schema: Record<string, unknown>): unknown {
  return { ...schema, uniqueItems: true };
}

for (const [schema, line, expected] of REASONS) {
  Deno.test(`Catalog.check says of ${line} by ${JSON.stringify(schema)} that ${expected}`, async () => {
    assertEquals(reason(await catalogOf(schema), line), expected && `Cannot take a: ${expected}`);
  });
}

Deno.test("Catalog.check tells on one short line what a sender has chosen the words of", async () => {
  const catalog = await catalogOf({ additionalProperties: { type: "string" } });
  const line = `a ${JSON.stringify({ ["\n/ok 1\x1b[2J\u202e" + "x".repeat(10_000)]: 1 })}`;
  assertMatch(
    reason(catalog, line)!,
    /^Cannot take a: its data at \/\\n~1ok 1\\u001b\[2J\\u\{202e\}x{10,50}… must be string$/,
  );
  const choosy = await catalogOf({ pattern: "^a\nb\x1b$", enum: ["x".repeat(1000)] });
  assertMatch(reason(choosy, "a b")!, /^[^\p{C}]{50,400}$/u);
});

Deno.test("Catalog.check refuses data that is nested more deeply than can be followed", async () => {
  const catalog = await catalogOf({ items: { $ref: "#" } });
  const nested = (depth: number) => `a ${"[".repeat(depth)}${"]".repeat(depth)}`;
  assertEquals(reason(catalog, nested(100)), undefined);
  assertEquals(reason(catalog, nested(400_000)), "Cannot take a: its data must not be nested that deeply");
});

Deno.test("Catalog.check refuses what is nested too deeply or long in no time, whichever library judges", async () => {
  const catalog = await catalogOf(unique({ items: { $ref: "#" } }));
  assertEquals(
    reason(catalog, `a ${"[".repeat(400_000)}${"]".repeat(400_000)}`),
    "Cannot take a: its data must not be nested that deeply",
  );
  const long = await catalogOf(unique({ items: { type: "string" } }));
  assertEquals(reason(long, `a [${"1,".repeat(4000)}1]`), "Cannot take a: its data at /0 must be string");
  assertEquals(
    reason(long, `a [${"1,".repeat(5000)}1]`),
    "Cannot take a: its data must fit its schema",
  );
});

Deno.test("Catalog tries names first, then patterns in their order", async () => {
  const catalog = await parseCatalog('{">":{},"b.*":{},"a.x":{},"1":{},"a.*":{}}');
  assertEquals(catalog.entries.map(({ pattern }) => pattern), ["1", "a.x", ">", "b.*", "a.*"]);
  assertEquals(catalog.find("a.x")?.pattern, "a.x");
  assertEquals(catalog.find("a.y")?.pattern, ">");
  assertEquals((await parseCatalog('{"a.*":{},"a.>":{}}')).find("b"), undefined);
});

Deno.test("Catalog takes names that are properties of every object", async () => {
  const catalog = await parseCatalog('{"constructor":{"schema":{"type":"integer"}},"__proto__":{"schema":false}}');
  assertEquals(reason(catalog, "constructor 1"), undefined);
  assertEquals(reason(catalog, "constructor x"), "Cannot take constructor: its data must be integer");
  assertEquals(reason(catalog, "__proto__ 1"), "Cannot take __proto__: its data boolean schema is false");
});

// Broken catalogs

const FORM = '{"NAME": {"description": "...", "schema": {...}, "example": ...}}';

const BROKEN: [text: string, message: string][] = [
  ["", "line 1: it is no JSON from column 1 on (value expected)"],
  ['{"a":{},}', "line 1: it is no JSON from column 9 on (property name expected)"],
  ['{\n  "a" {}\n}', "line 2: it is no JSON from column 7 on (colon expected)"],
  ['{"a":{}\n', "line 2: it is no JSON from column 1 on (close brace expected)"],
  ['// A catalog\n{"a":{}}', "line 1: it is no JSON from column 1 on (invalid comment token)"],
  ['{"a":{"example":"b\n"}}', "line 1: it is no JSON from column 17 on (unexpected end of string)"],
  ["[]", `line 1: a catalog is an object: ${FORM}`],
  ["null", `line 1: a catalog is an object: ${FORM}`],
  ["{}", `line 1: there is no event in it: ${FORM}`],
  ['{"a":{},\n"b c":{}}', 'line 2: Cannot read "b c" as a pattern: '],
  ['{"a":{},\n"mq.x":{}}', 'line 2: Cannot recognize "mq.x": "mq." events are the broker\'s own'],
  ['{"a":{},\n"b":1}', 'line 2: what is known of "b" stands in an object'],
  ['{"a":{},\n"a":{}}', 'line 2: the key "a" is there twice'],
  ['{"a":{"schema":{\n"type":"array",\n"type":"object"}}}', 'line 3: the key "type" is there twice'],
  ['{"a":{\n"scheme":{}}}', 'line 2: an event has description, schema, example, and no "scheme"'],
  ['{"a":{\n"description":1}}', "line 2: a description is a string"],
  ['{"a":{\n"schema":null}}', "line 2: a schema is an object or a boolean"],
  ['{"a":{\n"schema":"object"}}', "line 2: a schema is an object or a boolean"],
  [
    '{"a":{"schema":{\n"items":{\n"type":"strng"}}}}',
    'line 3: the schema at /items/type must be equal to one of the allowed values: "array", "boolean", ',
  ],
  [
    '{"a":{"schema":{\n"items":{\n"$ref":"#/$defs/b"}}}}',
    'line 3: nothing in the schema is at "#/$defs/b"',
  ],
  ['{"a":{\n"schema":{"$ref":"#"}}}', "line 2: the references of the schema lead round in a circle"],
  [
    '{"a":{\n"schema":{"uniqueItems":true,"anyOf":[{"type":"null"},{"allOf":[{"$ref":"#"}]}]}}}',
    "line 2: the references of the schema lead round in a circle",
  ],
  ['{"a":{\n"schema":{"pattern":"("}}}', 'line 2: "(" is no regular expression'],
  ['{"a":{"schema":{\n"patternProperties":{\n"[a-":{}}}}}', 'line 3: "[a-" is no regular expression'],
  [
    '{"a":{"schema":{\n"$schema":"http://json-schema.org/draft-04/schema#"}}}',
    "line 2: mq reads schemas of JSON Schema 2020-12 and draft-07, and this is of another standard",
  ],
  [
    '{"a":{"schema":{"properties":{"id":{"type":"integer"}}},\n"example":{\n"id":"1"}}}',
    "line 3: the example at /id must be integer",
  ],
  ['{"a":{"schema":{"minItems":1},\n"example":[]}}', "line 2: the example must NOT have fewer than 1 items"],
];

/** An AsyncAPI document, each part on a line of its own. */
const asyncApi = (...parts: string[]) => `{"asyncapi":"3.0.0",\n"channels":{\n${parts.join("\n")}}}`;

const BROKEN_ASYNCAPI: [text: string, message: string][] = [
  [
    '{"info":{},\n"asyncapi":"1.2.0","channels":{"a":{}}}',
    "line 2: it is a document of AsyncAPI 1.2.0, and mq reads those of versions 2 and 3",
  ],
  ['{"asyncapi":"3.0.0"}', "line 1: there is no channel in it"],
  ['{"asyncapi":"3.0.0",\n"channels":{}}', "line 2: there is no channel in it"],
  [asyncApi('"a":{', '"address":"mq/{id}"}'), 'line 4: Cannot recognize "mq.*": "mq." events are the broker\'s own'],
  [asyncApi('"a":{"messages":{"m":{', '"$ref":"#/b"}}}'), 'line 4: nothing in this file is at "#/b"'],
  [asyncApi('"a":{"messages":{"m":{', '"$ref":"#/%"}}}'), 'line 4: nothing in this file is at "#/%"'],
  [
    asyncApi('"a":{', '"$ref":"#/channels/b"},"b":{"$ref":"#/channels/a"}'),
    "line 3: its references lead round in a circle",
  ],
  [
    asyncApi('"a":{"messages":{"m":{"payload":{', '"type":"strng"}}}}'),
    "line 4: the schema at /type must be equal to one of the allowed values: ",
  ],
];

for (const [text, message] of [...BROKEN, ...BROKEN_ASYNCAPI]) {
  Deno.test(`parseCatalog refuses ${JSON.stringify(text)}`, async () => {
    const error = await assertRejects(() => parseCatalog(text, "x.json"), MqError, `x.json, ${message}`);
    assertEquals(error.code, "bad-catalog");
  });
}

Deno.test("parseCatalog reads files from Windows, and finds their lines", async () => {
  assertEquals((await parseCatalog('\ufeff{"a":{}}')).entries.length, 1);
  await assertRejects(() => parseCatalog('{"a":{},\r\n"b":1}'), MqError, "The catalog, line 2: ");
});

// AsyncAPI

Deno.test("parseCatalog reads the channels of an AsyncAPI document", async () => {
  const catalog = await parseCatalog(await read("asyncapi.json"));
  assertEquals(
    catalog.entries.map(({ pattern, description, example }) => [pattern, description, example]),
    [
      ["order.created", "A customer has ordered something.", { id: 1, "parts/list": [{ name: "wheel" }] }],
      ["opened", "The shop is open.", undefined],
      ["closed", undefined, undefined],
      ["stock", undefined, undefined],
      ["order.*.sent.*", "It is on its way.", undefined],
    ],
  );
});

const JUDGED: [line: string, reason: string | undefined][] = [
  ['order.created {"id":1,"parts/list":[{"name":"wheel","parts":[{"name":"spoke"}]}]}', undefined],
  ['order.created {"id":1,"parts/list":[{"name":"wheel","parts":[{}]}]}', "its data at /parts~1list/0/parts/0 must"],
  ['order.created {"id":"1"}', "its data at /id must be integer"],
  ['order.7.sent.post {"grams":20}', undefined],
  ["order.7.sent.post a letter", undefined],
  ["order.7.sent.post {}", "its data must match a schema in anyOf"],
  ["opened at nine", undefined],
  ["closed", undefined],
  ['stock ["wheels",7]', undefined],
  ['stock ["wheels",7,8]', "its data must NOT have more than 2 items"], // A tuple, as draft-07 writes it.
  ["stock [7]", "its data at /0 must be string"],
];

for (const [line, expected] of JUDGED) {
  Deno.test(`a catalog from AsyncAPI ${expected ? "refuses" : "takes"} ${line}`, async () => {
    const catalog = await parseCatalog(await read("asyncapi.json"));
    assertEquals(reason(catalog, line)?.includes(expected ?? "") ?? false, expected !== undefined);
  });
}

Deno.test("the schemas of a catalog from AsyncAPI stand by themselves", async () => {
  const { entries } = await parseCatalog(await read("asyncapi.json"));
  const again = await parseCatalog(
    JSON.stringify({ asyncapi: "3.0.0", channels: Object.fromEntries(entries.map(channelOf)) }),
  );
  for (const [line, expected] of JUDGED) {
    assertEquals(reason(again, line)?.includes(expected ?? "") ?? false, expected !== undefined, line);
  }
});

function channelOf({ pattern, schema }: Catalog["entries"][number]): [key: string, channel: unknown] {
  return [pattern, { messages: { m: { payload: schema ?? true } } }];
}

// The broker

Deno.test("Broker recognizes the events of its catalog, and tells them", async () => {
  const catalog = await parseCatalog(await read("small.json"));
  await using server = await startBroker({ catalog });
  assertEquals(server.broker.events, ["order.state", "user", "order.*", ">"]);
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  assertEquals(await client.events(), JSON.parse(JSON.stringify(catalog.entries)));
  assertEquals(server.broker.why("order.paid").by, "order.*");
});

Deno.test("Client.publish rejects with invalid-data where the broker's catalog says so", async () => {
  await using server = await startBroker({ catalog: await catalogOf({ required: ["id"] }) });
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  const error = await assertRejects(() => client.publish("a", {}, { receipt: true }), ProtocolError);
  assertEquals(error.code, "invalid-data");
  assertEquals(error.message, "Cannot take a: its data must have required property 'id'");
  assertEquals((await client.publish("a", { id: 1 }, { receipt: true })).receivers, 0);
});

Deno.test("Broker counts data that does not fit for each connection and event, and tells of it", async () => {
  await using server = await startBroker({ catalog: await parseCatalog('{"*":{"schema":{"type":"integer"}}}') });
  const [one, other] = await server.connect(2);
  await one.line("a x\na y\nb z\na 1");
  await other.expect("a 1");
  await other.line("a x\nb 2");
  await one.expect("a 1", "b 2");
  assertEquals(
    server.told("mq.refused").map(({ name, code, text, times }) => [name, code, text, times]),
    [
      ["client-1", "invalid-data", "Cannot take a: its data must be integer", 1],
      ["client-1", "invalid-data", "Cannot take a: its data must be integer", 2],
      ["client-1", "invalid-data", "Cannot take b: its data must be integer", 1],
      ["client-2", "invalid-data", "Cannot take a: its data must be integer", 1],
    ],
  );
  assertEquals(server.broker.stats().refused, 4);
});

Deno.test("Broker refuses to answer /events where that would not fit among what may wait", async () => {
  const catalog = await catalogOf({ enum: ["x".repeat(70_000)] });
  await using server = await startBroker({ catalog, limits: { lineBytes: 50_000, outboxBytes: 60_000 } });
  const [client] = await server.connect(1);
  assertMatch((await client.ask("/events"))!, /^\/err events answer-too-long /);
});
