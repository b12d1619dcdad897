/**
 * The wall clock is set by an hour while a program runs, as by an administrator: nobody notices. libfaketime moves it for
 * that program alone, and leaves the monotonic clock as it is.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { TextLineStream } from "@std/streams/text-line-stream";
import { Broker, type Client, connect } from "../../mod.ts";
import { listenAgain, Program, RawClient, shell, soon, startBroker, until } from "../helpers.ts";

/** Where Debian has libfaketime. */
const LIBRARY = `/usr/lib/${Deno.build.arch}-linux-gnu/faketime/libfaketime.so.1`;

const ignore = !exists(LIBRARY);

/** No test takes as long as that, and no clock is set by less, in milliseconds. */
const LONG_MS = 600_000;

const TOKEN = "sesame";
const HELLO = `/hello {"token":"${TOKEN}"}`;

/** How many events a second one client may publish, and how many of them the observer asks for. */
const [RATE, SAMPLE] = [200, 50];

/** How long a connection may take to authenticate, in milliseconds. */
const HELLO_MS = 2000;

const SERVER_FLAGS = [
  ..."--host 127.0.0.1 --port 0 --web 127.0.0.1:0 --events create,last".split(" "),
  ...`--max-rate ${RATE} --hello-time ${HELLO_MS}ms --ping-after 500ms --ping-timeout 1s`.split(" "),
];

/** In this time the broker looks at least once who is late or silent, in milliseconds. */
const TICKS_MS = 300;

for (const [what, ...moves] of [["forward", "+3600s"], ["back", "-3600s"], ["forward and back", "+3600s", "+0s"]]) {
  Deno.test({
    name: `a clock that is set an hour ${what} changes nothing for anybody`,
    ignore,
    fn: () => tryBroker(moves),
  });

  Deno.test({
    name: `mq logger and mq top, whose own clock is set an hour ${what}, reconnect and show the same`,
    ignore,
    fn: () => tryClients(moves),
  });
}

async function tryBroker(moves: string[]): Promise<void> {
  const startedAt = performance.now();
  await using clock = await Clock.create();
  await using server = clock.start(["server", ...SERVER_FLAGS]);
  const port = portIn(await server.stdout.find("listens on"));
  const webPort = portIn(await server.stdout.find("Web page"));
  const place = { hostname: "127.0.0.1", port, token: TOKEN };
  await using client = await connect(place);
  await using observer = await Observer.connect(port);
  await using logger = clock.start(["logger", "last", "-s", `127.0.0.1:${port}`]);
  await using socket = await Socket.connect(webPort);
  using stream = await openStream(webPort);
  await until(async () => (await client.stats()).connections === 5, "all are connected");
  const ended = new Map<unknown, number>();
  const onEnd = (data: { id: string; connectedMs: number }) => ended.set(data.id, data.connectedMs);
  await client.subscribe("mq.disconnect", { handler: ({ data }) => void onEnd(data as Parameters<typeof onEnd>[0]) })
    .ready;

  const publishingAt = performance.now();
  const before = await publish(client, observer);
  using stack = new DisposableStack();
  const newcomers: Newcomers[] = [];
  for (const offset of moves) newcomers.push(stack.use(await Newcomers.come(clock, offset, port, webPort)));
  const after = await publish(client, observer);
  const seconds = (performance.now() - publishingAt) / 1000;

  const ids = [...before.ids, ...after.ids];
  assertEquals(ids, [...new Set(ids)].sort());
  assert(ids.length <= RATE * (seconds + 1) + 1, `${ids.length} events were published in ${seconds} s`);
  assert(
    after.seen > before.seen / 3 && before.seen > after.seen / 3,
    `${before.seen} were seen, and then ${after.seen}`,
  );

  for (const some of newcomers) await some.end();
  await client.publishConfirmed("last");
  for (const lines of [stream.lines, logger.stdout, socket]) await lines.find("last");
  const response = await post(webPort);
  assertEquals(response.status, 202);
  assert((await response.json()).id > ids.at(-1)!);

  const aged = async () => [(await client.stats()).uptimeMs, ...ended.values(), ...await agesInTop(clock, port)];
  const [ages, elapsedMs] = [await aged(), performance.now() - startedAt];
  assert(ended.size >= 3 * moves.length, "those who were late, silent or done have been told of");
  assert(ages.every((ms) => ms >= 0 && ms <= elapsedMs + 1000), `${ages} ms in ${elapsedMs} ms`);
  const oldestMs = Math.max(...(await agesInTop(clock, port)).slice(1));
  assert(oldestMs >= seconds * 1000, `no connection is older than ${oldestMs} ms`);
  await using _newcomer = await connect(place);
}

