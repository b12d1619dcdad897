/** A broker with a store that goes down under load: docs/protocol.md, 14.2 and 14.7. */
import { assertEquals, assertMatch } from "@std/assert";
import { type RawClient, until } from "../../helpers.ts";
import { type Folder, startStored, tempFolder } from "../../store/folder.ts";
import { replay } from "../../store/server.ts";

/** What clients were told before the broker had gone down: events are known by their numbers. */
interface Told {
  readonly receipts: string[];
  readonly acknowledged: Set<string>;
}

/** Publishes events with receipts until the connection ends. */
async function publish(client: RawClient, receipts: string[]): Promise<void> {
  let isOpen = true;
  const reading = readAll(client, (line) => {
    assertMatch(line, /^\/(ok|err|bye) /);
    const [verb, ref] = line.split(" ");
    if (verb === "/ok") receipts.push(ref);
  }).finally(() => isOpen = false);
  for (let sent = 0; isOpen; sent += 100) {
    const lines = Array.from({ length: 100 }, (_, index) => `/pub ${sent + index} n ${sent + index}`);
    await client.line(...lines).catch(() => {}); // It has ended.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await reading;
}

/** Acknowledges all jobs but for every seventh one. */
async function work(client: RawClient, acknowledged: Set<string>): Promise<void> {
  const asked: string[] = [];
  const lines: Promise<void>[] = [];
  await readAll(client, (line) => {
    if (line === "/ok ack") acknowledged.add(asked.shift()!);
    const [verb, number, , , , , , data] = line.split(" ");
    if (verb !== "/job" || Number(data) % 7 === 0) return;
    asked.push(data);
    lines.push(client.line(`/ack ${number}`).catch(() => {})); // It has ended.
  });
  await Promise.all(lines);
}

async function readAll(client: RawClient, read: (line: string) => void): Promise<void> {
  for (let line = await client.lines.next(); line !== null; line = await client.lines.next()) read(line);
  client.close();
}

async function join(client: RawClient, ahead: number): Promise<void> {
  await client.line("/unsub >", `/join work {"ahead":${ahead}} n`);
  await client.lines.find("/ok join");
}

/** Goes down when so many events have been published. */
async function goDown(folder: Folder, events: number): Promise<Told> {
  const told: Told = { receipts: [], acknowledged: new Set() };
  await using server = await startStored(folder);
  const [publisher, ...members] = await server.connect(3);
  for (const member of members) await join(member, 20);
  await publisher.line("/unsub >");
  await publisher.lines.find("/ok unsub");
  const clients = [publish(publisher, told.receipts), ...members.map((member) => work(member, told.acknowledged))];
  await until(() => server.broker.stats().published > events, "much is published");
  await server.broker.close();
  await Promise.all(clients);
  return told;
}

Deno.test("14.2 14.7 a broker that goes down keeps what has a receipt, and counts no try that this broke off", async () => {
  for (const events of [100, 700, 2000]) {
    await using folder = tempFolder();
    const { receipts, acknowledged } = await goDown(folder, events);
    await using server = await startStored(folder);
    const [reader, member] = await server.connect(2);
    await reader.line("/unsub >");
    const log = await replay(reader);
    assertEquals(log.slice(0, receipts.length), receipts);
    const left = new Set(log.filter((data) => !acknowledged.has(data)));
    await join(member, 1000);
    for (let number = 1; left.size > 0; number++) {
      const [, , attempt, , , , , data] = (await member.lines.find(`/job ${number} `)).split(" ");
      assertEquals([attempt, left.delete(data)], ["1", true], data);
      await member.line(`/ack ${number}`);
    }
  }
});
