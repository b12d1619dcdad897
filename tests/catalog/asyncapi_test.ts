/** Documents of AsyncAPI in YAML, as the public ones are written (tests/files/asyncapi). */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { catalogSamples } from "../../cmd/app/schema_samples.ts";
import { patternOfAddress } from "../../lib/catalog/asyncapi.ts";
import { type Catalog, MqError, parseCatalog, ProtocolError } from "../../mod.ts";
import { encodeData } from "../../lib/protocol/data.ts";
import { formatEvent } from "../../lib/protocol/lines.ts";

const FOLDER = new URL("../files/asyncapi/", import.meta.url);

const UUID = "0b38b3d5-2f0c-4d7e-9f0a-6a1f5f0c9d11";

/** What a document becomes. */
interface Expected {
  /** The recognized patterns, in the order in which they are tried; those with an asterisk accept any data. */
  readonly events: string[];
  readonly warnings?: string[];
  readonly valid: string[];
  /** Invalid events, and why: the text after "Cannot take NAME: its data". */
  readonly invalid: [line: string, reason: string][];
}

const DOCUMENTS: Record<string, Expected> = {
  "street_lamps_mqtt.yml": {
    events: ["lamps.1.0.event.*.measured", "lamps.1.0.action.*.turn.on", "lamps.1.0.action.*.dim"],
    valid: [
      'lamps.1.0.event.7.measured {"lumens":3,"sentAt":"2026-01-31T09:30:00Z"}',
      'lamps.1.0.action.7.turn.on {"command":"on"}',
    ],
    invalid: [
      ['lamps.1.0.event.7.measured {"sentAt":"yesterday"}', ' at /sentAt must match format "date-time"'],
      ['lamps.1.0.action.7.turn.on {"command":true}', " at /command must be string"],
      ['lamps.1.0.action.7.dim {"percentage":101}', " at /percentage must be <= 100"],
    ],
  },
  "orders_kafka.yaml": {
    events: ["shop.orders.placed.v1", "shop.orders.cancelled.v1", "shop.orders_retry-5m *"],
    valid: [
      `shop.orders.placed.v1 {"orderId":"${UUID}","lines":[{"sku":"ABC-1234","count":2,"price":19.99}],"note":null}`,
      "shop.orders_retry-5m whatever",
    ],
    invalid: [
      [`shop.orders.placed.v1 {"orderId":"${UUID}","lines":[]}`, " at /lines must NOT have fewer than 1 items"],
      [
        `shop.orders.placed.v1 {"orderId":"${UUID}","lines":[{"sku":"ABC-1234","count":2,"price":0.001}]}`,
        " at /lines/0/price must be multiple of 0.01",
      ],
      ['shop.orders.cancelled.v1 {"orderId":"7"}', ' at /orderId must match format "uuid"'],
    ],
  },
  "ticker_websocket.yml": {
    events: ["ticker"],
    valid: ['ticker {"event":"ping"}', 'ticker {"event":"subscribe","pair":["a","b"]}', 'ticker [1,{"a":["5"]}]'],
    invalid: [
      ['ticker {"event":"subscribe","pair":["a","a"]}', " must match a schema in anyOf"],
      ["ticker [1,{},3]", " must match a schema in anyOf"],
    ],
  },
  "null_addresses.yml": {
    events: ["requests", "replies", "user.signedup", "slash *"],
    valid: ['requests {"ask":1}', "replies yes", "slash"],
    invalid: [["requests {}", " must have required property 'ask'"], ["replies 1", " must be string"]],
  },
  "url_addresses.yml": {
    events: ["webhooks.order-paid", "chat", "urn.example.orders.shipped", "v1.marketdata.*"],
    valid: ['webhooks.order-paid {"id":1,"receipt":"https://example.com/1"}', "v1.marketdata.btcusd 1.5", "chat hello"],
    invalid: [
      ['webhooks.order-paid {"id":1,"receipt":"none"}', ' at /receipt must match format "uri"'],
      ["v1.marketdata.btcusd 0", " must be > 0"],
    ],
  },
  "parameters.yml": {
    events: [
      ...["Größe.geändert *", "*.signed-up", "*.orders.*", "iot.things.*.shadow.>", "floor.*.door", "user.*.created"],
    ],
    warnings: ['line 22: the channels "plus" and "door" both become floor.*.door, which accepts the data of either'],
    valid: ['user-7.signed-up {"email":"ada@example.com"}', "shop.orders.1 7", "floor.2.door open", "floor.2.door 3"],
    invalid: [
      ['user-7.signed-up {"email":"ada"}', ' at /email must match format "email"'],
      ["floor.2.door ajar", " must match a schema in anyOf"],
      ["iot.things.7.shadow.update.accepted 1", " must be object"],
    ],
  },
  "other_formats.yml": {
    events: [
      ...["user.signedup *", "user.moved *", "user.left *", "user.renamed *", "told *", "user.paid *", "user.greeted"],
    ],
    warnings: [
      'line 11: user.signedup accepts any data: the format of its schema, "application/vnd.apache.avro+yaml;version=1.9.0", is not supported',
      'line 24: user.moved accepts any data: the format of its schema, "application/vnd.google.protobuf;version=3", is not supported',
      'line 31: user.left accepts any data: its schema is in another file, "./user.avsc"',
      'line 35: user.renamed accepts any data: its schema is in another file, "https://example.com/messages.yml#/renamed"',
      'line 36: told accepts any data: its schema is in another file, "other.yml#/channels/told"',
      'line 41: user.paid accepts any data: its schema is in another file, "money.json#/amount"',
    ],
    valid: ["user.signedup whatever", "user.greeted hello"],
    invalid: [["user.greeted h", " must NOT have fewer than 2 characters"]],
  },
  "components.yml": {
    events: ["category.changed", "category.removed"],
    valid: [
      'category.changed {"name":"Bread","below":[{"name":"Rolls","below":[]}]}',
      "category.removed bread",
      'category.removed {"name":"Bread"}',
    ],
    invalid: [
      ['category.changed {"name":"Bread","below":[{}]}', " at /below/0 must have required property 'name'"],
      ['category.changed {"name":"Bread and butter"}', " at /name must NOT have more than 12 characters"],
      ['category.removed "a b"', " must match a schema in anyOf"],
    ],
  },
  "formats_of_json_schema.yml": {
    events: ["draft-7", "new", "old *", "own"],
    warnings: ["line 39: old accepts any data: the $schema of its schema is not supported"],
    valid: ['draft-7 {"id":1,"size":2,"parts":["a",1,null]}', 'new {"id":1,"parts":["a",1,null]}', 'own {"id":3}'],
    invalid: [
      ['draft-7 {"id":1,"parts":[]}', " must have property size when property parts is present"],
      ['new {"id":1,"size":2}', ' must NOT have unevaluated properties: "size"'],
      ['new {"id":0}', " at /id must be >= 1"],
      ['own {"id":1.5}', " at /id must be integer"],
      ["own {}", " must have required property 'id'"],
    ],
  },
  "accounts_version_2.yml": {
    events: ["account.changed", "account.logged *", "accounts.*.opened"],
    warnings: [
      'line 24: account.logged accepts any data: the format of its schema, "application/vnd.apache.avro;version=1.9.0", is not supported',
    ],
    valid: [
      'accounts.7.opened {"owner":"ada"}',
      'account.changed {"owner":"ada"}',
      'account.changed {"closedAt":"2026-02-28"}',
    ],
    invalid: [
      ["accounts.7.opened {}", " must have required property 'owner'"],
      ['account.changed {"closedAt":"2026-02-30"}', " must match a schema in anyOf"],
    ],
  },
};