/** Clients that have just connected when the clock is set. */
class Newcomers implements Disposable {
  readonly #arrivedAt = performance.now();
  readonly #all: RawClient[];

  private constructor(all: RawClient[]) {
    this.#all = all;
  }

  /** Some come, the clock is set, and those that say in time what they have to are served. */
  static async come(clock: Clock, offset: string, port: number, webPort: number): Promise<Newcomers> {
    const ports = [port, port, webPort, port, webPort];
    const newcomers = new Newcomers(await Promise.all(ports.map((port) => RawClient.connect(port))));
    const [silent] = newcomers.#all;
    assertMatch((await silent.ask(HELLO))!, /^\/ok hello /);
    await newcomers.#speak(clock, offset);
    return newcomers;
  }

  async #speak(clock: Clock, offset: string): Promise<void> {
    const [, , , client, browser] = this.#all;
    await browser.send("GET /healthz HTTP/1.1\r\n"); // The rest of the head follows.
    await clock.set(offset);
    await delay(TICKS_MS); // The broker looks who is late.
    await browser.send("Host: localhost\r\n\r\n").catch(() => {});
    const answers = [await client.ask(HELLO).catch(() => null), await browser.lines.next()];
    if (performance.now() - this.#arrivedAt > HELLO_MS) return; // This machine is so slow that they may be refused.
    assertEquals(answers.map((answer) => answer?.slice(0, 12)), ['/ok hello {"', "HTTP/1.1 200"]);
    await checkClock(browser, offset);
  }

  /** Those that say nothing, or nothing more, are closed: a WebSocket or event stream is not among them. */
  async end(): Promise<void> {
    const [silent, stranger, ...others] = this.#all;
    await silent.lines.find("/ping");
    await silent.lines.find("/err - silent ");
    await stranger.lines.find("/err hello unauthorized ");
    for (const { lines } of [silent, stranger, ...others]) await soon(lines.rest(), "the end of one that is silent");
  }

