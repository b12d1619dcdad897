/** Groups: docs/protocol.md, section 14. */
import { assertEquals } from "@std/assert";
import { BURST_MS } from "../../../lib/net/write_queue.ts";
import { minOutboxBytes, PROGRAM_BYTES } from "../../../lib/protocol/limits.ts";
import { openStore } from "../../../lib/store/sqlite.ts";
import { type RawClient, startBroker, until } from "../../helpers.ts";
import { startStored, tempFolder } from "../../store/folder.ts";

/** Joins a group; returns the next jobs on demand, as `N TRY NAME DATA`. */
async function join(client: RawClient, text: string): Promise<() => Promise<string>> {
  await client.line("/unsub >", `/join ${text}`);
  await client.lines.find("/ok join");
  return async () => {
    const [, number, attempt, , , , ...event] = (await client.lines.find("/job")).split(" ");
    return [number, attempt, ...event].join(" ");
  };
}

async function publish(client: RawClient, ...events: string[]): Promise<void> {
  await client.line(...events.map((event) => `/pub p ${event}`));
  for (const _event of events) await client.lines.find("/ok p");
}

/** What `/groups` says of the only group, as `lag ready inFlight delayed dead`. */
async function counts(client: RawClient): Promise<string> {
  await client.line("/groups");
  const [group] = JSON.parse((await client.lines.find("/ok groups")).slice("/ok groups ".length));
  const { lag, ready, inFlight, delayed, dead } = group;
  return [lag, ready, inFlight, delayed, dead].join(" ");
}

Deno.test("14.6 two members share the jobs, each job once, in the order of the log", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [publisher, ...members] = await server.connect(3);
  const [first, second] = await Promise.all(members.map((member) => join(member, 'work {"ahead":2} n')));
  await publish(publisher, "n 1", "other", "n 2", "n 3", "n 4", "n 5");
  const got = [await first(), await first(), await second(), await second()];
  assertEquals(got.map((job) => job.split(" ")[3]).toSorted(), ["1", "2", "3", "4"]);
  await members[1].line("/ack 1");
  assertEquals(await second(), "3 1 n 5");
  await members[0].line("/ack 1 2");
  await members[1].line("/ack 2 3");
  await until(async () => await counts(publisher) === "0 0 0 0 0", "all is done");
});

Deno.test("5.10 each delivery of a job counts, for the broker and for the member", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [publisher, member] = await server.connect(2);
  const delivered = () => [server.broker.stats(), ...server.broker.clients()].map(({ delivered }) => delivered);
  await publish(publisher, "n 1", "n 2");
  const [total, , own] = delivered();
  const next = await join(member, 'work {"from":"first"} n');
  assertEquals([await next(), await next()], ["1 1 n 1", "2 1 n 2"]);
  await member.line("/nack 2");
  assertEquals(await next(), "3 2 n 2");
  assertEquals(delivered().toSpliced(1, 1), [total + 3, own + 3]);
});

Deno.test("14.7 the jobs of a member that goes are given to another at once, and count as tried", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [publisher, going, staying] = await server.connect(3);
  const first = await join(going, "work n");
  await publish(publisher, "n 1", "n 2");
  assertEquals([await first(), await first()], ["1 1 n 1", "2 1 n 2"]);
  const second = await join(staying, "work n");
  await going.line("/ack 2");
  await going.lines.find("/ok ack");
  going.close();
  assertEquals(await second(), "1 2 n 1");
});

Deno.test("14.7 a job that is not acknowledged in time is delivered again, and a late /ack is refused", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [publisher, member] = await server.connect(2);
  const next = await join(member, 'work {"ackMs":30,"tries":100} n');
  await publish(publisher, "n 1");
  assertEquals(await next(), "1 1 n 1");
  assertEquals(await next(), "2 2 n 1");
  await member.line("/ack 1");
  assertEquals((await member.lines.find("/err ack")).split(" ", 3).join(" "), "/err ack no-job");
});

