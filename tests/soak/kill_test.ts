/** A broker that is killed under load: everyone comes back by themselves, and every event is accounted for. */
import { assert, assertEquals } from "@std/assert";
import { until } from "../helpers.ts";
import { Trial } from "./trial.ts";

Deno.test("after kill -9 under load every client reconnects, no command crashes, each receipt settles", async () => {
  const told: string[] = [];
  const trial = await Trial.start({
    publishers: 2,
    rate: 1000,
    listeners: 4,
    comers: 1,
    commands: true,
    seed: 1,
    tell: (sentence) => told.push(sentence),
  });
  await using _ = trial;
  const { lasting, pub } = trial.commands;
  const { counts } = trial.ledger;
  const lines = () => lasting.map((command) => command.lines);
  for (const signal of ["SIGKILL", "SIGTERM", "SIGKILL"] as const) {
    const [before, accepted, delivered] = [lines(), counts.accepted, counts.delivered];
    const areAtWork = () => lines().every((now, index) => now > before[index]);
    await until(() => told.length > 0 || areAtWork(), "the commands are at work");
    await until(() => counts.accepted > accepted + 500 && counts.delivered > delivered + 500, "the load is on");
    assertEquals(told, []);
    await trial.restart(signal, 0);
  }
  await until(() => pub!.ends > 0, "mq pub - noticed that it lost the broker");
  await trial.finish();
  assertEquals(told, []);
  const { lost, duplicated, unexplained, restarts } = counts;
  assertEquals({ lost, duplicated, unexplained, restarts }, { lost: 0, duplicated: 0, unexplained: 0, restarts: 3 });
  assertEquals(trial.ledger.pending, 0);
  assert(counts.accepted > 1500 && counts.delivered > counts.accepted);
});