  [Symbol.dispose](): void {
    for (const newcomer of this.#all) newcomer.close();
  }
}

/** Makes sure that the clock of the broker has been moved: else the test would show nothing. */
async function checkClock({ lines }: RawClient, offset: string): Promise<void> {
  const [, date] = /^date: (.*)/.exec(await lines.find("date: "))!;
  const expected = Date.now() + parseInt(offset) * 1000;
  assert(Math.abs(Date.parse(date) - expected) < LONG_MS, `the broker's clock shows ${date}`);
}

/**
 * Publishes faster than the broker lets it. A second's worth comes at once; returns how many the observer has seen of those
 * that come after it at an even rate, and all ids.
 */
async function publish(client: Client, observer: Observer): Promise<{ ids: string[]; seen: number }> {
  const events = Array.from({ length: 3 * RATE }, (_, index) => client.publishConfirmed("create", index));
  await soon(Promise.all(events.slice(0, RATE)), "the first events to be published");
  const { seen } = observer;
  const receipts = await soon(Promise.all(events), "all events to be published");
  return { ids: receipts.map(({ id }) => id), seen: observer.seen - seen };
}

function post(webPort: number): Promise<Response> {
  const headers = { authorization: `Bearer ${TOKEN}` };
  return fetch(`http://127.0.0.1:${webPort}/pub/create`, { method: "POST", headers });
}

async function openStream(webPort: number): Promise<RawClient> {
  const stream = await RawClient.connect(webPort);
  await stream.send(`GET /events?pattern=last HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`);
  return stream;
}

/** The uptime of a broker and the ages of its connections, as `mq top` shows them. */
async function agesInTop(clock: Clock, port: number): Promise<number[]> {
  await using top = clock.start(["top", "--once", "--json", "--every", "100ms", "-s", `127.0.0.1:${port}`]);
  const { stdout } = await top.outcome();
  return agesIn(stdout);
}

function agesIn(json: string): number[] {
  const { stats, clients } = JSON.parse(json);
  return [stats.uptimeMs, ...clients.map(({ connectedMs }: { connectedMs: number }) => connectedMs)];
}

async function tryClients(moves: string[]): Promise<void> {
  const startedAt = performance.now();
  await using clock = await Clock.create();
  await using server = await startBroker();
  let { broker } = server;
  const { port } = server;
  await using logger = clock.start(["logger", "create", "-s", `127.0.0.1:${port}`]);
  await using top = clock.start(["top", "--json", "--every", "50ms", "-s", `127.0.0.1:${port}`]);
  for (const [index, offset] of moves.entries()) {
    await heardBy(broker, logger, 2 * index);
    await clock.set(offset);
    await heardBy(broker, logger, 2 * index + 1);
    await broker.close();
    broker = new Broker();
    await listenAgain(broker, port);
  }
  await using _ = broker;
  await heardBy(broker, logger, 2 * moves.length);
  const json = await top.stdout.find(`"published":1,`);
  const [ages, elapsedMs] = [agesIn(json), performance.now() - startedAt];
  assert(ages.every((ms) => ms >= 0 && ms <= elapsedMs + 1000), `${ages} ms in ${elapsedMs} ms`);
}

/** Publishes an event when a logger and mq top are there, and waits until the logger has printed it. */
async function heardBy(broker: Broker, logger: Program, data: number): Promise<void> {
  const isThere = () => broker.clients().filter(({ name }) => name === "logger" || name === "top").length === 2;
  await until(isThere, "both are connected");
  await until(() => broker.publish("create", data).receivers > 0, "the logger has subscribed");
  await logger.stdout.find(`create ${data}`);
}

/** A wall clock for the programs that it starts. */
class Clock implements AsyncDisposable {
  readonly #path: string;
  readonly #pids: number[] = [];

  private constructor(path: string) {
    this.#path = path;
  }

  /** A clock that is right. */
  static async create(): Promise<Clock> {
    const clock = new Clock((await shell("mktemp")).trim());
    await clock.set("+0s");
    return clock;
  }

  /** Sets it for all programs at once, by such as `-3600s`. */
  async set(offset: string): Promise<void> {
    await shell(`printf %s '${offset}' > '${this.#path}.new' && mv '${this.#path}.new' '${this.#path}'`);
  }

  start(args: string[]): Program {
    const program = new Program(args, {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: this.#path,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      MQ_TOKEN: TOKEN,
    });
    this.#pids.push(program.pid);
    return program;
  }

  /** Removes what libfaketime leaves behind, too. */
  async [Symbol.asyncDispose](): Promise<void> {
    const left = this.#pids.flatMap((pid) => [`/dev/shm/faketime_shm_${pid}`, `/dev/shm/sem.faketime_sem_${pid}`]);
    await shell(`rm -f '${this.#path}' ${left.join(" ")}`);
  }
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

/** A WebSocket that is subscribed to `last`. */
class Socket implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #closed: Promise<void>;
  readonly #messages: string[] = [];

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.#closed = new Promise((resolve) => socket.onclose = () => resolve());
    socket.onmessage = ({ data }) => {
      if (data === "/ping") socket.send("/pong");
      this.#messages.push(data);
    };
  }

  static async connect(webPort: number): Promise<Socket> {
    const socket = new WebSocket(`ws://127.0.0.1:${webPort}/ws`);
    await soon(new Promise((resolve) => socket.onopen = resolve), "the WebSocket to open");
    for (const line of [HELLO, "/sub last"]) socket.send(line);
    return new Socket(socket);
  }

  /** Waits for a message that begins with a text. */
  find(text: string): Promise<void> {
    return until(() => this.#messages.some((message) => message.startsWith(text)), `the WebSocket gets ${text}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#closed;
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function portIn(line: string): number {
  return Number(/127\.0\.0\.1:(\d+)/.exec(line)![1]);
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
