import { assertEquals, assertMatch } from "@std/assert";
import { MAX_MESSAGE_BYTES } from "../../lib/protocol/classic.ts";
import type { ProtocolError } from "../../lib/protocol/errors.ts";
import { MessageReader, MessageScanner } from "../../lib/net/message_reader.ts";

/** What a scanner makes of some chunks: messages, and the codes of errors. */
function scan(...chunks: string[]): string[] {
  const scanner = new MessageScanner();
  return [...chunks.flatMap((chunk) => scanner.push(chunk)), ...scanner.end()].map(codeOf);
}

function codeOf(message: string | ProtocolError): string {
  return typeof message === "string" ? message : message.code;
}

const CHUNKS: [chunks: string[], messages: string[]][] = [
  [["create a record"], ["create a record"]],
  [["create", "update"], ["create", "update"]],
  [["  create  two  spaces \n"], ["create  two  spaces"]],
  [["create 1\nupdate 2\r\n\n"], ["create 1", "update 2"]],
  [[" \n "], []],
  [["create onecreate two"], ["create onecreate two"]],
  [['{"event":"a"}{"event":"b"}\n{"event":"c"}'], ['{"event":"a"}', '{"event":"b"}', '{"event":"c"}']],
  [['{"event":"a"}create 1'], ['{"event":"a"}', "create 1"]],
  [['create {"id":1}{"event":"b"}'], ['create {"id":1}{"event":"b"}']],
  [['{"event":"}{","payload":"\\"}"}{}'], ['{"event":"}{","payload":"\\"}"}', "{}"]],
  [['{"a":{"b":[{"c":"\\\\"}]}}x'], ['{"a":{"b":[{"c":"\\\\"}]}}', "x"]],
  [['{"event":"a",\n "payload":1}'], ['{"event":"a",\n "payload":1}']],
  [['{"event":"a","payl', 'oad":"x', '"}{"event"', ':"b"}'], ['{"event":"a","payload":"x"}', '{"event":"b"}']],
  [['{"event":"a"', " ", "}"], ['{"event":"a" }']],
  [['{"event":"a'], ["bad-message"]],
  [["{ event: 'a' }"], ["{ event: 'a' }"]],
  [["}"], ["}"]],
  // What can be no JSON is not waited for, and what is sent behind it is not lost.
  [["{bad json", "create 1", "update 2"], ["{bad json", "create 1", "update 2"]],
  [["{ event: 'a { b' }", '{"event":"a"}'], ["{ event: 'a { b' }", '{"event":"a"}']],
  [["{", " \n", "oops", "create 1"], ["{ \noops", "create 1"]],
  [["{", "  ", '"event":"a"', "}"], ['{  "event":"a"}']],
  [["{\n  event: 'a',\n  create: 1\n}", "create 1"], ["{\n  event: 'a',\n  create: 1\n}", "create 1"]],
  [["{ event: 'a' }{ event: 'b' }create 1"], ["{ event: 'a' }", "{ event: 'b' }", "create 1"]],
  [["{", "}"], ["{}"]],
  [["{{", "create 1"], ["{{", "create 1"]],
  [["create 1\0create 2\0", "\0"], ["create 1", "create 2"]],
  [['{"event":"a"}\0{"event":"b"}\0'], ['{"event":"a"}', '{"event":"b"}']],
  [["\ufeffcreate 1", '\ufeff{"event":"a"}'], ["create 1", '{"event":"a"}']],
  [['["a",1]'], ['["a",1]']],
];

for (const [chunks, messages] of CHUNKS) {
  Deno.test(`MessageScanner splits ${JSON.stringify(chunks)}`, () => assertEquals(scan(...chunks), messages));
}

Deno.test("MessageScanner finds objects split at any point", () => {
  const text = '{"event":"a\\"}","payload":{"b":"{"}} {"event":"c"}\n{"event":"é"}';
  const objects = scan(text);
  assertEquals(objects.length, 3);
  for (let cut = 1; cut < text.length; cut++) assertEquals(scan(text.slice(0, cut), text.slice(cut)), objects);
  assertEquals(scan(...text), objects);
});

