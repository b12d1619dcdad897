/** Members of groups, as the library has them. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { connect, type Job, type MqEvent, ProtocolError } from "../../mod.ts";
import { startBroker, until } from "../helpers.ts";
import { startStored, tempFolder } from "../store/folder.ts";

const QUICK = { minDelayMs: 1, maxDelayMs: 10 };

Deno.test("Client.consume acknowledges what the handler has done, and has the rest delivered again", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  const calls: string[] = [];
  const handler = (event: MqEvent, job: Job) => {
    calls.push(`${event.text} ${job.attempt}`);
    if (event.data === 2 && job.attempt === 1) return job.retry(1, "not\nyet");
    if (event.data === 3) return job.bury("never");
  };
  await client.consume("work", "n", handler, { tries: 3 }).ready;
  for (const n of [1, 2, 3]) await client.publishConfirmed("n", n);
  await until(() => calls.length === 4, "all are done");
  assertEquals(calls.toSorted(), ["1 1", "2 1", "2 2", "3 1"]);
  await until(async () => {
    const [{ inFlight, delayed, dead }] = await client.store.groups();
    return inFlight === 0 && delayed === 0 && dead === 1;
  }, "nothing is in flight");
  const [{ why, tries }] = await client.store.peek("work", "dead");
  assertEquals([why, tries], ["never", 1]);
  assertEquals(await client.store.kick("work"), 1);
  await until(() => calls.length === 5, "it is delivered again");
  await until(async () => (await client.store.groups())[0].dead === 1, "it is dead again");
  assertEquals(await client.store.purge("work", "dead"), { jobs: 1, events: 0 });
});

Deno.test("Client.consume tells what a handler has thrown, and the job is tried again", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  const errors: unknown[] = [];
  client.addEventListener("error", ({ detail }) => errors.push((detail as Error).message));
  const attempts: number[] = [];
  client.consume("work", "n", (_event, { attempt }) => {
    attempts.push(attempt);
    if (attempt === 1) throw new Error("no luck");
  }, { from: "first" });
  await client.publishConfirmed("n");
  await until(() => attempts.length === 2, "it is tried again");
  assertEquals([attempts, errors], [[1, 2], ["no luck"]]);
});

Deno.test("Client.consume does as many jobs at once as it may, and no more", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  let [running, most, done] = [0, 0, 0];
  const handler = async () => {
    most = Math.max(most, ++running);
    await client.flush();
    running--;
    done++;
  };
  for (let n = 0; n < 50; n++) client.publish("n", n);
  await using _member = client.consume("work", "n", handler, { concurrency: 3, prefetch: 5, from: "first" });
  await until(() => done === 50, "all are done");
  assertEquals(most, 3);
});

Deno.test("Client.consume goes on after the broker was gone, and a job that was being done is aborted", async () => {
  await using folder = tempFolder();
  const first = await startStored(folder, { limits: { drainMs: 1 } });
  const { port } = first;
  await using client = await connect({ hostname: "127.0.0.1", port, reconnect: QUICK });
  const started = Promise.withResolvers<AbortSignal>();
  const calls: unknown[] = [];
  const consumer = client.consume("work", "n", async (event, job) => {
    calls.push(event.data);
    if (calls.length > 1) return;
    started.resolve(job.signal);
    await new Promise<void>((resolve) => job.signal.addEventListener("abort", () => resolve()));
  });
  await consumer.ready;
  await client.publishConfirmed("n", 1);
  const signal = await started.promise;
  await first.broker.close();
  await until(() => signal.aborted, "the job is aborted");
  const second = await startStored(folder);
  await second.broker.listen({ hostname: "127.0.0.1", port });
  await until(() => calls.length === 2, "it is delivered again");
  assertEquals(calls, [1, 1]);
  await until(async () => (await client.store.groups())[0].inFlight === 0, "it is acknowledged");
  await consumer.leave();
  await second[Symbol.asyncDispose]();
});

Deno.test("Consumer.leave waits for what is being done, and gives the rest to others", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  await using other = await connect({ hostname: "127.0.0.1", port: server.port });
  const [begun, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const done: unknown[] = [];
  const consumer = client.consume("work", "n", async (event) => {
    begun.resolve();
    await go.promise;
    done.push(event.data);
  }, { prefetch: 10 });
  await consumer.ready;
  for (const n of [1, 2, 3]) await client.publishConfirmed("n", n);
  await begun.promise;
  const left = consumer.leave();
  go.resolve();
  await left;
  assertEquals(await consumer.ended, undefined);
  assertEquals(done, [1]);
  await using _rest = other.consume("work", "n", (event) => done.push(event.data));
  await until(() => done.length === 3, "the others are done");
  assertEquals(done.toSorted(), [1, 2, 3]);
});

Deno.test("Client.consume is refused by a broker without a store, twice for a group, and without meta", async () => {
  await using server = await startBroker();
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  const consumer = client.consume("work", "create", () => {});
  assertEquals((await assertRejects(() => consumer.ready, ProtocolError)).code, "no-store");
  assertEquals((await consumer.ended)?.code, "no-store");
  client.consume("other", "create", () => {}).ready.catch(() => {});
  assertThrows(() => client.consume("other", "create", () => {}), TypeError, "twice");
  assertThrows(() => client.consume("two words", "create", () => {}), ProtocolError, "Cannot have a group");
  assertThrows(() => client.consume("third", "create", () => {}, { concurrency: 0 }), RangeError);
  await using bare = await connect({ hostname: "127.0.0.1", port: server.port, meta: false });
  assertThrows(() => bare.consume("work", "create", () => {}), TypeError, "meta");
});

Deno.test("Client.publishConfirmed with a key is sent again until there is a receipt, and published once", async () => {
  await using folder = tempFolder();
  const first = await startStored(folder);
  const { port } = first;
  await using client = await connect({ hostname: "127.0.0.1", port, reconnect: QUICK });
  const { id } = await client.publishConfirmed("n", 1, { key: "k1" });
  const again = await client.publishConfirmed("n", 1, { key: "k1" });
  assertEquals([again.id, again.duplicate], [id, true]);
  const receipts = Array.from({ length: 100 }, (_, n) => client.publishConfirmed("n", n, { key: `many-${n}` }));
  await first.broker.close();
  const second = await startStored(folder);
  await second.broker.listen({ hostname: "127.0.0.1", port });
  await Promise.all(receipts);
  assertEquals((await client.store.log()).events, 101);
  await client.close();
  await second[Symbol.asyncDispose]();
});

Deno.test("Client.publishLater publishes later, and Client.cancel takes it back", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  const events = client.subscribe("n");
  await events.ready;
  const { id } = await client.publishLater("n", 1, 2_000_000_000);
  await client.publishLater("n", 2, 5, { hops: 3 });
  const { value } = await events.next();
  assertEquals([value.data, value.hops], [2, 3]);
  assertEquals([await client.cancel(id), await client.cancel(id)], [true, false]);
  await assertRejects(() => client.publishLater("n", 1, 0), RangeError);
});
