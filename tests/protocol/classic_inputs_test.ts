/** Forty messages as classes write them, each sent over a socket: 36 are understood, four are refused with some help. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { classic } from "../../lib/net/classic.ts";
import type { ClassicOptions } from "../../mod.ts";
import { RawClient, startBroker, until } from "../helpers.ts";

const EVENTS = ["create", "save", "saved", "error", "pickup", "in-transit", "delivered", "chat", "order.*"];

interface Input {
  /** What kind of program writes this. */
  readonly as: string;
  /** What it writes at once, as JavaScript would write it. */
  readonly written: string;
  /** What its port was told, if anything. */
  readonly port?: Partial<ClassicOptions>;
  /** What a modern listener hears. */
  readonly line: string;
  /** What a listener of the same class hears; without it, what was written. */
  readonly heard?: string;
}

const text: Partial<ClassicOptions> = { form: "text" };
const chat: Partial<ClassicOptions> = { defaultName: "chat" };

const UNDERSTOOD: Input[] = [
  {
    as: "an event and a payload",
    written: '{"event":"save","payload":{"file":"a.txt"}}',
    line: 'save {"file":"a.txt"}',
  },
  { as: "a name and data", written: '{"name":"saved","data":"A saved event!"}', line: "saved A saved event!" },
  { as: "a type and a message", written: '{"type":"save","message":"a.txt"}', line: "save a.txt" },
  { as: "an eventType", written: '{"eventType":"error","eventMessage":"no file"}', line: "error no file" },
  { as: "an eventName", written: '{"eventName":"create","payload":1}', line: "create 1" },
  { as: "an Act in capitals", written: '{"Act":"pickup","Data":"x"}', line: "pickup x" },
  { as: "constants", written: '{"EVENT":"SAVE","type":"save","PAYLOAD":[1]}', line: "save [1]" },
  { as: "Python, in snake case", written: '{"event_name": "save", "event_data": {"id": 1}}', line: 'save {"id":1}' },
  { as: "a topic", written: '{"topic":"order.paid","value":9.50}', line: "order.paid 9.50" },
  { as: "a command", written: '{"command":"create","args":["a","b"]}', line: 'create ["a","b"]' },
  { as: "a cmd", written: '{"cmd":"create"}', line: "create" },
  {
    as: "an action among other types",
    written: '{"type":"user","action":"create","id":1}',
    line: 'create {"type":"user","id":1}',
  },
  { as: "content instead of a payload", written: '{"event":"in-transit","content":1}', line: "in-transit 1" },
  { as: "a name of two words", written: '{"event":"in transit","payload":{"id":7}}', line: 'in-transit {"id":7}' },
  { as: "a time beside the payload", written: '{"event":"pickup","time":"now","payload":1}', line: "pickup 1" },
  { as: "the record itself", written: '{"event":"create","id":1,"of":"users"}', line: 'create {"id":1,"of":"users"}' },
  { as: "only an error", written: '{"error":"ENOENT: no such file"}', line: "error ENOENT: no such file" },
  { as: "what emit takes", written: '["save",{"file":"a.txt"}]', line: 'save {"file":"a.txt"}' },
  { as: "several arguments of emit", written: '["save","a.txt",200]', line: 'save ["a.txt",200]' },
  {
    as: "digits that no double has",
    written: '{"event":"save","payload":12345678901234567890}',
    line: "save 12345678901234567890",
  },
  {
    as: "JSON laid out for people",
    written: '{\n  "event": "save",\n  "payload": {\n    "b": 1.0,\n    "a": "{\\n}"\n  }\n}',
    line: 'save {"b":1.0,"a":"{\\n}"}',
    heard: '{   "event": "save",   "payload": {     "b": 1.0,     "a": "{\\n}"   } }',
  },
  {
    as: "JSON.stringify twice",
    written: '"{\\"event\\":\\"save\\",\\"payload\\":1}"',
    line: "save 1",
    heard: '{"event":"save","payload":1}',
  },
  {
    as: "a text for listeners of objects",
    written: "save a.txt",
    port: { keys: { name: "event", data: "text" } },
    line: "save a.txt",
    heard: '{"event":"save","text":"a.txt"}',
  },
  {
    as: "keys of its own",
    written: '{"was":"delivered","wem":"Ada"}',
    port: { keys: { name: "was", data: "wem" } },
    line: "delivered Ada",
  },
  { as: "a text", written: "save files/test.txt", port: text, line: "save files/test.txt" },
  { as: "a text without data", written: "delivered", port: text, line: "delivered" },
  { as: "a colon", written: "save: files/test.txt", port: text, line: "save files/test.txt" },
  { as: "a bar", written: "save|files/test.txt", port: text, line: "save files/test.txt" },
  { as: "two words and JSON", written: 'in transit {"id":7}', port: text, line: 'in-transit {"id":7}' },
  { as: "a line", written: "create a record\r\n", port: text, line: "create a record", heard: "create a record" },
  { as: "C, with a null", written: "create a record\0", port: text, line: "create a record", heard: "create a record" },
  { as: "a text in quotation marks", written: '"create it"', port: text, line: "create it", heard: "create it" },
  {
    as: "a sentence",
    written: "create an event (create) just happened!",
    port: text,
    line: "create an event (create) just happened!",
  },
  { as: "a chat", written: "[Ada]: hi, all", port: { ...text, ...chat }, line: "chat [Ada]: hi, all" },
  {
    as: "a greeting",
    written: "hello, world",
    port: chat,
    line: "chat hello, world",
    heard: '{"event":"chat","payload":"hello, world"}',
  },
  { as: "an order without a name", written: '{"orderID":1}', port: chat, line: 'chat {"orderID":1}' },
];

