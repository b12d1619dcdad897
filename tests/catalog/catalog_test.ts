import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type Catalog, connect, MqError, parseCatalog, ProtocolError } from "../../mod.ts";
import { startBroker } from "../helpers.ts";

const read = (file: string) => Deno.readTextFile(new URL(`../files/${file}`, import.meta.url));

/** Why a catalog refuses an event; undefined if it does not. */
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

// Reasons

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
  // Inherited properties are not part of the data, and own properties of the same names are.
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
  // An array has items, but no properties.
  [{ properties: { id: {} }, unevaluatedProperties: false }, "a [1]", undefined],
  [
    { unevaluatedProperties: { type: "object" }, items: { type: "integer" } },
    'a [1,"2"]',
    "its data at /1 must be integer",
  ],
  [unique({ unevaluatedProperties: false }), "a [[1],[1]]", "its data must NOT have duplicate items"],
  [unique({ unevaluatedProperties: false }), "a [[1],[2],{}]", undefined],
  // Schemas that TypeBox compiles, because of uniqueItems.
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
  // Keywords in which ajv differs from the standard.
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

/** A schema that TypeBox compiles, and not ajv. */
function unique(schema: Record<string, unknown>): unknown {
  return { ...schema, uniqueItems: true };
}

for (const [schema, line, expected] of REASONS) {
  Deno.test(`Catalog.check of ${line} with ${JSON.stringify(schema)}: ${expected}`, async () => {
    assertEquals(reason(await catalogOf(schema), line), expected && `Cannot take a: ${expected}`);
  });
}

