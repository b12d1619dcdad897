/** Hostile connections, briefly: the honest hear all that was published, in order, none of it twice. */
import { assert, assertEquals } from "@std/assert";
import { KINDS } from "./hostile_clients.ts";
import { runHostileTrial } from "./hostile.ts";

Deno.test("hostile connections do not keep other clients from receiving each event once, in order", async () => {
  const told: string[] = [];
  const tell = (sentence: string) => told.push(sentence);
  const kinds = Object.keys(KINDS);
  const { counts, isClean, tally } = await runHostileTrial({
    warmUpMs: 100,
    forMs: 1500,
    connections: 2 * kinds.length,
    returnMs: 0,
    seed: 1,
    tell,
  });
  assertEquals(told, []);
  assert(isClean);
  assert(counts.accepted > 0 && counts.delivered > counts.accepted);
  assertEquals(Object.keys(tally).sort(), kinds.sort());
});
