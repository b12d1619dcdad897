/** The process of the attackers: `attackers.ts KIND PORT WEB_PORT CONNECTIONS SEED`. It ends when its stdin does. */
import { Random } from "../random.ts";
import { Attacker } from "./attacker.ts";
import { KINDS } from "./kinds.ts";

/** How long each waits before it comes again, in milliseconds. More often, and the system runs out of ports. */
const RETURN_MS = 20;

/** Prints what the trial waits for before it goes on. */
export const READY = "attacking";

if (import.meta.main) {
  const [kind, ...numbers] = Deno.args;
  const [port, webPort, connections, seed] = numbers.map(Number);
  let count = 0;
  const attackForEver = async (random: Random) => {
    for (;;) {
      try {
        using attacker = new Attacker({ port, webPort }, random);
        count++;
        await KINDS[kind].attack(attacker);
      } catch {
        // The broker has closed the connection, refuses it, or has ended.
      }
      await new Promise((resolve) => setTimeout(resolve, RETURN_MS));
    }
  };
  for (let index = 0; index < connections; index++) attackForEver(new Random(seed + index));
  console.log(READY);
  for await (const _ of Deno.stdin.readable); // Its end is the end.
  console.log(count);
  Deno.exit(0);
}