Deno.test("14.7 /touch gives more time", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [publisher, member] = await server.connect(2);
  const next = await join(member, 'work {"ackMs":500} n');
  await publish(publisher, "n 1");
  assertEquals(await next(), "1 1 n 1");
  for (let round = 0; round < 8; round++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    await member.line("/touch 1");
    assertEquals(await member.lines.next(), "/ok touch"); // And not the job again.
  }
  await member.line("/ack 1");
  assertEquals(await member.lines.next(), "/ok ack");
});

Deno.test("14.8 a job that fails too often is dead: told, published, shown, and delivered again if kicked", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [publisher, member] = await server.connect(2);
  const next = await join(member, 'work {"tries":2,"dead":"gone"} n');
  await publisher.line("/sub gone");
  await publish(publisher, 'n {"a":1}');
  assertEquals(await next(), '1 1 n {"a":1}');
  await member.line("/nack 1 the first time");
  assertEquals(await next(), '2 2 n {"a":1}');
  await member.line("/nack 2 5s the second time");
  const letter = JSON.parse((await publisher.lines.find("gone")).slice("gone ".length));
  const { id } = letter;
  const told = { group: "work", id, event: "n", from: "client-1", tries: 2, why: "the second time" };
  assertEquals(letter, { ...told, data: { a: 1 } });
  await until(() => server.told("mq.dead").length > 0, "it is told");
  assertEquals(server.told("mq.dead"), [told]);
  assertEquals(await counts(publisher), "0 0 0 0 1");
  await publisher.line("/peek work dead");
  const [shown] = JSON.parse((await publisher.lines.find("/ok peek")).slice("/ok peek ".length));
  assertEquals([shown.id, shown.data, shown.tries, shown.why], [id, '{"a":1}', 2, "the second time"]);
  await publisher.line(`/kick work ${id}`);
  await publisher.lines.find('/ok kick {"jobs":1}');
  assertEquals(await next(), '3 1 n {"a":1}');
  await member.line("/bury 3 no use");
  await until(() => server.told("mq.dead").length > 1, "it is told");
  assertEquals(server.told("mq.dead")[1], { ...told, tries: 1, why: "no use" });
  await publisher.line("/purge work dead");
  await publisher.lines.find('/ok purge {"jobs":1,"events":0}');
  await until(async () => await counts(publisher) === "0 0 0 0 0", "nothing is left");
});

Deno.test("14.6 jobs survive a restart of the broker: what is not acknowledged comes again, and nothing else", async () => {
  await using folder = tempFolder();
  {
    await using server = await startStored(folder);
    const [publisher, member] = await server.connect(2);
    const next = await join(member, 'work {"ahead":3} n');
    await publish(publisher, "n 1", "n 2", "n 3", "n 4");
    for (const job of ["1 1 n 1", "2 1 n 2", "3 1 n 3"]) assertEquals(await next(), job);
    await member.line("/ack 2", "/nack 3 1ms no");
    await member.lines.find("/ok nack");
  }
  await using server = await startStored(folder);
  const [publisher, member] = await server.connect(2);
  await publish(publisher, "n 5");
  const next = await join(member, "work n");
  const jobs = [await next(), await next(), await next(), await next()].map((job) => job.slice(2)).toSorted();
  assertEquals(jobs.map((job) => job.slice(2)), ["n 1", "n 4", "n 5", "n 3"]);
  assertEquals(jobs.at(-1), "2 n 3"); // A /nack counts over the restart; a delivery that the restart broke off does not.
  await member.line("/ack 1 2 3 4");
  await until(async () => await counts(publisher) === "0 0 0 0 0", "all is done");
});

Deno.test("a /join or /replay without a pattern is told its form, and /help what /cancel does", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [client] = await server.connect(1);
  await client.line("/replay first", "/join work", "/help");
  const problem = (verb: string, form: string) =>
    `/err ${verb} bad-arguments Cannot carry out /${verb} without a pattern: it is "/${verb} ${form}"`;
  assertEquals(await client.lines.next(), problem("replay", "FROM PATTERN..."));
  assertEquals(await client.lines.next(), problem("join", "GROUP PATTERN..."));
  assertEquals((await client.lines.find("/# /delay"))!.endsWith("publish later; /cancel ID discards it"), true);
});

