/** Groups: what is to be delivered is delivered, whatever came between. docs/protocol.md, section 14. */
import { assertEquals } from "@std/assert";
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