Deno.test("Catalog.check reports errors on one short line without control characters, for any data", async () => {
  const catalog = await catalogOf({ additionalProperties: { type: "string" } });
  const line = `a ${JSON.stringify({ ["\n/ok 1\x1b[2J\u202e" + "x".repeat(10_000)]: 1 })}`;
  assertMatch(
    reason(catalog, line)!,
    /^Cannot take a: its data at \/\\n~1ok 1\\u001b\[2J\\u\{202e\}x{10,50}… must be string$/,
  );
  const choosy = await catalogOf({ pattern: "^a\nb\x1b$", enum: ["x".repeat(1000)] });
  assertMatch(reason(choosy, "a b")!, /^[^\p{C}]{50,400}$/u);
});

Deno.test("Catalog.check refuses data that is nested too deeply", async () => {
  const catalog = await catalogOf({ items: { $ref: "#" } });
  const nested = (depth: number) => `a ${"[".repeat(depth)}${"]".repeat(depth)}`;
  assertEquals(reason(catalog, nested(100)), undefined);
  assertEquals(reason(catalog, nested(400_000)), "Cannot take a: its data must not be nested that deeply");
});

Deno.test("Catalog.check refuses too deeply nested data, and does not explain long data, with TypeBox", async () => {
  const catalog = await catalogOf(unique({ items: { $ref: "#" } }));
  assertEquals(
    reason(catalog, `a ${"[".repeat(400_000)}${"]".repeat(400_000)}`),
    "Cannot take a: its data must not be nested that deeply",
  );
  const long = await catalogOf(unique({ items: { type: "string" } }));
  assertEquals(reason(long, `a [${"1,".repeat(4000)}1]`), "Cannot take a: its data at /0 must be string");
  assertEquals(
    reason(long, `a [${"1,".repeat(5000)}1]`),
    "Cannot take a: its data must match its schema",
  );
});

Deno.test("Catalog looks up names first, then patterns in their order", async () => {
  const catalog = await parseCatalog('{">":{},"b.*":{},"a.x":{},"1":{},"a.*":{}}');
  assertEquals(catalog.entries.map(({ pattern }) => pattern), ["1", "a.x", ">", "b.*", "a.*"]);
  assertEquals(catalog.find("a.x")?.pattern, "a.x");
  assertEquals(catalog.find("a.y")?.pattern, ">");
  assertEquals((await parseCatalog('{"a.*":{},"a.>":{}}')).find("b"), undefined);
});

Deno.test("Catalog accepts the names of Object properties", async () => {
  const catalog = await parseCatalog('{"constructor":{"schema":{"type":"integer"}},"__proto__":{"schema":false}}');
  assertEquals(reason(catalog, "constructor 1"), undefined);
  assertEquals(reason(catalog, "constructor x"), "Cannot take constructor: its data must be integer");
  assertEquals(reason(catalog, "__proto__ 1"), "Cannot take __proto__: its data boolean schema is false");
});

// Broken catalogs

const FORM = '{"NAME": {"description": "...", "schema": {...}, "example": ...}}';

const BROKEN: [text: string, message: string][] = [
  ["", "line 1: not valid JSON at column 1 (value expected)"],
  ['{"a":{},}', "line 1: not valid JSON at column 9 (property name expected)"],
  ['{\n  "a" {}\n}', "line 2: not valid JSON at column 7 (colon expected)"],
  ['{"a":{}\n', "line 2: not valid JSON at column 1 (close brace expected)"],
  ['// A catalog\n{"a":{}}', "line 1: not valid JSON at column 1 (invalid comment token)"],
  ['{"a":{"example":"b\n"}}', "line 1: not valid JSON at column 17 (unexpected end of string)"],
  ["[]", `line 1: a catalog must be an object: ${FORM}`],
  ["null", `line 1: a catalog must be an object: ${FORM}`],
  ["{}", `line 1: the catalog has no events: ${FORM}`],
  ['{"a":{},\n"b c":{}}', 'line 2: Cannot read "b c" as a pattern: '],
  ['{"a":{},\n"mq.x":{}}', 'line 2: Cannot recognize "mq.x": names that begin with "mq." belong to the broker'],
  ['{"a":{},\n"b":1}', 'line 2: the entry of "b" must be an object'],
  ['{"a":{},\n"a":{}}', 'line 2: duplicate key "a"'],
  ['{"a":{"schema":{\n"type":"array",\n"type":"object"}}}', 'line 3: duplicate key "type"'],
  ['{"a":{\n"scheme":{}}}', 'line 2: unknown key "scheme": an entry has description, schema, example'],
  ['{"a":{\n"description":1}}', "line 2: a description must be a string"],
  ['{"a":{\n"schema":null}}', "line 2: a schema must be an object or a boolean"],
  ['{"a":{\n"schema":"object"}}', "line 2: a schema must be an object or a boolean"],
  [
    '{"a":{"schema":{\n"items":{\n"type":"strng"}}}}',
    'line 3: the schema at /items/type must be equal to one of the allowed values: "array", "boolean", ',
  ],
  [
    '{"a":{"schema":{\n"items":{\n"$ref":"#/$defs/b"}}}}',
    'line 3: the reference "#/$defs/b" is not found in the schema',
  ],
  ['{"a":{\n"schema":{"$ref":"#"}}}', "line 2: the references of the schema form a cycle"],
  [
    '{"a":{\n"schema":{"uniqueItems":true,"anyOf":[{"type":"null"},{"allOf":[{"$ref":"#"}]}]}}}',
    "line 2: the references of the schema form a cycle",
  ],
  ['{"a":{\n"schema":{"pattern":"("}}}', 'line 2: "(" is not a regular expression'],
  ['{"a":{"schema":{\n"patternProperties":{\n"[a-":{}}}}}', 'line 3: "[a-" is not a regular expression'],
  [
    '{"a":{"schema":{\n"$schema":"http://json-schema.org/draft-04/schema#"}}}',
    "line 2: unsupported $schema: mq reads JSON Schema 2020-12 and draft-07",
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
    "line 2: AsyncAPI 1.2.0 is not supported: mq reads versions 2 and 3",
  ],
  ['{"asyncapi":"3.0.0"}', "line 1: the document has no channels"],
  ['{"asyncapi":"3.0.0",\n"channels":{}}', "line 2: the document has no channels"],
  [
    asyncApi('"a":{', '"address":"mq/{id}"}'),
    'line 4: Cannot recognize "mq.*": names that begin with "mq." belong to the broker',
  ],
  [asyncApi('"a":{"messages":{"m":{', '"$ref":"#/b"}}}'), 'line 4: the reference "#/b" is not found in this file'],
  [asyncApi('"a":{"messages":{"m":{', '"$ref":"#/%"}}}'), 'line 4: the reference "#/%" is not found in this file'],
  [
    asyncApi('"a":{', '"$ref":"#/channels/b"},"b":{"$ref":"#/channels/a"}'),
    "line 3: the references form a cycle",
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

Deno.test("parseCatalog reads files with CRLF line ends, and reports their lines", async () => {
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

const CHECKED: [line: string, reason: string | undefined][] = [
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

for (const [line, expected] of CHECKED) {
  Deno.test(`a catalog from AsyncAPI ${expected ? "refuses" : "takes"} ${line}`, async () => {
    const catalog = await parseCatalog(await read("asyncapi.json"));
    assertEquals(reason(catalog, line)?.includes(expected ?? "") ?? false, expected !== undefined);
  });
}

Deno.test("the schemas of a catalog from AsyncAPI are self-contained", async () => {
  const { entries } = await parseCatalog(await read("asyncapi.json"));
  const again = await parseCatalog(
    JSON.stringify({ asyncapi: "3.0.0", channels: Object.fromEntries(entries.map(channelOf)) }),
  );
  for (const [line, expected] of CHECKED) {
    assertEquals(reason(again, line)?.includes(expected ?? "") ?? false, expected !== undefined, line);
  }
});

function channelOf({ pattern, schema }: Catalog["entries"][number]): [key: string, channel: unknown] {
  return [pattern, { messages: { m: { payload: schema ?? true } } }];
}

// The broker

Deno.test("Broker recognizes the events of its catalog, and lists them", async () => {
  const catalog = await parseCatalog(await read("small.json"));
  await using server = await startBroker({ catalog });
  assertEquals(server.broker.events, ["order.state", "user", "order.*", ">"]);
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  assertEquals(await client.events(), JSON.parse(JSON.stringify(catalog.entries)));
  assertEquals(server.broker.explainRouting("order.paid").by, "order.*");
});

Deno.test("Client.publish rejects with invalid-data if the broker's catalog refuses the data", async () => {
  await using server = await startBroker({ catalog: await catalogOf({ required: ["id"] }) });
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  const error = await assertRejects(() => client.publishConfirmed("a", {}), ProtocolError);
  assertEquals(error.code, "invalid-data");
  assertEquals(error.message, "Cannot take a: its data must have required property 'id'");
  assertEquals((await client.publishConfirmed("a", { id: 1 })).receivers, 0);
});

Deno.test("Broker counts invalid data for each connection and event, and reports it", async () => {
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

Deno.test("Broker refuses a response to /events that does not fit the queue", async () => {
  const catalog = await catalogOf({ enum: ["x".repeat(70_000)] });
  await using server = await startBroker({ catalog, limits: { lineBytes: 50_000, outboxBytes: 60_000 } });
  const [client] = await server.connect(1);
  assertMatch((await client.ask("/events"))!, /^\/err events answer-too-long /);
});

Deno.test("lib/catalog/catalog.ts is importable without the parsers and schema compilers", async () => {
  const file = new URL("../../lib/catalog/catalog.ts", import.meta.url).pathname;
  const args = ["info", "--json", file];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "null" }).output();
  const { modules }: { modules: Module[] } = JSON.parse(new TextDecoder().decode(stdout));
  const byName = new Map(modules.map((module) => [module.specifier, module]));
  const loaded = new Set([`file://${file}`]);
  for (const name of loaded) {
    for (const { code, isDynamic } of byName.get(name)?.dependencies ?? []) {
      if (code !== undefined && !isDynamic) loaded.add(code.specifier);
    }
  }
  const isOfProtocol = (name: string) => /\/lib\/protocol\/|^npm:deno-std@/.test(name);
  assertEquals([...loaded].filter((name) => !isOfProtocol(name)), [`file://${file}`]);
});

/** A module as `deno info --json` describes it. */
interface Module {
  readonly specifier: string;
  readonly dependencies?: { readonly code?: { readonly specifier: string }; readonly isDynamic?: boolean }[];
}