Deno.test("14.6 a group may be joined otherwise only if it has no members", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [one, two] = await server.connect(2);
  await join(one, 'work {"tries":3} n');
  await two.line("/unsub >", "/join work other", '/join work {"tries":4} n', '/join work {"ackMs":30000,"ahead":1} n');
  await two.lines.find("/ok unsub");
  const problem = '/err join group-differs Cannot join "work" otherwise than its members, who have joined for n ' +
    "with 3 tries, 30000 ms for a job and no event for dead jobs";
  for (const _line of [1, 2]) {
    assertEquals(await two.lines.next(), `${problem}; join as they did, end them first, or use another group`);
  }
  assertEquals(
    (await two.lines.next())!.startsWith('/ok join {"group":"work","patterns":["n"],"ackMs":30000,"tries":3'),
    true,
  );
  await one.line("/leave work");
  await two.line("/leave work", '/join work {"tries":9} other');
  assertEquals((await two.lines.find("/ok join")).includes('"patterns":["other"],"ackMs":30000,"tries":9'), true);
});

Deno.test("14.6 a member is sent no more than it has room for, and than it may have", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [publisher, member] = await server.connect(2);
  const next = await join(member, 'work {"ahead":1} n');
  await publish(publisher, "n 1", "n 2", "n 3");
  for (const number of [1, 2, 3]) {
    assertEquals(await next(), `${number} 1 n ${number}`);
    await member.line("/ping");
    for (let line = await member.lines.next(); line !== "/pong"; line = await member.lines.next()) {
      assertEquals(line, "/ok ack"); // And no job.
    }
    await member.line(`/ack ${number}`);
  }
});

Deno.test("14.5 a delayed event is published at its time, also after a restart, and not if it is cancelled", async () => {
  await using folder = tempFolder();
  {
    await using server = await startStored(folder);
    const [client] = await server.connect(1);
    await client.line("/unsub >", "/delay 1 1ms n 1", "/delay 2 300ms n 2", "/delay 3 300ms n 3");
    await client.lines.find("/ok 1");
    await client.lines.find("/ok 2");
    const { id } = JSON.parse((await client.lines.find("/ok 3")).slice("/ok 3 ".length));
    await client.line(`/cancel ${id}`, `/cancel ${id}`);
    assertEquals(await client.lines.next(), "/ok cancel");
    assertEquals((await client.lines.next())!.split(" ", 3).join(" "), "/err cancel not-found");
  }
  await using server = await startStored(folder);
  const [client] = await server.connect(1);
  await client.line("/unsub >");
  const stored = async () => {
    await client.line("/replay first >");
    const seen: string[] = [];
    for (let line = await client.lines.next(); !line!.startsWith("/replayed"); line = await client.lines.next()) {
      if (line!.startsWith("/past")) seen.push(line!.split(" ").slice(3).join(" "));
    }
    return seen.join();
  };
  await until(async () => await stored() === "n 1,n 2", "both have been published");
});

Deno.test("14.4 a key repeats the first receipt, also after a restart, and its event is published once", async () => {
  await using folder = tempFolder();
  let receipt = "";
  {
    await using server = await startStored(folder);
    const [client, listener] = await server.connect(2);
    await client.line("/unsub >", "/once 1 key n 1", "/once 2 key n 1", "/once 3 other n 2");
    receipt = (await client.lines.find("/ok 1")).slice("/ok 1 ".length);
    const again = JSON.parse((await client.lines.find("/ok 2")).slice("/ok 2 ".length));
    assertEquals(again, { ...JSON.parse(receipt), duplicate: true });
    assertEquals([await listener.lines.next(), await listener.lines.next()], ["n 1", "n 2"]);
  }
  await using server = await startStored(folder);
  const [client] = await server.connect(1);
  await client.line("/once 4 key n 1");
  const again = JSON.parse((await client.lines.find("/ok 4")).slice("/ok 4 ".length));
  assertEquals(again, { ...JSON.parse(receipt), duplicate: true });
});

