/** Broker.publish: the one way in, for programs around the broker. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { parseCatalog } from "../../lib/catalog/catalog.ts";
import { ProtocolError } from "../../lib/protocol/errors.ts";
import { Broker, type BrokerOptions, type DirectPublishOptions, type Json, MqError } from "../../mod.ts";
import { startBroker } from "../helpers.ts";

const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

/** A broker without connections, and the system events that it has published. */
function brokerWith(options: BrokerOptions = {}) {
  const told: [name: string, data: { [key: string]: Json }][] = [];
  return { broker: new Broker({ ...options, onSystemEvent: (name, data) => void told.push([name, data]) }), told };
}

/** What a call throws. */
function refusal(call: () => unknown): ProtocolError {
  return assertThrows(call, ProtocolError);
}

Deno.test("Broker.publish sends an event to its subscribers, with its id and publisher to those who asked for them", async () => {
  await using server = await startBroker();
  const [plain, meta] = await server.connect(2);
  await meta.ask('/hello {"meta":true}');
  await plain.ask("/ping");
  const { id, receivers } = server.broker.publish("create", { id: 1 }, { from: "shop" });
  assertMatch(id, ULID);
  assertEquals(receivers, 2);
  await plain.expect('create {"id":1}');
  await meta.expect(`/event ${id} shop create {"id":1}`);
});

Deno.test("Broker.publish encodes data as a client does, or uses raw data as it is", async () => {
  await using server = await startBroker();
  const [client] = await server.connect(1);
  await client.ask("/ping");
  server.broker.publish("create");
  server.broker.publish("create", "hello world");
  server.broker.publish("create", "42");
  server.broker.publish("create", '{"id":  1}', { raw: true });
  await client.expect("create", "create hello world", 'create "42"', 'create {"id":  1}');
  assertThrows(() => server.broker.publish("create", "two\nlines", { raw: true }), TypeError);
  assertThrows(() => server.broker.publish("create", 1, { raw: true }), TypeError);
});

Deno.test("Broker.publish sends hops and the reply name only to those who asked for them", async () => {
  await using server = await startBroker();
  const [meta, hops, reply, both] = await server.connect(4);
  await meta.ask('/hello {"meta":true}');
  await hops.ask('/hello {"meta":true,"hops":true}');
  await reply.ask('/hello {"meta":true,"reply":true}');
  await both.ask('/hello {"meta":true,"hops":true,"reply":true}');
  const { id } = server.broker.publish("create", 1, { hops: 2, reply: "_INBOX.a.1" });
  await meta.expect(`/event ${id} broker create 1`);
  await hops.expect(`/event ${id} broker {"hops":2} create 1`);
  await reply.expect(`/event ${id} broker {"reply":"_INBOX.a.1"} create 1`);
  await both.expect(`/event ${id} broker {"hops":2,"reply":"_INBOX.a.1"} create 1`);
  const plain = server.broker.publish("create", 2);
  for (const client of [meta, hops, reply, both]) await client.expect(`/event ${plain.id} broker create 2`);
});

Deno.test("Broker.publish counts its event like any other, and calls onPublish", async () => {
  const published: unknown[] = [];
  await using broker = new Broker({ onPublish: (...event) => void published.push(event) });
  broker.publish("create", 1, { from: "shop" });
  assertEquals(broker.stats().published, 1);
  assertEquals(published, [["create", "create 1", "shop", 0]]);
});

const CATALOG = await parseCatalog('{"order.paid": {"schema": {"type": "object", "required": ["id"]}}}');

const REFUSALS: [code: string, name: string, data: Json | undefined, options: DirectPublishOptions, BrokerOptions][] = [
  ["bad-name", "no name", undefined, {}, {}],
  ["reserved-name", "mq.connect", undefined, {}, {}],
  ["line-too-long", "create", "x".repeat(2000), {}, { limits: { lineBytes: 1000 } }],
  ["forbidden", "create", undefined, { scope: "listen" }, {}],
  ["unrecognized", "bogus", undefined, {}, {}],
  ["invalid-data", "order.paid", { total: 1 }, {}, { catalog: CATALOG }],
];
for (const [code, name, data, options, brokerOptions] of REFUSALS) {
  Deno.test(`Broker.publish refuses an event with the code ${code}, and publishes nothing`, async () => {
    const { broker } = brokerWith(brokerOptions);
    await using _ = broker;
    assertEquals(refusal(() => broker.publish(name, data, options)).code, code);
    assertEquals(broker.stats().published, 0);
  });
}

