/**
 * The wall clock moves by an hour while a broker and a logger run, as when an administrator sets it: nobody notices.
 * libfaketime moves it for these programs alone, and leaves the monotonic clock as it is.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { TextLineStream } from "@std/streams/text-line-stream";
import { type Client, connect } from "../../mod.ts";
import { Program, RawClient, shell, soon, until } from "../helpers.ts";

const LIBRARY = libraryPath();

const TOKEN = "sesame";

/** How many events a second one client may publish, and how many of them the observer asks for. */
const [RATE, SAMPLE] = [100, 50];

const SERVER_FLAGS = [
  ..."--host 127.0.0.1 --port 0 --web 127.0.0.1:0 --events create,last".split(" "),
  ...`--max-rate ${RATE} --hello-time 2s --ping-after 500ms --ping-timeout 1s`.split(" "),
];

/** In this time the broker looks at least once who is late or silent, in milliseconds. */
const TICKS_MS = 300;

for (const [what, ...moves] of [["forward", "+3600s"], ["back", "-3600s"], ["forward and back", "+3600s", "+0s"]]) {
  Deno.test({
    name: `a clock that is set an hour ${what} changes nothing for anybody`,
    ignore: LIBRARY === undefined,
    fn: () => tryOut(moves),
  });
}

async function tryOut(moves: string[]): Promise<void> {
  const clock = (await shell("mktemp")).trim();
  const set = (offset: string) => shell(`printf %s '${offset}' > '${clock}'`);
  await set("+0s");
  const env = {
    LD_PRELOAD: LIBRARY!,
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    MQ_TOKEN: TOKEN,
  };
  await using server = new Program(["server", ...SERVER_FLAGS], env);
  const port = portIn(await server.stdout.find("listens on"));
  const webPort = portIn(await server.stdout.find("Web page"));
  await using logger = new Program(["logger", "last", "-s", `127.0.0.1:${port}`], env);
  await using client = await connect({ hostname: "127.0.0.1", port, token: TOKEN });
  await using observer = await Observer.connect(port);
  using stream = await RawClient.connect(webPort);
  await stream.send(`GET /events?pattern=last HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`);
  await until(async () => (await client.stats()).connections === 4, "the logger and the stream are there");
  using silent = await RawClient.connect(port);
  await silent.ask(`/hello {"token":"${TOKEN}"}`);
  using stranger = await RawClient.connect(port);

  const before = await publish(client, observer);
  for (const offset of moves) {
    using newcomer = await RawClient.connect(port);
    await set(offset);
    await delay(TICKS_MS); // The broker looks who is late.
    assertMatch((await newcomer.ask(`/hello {"token":"${TOKEN}"}`))!, /^\/ok hello /);
  }
  const after = await publish(client, observer);

  const ids = [...before.ids, ...after.ids];
  assertEquals(ids, [...ids].sort());
  assert(
    after.seen > before.seen / 3 && before.seen > after.seen / 3,
    `${before.seen} were seen, and then ${after.seen}`,
  );
  const { uptimeMs } = await client.stats();
  assert(uptimeMs > 0 && uptimeMs < 600_000, `it has been up for ${uptimeMs} ms`);
  await client.publishConfirmed("last");
  for (const lines of [stream.lines, logger.stdout]) await lines.find("last");
  for (const late of [stranger, silent]) await soon(late.lines.rest(), "the end of one that is late or silent");
  await shell(`rm '${clock}'`);
}

/** Publishes for a second, faster than the broker lets it; returns the ids, and how many of them the observer has seen. */
async function publish(client: Client, observer: Observer): Promise<{ ids: string[]; seen: number }> {
  const { seen } = observer;
  const events = Array.from({ length: 2 * RATE }, (_, index) => client.publishConfirmed("create", index));
  const receipts = await soon(Promise.all(events), "all events to be published");
  return { ids: receipts.map(({ id }) => id), seen: observer.seen - seen };
}

/** A client that sees a sample of the events. */
class Observer implements AsyncDisposable {
  seen = 0;
  readonly #raw: RawClient;
  readonly #reading: Promise<void>;
  readonly #living: ReturnType<typeof setInterval>;

  private constructor(raw: RawClient) {
    this.#raw = raw;
    this.#reading = this.#read();
    this.#living = setInterval(() => raw.line("/pong").catch(() => {}), TICKS_MS);
  }

  static async connect(port: number): Promise<Observer> {
    const raw = await RawClient.connect(port);
    await raw.line(`/hello {"token":"${TOKEN}","observe":${SAMPLE}}`);
    return new Observer(raw);
  }

  async #read(): Promise<void> {
    for await (
      const line of this.#raw.conn.readable.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream())
    ) {
      if (/^\/event \S+ \S+ create/.test(line)) this.seen++;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#living);
    this.#raw.close();
    await this.#reading.catch(() => {}); // It was closed while it read.
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function portIn(line: string): number {
  return Number(/127\.0\.0\.1:(\d+)/.exec(line)![1]);
}

/** Where Debian has libfaketime; undefined if it is not there. */
function libraryPath(): string | undefined {
  for (const kind of ["x86_64", "aarch64"]) {
    const path = `/usr/lib/${kind}-linux-gnu/faketime/libfaketime.so.1`;
    try {
      Deno.statSync(path);
      return path;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}