Deno.test("14.9 /peek shows the beginning of data that is long, so that every job can be seen", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [publisher, member] = await server.connect(2);
  const next = await join(member, "work n");
  await publish(publisher, `n ${"\u0001".repeat(200_000)}`);
  await next();
  await member.line(`/bury 1 ${"\u0001".repeat(10_000)}`);
  await member.lines.find("/ok bury");
  await publisher.line("/peek work dead");
  const [{ data, cut }] = JSON.parse((await publisher.lines.find("/ok peek")).slice("/ok peek ".length));
  assertEquals([data.length, cut], [4096, true]);
});

Deno.test("14.9 /peek GROUP dead ID shows all of the data, if the response fits a line", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder, { limits: { lineBytes: 20_000 } });
  const [publisher, member] = await server.connect(2);
  const next = await join(member, "work n");
  const lengths: unknown[] = [];
  const peek = async (which: string | number) => {
    await publisher.line(`/peek work dead ${which}`);
    return JSON.parse((await publisher.lines.find("/ok peek")).slice("/ok peek ".length));
  };
  for (const [number, data] of ["x".repeat(15_000), '"'.repeat(15_000)].entries()) {
    await publish(publisher, `n ${data}`);
    await next();
    await member.line(`/bury ${number + 1}`);
    await member.lines.find("/ok bury");
    const [job] = await peek((await peek(2))[number].id);
    lengths.push([job.data.length, job.cut]);
  }
  assertEquals(lengths, [[15_000, undefined], [4096, true]]);
});

Deno.test("14.6 the response to /join comes before the first job, also where jobs wait for a member", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [publisher, first, second] = await server.connect(3);
  const next = await join(first, 'work {"ahead":1} n');
  await publish(publisher, "n 1", "n 2", "n 3");
  await next(); // The others have been taken from the store, and wait.
  await second.line("/unsub >", "/pub p n 4", "/join work n", "/leave work");
  await second.lines.find("/ok p");
  assertEquals((await second.lines.next())!.split(" ", 2).join(" "), "/ok join");
});

Deno.test("14.6 a member that has not read its events gets its jobs when it has", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [publisher, member] = await server.connect(2);
  await publisher.line("/unsub >");
  await publisher.lines.find("/ok unsub");
  await member.line("/join work n", "/sub big");
  await member.lines.find("/ok sub");
  const queued = () => server.broker.queuedBytes > 6_000_000;
  for (let round = 0; round < 12; round++) await publisher.line(`big ${"x".repeat(1_000_000)}`);
  await until(queued, "much is queued for the member");
  await publish(publisher, "n 1");
  for (let round = 0; round < 12; round++) await member.lines.find("big");
  assertEquals((await member.lines.find("/job")).endsWith(" n 1"), true);
});

Deno.test("14.6 of two that join a new group otherwise at once, one is refused; a group that is joined is not forgotten", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const clients = await server.connect(2);
  for (let round = 0; round < 5; round++) {
    await Promise.all(clients.map((client, index) => client.line("/unsub >", `/join g${round} n${index}`)));
    const answers = await Promise.all(clients.map(async (client) => {
      await client.lines.find("/ok unsub");
      return (await client.lines.next())!.split(" ", 3).slice(0, 3).join(" ");
    }));
    assertEquals(answers.filter((answer) => answer.startsWith("/ok join")).length, 1, answers.join());
    assertEquals(answers.filter((answer) => answer === "/err join group-differs").length, 1, answers.join());
    const member = clients[answers.findIndex((answer) => answer.startsWith("/ok"))];
    await member.line(`/leave g${round}`);
    await member.lines.find("/ok leave");
    await Promise.all([clients[0].line(`/join g${round} n`), clients[1].line(`/forget g${round}`)]);
    const [joined, forgotten] = await Promise.all(clients.map((client) => client.lines.next()));
    assertEquals(joined!.startsWith("/ok join"), true, joined!);
    // If it was forgotten first, it has been made again.
    assertEquals(joined!.includes('"isNew":true'), forgotten === "/ok forget", forgotten!);
    await clients[1].line("/groups");
    assertEquals((await clients[1].lines.find("/ok groups")).includes(`"group":"g${round}"`), true);
  }
});

