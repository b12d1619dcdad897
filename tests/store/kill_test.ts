/** A broker with a store that is killed under load: all that it has promised holds. See tests/soak/kill.ts. */
import { assert, assertEquals } from "@std/assert";
import { FAULTS } from "../soak/kill/account.ts";
import { runKillTrial } from "../soak/kill/trial.ts";
import { tempFolder } from "./folder.ts";

const KILLS = 10;

Deno.test("after each kill -9 under load, receipts, acknowledgements, keys and delays hold", async () => {
  await using folder = tempFolder();
  const told: string[] = [];
  const { faults, figures } = await runKillTrial({
    kills: KILLS,
    seed: 1,
    folder: `${folder.path}/store`,
    tell: (sentence) => told.push(sentence),
  });
  assertEquals(told, []);
  assertEquals(faults, Object.fromEntries(Object.keys(FAULTS).map((fault) => [fault, 0])));
  const { kills, startKills, refused: _late, ...others } = figures;
  assertEquals(kills, KILLS);
  assert(startKills > 0);
  for (const [figure, count] of Object.entries(others)) assert(count > 0, `There are no ${figure}`);
});