const read = async (file: string) => await parseCatalog(await Deno.readTextFile(new URL(file, FOLDER)), file);

/** Why a catalog refuses an event; undefined if it does not. */
function reason(catalog: Catalog, line: string): string | undefined {
  const [name] = line.split(" ");
  try {
    catalog.check(catalog.find(name)!.pattern, line);
  } catch (error) {
    if (error instanceof ProtocolError) return error.message;
    throw error;
  }
}

for (const [file, { events, warnings = [], valid, invalid }] of Object.entries(DOCUMENTS)) {
  Deno.test(`parseCatalog reads the channels of ${file}`, async () => {
    const catalog = await read(file);
    const found = catalog.entries.map(({ pattern, schema }) => pattern + (schema === undefined ? " *" : ""));
    assertEquals(found, events);
    assertEquals(catalog.warnings, warnings.map((warning) => `${file}, ${warning}`));
    for (const line of valid) assertEquals(reason(catalog, line), undefined, line);
    for (const [line, why] of invalid) {
      assertEquals(reason(catalog, line), `Cannot take ${line.split(" ")[0]}: its data${why}`);
    }
  });

  Deno.test(`mq app generates valid events for ${file}`, async () => {
    const catalog = await read(file);
    for (const { name, data } of (await catalogSamples(1, catalog)).take(50)) {
      assertEquals(reason(catalog, formatEvent(name, encodeData(data))), undefined, name);
    }
  });
}

Deno.test("the table covers every document in the folder", () => {
  assertEquals(Object.keys(DOCUMENTS).toSorted(), [...Deno.readDirSync(FOLDER)].map(({ name }) => name).toSorted());
});

Deno.test("parseCatalog reads descriptions and examples from messages and their traits", async () => {
  const { entries: [lamp] } = await read("street_lamps_mqtt.yml");
  assertEquals(lamp.description, "Where what is measured comes in.");
  assertEquals(lamp.example, { lumens: 300, sentAt: "2026-01-31T09:30:00Z" });
});

// Addresses

