/** `mq on` under load, with a handler that fails and hangs: what became of each event. */
import { assertEquals } from "@std/assert";
import { connect, type MqEvent } from "../../mod.ts";
import { has, Program, startBroker, until } from "../helpers.ts";
import { startOn } from "./start_on.ts";

/** The executable has to show it with all of them; to start a thousand handlers takes the better part of a minute. */
const EVENTS = Deno.env.has("MQ_BIN") ? 1000 : 200;

Deno.test({
  name: `of ${EVENTS} events, each is handled or reported as failed exactly once, and no process is left`,
  ignore: !has("pgrep"),
  async fn() {
    const handler = new URL("../files/handler.cjs", import.meta.url).pathname;
    const runtime = has("node") ? ["node"] : [Deno.execPath(), "run", "--quiet", "--allow-all"];
    const marker = `600.${crypto.getRandomValues(new Uint32Array(1))[0]}`;
    await using server = await startBroker({ events: ["create", "failed"] });
    await using client = await connect({ hostname: "127.0.0.1", port: server.port });
    const dead: MqEvent[] = [];
    client.subscribe("failed", { handler: (event) => dead.push(event) });
    const flags = `-n ${EVENTS} --json --concurrency 4 --retry 2 --timeout 2s --dead failed`;
    await using program = await startOn(server, flags, ...runtime, handler, marker);
    const told = program.stderr.rest();
    const ids = Array.from({ length: EVENTS }, (_, index) => index + 1);
    for (const id of ids) client.publish("create", { id });

    const lastRuns = new Map<number, { attempt: number; ok: boolean; next: string | null }>();
    for (let line = await program.stdout.next(); line !== null; line = await program.stdout.next()) {
      const { data: { id }, ...run } = JSON.parse(line);
      const before = lastRuns.get(id);
      assertEquals([before?.ok ?? false, run.attempt], [false, (before?.attempt ?? 0) + 1], line);
      lastRuns.set(id, run);
    }
    await client.flush();
    assertEquals((await program.outcome()).code, 1);

    const mustFail = ids.filter((id) => id % 50 === 3 || id % 200 === 50);
    const failed = ids.filter((id) => !lastRuns.get(id)?.ok);
    assertEquals([mustFail.length, failed], [EVENTS / 40, mustFail]);
    for (const id of failed) {
      assertEquals([lastRuns.get(id)?.attempt, lastRuns.get(id)?.next], [3, "published as failed"]);
    }
    const buried = dead.map((event) => event.data as { data: { id: number }; attempts: number });
    assertEquals(buried.map(({ data }) => data.id).toSorted((a, b) => a - b), mustFail);
    assertEquals(new Set(buried.map(({ attempts }) => attempts)), new Set([3]));

    assertEquals((await told).match(/hangs in \d+ and \d+/g)?.length, EVENTS / 50);
    await until(async () => {
      await using pgrep = new Program(["-f", marker], {}, ["pgrep"]);
      return (await pgrep.outcome()).stdout === "";
    }, "nothing is left running");
  },
});
