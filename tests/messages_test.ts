import { assertEquals, assertMatch } from "@std/assert";
import { MAX_MESSAGE_BYTES } from "../lib/classic.ts";
import type { ProtocolError } from "../lib/errors.ts";
import { MessageReader, MessageScanner } from "../lib/messages.ts";

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
];

for (const [chunks, messages] of CHUNKS) {
  Deno.test(`MessageScanner takes ${JSON.stringify(chunks)} apart`, () => assertEquals(scan(...chunks), messages));
}

Deno.test("MessageScanner takes objects apart wherever they are cut", () => {
  const text = '{"event":"a\\"}","payload":{"b":"{"}} {"event":"c"}\n{"event":"é"}';
  const objects = scan(text);
  assertEquals(objects.length, 3);
  for (let cut = 1; cut < text.length; cut++) assertEquals(scan(text.slice(0, cut), text.slice(cut)), objects);
  assertEquals(scan(...text), objects);
});

Deno.test("MessageScanner refuses what is too long, object or text, and goes on behind it", () => {
  const long = "x".repeat(MAX_MESSAGE_BYTES);
  assertEquals(scan(`create ${long}\ncreate 1`), ["line-too-long", "create 1"]);
  assertEquals(scan(`{"event":"${long}"}{"event":"a"}`), ["line-too-long", '{"event":"a"}']);
  assertEquals(scan(`{"event":"`, long, `"}{"event":"a"}`), ["line-too-long", '{"event":"a"}']);
  assertEquals(scan(`create ${"é".repeat((MAX_MESSAGE_BYTES + 1) / 2)}`), ["line-too-long"]);
  assertEquals(scan(long), [long]);
});

Deno.test("MessageScanner joins a text that did not fit into one read", () => {
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

Deno.test("MessageScanner gives up an object whose rest does not come in time", () => {
  let now = 0;
  const scanner = new MessageScanner({ now: () => now });
  assertEquals(scanner.push('{"event":"a",'), []);
  now += 4000;
  assertEquals(scanner.push('"b":'), []);
  now += 4000;
  assertEquals(scanner.push('1}{"lost":'), ['{"event":"a","b":1}']);
  now += 6000;
  const [error, message] = scanner.push('{"event":"a"}');
  assertMatch(String(error), /^ProtocolError: Discarded the beginning of a JSON object: its last brace never came$/);
  assertEquals(message, '{"event":"a"}');
});

Deno.test("MessageReader reads text whose characters come in pieces, and to the end", async () => {
  const bytes = new TextEncoder().encode('{"event":"é"}create é');
  const chunks = [bytes.slice(0, 11), bytes.slice(11)];
  const source = {
    read(buffer: Uint8Array) {
      const chunk = chunks.shift();
      if (chunk) buffer.set(chunk);
      return Promise.resolve(chunk?.length ?? null);
    },
  };
  const messages: unknown[] = [];
  const reader = new MessageReader(source, MAX_MESSAGE_BYTES);
  await reader.readAll({ onLine: (message) => messages.push(message), onFault: (error) => messages.push(error) });
  assertEquals(messages, ['{"event":"é"}', "create é"]);
  assertEquals(reader.receivedBytes, bytes.length);
});