Deno.test("14.6 jobs that wait for a member are given back to the store when the last one has gone", async () => {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path });
  const given: number[] = [];
  const giveBack = store.giveBack.bind(store);
  store.giveBack = (group, keys) => {
    given.push(...keys);
    return giveBack(group, keys);
  };
  await using server = await startBroker({ events: [">"], store });
  const [publisher, going, coming] = await server.connect(3);
  await join(going, 'work {"ahead":1} n');
  await publish(publisher, "n 1", "n 2", "n 3");
  await going.lines.find("/job");
  going.close();
  await until(() => given.length === 1, "the job is given back that was taken and not delivered");
  assertEquals(await counts(publisher), "1 2 0 0 0");
  const next = await join(coming, "work n");
  assertEquals([await next(), await next(), await next()], ["1 2 n 1", "2 1 n 2", "3 1 n 3"]);
});

Deno.test("14.7 a member that is closed since it does not read loses its jobs to another at once", async () => {
  await using folder = tempFolder();
  const lineBytes = 60_000;
  const limits = { lineBytes, outboxBytes: minOutboxBytes(lineBytes) };
  await using server = await startStored(folder, { limits });
  const [publisher, closed, other] = await server.connect(3);
  for (const client of [publisher, closed, other]) await client.line("/unsub >");
  await other.lines.find("/ok unsub");
  await closed.line("/sub big", '/join work {"ahead":100} n');
  await closed.lines.find("/ok join");
  let jobs = 0;
  while (server.told("mq.disconnect").length === 0) {
    const text = "x".repeat(lineBytes - 1000);
    await publisher.line(`n ${jobs++}-${text}`, `big ${text}`, "/ping");
    await publisher.lines.find("/pong");
  }
  assertEquals(server.told("mq.disconnect")[0].reason, "slow");
  const next = await join(other, "work n");
  for (const seen = new Set<string>(); seen.size < jobs;) {
    const [number, , , data] = (await next()).split(" ");
    seen.add(data.split("-")[0]);
    await other.line(`/ack ${number}`);
  }
});

Deno.test("14.7 a member is sent a job only if its queue has room: it is not closed for jobs that it has not read", async () => {
  await using folder = tempFolder();
  const lineBytes = 320_000;
  const limits = { lineBytes, outboxBytes: minOutboxBytes(lineBytes) };
  await using server = await startStored(folder, { limits });
  const [publisher, member] = await server.connect(2);
  await member.line("/unsub >", "/sub tick", '/join work {"ahead":1000} n');
  await member.lines.find("/ok join");
  await publisher.line("/unsub >");
  const text = "x".repeat(210_000);
  let count = 0;
  for (let queued = 0; queued < 160_000; queued = server.broker.queuedBytes) {
    await publish(publisher, `n ${text}`);
    count++;
    await new Promise((resolve) => setTimeout(resolve, 2 * BURST_MS)); // What is queued then is more than a burst.
    await publish(publisher, "tick");
  }
  await publish(publisher, `n ${text.slice(0, 100_000)}${text}`);
  await publish(publisher, `n ${text}`);
  assertEquals(server.told("mq.disconnect"), []);
  for (let number = 1; number <= count + 2; number++) {
    assertEquals((await member.lines.find("/job")).split(" ", 2), ["/job", String(number)]);
  }
});

Deno.test("14.7 a member is given no more jobs than the budget of memory has room for", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder, { limits: { memoryBytes: PROGRAM_BYTES + 8_000_000 } });
  const [publisher, member] = await server.connect(2);
  await publisher.line("/unsub >");
  await publisher.lines.find("/ok unsub");
  const next = await join(member, 'work {"ahead":50} n');
  const count = 20;
  const text = "x".repeat(400_000); // All together are twice of what the budget has.
  for (let index = 0; index < count; index++) await publish(publisher, `n ${index}-${text}`);
  const acknowledging: Promise<void>[] = [];
  for (let number = 1; number <= count; number++) {
    assertEquals((await next()).slice(0, 10).split("-")[0], `${number} 1 n ${number - 1}`);
    const later = new Promise((resolve) => setTimeout(resolve, 50));
    acknowledging.push(later.then(() => member.line(`/ack ${number}`)));
  }
  await Promise.all(acknowledging);
  assertEquals(server.told("mq.disconnect"), []);
});