const ADDRESSES: [address: string, pattern: string | undefined][] = [
  ["order.created", "order.created"],
  ["order/created", "order.created"],
  ["/order//created/", "order.created"],
  ["order:created", "order.created"],
  ["/", undefined],
  ["", undefined],
  ["...", undefined],
  ["!", undefined],
  ["{id}", "*"],
  ["a/{id}/b", "a.*.b"],
  ["a/x-{id}.json", "a.*.json"],
  ["a/{one}-{other}", "a.*"],
  ["a/{one}{other}/b", "a.*.b"],
  ["a/{one/other}", "a.*"],
  ["a/{$message.header#/to}/b", "a.*.b"],
  ["a/{open", "a.open"],
  ["a/+/b/#", "a.*.b.>"],
  ["#", ">"],
  ["a/#/b", "a.*.b"],
  ["a.*.>", "a.*.>"],
  ["$aws/things/my thing", "aws.things.my-thing"],
  ["a b  c!", "a-b-c"],
  ["-a-/b-", "-a-.b-"],
  ["https://example.com", undefined],
  ["https://example.com/", undefined],
  ["https://user@example.com:8443/a/b?c=d", "a.b"],
  ["wss://{region}.example.com/{path}", "*"],
  ["/a?b=c/d", "a"],
  ["urn:example:a", "urn.example.a"],
  ["größe/geändert", "größe.geändert"],
  ["a\0b", "*"],
];

for (const [address, pattern] of ADDRESSES) {
  Deno.test(`patternOfAddress returns ${pattern} for ${JSON.stringify(address)}`, () => {
    assertEquals(patternOfAddress(address), pattern);
  });
}

// Warnings

const document = (...channels: string[]) => ["asyncapi: 3.0.0", "channels:", ...channels].join("\n");

const WARNED: [name: string, text: string, events: string[], warnings: string[]][] = [
  ["a version that YAML takes for a number", "asyncapi: 3.0\nchannels: {a: }", ["a *"], []],
  ["no key and no address to make a name of", document("  /: {address: null}"), ["root *"], []],
  [
    "two channels of one address, one of which accepts anything",
    document("  a: {address: x, messages: {m: {payload: {type: string}}}}", "  b: {address: x}"),
    ["x *"],
    ['line 4: the channels "a" and "b" both become x, which accepts the data of either'],
  ],
  [
    "two channels of one message",
    document(
      "  a: {address: x, messages: {m: {payload: {type: string}}}}",
      "  b: {address: x, messages: {m: {$ref: '#/channels/a/messages/m'}}}",
    ),
    ["x"],
    ['line 4: the channels "a" and "b" both become x, which accepts the data of either'],
  ],
  [
    "an example that is not valid",
    document(
      "  a:",
      "    messages:",
      "      m:",
      "        payload: {type: integer}",
      "        examples: [{payload: x}]",
    ),
    ["a"],
    ["line 7: the example must be integer, so it is ignored"],
  ],
  [
    "mistakes in a schema that several events refer to",
    document(
      "  a: {messages: {m: {payload: {$ref: '#/components/schemas/s'}}}}",
      "  b: {messages: {m: {payload: {type: array, items: {$ref: '#/components/schemas/s'}}}}}",
      "components: {schemas: {s: {",
      "  type: string, minimum: 1,",
      "  format: emial}}}",
    ),
    ["a", "b"],
    [
      'line 6: "minimum" applies to the type number and has no effect on string',
      'line 7: the format "emial" is unknown and has no effect',
    ],
  ],
  [
    "messages whose schemas have different versions",
    document(
      "  a: {messages: {",
      "    m: {payload: {type: string}},",
      "    n: {payload: {schemaFormat: application/schema+json;version=2020-12, schema: {type: string}}}}}",
    ),
    ["a *"],
    ["line 4: a accepts any data: the schemas of its messages have different versions of JSON Schema"],
  ],
];

for (const [name, text, events, warnings] of WARNED) {
  Deno.test(`parseCatalog reads a document with ${name}`, async () => {
    const catalog = await parseCatalog(text, "api.yml");
    assertEquals(catalog.entries.map(({ pattern, schema }) => pattern + (schema === undefined ? " *" : "")), events);
    assertEquals(catalog.warnings, warnings.map((warning) => `api.yml, ${warning}`));
  });
}

Deno.test("parseCatalog reports the line of a broken reference, in components too", async () => {
  const text = document(
    "  a: {messages: {m: {payload: {$ref: '#/components/schemas/s'}}}}",
    "components: {schemas: {s: {properties: {",
    "  b: {type: string},",
    "  c: {$ref: '#/components/schemas/nope'}}}}}",
  );
  const why = 'api.yml, line 6: the reference "#/components/schemas/nope" is not found in the schema';
  await assertRejects(() => parseCatalog(text, "api.yml"), MqError, why);
});

Deno.test("schemas with the same $id in several events are independent", async () => {
  const schema = (type: string) => `{messages: {m: {payload: {$id: same, type: ${type}}}}}`;
  const catalog = await parseCatalog(document(`  a: ${schema("integer")}`, `  b: ${schema("string")}`));
  assertEquals([reason(catalog, "a 1"), reason(catalog, "b x")], [undefined, undefined]);
  assert(reason(catalog, "a x")?.endsWith("must be integer"));
});
