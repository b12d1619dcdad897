/**
 * Two `mq on --group` over many jobs, of which one in a hundred always fails, while both are killed again and again: each job
 * is done at least once, or is dead.
 *
 *     deno run -A tests/soak/on_group.ts [--jobs 10000] [--kills 10]
 *
 * MQ_BIN names the executable; else the source runs.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { connect } from "../../mod.ts";
import { programLine } from "../helpers.ts";

const HOSTNAME = "127.0.0.1";
const GROUP = "work";

/** Each job whose number this divides fails. */
const FAILING = 100;

/** A program of mq, whose output nobody reads. */
function start(args: readonly string[], stdout: "null" | "inherit" = "null"): Deno.ChildProcess {
  const [program, ...before] = programLine();
  return new Deno.Command(program, { args: [...before, ...args], stdin: "null", stdout, stderr: "null" }).spawn();
}

/** A member that is killed and started again. */
class Worker {
  readonly #args: readonly string[];
  #process: Deno.ChildProcess;

  constructor(port: number, done: string) {
    const handler = `read -r n; [ $((n % ${FAILING})) = 0 ] && exit 1; echo $n >> ${done}`;
    const flags = ["--group", GROUP, "--since", "first", "--retry", "2", "--concurrency", "4"];
    this.#args = ["on", "job", "-s", `${HOSTNAME}:${port}`, ...flags, "--", "sh", "-c", handler];
    this.#process = start(this.#args);
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
    this.#process = start(this.#args);
  }

  async end(): Promise<void> {
    this.#process.kill("SIGINT");
    await this.#process.status;
  }
}

if (import.meta.main) {
  const flags = parseArgs(Deno.args, { string: ["jobs", "kills"] });
  const [jobs, kills] = [Number(flags.jobs ?? 10_000), Number(flags.kills ?? 10)];
  const folder = await Deno.makeTempDir({ prefix: "mq-group-" });
  const port = freePort();
  const broker = start(["server", "--host", HOSTNAME, "--port", String(port), "--events", "job", "--store", folder]);
  const client = await connect({ hostname: HOSTNAME, port, wait: true });
  const receipts = Array.from({ length: jobs }, (_, index) => client.publishConfirmed("job", index + 1));
  await Promise.all(receipts);
  const done = `${folder}/done`;
  await Deno.writeTextFile(done, "");
  const workers = [new Worker(port, done), new Worker(port, done)];
  const startedAt = performance.now();
  for (let kill = 1; kill <= kills; kill++) {
    // Spread over the work: the next kill comes when so much of it is done.
    while ((await countLines(done)) < jobs * kill / (kills + 1)) await pause(20);
    for (const worker of workers) await worker.kill();
    console.log(`killed both at ${await countLines(done)} runs`);
  }
  const isOver = async () => {
    const [{ lag, ready, inFlight, delayed }] = await client.store.groups();
    return lag + ready + inFlight + delayed === 0;
  };
  while (!await isOver()) await pause(50);
  const [{ dead }] = await client.store.groups();
  for (const worker of workers) await worker.end();
  const runs = (await Deno.readTextFile(done)).trim().split("\n").map(Number);
  const succeeded = new Set(runs);
  const expected = Array.from({ length: jobs }, (_, index) => index + 1).filter((number) => number % FAILING !== 0);
  const missing = expected.filter((number) => !succeeded.has(number));
  console.log(
    `${jobs} jobs in ${Math.round((performance.now() - startedAt) / 1000)} s: ${succeeded.size} succeeded, ` +
      `${dead} dead, ${missing.length} neither; ${runs.length - succeeded.size} runs were a second one`,
  );
  await client.close();
  broker.kill("SIGTERM");
  await broker.status;
  await Deno.remove(folder, { recursive: true });
  const isRight = missing.length === 0 && dead === jobs - expected.length;
  Deno.exit(isRight ? 0 : 1);
}

async function countLines(path: string): Promise<number> {
  return (await Deno.readTextFile(path)).split("\n").length - 1;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function freePort(): number {
  using listener = Deno.listen({ hostname: HOSTNAME, port: 0 });
  return listener.addr.port;
}