const REFUSED: [as: string, written: string | Uint8Array, code: string, sentence: string][] = [
  [
    "an object written into a text",
    `${{}}`,
    "bad-message",
    'Cannot read "[object Object]": an object was written without JSON.stringify',
  ],
  [
    "an object as console.log shows it",
    "{ event: 'save', payload: 1 }",
    "bad-message",
    "Cannot read { event: 'save', payload: 1 } as a JSON object: something is wrong at position 2 (line 1 column 3); " +
    "JSON.stringify writes one",
  ],
  [
    "an object that says no event",
    '{"orderID":1}',
    "no-name",
    'Cannot find an event\'s name in {"orderID":1}: an object has it under "event", "type" or a key like these',
  ],
  [
    "Latin-1",
    Uint8Array.from("create caf\u00e9", (character) => character.charCodeAt(0)),
    "invalid-utf8",
    "Discarded a message that is not UTF-8",
  ],
];

Deno.test("there are forty inputs, of which 36 are accepted", () => {
  assertEquals([UNDERSTOOD.length, REFUSED.length], [36, 4]);
});

/** What becomes of one message that is written at once: a line and a message, or what is told. */
async function send(written: string | Uint8Array, options: Partial<ClassicOptions> = {}) {
  await using server = await startBroker({ events: EVENTS });
  const [modern] = await server.connect(1);
  const codec = classic({ form: "json", ...options });
  const { port } = await server.broker.listen({ hostname: "127.0.0.1", port: 0, codec });
  const listener = await RawClient.connect(port);
  const sender = await RawClient.connect(port);
  try {
    await until(() => server.broker.stats().connections === 3, "all are there");
    await sender.send(written);
    await until(() => server.broker.stats().published + server.told("mq.refused").length > 0, "it is dealt with");
    const [refused] = server.told("mq.refused");
    const told = server.activities.map(({ name }) => name).filter((name) => !["mq.connect", "mq.keys"].includes(name));
    if (refused !== undefined) return { refused, told };
    return { line: await modern.lines.next(), heard: await listener.lines.next(), told };
  } finally {
    listener.close();
    sender.close();
  }
}

for (const { as, written, port, line, heard = written } of UNDERSTOOD) {
  Deno.test(`a class that writes ${as} is accepted`, async () => {
    assertEquals(await send(written, port), { line, heard, told: [] });
  });
}

for (const [as, written, code, sentence] of REFUSED) {
  Deno.test(`a class that writes ${as} gets a helpful error`, async () => {
    const { refused } = await send(written);
    assertEquals(refused?.code, code);
    assertStringIncludes(String(refused?.text), sentence);
  });
}