Deno.test("Broker.publish refuses a publisher name of several words, hops out of range, an invalid reply name", async () => {
  await using broker = new Broker();
  for (const from of ["two words", "", "mq", "x".repeat(65)]) {
    assertThrows(() => broker.publish("create", 1, { from }), TypeError);
  }
  for (const hops of [-1, 256, 0.5]) assertThrows(() => broker.publish("create", 1, { hops }), RangeError);
  assertEquals(refusal(() => broker.publish("create", 1, { reply: "no name" })).code, "bad-name");
  assertEquals(refusal(() => broker.publish("create", 1, { reply: "mq.x" })).code, "reserved-name");
});

Deno.test("Broker.publish throws once the broker is draining", async () => {
  const broker = new Broker();
  await broker.close();
  assertEquals(assertThrows(() => broker.publish("create"), MqError).code, "draining");
});

Deno.test("Broker.publish reports mq.http if an address is given, and nothing otherwise", async () => {
  const { broker, told } = brokerWith();
  await using _ = broker;
  broker.publish("create", 1);
  assertEquals(told, []);
  const { id } = broker.publish("create", 2, { from: "http", address: "127.0.0.1:5000" });
  const event = { name: "http", address: "127.0.0.1:5000", event: "create", id, receivers: 0 };
  assertEquals(told, [["mq.http", event]]);
});

Deno.test("Broker.publish reports refused and unrecognized events under the publisher's name", async () => {
  const { broker, told } = brokerWith();
  await using _ = broker;
  const options = { from: "http", limitBy: "127.0.0.1" };
  for (let times = 1; times <= 2; times++) {
    refusal(() => broker.publish("bogus", 1, options));
    refusal(() => broker.publish("create", 1, { ...options, scope: "listen" }));
  }
  const forbidden = "Cannot publish: this token is for listening only";
  assertEquals(
    told,
    [1, 2].flatMap((times): typeof told => [
      ["mq.unrecognized", { id: "", name: "http", event: "bogus", times }],
      ["mq.refused", { id: "", name: "http", code: "forbidden", event: "create", text: forbidden, times }],
    ]),
  );
  assertEquals([broker.stats().unrecognized, broker.stats().refused], [2, 2]);
});

Deno.test("Broker.publish limits each source to its rate, independently of others", async () => {
  const { broker, told } = brokerWith({ limits: { eventsPerSecond: 3 } });
  await using _ = broker;
  const publish = (limitBy?: string) => broker.publish("create", 1, { from: "http", limitBy });
  for (let count = 0; count < 3; count++) publish("a");
  assertEquals(refusal(() => publish("a")).code, "rate-limited");
  for (let count = 0; count < 3; count++) publish("b");
  assertEquals(refusal(() => publish("b")).code, "rate-limited");
  for (let count = 0; count < 10; count++) publish();
  assertEquals(broker.stats().published, 16);
  assertEquals(told.map(([name, { code }]) => [name, code]), [["mq.refused", "rate-limited"], [
    "mq.refused",
    "rate-limited",
  ]]);
});

Deno.test("Broker.publish keeps the rate limit of a source, however many others publish", async () => {
  await using broker = new Broker({ limits: { eventsPerSecond: 1 } });
  broker.publish("create", 1, { limitBy: "busy" });
  for (let source = 0; source < 20_000; source++) {
    broker.publish("create", 1, { limitBy: `source-${source}` });
    if (source % 5000 === 0) refusal(() => broker.publish("create", 1, { limitBy: "busy" }));
  }
});

Deno.test("a name of _INBOX is always recognized, and its data is not validated", async () => {
  for (const options of [{ events: ["create"] }, { catalog: CATALOG }]) {
    await using broker = new Broker(options);
    assertEquals(broker.explainRouting("_INBOX.a.1").by, "_INBOX.>");
    assertEquals(broker.publish("_INBOX.a.1", [1, 2]).receivers, 0);
    assert(!broker.describeEvents().some(({ pattern }) => pattern.startsWith("_INBOX")));
    assertEquals(refusal(() => broker.publish("_INBOX")).code, "unrecognized");
  }
});
