/** Many publish at the same time: every listener gets each one's events in the order in which they were sent. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { type RawClient, startBroker } from "../helpers.ts";
import { brokerRuns } from "./arbitraries.ts";
import { matches } from "./reference.ts";

const EVENTS = ["create", "order.paid", "order.sent", "shop.a.b"];

/** Who hears, in some form, and publishes: which events, and in pieces of which size. */
interface Member {
  patterns: string[];
  meta: boolean;
  echo: boolean;
  names: string[];
  pieceBytes: number;
}

const someMember = fc.record<Member>({
  patterns: fc.subarray(["create", "order.*", "*.paid", "shop.>"], { minLength: 1 }),
  meta: fc.boolean(),
  echo: fc.boolean(),
  names: fc.array(fc.constantFrom(...EVENTS, "bogus"), { maxLength: 200, size: "max" }),
  pieceBytes: fc.integer({ min: 1, max: 1000 }),
});

Deno.test("Broker keeps each publisher's order, and one order among publishers for all subscribers", async () => {
  const members = fc.array(someMember, { minLength: 1, maxLength: 6 });
  await fc.assert(fc.asyncProperty(members, assertOrder), brokerRuns(30));
});

async function assertOrder(members: Member[]): Promise<void> {
  await using server = await startBroker({ events: EVENTS });
  const [witness, ...sockets] = await server.connect(1 + members.length);
  await Promise.all(members.map((member, number) => introduce(sockets[number], member, number)));
  const sent = members.map(({ names }, number) => names.map((name, index) => `${name} ${number}-${index}`));
  await Promise.all(members.map(({ pieceBytes }, number) => send(sockets[number], sent[number], pieceBytes)));
  const recognized = sent.map((lines) => lines.filter((line) => !line.startsWith("bogus")));
  const all: string[] = [];
  while (all.length < recognized.flat().length) all.push(await witness.lines.next() ?? "nothing");
  assertEquals(members.map((_, number) => all.filter((line) => publisherOf(line) === number)), recognized);
  for (const [number, member] of members.entries()) {
    const heard = all.filter((line) => hears(member, line) && (member.echo || publisherOf(line) !== number));
    const lines = member.meta ? heard.map((line) => `/event ID p${publisherOf(line)} ${line}`) : heard;
    assertEquals(await linesUpToPong(sockets[number]), lines);
  }
}

async function introduce(socket: RawClient, { patterns, meta, echo }: Member, number: number): Promise<void> {
  await socket.ask(`/hello ${JSON.stringify({ name: `p${number}`, meta, echo })}`);
  assertEquals(await socket.ask(`/sub ${patterns.join(" ")}`), "/ok sub");
}

async function send(socket: RawClient, lines: string[], pieceBytes: number): Promise<void> {
  const text = lines.map((line) => `${line}\n`).join("");
  for (let start = 0; start < text.length; start += pieceBytes) {
    await socket.send(text.slice(start, start + pieceBytes));
  }
}

async function linesUpToPong(socket: RawClient): Promise<string[]> {
  await socket.line("/ping");
  const lines: string[] = [];
  for (let line = await socket.lines.next(); line !== null && line !== "/pong"; line = await socket.lines.next()) {
    lines.push(line.replace(/^\/event [0-9A-Z]{26} /, "/event ID "));
  }
  return lines;
}

function hears({ patterns }: Member, line: string): boolean {
  return patterns.some((pattern) => matches(pattern, line.split(" ")[0]));
}

/** The number in the data of an event, which is `PUBLISHER-INDEX`. */
function publisherOf(line: string): number {
  return parseInt(line.split(" ")[1]);
}
