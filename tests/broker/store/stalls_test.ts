/** Groups: what is to be delivered is delivered, whatever came between. docs/protocol.md, section 14. */
import { assertEquals } from "@std/assert";
import { openStore } from "../../../lib/store/sqlite.ts";
import { startBroker } from "../../helpers.ts";
import { startStored, tempFolder } from "../../store/folder.ts";

Deno.test("14.9 all jobs that are kicked are delivered, though a member has fewer at once", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [publisher, member] = await server.connect(2);
  const count = 25;
  await member.line("/unsub >", '/join work {"ahead":5} n');
  await member.lines.find("/ok join");
  await publisher.line(...Array.from({ length: count }, (_, index) => `n ${index}`));
  for (let number = 1; number <= count; number++) {
    await member.lines.find(`/job ${number} `);
    await member.line(`/bury ${number}`);
  }
  await member.line("/touch 1"); // Refused, behind the responses to all before it.
  await member.lines.find("/err touch");
  await publisher.line("/kick work all");
  await publisher.lines.find(`/ok kick {"jobs":${count}}`);
  for (let number = count + 1; number <= 2 * count; number++) {
    const job = await member.lines.find(`/job ${number} `);
    assertEquals(job.split(" ").at(-1), String(number - count - 1));
    await member.line(`/ack ${number}`);
  }
});

Deno.test("14.7 a delayed job is delivered at its time to a member that has joined meanwhile", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [publisher, going, coming] = await server.connect(3);
  await going.line("/unsub >", "/join work n");
  await going.lines.find("/ok join");
  await publisher.line("n 1");
  await going.lines.find("/job 1 1");
  await going.line("/nack 1 500ms later");
  await going.lines.find("/ok nack");
  await publisher.line("n 2");
  await going.lines.find("/job 2 1"); // The store has been asked, and has said when the other one is due.
  await going.line("/ack 2");
  await going.lines.find("/ok ack");
  await going.line("/leave work");
  await going.lines.find("/ok leave");
  await coming.line("/unsub >", "/join work n");
  await coming.lines.find("/ok join");
  assertEquals((await coming.lines.find("/job")).split(" ").slice(0, 3), ["/job", "1", "2"]);
});

Deno.test("14.9 a group that is made again has its jobs, though others of its name were being taken", async () => {
  await using folder = tempFolder();
  const store = await openStore({ folder: folder.path });
  const pull = store.pull.bind(store);
  const gate = Promise.withResolvers<void>();
  store.pull = (requests) => gate.promise.then(() => pull(requests));
  await using server = await startBroker({ events: [">"], store });
  const [publisher, going, coming] = await server.connect(3);
  await publisher.line("/unsub >", "/pub p n 1");
  await publisher.lines.find("/ok p");
  await going.line("/unsub >", "/join busy n", '/join work {"from":"first"} n'); // Those of work are taken after those of busy.
  for (const _group of ["busy", "work"]) await going.lines.find("/ok join");
  await going.line("/leave work");
  await going.lines.find("/ok leave");
  await coming.line("/unsub >", "/forget work", '/join work {"from":"first"} n');
  const isMember = coming.lines.find("/ok join");
  await new Promise((resolve) => setTimeout(resolve, 100)); // That is time to make the group again, if it may be.
  gate.resolve();
  await isMember;
  await coming.lines.find("/job 1 1");
});
