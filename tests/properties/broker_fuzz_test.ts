/** Whatever is thrown at a broker, those who keep to the protocol do not notice. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { classic } from "../../lib/net/classic.ts";
import { HTTP_REFUSAL, parseBrokerLine } from "../../lib/protocol/lines.ts";
import { RawClient, soon, startBroker, type TestBroker, until } from "../helpers.ts";
import { brokerRuns } from "./arbitraries.ts";

const MAX_LINE_BYTES = 200;
const HEALTHY_EVENTS = 20;
const TOKEN = "s3cret";

const encoder = new TextEncoder();

/** One who sends anything at all, in pieces of some size, and then waits for what comes or is gone at once. */
interface Attacker {
  parts: Uint8Array[];
  pieceBytes: number;
  waits: boolean;
  /** Whether it comes in by the door for classic clients, where there is one; then it does not wait. */
  isClassic: boolean;
}

const LINES = [
  "create",
  'create {"id":1}',
  "create\tx  y ",
  "bogus x",
  "a..b",
  "mq.connect {}",
  "x".repeat(MAX_LINE_BYTES),
  `/hello {"token":"${TOKEN}"}`,
  '/hello {"name":"x","meta":true}',
  '/hello {"echo":false}',
  "/sub create mq.>",
  "/sub *",
  "/unsub >",
  "/pub 7 create x",
  "/pub 7 bogus",
  "/pub",
  "/ping x",
  "/pong",
  "/stats",
  "/clients",
  "/why create",
  "/help",
  "/quit",
  "/",
  " ",
  "GET / HTTP/1.1",
  '{"event":"create","payload":{"id":1}}{"name":"bogus"}',
  '{"event":"create","x":"}{',
  "\x16\x03\x01\x02\0\x01",
];

const line = fc.constantFrom(...LINES.map((line) => encoder.encode(`${line}\n`)));
const changes = fc.tuple(fc.nat({ max: 20 }), fc.nat({ max: 4 }), fc.uint8Array({ maxLength: 4 }));
const part: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 3, arbitrary: line },
  { weight: 3, arbitrary: fc.tuple(line, changes).map(([line, changes]) => changed(line, ...changes)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }) },
);
const someAttacker = fc.record<Attacker>({
  parts: fc.array(part, { maxLength: 30, size: "max" }),
  pieceBytes: fc.integer({ min: 1, max: 300 }),
  waits: fc.boolean(),
  isClassic: fc.boolean(),
});

Deno.test("Broker serves well-behaved clients, whatever others send", async () => {
  const attackers = fc.array(someAttacker, { minLength: 1, maxLength: 6 });
  await fc.assert(fc.asyncProperty(attackers, fc.boolean(), assertUnharmed), brokerRuns(150));
});

async function assertUnharmed(attackers: Attacker[], hasTokens: boolean): Promise<void> {
  const published: string[] = [];
  await using server = await startBroker({
    events: ["create", "healthy"],
    tokens: hasTokens ? [{ token: TOKEN, scope: "all" }] : [],
    limits: { lineBytes: MAX_LINE_BYTES },
    onPublish: (_name, line) => published.push(line),
  });
  if (!hasTokens) await server.broker.listen({ hostname: "127.0.0.1", port: 0, codec: classic("json") });
  const [publisher, listener, bystander] = await server.connect(3);
  if (hasTokens) {
    for (const client of [publisher, listener, bystander]) await client.ask(`/hello {"token":"${TOKEN}"}`);
  }
  assertEquals(await listener.ask("/sub healthy"), "/ok sub");
  const attacks = attackers.map((attacker) => attack(server, attacker));
  await exchange(publisher, listener);
  await Promise.all(attacks);
  const haveCome = () => server.told("mq.connect").length === 3 + attackers.length;
  await until(() => haveCome() && server.broker.stats().connections === 3, "the attackers have come and gone");
  await exchange(publisher, listener);
  await bystander.expect(...published);
  assertEquals(await bystander.ask("/ping"), "/pong");
  assertCounted(server, published.length);
}

async function exchange(publisher: RawClient, listener: RawClient): Promise<void> {
  for (let index = 0; index < HEALTHY_EVENTS; index++) {
    await publisher.line(`healthy ${index}`);
    await listener.expect(`healthy ${index}`);
  }
}

async function attack({ port, broker }: TestBroker, { parts, pieceBytes, ...attacker }: Attacker): Promise<void> {
  const [classicAddr] = attacker.isClassic ? broker.addrs.slice(1) : [];
  const waits = attacker.waits && classicAddr === undefined; // It would be given one message in 20 ms.
  const client = await RawClient.connect(classicAddr?.port ?? port);
  const heard = waits ? client.lines.rest() : undefined;
  try {
    const bytes = new Uint8Array(parts.flatMap((part) => [...part]));
    for (let start = 0; start < bytes.length; start += pieceBytes) {
      await client.send(bytes.subarray(start, start + pieceBytes));
    }
    if (waits) await client.conn.closeWrite();
  } catch {
    // The broker has closed the connection.
  }
  if (heard) assertWellFormed(await soon(heard, "the end of a connection"));
  client.close();
}

/** Whoever is attacked answers in whole lines of the protocol. */
function assertWellFormed(text: string): void {
  const lines = text.replace(HTTP_REFUSAL, "").split("\n");
  assertEquals(lines.pop(), "");
  for (const line of lines) parseBrokerLine(line);
}

function assertCounted(server: TestBroker, publishedCount: number): void {
  const { published, delivered, unrecognized, refused } = server.broker.stats();
  const everybody = [...server.broker.clients(), ...server.told("mq.disconnect")];
  const sum = (key: "published" | "delivered") => everybody.reduce((sum, client) => sum + Number(client[key]), 0);
  assertEquals([published, sum("published")], [publishedCount, publishedCount]);
  assertEquals(sum("delivered"), delivered);
  assertEquals(server.told("mq.unrecognized").length, unrecognized);
  assertEquals(server.told("mq.refused").length, refused);
  assert(server.activities.every(({ data }) => data.code !== "internal-error" && data.reason !== "internal-error"));
}

/** Bytes with some taken out of the middle and others put in. */
function changed(bytes: Uint8Array, at: number, removed: number, added: Uint8Array): Uint8Array {
  return new Uint8Array([...bytes.subarray(0, at), ...added, ...bytes.subarray(at + removed)]);
}
