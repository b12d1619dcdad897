/**
 * What a large log costs: how long a broker takes to listen again after a kill, how fast the log is replayed, how large an
 * event is on disk, and how long the deletion of old events holds up the store.
 *
 *     deno run -A tests/bench/stored/large.ts [--events 10000000]
 *
 * MQ_BIN names the executable; else the source runs.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { V8_FLAGS } from "../../../cmd/bench/subject.ts";
import { connect } from "../../../lib/client.ts";
import { openStore } from "../../../lib/store/sqlite.ts";

const MAIN = new URL("../../../cmd/main.ts", import.meta.url).pathname;
const HOSTNAME = "127.0.0.1";
const NAME = "jobs";
const DATA = "x".repeat(64);

/** How many events are published before the broker is asked whether it has read them. */
const CHUNK = 50_000;

const decoder = new TextDecoder();

/** A broker with a store in a folder. */
class LargeBroker {
  readonly port: number;
  readonly #process: Deno.ChildProcess;

  constructor(folder: string, port: number) {
    this.port = port;
    const binary = Deno.env.get("MQ_BIN");
    const line = binary ? [binary] : [Deno.execPath(), "run", "-A", "--quiet", "--cached-only", V8_FLAGS, MAIN];
    const flags = ["--host", HOSTNAME, "--port", String(port), "--events", ">", "--keep-bytes", "64GiB"];
    const [program, ...args] = [...line, "server", ...flags, "--store", folder];
    this.#process = new Deno.Command(program, { args, stdin: "null", stdout: "null" }).spawn();
  }

  /** Waits until it answers. */
  async answers(): Promise<void> {
    for (;;) {
      try {
        return (await Deno.connect({ hostname: HOSTNAME, port: this.port })).close();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 5)); // It does not listen yet.
      }
    }
  }

  async end(signal: Deno.Signal): Promise<void> {
    this.#process.kill(signal);
    await this.#process.status;
  }
}

/** Publishes events, as fast as the broker reads them; returns when all are on disk. */
async function fill(port: number, events: number): Promise<void> {
  using conn = await Deno.connect({ hostname: HOSTNAME, port });
  const chunk = new TextEncoder().encode(`${NAME} ${DATA}\n`.repeat(CHUNK) + "/ping\n");
  const [buffer, ping] = [new Uint8Array(65_536), new TextEncoder().encode("/unsub >\n/pub p probe\n")];
  const answer = async (end: RegExp) => {
    for (let text = ""; !end.test(text);) text += decoder.decode(buffer.subarray(0, await conn.read(buffer) ?? 0));
  };
  await write(conn, ping);
  await answer(/\/ok p/);
  for (let sent = 0; sent < events; sent += CHUNK) {
    await write(conn, chunk);
    await answer(/\/pong/);
  }
  await write(conn, new TextEncoder().encode("/pub last probe\n"));
  await answer(/\/ok last/); // Behind all others in the log.
}

async function write(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await conn.write(rest));
}

/** Replays the log through the library; returns how many events came. */
async function replay(port: number): Promise<number> {
  await using client = await connect({ hostname: HOSTNAME, port });
  let events = 0;
  const subscription = client.subscribe(NAME, { since: "first", handler: () => void events++ });
  await subscription.ready;
  return events;
}

async function timed<T>(act: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const startedAt = performance.now();
  const result = await act();
  return { ms: performance.now() - startedAt, result };
}

/** Deletes half of the log; returns how long each call held the store up. */
async function deleteHalf(folder: string): Promise<number[]> {
  const all = await openStore({ folder });
  const { bytes } = all.log;
  await all.close();
  const store = await openStore({ folder, keepBytes: Math.floor(bytes / 2), keepMs: Number.MAX_SAFE_INTEGER / 2 });
  const times: number[] = [];
  for (let hasMore = true; hasMore;) {
    const { ms, result } = await timed(() => store.maintain(Date.now()));
    times.push(ms);
    hasMore = result;
  }
  await store.close();
  return times.sort((a, b) => a - b);
}

if (import.meta.main) {
  const { events: text } = parseArgs(Deno.args, { string: ["events"] });
  const events = Math.ceil(Number(text ?? 10_000_000) / CHUNK) * CHUNK;
  const folder = await Deno.makeTempDir({ prefix: "mq-large-" });
  try {
    const port = freePort();
    const first = new LargeBroker(folder, port);
    await first.answers();
    const filled = await timed(() => fill(port, events));
    console.log(`${events} events of 64 bytes: ${Math.round(events / filled.ms * 1000)} a second into the log`);
    await first.end("SIGKILL");
    const wal = (await Deno.stat(`${folder}/mq.db-wal`)).size;
    const second = new LargeBroker(folder, port);
    const started = await timed(() => second.answers());
    console.log(`listens ${Math.round(started.ms)} ms after a kill, with ${(wal / 2 ** 20).toFixed(1)} MiB of WAL`);
    const replayed = await timed(() => replay(port));
    console.log(`${replayed.result} events replayed: ${Math.round(replayed.result / replayed.ms * 1000)} a second`);
    await second.end("SIGTERM");
    console.log(`${((await Deno.stat(`${folder}/mq.db`)).size / events).toFixed(1)} bytes an event`);
    const times = await deleteHalf(folder);
    const [median, most] = [times[times.length >> 1], times.at(-1)!];
    console.log(`half deleted in ${times.length} turns: median ${median.toFixed(2)} ms, longest ${most.toFixed(1)} ms`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: HOSTNAME, port: 0 });
  return listener.addr.port;
}
