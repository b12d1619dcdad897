/**
 * `deno task soak:kill`: a broker with a store is killed again and again, and is held to all that it has promised.
 *
 * Around one `mq server --store`, a process of its own, there are
 *
 * - publishers, which number their events. They send `/pub` in bursts, `/once` with keys that are sent again after a
 *   reconnection, `/delay`, of which some are cancelled, perhaps in another life of the broker, and some event lines;
 * - two groups of two members each. Most jobs are acknowledged at once, some late, never, or only the second time, and
 *   some are buried. Members drop their connections at random times, with jobs that they have not acknowledged;
 * - a follower, which reads the log by `/replay` with `live`, and goes on behind its last event.
 *
 * At random times the broker is ended by SIGKILL, and started again on the same port; some starts are killed, too. In the
 * end all runs out, the broker is restarted once more, and its log is compared with what it has promised (kill/account.ts).
 */
import { defineCommand, integer, option, toggle } from "../../cmd/command.ts";
import { type Account, FAULTS, FIGURES } from "./kill/account.ts";
import { runKillTrial } from "./kill/trial.ts";
import { runTask } from "./task.ts";

/** How often the number of kills is printed. */
const REPORTED_KILLS = 10;

/**
 * Draws an account as a table.
 *
 * @param account The account.
 * @returns The lines: what there was, and then what must not be.
 */
export function drawAccount({ figures, faults, isClean }: Account): string {
  const rows = (texts: Record<string, string>, counts: Record<string, number>) =>
    Object.entries(texts).map(([key, text]) => `${String(counts[key]).padStart(9)}  ${text}`);
  return [
    ...rows(FIGURES, figures),
    "",
    "Of these there must be none:",
    ...rows(FAULTS, faults),
    "",
    isClean ? "All is well." : "That is not as it should be.",
  ].join("\n");
}

const flags = {
  kills: option("N", "How often the broker is killed.", integer(1, 100_000), { defaultValue: ["100", 100] }),
  seed: option("N", "Makes the same random choices again.", integer(0, 2 ** 31)),
  json: toggle("Print one JSON object."),
};

const kill = defineCommand({
  name: "soak:kill",
  summary: "a broker with a store that is killed again and again",
  description:
    "Publishers with receipts, keys and delays, and two groups at work, around a broker that is ended by SIGKILL at\n" +
    "random times. Fails unless all that it has promised holds: what has a receipt is stored, once; what was\n" +
    "acknowledged never comes again; what was not comes again, or is dead. MQ_BIN names the executable to try.",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [
    ["mq soak:kill --kills 100", "a hundred kills"],
    ["mq soak:kill --kills 20 --seed 7", "twenty, with the choices of another run"],
  ],
  permissions: ["net", "run", "env", "read", "write"],
  async run({ flags }, io) {
    const seed = flags.seed ?? crypto.getRandomValues(new Uint16Array(1))[0];
    io.stderr.line(`Seed ${seed}`);
    const folder = await Deno.makeTempDir({ prefix: "mq-kill-" });
    const account = await runKillTrial({
      kills: flags.kills,
      seed,
      folder,
      tell: (sentence) => io.stderr.line(sentence),
      onKill: (kills) => kills % REPORTED_KILLS === 0 && io.stderr.line(`${kills} kills`),
    });
    const { figures, faults, isClean } = account;
    io.stdout.line(flags.json ? JSON.stringify({ seed, figures, faults }) : drawAccount(account));
    if (isClean) await Deno.remove(folder, { recursive: true });
    else io.stderr.line(`The store is left in ${folder}`);
    return isClean ? 0 : 1;
  },
});

if (import.meta.main) await runTask(kill);