Deno.test("MessageScanner refuses an over-long object or text, and continues after it", () => {
  const long = "x".repeat(MAX_MESSAGE_BYTES);
  assertEquals(scan(`create ${long}\ncreate 1`), ["line-too-long", "create 1"]);
  assertEquals(scan(`{"event":"${long}"}{"event":"a"}`), ["line-too-long", '{"event":"a"}']);
  assertEquals(scan(`{"event":"`, long, `"}{"event":"a"}`), ["line-too-long", '{"event":"a"}']);
  assertEquals(scan(`create ${"é".repeat((MAX_MESSAGE_BYTES + 1) / 2)}`), ["line-too-long"]);
  assertEquals(scan(long), [long]);
});

Deno.test("MessageScanner joins a text that spans several reads", () => {
  const scanner = new MessageScanner();
  assertEquals(scanner.push("create 1\nupd", true), ["create 1"]);
  assertEquals(scanner.push("ate 2\n{", true), ["update 2"]);
  assertEquals(scanner.push('"event":"a"}del', true), ['{"event":"a"}']);
  assertEquals(scanner.push("ete 3"), ["delete 3"]);
  const long = "x".repeat(MAX_MESSAGE_BYTES);
  assertEquals(scanner.push(`create ${long}`, true), []);
  assertEquals(scanner.push(long, true), []);
  assertEquals(scanner.push("end\ncreate 1").map(codeOf), ["line-too-long", "create 1"]);
  assertEquals(scanner.push("create 1", true), []);
  assertEquals(scanner.end(), ["create 1"]);
});

Deno.test("MessageScanner discards an object whose rest does not arrive in time", () => {
  let now = 0;
  const scanner = new MessageScanner({ now: () => now });
  assertEquals(scanner.push('{"event":"a",'), []);
  now += 2000;
  assertEquals(scanner.push('"b":'), []);
  now += 2000;
  assertEquals(scanner.push('1}{"lost":'), ['{"event":"a","b":1}']);
  now += 6000;
  const [error, message] = scanner.push('{"event":"a"}');
  assertMatch(String(error), /^ProtocolError: Discarded the beginning of a JSON object: its last brace never came$/);
  assertEquals(message, '{"event":"a"}');
});

Deno.test("MessageScanner does not extend the wait for the rest of an object when more data comes", () => {
  let now = 0;
  const scanner = new MessageScanner({ now: () => now });
  const heard: string[] = [];
  for (const message of ['{"event":"a"', ...Array.from({ length: 10 }, (_, index) => `create ${index}`)]) {
    heard.push(...scanner.push(message).map(codeOf));
    now += 1000;
  }
  assertEquals(heard, ["bad-message", "create 5", "create 6", "create 7", "create 8", "create 9"]);
});

/** What a reader makes of some bytes, chunk by chunk: messages, and the codes of errors. */
async function readAll(chunks: Uint8Array[]): Promise<{ messages: string[]; receivedBytes: number }> {
  const source = {
    read(buffer: Uint8Array) {
      const chunk = chunks.shift();
      if (chunk) buffer.set(chunk);
      return Promise.resolve(chunk?.length ?? null);
    },
  };
  const messages: string[] = [];
  const take = (message: string | ProtocolError) => void messages.push(codeOf(message));
  const reader = new MessageReader(source, MAX_MESSAGE_BYTES);
  await reader.readAll({ onLine: take, onFault: take });
  return { messages, receivedBytes: reader.receivedBytes };
}

Deno.test("MessageReader reads text with characters split between chunks, to the end", async () => {
  const bytes = new TextEncoder().encode('{"event":"é"}create é');
  const { messages, receivedBytes } = await readAll([bytes.slice(0, 11), bytes.slice(11)]);
  assertEquals(messages, ['{"event":"é"}', "create é"]);
  assertEquals(receivedBytes, bytes.length);
});

Deno.test("MessageReader refuses text that is not UTF-8, and continues after it", async () => {
  const encoder = new TextEncoder();
  const latin = Uint8Array.from("create caf\u00e9", (character) => character.charCodeAt(0));
  const { messages } = await readAll([
    encoder.encode("create 1"),
    latin,
    encoder.encode('{"event":"a",'),
    Uint8Array.of(0xff),
    encoder.encode('{"event":"\ufffd"}'),
    Uint8Array.of(...encoder.encode('{"event":"b"}create '), 0xe9),
    encoder.encode("create 2"),
    encoder.encode('{"event":"é').slice(0, -1),
  ]);
  const more = ['{"event":"b"}', "invalid-utf8", "create 2", "bad-message"];
  assertEquals(messages, ["create 1", "invalid-utf8", "invalid-utf8", '{"event":"\ufffd"}', ...more]);
});
