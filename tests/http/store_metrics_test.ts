/** What `/metrics` tells of a store: docs/protocol.md, 13.7. */
import { assertEquals, assertMatch } from "@std/assert";
import { MqError } from "../../mod.ts";
import { openStore } from "../../lib/store/sqlite.ts";
import type { Store } from "../../lib/store/store.ts";
import { has, type RawClient, until } from "../helpers.ts";
import { type Folder, tempFolder } from "../store/folder.ts";
import { lintMetrics, startWeb, type TestWeb } from "./fixtures.ts";

/** A broker with a store and its gateway. Some methods of the store may be replaced. */
async function startStoredWeb(
  { path }: Folder,
  replace: (store: Store) => Partial<Store> = () => ({}),
): Promise<TestWeb> {
  const store = await openStore({ folder: path });
  return startWeb({ events: [">"], store: Object.assign(store, replace(store)) });
}

/** The metrics of the store as they are written, without their descriptions. */
async function metricsOf(test: TestWeb): Promise<string[]> {
  const { body } = await test.ask("/metrics");
  return body.split("\n").filter((line) => /^mq_(store|log|group)_/.test(line)).toSorted();
}

/** Has a client join a group; two jobs come, and wait to be settled. */
async function joinWithTwoJobs(member: RawClient, group: string): Promise<void> {
  await member.line("/unsub >", `/join ${group} {"ahead":2} n`);
  await member.lines.find("/ok join");
  await member.line("/pub 1 n 1", "/pub 2 n 2", "/pub 3 n 3", "/pub 4 other");
  for (let jobs = 0; jobs < 2; jobs++) await member.lines.find("/job");
  await member.line("/ping");
  await member.lines.find("/pong");
}

Deno.test("13.7 /metrics tells of the log and of each group of a broker with a store", async () => {
  await using folder = tempFolder();
  await using test = await startStoredWeb(folder);
  const [member, leaving] = await test.server.connect(2);
  await joinWithTwoJobs(member, "mail");
  await leaving.line("/join idle n");
  await leaving.lines.find("/ok join");
  await leaving.line("/leave idle");
  await leaving.lines.find("/ok leave");
  await member.line("/bury 1 no use", "/nack 2 1h");
  await member.lines.find("/job"); // The third.
  await until(async () => (await metricsOf(test)).includes('mq_group_delayed_jobs{group="mail"} 1'), "all is settled");
  const metrics = await metricsOf(test);
  assertEquals(metrics.map((line) => line.replace(/^(mq_log_bytes) .*/, "$1")), [
    'mq_group_dead_jobs{group="idle"} 0',
    'mq_group_dead_jobs{group="mail"} 1',
    'mq_group_delayed_jobs{group="idle"} 0',
    'mq_group_delayed_jobs{group="mail"} 1',
    'mq_group_in_flight_jobs{group="idle"} 0',
    'mq_group_in_flight_jobs{group="mail"} 1',
    'mq_group_lag_events{group="idle"} 0',
    'mq_group_lag_events{group="mail"} 0',
    'mq_group_members{group="idle"} 0',
    'mq_group_members{group="mail"} 1',
    'mq_group_ready_jobs{group="idle"} 0',
    'mq_group_ready_jobs{group="mail"} 0',
    "mq_log_bytes",
    "mq_log_events 4",
    "mq_log_events_deleted_total 0",
    "mq_store_up 1",
  ]);
  await leaving.line("/forget idle");
  await leaving.lines.find("/ok forget");
  assertEquals((await metricsOf(test)).filter((line) => line.includes("idle")), []);
});

Deno.test({
  name: "13.7 promtool accepts the metrics of a store, with groups or without",
  ignore: !has("promtool"),
  fn: async () => {
    await using folder = tempFolder();
    await using test = await startStoredWeb(folder);
    assertEquals(await lintMetrics((await test.ask("/metrics")).body), "");
    const [member] = await test.server.connect(1);
    await joinWithTwoJobs(member, "mail");
    assertEquals(await lintMetrics((await test.ask("/metrics")).body), "");
  },
});

Deno.test("13.7 mq_store_up is 0 while the store cannot be written, and the groups are told all the same", async () => {
  await using folder = tempFolder();
  let isFull = false;
  await using test = await startStoredWeb(folder, (store) => {
    const [commit, mend] = [store.commit.bind(store), store.mend.bind(store)];
    const full = () => Promise.reject(new MqError("store-failed", "The disk is full"));
    return { commit: (transaction) => isFull ? full() : commit(transaction), mend: () => isFull ? full() : mend() };
  });
  const [member] = await test.server.connect(1);
  await joinWithTwoJobs(member, "mail");
  isFull = true;
  await member.line("/pub 5 n");
  assertMatch(await member.lines.find("/err 5"), /store-failed/);
  const [members, up] = (await metricsOf(test)).filter((line) => /members|store_up/.test(line));
  assertEquals([members, up], ['mq_group_members{group="mail"} 1', "mq_store_up 0"]);
  isFull = false;
  await until(async () => (await metricsOf(test)).includes("mq_store_up 1"), "the store works again");
});

Deno.test("13.7 mq_store_up is 0 if the store cannot be read, and no groups are told", async () => {
  await using folder = tempFolder();
  const describeGroups = () => Promise.reject(new MqError("store-failed", "The disk is broken"));
  await using test = await startStoredWeb(folder, () => ({ describeGroups }));
  assertEquals(await metricsOf(test), [
    "mq_log_bytes 0",
    "mq_log_events 0",
    "mq_log_events_deleted_total 0",
    "mq_store_up 0",
  ]);
});

Deno.test("13.7 without a store, and once the broker goes down, /metrics tells of none", async () => {
  await using test = await startWeb();
  assertEquals(await metricsOf(test), []);
  await using folder = tempFolder();
  await using stored = await startStoredWeb(folder);
  await stored.server.broker.close();
  assertEquals(await metricsOf(stored), []);
});
