import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { MqError, ProtocolError } from "../../lib/protocol/errors.ts";
import { checkName, checkPublishable, DEFAULT_EVENTS, isReserved, MqEvent } from "../../lib/protocol/event.ts";
import { assertRefused, BAD_NAMES, GOOD_NAMES, OVER_LONG, shown } from "./names.ts";

const ULID = "01ARYZ6S41TSV4RRFFQ69G5FAV";

for (const name of GOOD_NAMES) {
  Deno.test(`checkName accepts ${shown(name)}`, () => checkName(name));
}

for (const name of [...BAD_NAMES, ...OVER_LONG]) {
  Deno.test(`checkName refuses ${shown(name)}`, () => assertRefused(() => checkName(name), "bad-name"));
}

Deno.test("checkName quotes the name it refuses", () => {
  const error = assertThrows(() => checkName("a b"), ProtocolError);
  assertStringIncludes(error.message, '"a b"');
});

Deno.test("checkPublishable accepts the names that checkName accepts", () => {
  for (const name of GOOD_NAMES) checkPublishable(name);
});

for (const name of ["mq.connect", "mq.a.b"]) {
  Deno.test(`checkPublishable refuses ${name}, which is reserved`, () => {
    assertRefused(() => checkPublishable(name), "reserved-name");
  });
}

Deno.test("checkPublishable refuses a malformed name as malformed, even a reserved one", () => {
  for (const name of ["", "mq.", "mq.a b"]) assertRefused(() => checkPublishable(name), "bad-name");
});

const RESERVED: [name: string, reserved: boolean][] = [
  ["mq.connect", true],
  ["mq.a.b", true],
  ["mq", false],
  ["mqtt", false],
  ["mq-x.connect", false],
  ["MQ.connect", false],
  ["a.mq.b", false],
];

for (const [name, reserved] of RESERVED) {
  Deno.test(`isReserved is ${reserved} for ${name}`, () => assertEquals(isReserved(name), reserved));
}

Deno.test("DEFAULT_EVENTS are publishable names", () => {
  assertEquals(DEFAULT_EVENTS.length, 5);
  for (const name of DEFAULT_EVENTS) checkPublishable(name);
});

Deno.test("MqEvent has the values that it was constructed with", () => {
  const { name, text, id, from } = new MqEvent("create", " 1 ", { id: ULID, from: "shop" });
  assertEquals([name, text, id, from], ["create", " 1 ", ULID, "shop"]);
});

Deno.test("MqEvent.data is the text as a JSON value", () => {
  assertEquals(new MqEvent("create", '{"id":1}').data, { id: 1 });
});

Deno.test("MqEvent.data is undefined without data", () => {
  assertEquals(new MqEvent("create", "").data, undefined);
});

Deno.test("MqEvent.at is the time within its ULID", () => {
  assertEquals(new MqEvent("create", "", { id: ULID }).at?.toISOString(), "2016-07-30T22:36:16.385Z");
});

Deno.test("MqEvent without an id has neither id, sender nor time", () => {
  const { id, from, at } = new MqEvent("create", "1");
  assertEquals([id, from, at], [undefined, undefined, undefined]);
});

Deno.test("MqEvent.json returns the data if it is JSON, and else throws an error that quotes it", () => {
  assertEquals(new MqEvent("create", ' {"id":1}').json<{ id: number }>().id, 1);
  assertEquals(new MqEvent("create", "null").json(), null);
  for (const [text, seen] of [["hello", '"hello"'], ["{id:1}", '"{id:1}"'], ["", "there is none"]]) {
    const error = assertThrows(() => new MqEvent("create", text).json(), ProtocolError);
    const message = `Cannot read the data of "create" as JSON: ${seen}`;
    assertEquals([error.code, error.message], ["invalid-data", message]);
  }
});

Deno.test("MqEvent.reply and replyError publish under the event's reply name", () => {
  const published: unknown[] = [];
  const event = new MqEvent("price", "", { reply: "_INBOX.a.1" }, (name, data) => published.push([name, data]));
  assertEquals(event.replyTo, "_INBOX.a.1");
  event.reply({ cents: 250 });
  event.reply();
  event.replyError("There is no tea");
  assertEquals(published, [
    ["_INBOX.a.1", { cents: 250 }],
    ["_INBOX.a.1", undefined],
    ["_INBOX.a.1.error", "There is no tea"],
  ]);
});

Deno.test("MqEvent.reply throws if no reply is requested, or the event was not received", () => {
  const [plain, made] = [new MqEvent("price", "", {}, () => {}), new MqEvent("price", "", { reply: "a" })];
  const reasons: [event: MqEvent, reason: string][] = [
    [plain, "it came without the name of a reply"],
    [made, "it was not received by a client"],
  ];
  for (const [event, reason] of reasons) {
    for (const answer of [() => event.reply(1), () => event.replyError("No")]) {
      const error = assertThrows(answer, MqError);
      assertEquals([error.code, error.message], ["not-a-request", `Cannot reply to "price": ${reason}`]);
    }
  }
});
