import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { setColorEnabled } from "@std/fmt/colors";
import { ulid } from "@std/ulid";
import stringWidth from "string-width";
import { parseCommand } from "../../cmd/command.ts";
import { type Io, Output } from "../../cmd/shared/stdio.ts";
import type { Terminal } from "../../cmd/shared/terminal.ts";
import { top } from "../../cmd/top.ts";
import { drawAll, drawScreen, firstRow, formatAge, formatRate } from "../../cmd/top/drawing.ts";
import { HttpCounter } from "../../cmd/top/http_counter.ts";
import type { StoreFigures } from "../../cmd/top/store.ts";
import { CLIENTS_PER_PAGE } from "../../lib/protocol/limits.ts";
import { compare, type Figures, formatFigures, type Snapshot, sorted } from "../../cmd/top/figures.ts";
import {
  Broker,
  type BrokerOptions,
  type BrokerStats,
  type ClientInfo,
  parseTokens,
  ProtocolError,
} from "../../mod.ts";
import type { GroupReport } from "../../lib/protocol/responses.ts";
import { FakeBroker, HELLO } from "../fake_broker.ts";
import { listenAgain, mq, Program, sinkTo, soon, startBroker, until } from "../helpers.ts";
import { type Folder, startStored, tempFolder } from "../store/folder.ts";

setColorEnabled(false);

const NOON = Date.parse("2026-03-01T12:00:00Z");
const SUBJECT = { address: "localhost:3001", server: "mq/0.5.0" };
const BY_NAME = { sort: "name", isReversed: false, first: 0 } as const;

/** What a broker answers of a connection that came a while ago. */
function client(name: string, more: Partial<ClientInfo> = {}, ageMs = 60_000): ClientInfo {
  return {
    id: name,
    name,
    address: "127.0.0.1:50000",
    connectedAt: new Date(NOON - ageMs).toISOString(),
    patterns: [">"],
    patternCount: more.patterns?.length ?? 1,
    published: 0,
    delivered: 0,
    dropped: 0,
    queuedBytes: 0,
    classic: null,
    observe: null,
    ...more,
  };
}

/** What a broker answers whose clock shows noon; the last of its connections is the one that asks. */
function snapshot(clients: ClientInfo[], more: Partial<BrokerStats> = {}): Snapshot {
  const counts = {
    published: 0,
    delivered: 0,
    unrecognized: 0,
    refused: 0,
    slow: 0,
    dropped: 0,
    droppedBytes: 0,
    errors: 0,
  };
  const stats = { uptimeMs: 100_000, connections: clients.length, ...counts, cpuMs: 0, rssBytes: 82e6, ...more };
  const own = { id: "top", ageMs: 60_000 };
  return { at: new Date(0), stats, clients: [...clients, client("top", { patterns: [] })], own, outboxBytes: 1e6 };
}

Deno.test("compare takes the ages that the broker tells, whatever its clock showed, and computes those it does not", () => {
  const { clients } = compare(undefined, snapshot([client("app", { connectedMs: 5 }), client("old", {}, 3_600_000)]));
  assertEquals(clients.map(({ connectedMs }) => connectedMs), [5, 3_600_000, 60_000]);
});

Deno.test("compare computes rates from the differences of two responses, by the broker's own clock", () => {
  const before = snapshot([client("app", { published: 100, delivered: 7, dropped: 1 })], {
    uptimeMs: 98_000,
    published: 100,
    cpuMs: 500,
  });
  const now = snapshot([client("app", { published: 300, delivered: 7, dropped: 2 })], {
    uptimeMs: 100_000,
    published: 300,
    cpuMs: 1500,
    refused: 1,
  });
  const { stats, clients: [app] } = compare(before, now);
  assertEquals(app.perSecond, { published: 100, delivered: 0, dropped: 0.5 });
  const still = { delivered: 0, unrecognized: 0, slow: 0, dropped: 0 };
  assertEquals(stats.perSecond, { published: 100, ...still, refused: 0.5, cpuMs: 500 });
});

Deno.test("compare gives a new connection its rates since it connected, over at least a second", () => {
  const counts = { published: 100 };
  const now = snapshot([client("new", counts, 4000), client("newest", counts, 10)], { uptimeMs: 100_000 });
  const { clients } = compare(snapshot([], { uptimeMs: 90_000 }), now);
  assertEquals(clients.map(({ perSecond }) => perSecond.published), [25, 100, 0]);
});

Deno.test("compare without a previous response gives rates since the broker started", () => {
  const { stats, clients: [app] } = compare(
    undefined,
    snapshot([client("app", { published: 120 })], { published: 500 }),
  );
  assertEquals([stats.perSecond.published, app.perSecond.published], [5, 2]);
});

Deno.test("compare measures the age of a connection by the broker's clock, not by the local one", () => {
  const { clients } = compare(undefined, snapshot([client("old", {}, 3_600_000), client("later", {}, -50)]));
  assertEquals(clients.map(({ connectedMs }) => connectedMs), [3_600_000, 0, 60_000]);
});

Deno.test("compare marks slow consumers and observers", () => {
  const before = snapshot([client("shop"), client("gone")]);
  const now = snapshot([
    client("shop", { dropped: 3 }),
    client("reader", { queuedBytes: 100_000 }),
    client("sleepy", { queuedBytes: 100_001 }),
    client("page", { observe: 100 }),
  ]);
  const { clients } = compare(before, now);
  assertEquals(clients.filter(({ isSlow }) => isSlow).map(({ name }) => name), ["shop", "sleepy"]);
  assertEquals(clients.filter(({ isObserver }) => isObserver).map(({ name }) => name), ["page", "top"]);
});

/** Some of everything. */
function figures(): Figures {
  const before = snapshot([client("client-10"), client("client-2", { dropped: 5 })], { uptimeMs: 99_000 });
  return compare(
    before,
    snapshot([
      client("client-10", { published: 1234, patterns: ["create", "order.*"] }),
      client("client-2", { dropped: 10, queuedBytes: 81_234 }),
      client("注文", { delivered: 3 }, 3_725_000),
      client("page", { observe: 100, patterns: ["mq.>", ">"], delivered: 2 }, 5000),
    ], { published: 12_345, delivered: 20, unrecognized: 7, dropped: 10 }),
  );
}

for (
  const [sort, names] of [
    ["name", ["client-2", "client-10", "page", "top", "注文"]],
    ["published", ["client-10", "client-2", "注文", "page", "top"]],
    ["delivered", ["page", "注文", "client-10", "client-2", "top"]],
    ["queue", ["client-2", "client-10", "注文", "page", "top"]],
    ["dropped", ["client-2", "client-10", "注文", "page", "top"]],
    ["connected", ["注文", "client-10", "client-2", "top", "page"]],
  ] as const
) {
  Deno.test(`sorted sorts by ${sort}, and in reverse`, () => {
    const { clients } = figures();
    assertEquals(sorted(clients, { sort, isReversed: false }).map(({ name }) => name), [...names]);
    assertEquals(sorted(clients, { sort, isReversed: true }).at(-1)?.name, names[0]);
  });
}

Deno.test("formatRate and formatAge are short", () => {
  assertEquals([0, 0.04, 0.25, 9.94, 9.96, 12.4, 1_234_567].map(formatRate), [
    "0",
    "0",
    "0.3",
    "9.9",
    "10",
    "12",
    "1,230,000",
  ]);
  assertEquals([0, 59_999, 60_000, 3_599_000, 3_720_000, 86_400_000 * 3 + 3_600_000 * 4].map(formatAge), [
    "0s",
    "59s",
    "1m",
    "59m 59s",
    "1h 2m",
    "3d 4h",
  ]);
});

/** A drawing as it stands below, without the margin. */
function lines(drawing: string): string[] {
  return drawing.replace(/^\n/, "").replace(/^ {4}/gm, "").trimEnd().split("\n");
}

/** What a broker answers of a group. */
function group(name: string, more: Partial<GroupReport> = {}): GroupReport {
  const options = { ackMs: 30_000, tries: 5, dead: null };
  const counts = { lag: 0, ready: 0, inFlight: 0, delayed: 0, dead: 0 };
  return { group: name, patterns: [">"], options, ...counts, members: [], ...more };
}

/** A store with three groups, one of them with dead jobs. */
const STORE: StoreFigures = {
  log: {
    first: ulid(new Date(2026, 1, 3, 4, 5, 6).getTime()),
    events: 12_345,
    deleted: 7,
    bytes: 1_234_567,
    syncMs: 0,
  },
  groups: [
    group("mail-10", { lag: 1234 }),
    group("mail-2", { inFlight: 10, ready: 3, members: ["m-2", "m-1", "m-1"] }),
    group("print", { dead: 2, delayed: 1, members: ["printer"] }),
  ],
};

/** What a screen shows, but for the spaces at the ends of its lines. */
function screen(...args: Parameters<typeof drawScreen>): string[] {
  return drawScreen(...args).map((line) => line.trimEnd());
}

Deno.test("drawAll shows the broker and all of its connections, at full width", () => {
  const drawing = `
    mq/0.5.0 at localhost:3001  up 1m 40s  CPU 0 %  82 MB
    5 connections  12,300 published/s  20 delivered/s
    unrecognized 7 (+7/s)  dropped 10 (+10/s)  slow 0  refused 0
      name▲      address          patterns        published/s  delivered/s    queue  dropped  connected
    ! client-2   127.0.0.1:50000  >                         0            0  81.2 kB       10         1m
      client-10  127.0.0.1:50000  create order.*        1,230            0        0        0         1m
    · page       127.0.0.1:50000  mq.> >                    0          0.4        0        0         5s
    · top        127.0.0.1:50000  nothing                   0            0        0        0         1m
      注文       127.0.0.1:50000  >                         0            0        0        0      1h 2m
  `;
  assertEquals(drawAll(figures(), SUBJECT, BY_NAME, Infinity).split("\n"), lines(drawing));
});

Deno.test("drawScreen in 80 columns omits addresses, and shows the keys", () => {
  const drawing = `
    mq/0.5.0 at localhost:3001  up 1m 40s  CPU 0 %  82 MB
    5 connections  12,300 published/s  20 delivered/s
    unrecognized 7 (+7/s)  dropped 10 (+10/s)  slow 0  refused 0
      name       patterns     published/s▲  delivered/s    queue  dropped  connected
    ! client-2   >                       0            0  81.2 kB       10         1m
      注文       >                       0            0        0        0      1h 2m
    · page       mq.> >                  0          0.4        0        0         5s
    · top        nothing                 0            0        0        0         1m
      client-10  create ord…         1,230            0        0        0         1m

    q:quit ↑↓:scroll n:name p:published d:delivered u:queue x:dropped c:connected
  `;
  const view = { sort: "published", isReversed: true, first: 0 } as const;
  assertEquals(screen(figures(), SUBJECT, view, { columns: 80, rows: 11 }), lines(drawing));
});

Deno.test("drawScreen in 40 columns keeps names and rates, and shows which rows are visible", () => {
  const drawing = `
    mq/0.5.0 at localhost:3001  up 1m 40s  …
    5 connections (2-4 shown)  12,300 publi…
    unrecognized 7 (+7/s)  dropped 10 (+10/…
      name▲      published/s  delivered/s
      client-10        1,230            0
    · page                 0          0.4
    · top                  0            0
    q:quit ↑↓:scroll n:name p:published d:d…
  `;
  assertEquals(screen(figures(), SUBJECT, { ...BY_NAME, first: 1 }, { columns: 40, rows: 8 }), lines(drawing));
});

Deno.test("drawScreen fills a terminal of any size, and never exceeds it", () => {
  for (const store of [undefined, STORE, { log: STORE.log, groups: [] }, { log: STORE.log, groups: undefined }]) {
    for (let columns = 1; columns <= 130; columns++) {
      for (const rows of [1, 2, 3, 4, 5, 6, 9, 11, 24]) {
        const size = { columns, rows };
        const drawn = drawScreen({ ...figures(), store }, SUBJECT, { ...BY_NAME, first: 2 }, size);
        assertEquals(drawn.length, rows, `${columns}x${rows}`);
        for (const line of drawn) assert(stringWidth(line) <= columns, `${columns}x${rows}: ${JSON.stringify(line)}`);
      }
    }
  }
});

Deno.test("drawScreen escapes control characters", () => {
  const bad = "\x1b[31m\x07\x9b1m\r\n\u202e";
  const { stats, clients } = figures();
  const hostile = clients.map((client) => ({ ...client, name: bad, address: bad, patterns: [bad] }));
  const subject = { address: bad, server: bad, problem: bad };
  const store = { log: STORE.log, groups: [group(bad, { members: [bad] })] };
  for (const columns of [40, 80, 1000]) {
    const drawn = drawScreen({ at: new Date(), stats, clients: hostile, store }, subject, BY_NAME, {
      columns,
      rows: 24,
    });
    for (const line of drawn) assert(!/\p{Cc}|\u202e/u.test(line), JSON.stringify(line));
    assert(drawn.join().includes("\\x1b[31m"));
  }
});

Deno.test("firstRow stays within the rows that there are", () => {
  const size = { columns: 80, rows: 15 };
  const many = compare(undefined, snapshot(Array.from({ length: 29 }, (_, index) => client(`c${index}`))));
  assertEquals([-3, 0, 7, 99].map((wanted) => firstRow(wanted, many, size)), [0, 0, 7, 20]);
  assertEquals(firstRow(99, { ...many, store: STORE }, size), 25);
  assertEquals(firstRow(5, figures(), size), 0);
});

Deno.test("formatFigures returns one JSON object, sorted, with rates and without drawing state", () => {
  const text = formatFigures(figures(), { sort: "queue", isReversed: false });
  assert(!text.includes("\n"));
  const { at, stats, clients: [first] } = JSON.parse(text);
  assertEquals([at, stats.published, stats.perSecond.unrecognized], ["1970-01-01T00:00:00.000Z", 12_345, 7]);
  const { perSecond, connectedMs, slow, ...info } = first;
  assertEquals([perSecond, connectedMs, slow], [{ published: 0, delivered: 0, dropped: 5 }, 60_000, true]);
  assertEquals(info, client("client-2", { dropped: 10, queuedBytes: 81_234 }));
});

/** `mq top` in a terminal that a test plays. */
class Watched implements AsyncDisposable {
  readonly terminal: Terminal & { columns: number; rows: number; isTaken: boolean; onResized: () => void } = {
    columns: 80,
    rows: 10,
    isScreen: true,
    isTaken: false,
    onResized: () => {},
    size: () => ({ columns: this.terminal.columns, rows: this.terminal.rows }),
    take: () => this.terminal.isTaken = true,
    release: () => this.terminal.isTaken = false,
    onResize: (listener) => {
      this.terminal.onResized = listener;
      return () => this.terminal.onResized = () => {};
    },
  };
  readonly code: Promise<number>;
  readonly #ending = new AbortController();
  readonly #keys = new TransformStream<Uint8Array, Uint8Array>();
  readonly #writer = this.#keys.writable.getWriter();
  #shown = "";

  constructor(port: number, args: string[] = [], every = "20ms") {
    const output = new Output(sinkTo((text) => this.#shown += text), { isTerminal: true });
    const { signal } = this.#ending;
    const io: Io = {
      stdin: this.#keys.readable,
      stdout: output,
      stderr: output,
      terminal: this.terminal,
      signal,
      env: {},
    };
    this.code = top.run(parseCommand(top, ["-s", `127.0.0.1:${port}`, "--every", every, ...args]), io);
    this.code.catch(() => {});
  }

  /** The lines that are on the screen. */
  get screen(): string[] {
    return this.#shown.split("\x1b[H").at(-1)!.replaceAll("\x1b[K", "").split("\r\n").map((line) => line.trimEnd());
  }

  /** The names in the table. */
  get names(): string[] {
    return this.screen.slice(4, -1).map((line) => line.slice(2).split(" ")[0]).filter((name) => name !== "");
  }

  async shows(what: RegExp): Promise<void> {
    await until(() => what.test(this.screen.join("\n")), `it shows ${what}: ${this.screen.join("\n")}`);
  }

  async press(...keys: string[]): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(keys.join("")));
  }

  async closeStdin(): Promise<void> {
    await this.#writer.close();
  }

  end(): void {
    this.#ending.abort("SIGTERM");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
    await soon(this.code.catch(() => {}), "the end of mq top");
    await this.#writer.abort().catch(() => {});
  }
}

/** A broker with so many connections, the last of them the only one that hears nothing. */
async function crowd(count: number, options: BrokerOptions = {}) {
  const server = await startBroker(options);
  const clients = await server.connect(count);
  for (const [index, client] of clients.entries()) await client.ask(`/hello {"name":"c${index}"}`);
  return server;
}

Deno.test("mq top sorts by keys, and in reverse when a key is pressed again", async () => {
  await using server = await crowd(3);
  await using watched = new Watched(server.port, ["--sort", "connected"]);
  await watched.shows(/connected▲|connected▼/);
  assertEquals(watched.names, ["c0", "c1", "c2", "top"]);
  await watched.press("n");
  await watched.shows(/name▲/);
  assertEquals(watched.names, ["c0", "c1", "c2", "top"]);
  await watched.press("n");
  await watched.shows(/name▼/);
  assertEquals(watched.names, ["top", "c2", "c1", "c0"]);
  await watched.press("?", "\x1b[24~", "q"); // Those that mean nothing do nothing.
  assertEquals(await soon(watched.code, "its end"), 0);
});

Deno.test("mq top does not scroll past the last connection", async () => {
  await using server = await crowd(9); // Ten with itself, of which five fit.
  await using watched = new Watched(server.port, ["--sort", "name"]);
  await watched.shows(/\(1-5 shown\)/);
  const steps: [string[], RegExp][] = [
    [["j"], /\(2-6 shown\)/],
    [["\x1b[B", "\x1bOB"], /\(4-8 shown\)/],
    [["k"], /\(3-7 shown\)/],
    [["\x1b[6~", "\x1b[6~", "j"], /\(6-10 shown\)/],
    [["\x1b[A"], /\(5-9 shown\)/],
    [["\x1b[5~", "\x1bOA"], /\(1-5 shown\)/],
    [["j", "p"], /\(1-5 shown\)[^]*published\/s▼/], // Another order is seen from its beginning.
  ];
  for (const [keys, what] of steps) {
    await watched.press(...keys);
    await watched.shows(what);
  }
});

Deno.test("mq top redraws when the terminal is resized", async () => {
  await using server = await crowd(1);
  await using watched = new Watched(server.port, [], "1h");
  await watched.shows(/q:quit/);
  assertEquals(watched.screen.length, 10);
  Object.assign(watched.terminal, { columns: 12, rows: 6 });
  watched.terminal.onResized();
  await watched.shows(/^mq\/\S+ .*…\n2 connectio…\n/);
  assertEquals(watched.screen.length, 6);
});

for (
  const [how, end] of [
    ["q", (watched: Watched) => watched.press("q")],
    ["Ctrl-C", (watched: Watched) => watched.press("\x03")],
    ["a signal", (watched: Watched) => watched.end()],
  ] as const
) {
  Deno.test(`mq top ends by ${how} with exit code 0, and restores the terminal`, async () => {
    await using server = await crowd(1);
    await using watched = new Watched(server.port);
    await watched.shows(/q:quit/);
    assert(watched.terminal.isTaken);
    await end(watched);
    assertEquals(await soon(watched.code, "its end"), 0);
    assert(!watched.terminal.isTaken);
  });
}

Deno.test("mq top works without keyboard input", async () => {
  await using server = await crowd(1);
  await using watched = new Watched(server.port);
  await watched.closeStdin();
  await watched.shows(/2 connections/);
  await server.connect(1);
  await watched.shows(/3 connections/);
});

Deno.test("mq top reports a lost broker, and reconnects", async () => {
  const first = await crowd(1);
  const { port } = first;
  await using watched = new Watched(port);
  await watched.shows(/up \d+s[^]*c0/);
  await first[Symbol.asyncDispose]();
  await watched.shows(/at 127\.0\.0\.1:\d+\nconnection lost; reconnecting[^]*c0/);
  await using second = new Broker();
  await listenAgain(second, port);
  await watched.shows(/up \d+s[^]*\n1 connection {2}/);
  assertEquals(watched.names, ["top"]);
  await watched.press("q");
  assertEquals(await soon(watched.code, "its end"), 0);
});

Deno.test("mq top can be ended while disconnected", async () => {
  const server = await crowd(1);
  await using watched = new Watched(server.port);
  await watched.shows(/c0/);
  await server[Symbol.asyncDispose]();
  await watched.shows(/connection lost; reconnecting/);
  await watched.press("q");
  assertEquals(await soon(watched.code, "its end"), 0);
  assert(!watched.terminal.isTaken);
});

Deno.test("mq top restores the terminal when the broker rejects it, and reports why", async () => {
  const first = await crowd(1);
  const { port } = first;
  await using watched = new Watched(port);
  await watched.shows(/c0/);
  await first[Symbol.asyncDispose]();
  await using second = new Broker({ tokens: parseTokens("s3cret") });
  await listenAgain(second, port);
  await assertRejects(() => soon(watched.code, "its end"), ProtocolError, "token");
  assert(!watched.terminal.isTaken);
});

Deno.test("mq top reports that the broker does not respond", async () => {
  await using broker = new FakeBroker();
  await using watched = new Watched(broker.port);
  const peer = await broker.welcome();
  const { stats, clients } = snapshot([client("shop")]);
  await peer.expect("/sub mq.http", "/clients", "/stats");
  await peer.say("/ok sub", `/ok clients ${JSON.stringify(clients)}`, `/ok stats ${JSON.stringify(stats)}`);
  await watched.shows(/shop/);
  await watched.shows(/no answer for \ds/);
  await peer.expect("/clients", "/stats");
  await peer.say(`/ok clients []`, `/ok stats ${JSON.stringify({ ...stats, uptimeMs: 200_000 })}`);
  await watched.shows(/up 3m 20s[^]*\n0 connections/);
  peer.close();
});

Deno.test("mq top shows what the broker says when it refuses to answer, and goes on", async () => {
  await using broker = new FakeBroker();
  await using watched = new Watched(broker.port);
  const peer = await broker.welcome();
  const { stats, clients } = snapshot([client("shop")]);
  const answers = [`/ok clients ${JSON.stringify(clients)}`, `/ok stats ${JSON.stringify(stats)}`];
  const refusal = "/err clients answer-too-long Cannot answer: no room for 9 bytes";
  await peer.expect("/sub mq.http", "/clients", "/stats");
  await peer.say("/ok sub", refusal, answers[1]);
  await watched.shows(/^fake\/1 at \S+\nrefused \(answer-too-long\): Cannot answer: no room for 9 bytes\n/); // No figures yet.
  await peer.expect("/clients", "/stats");
  await peer.say(...answers);
  await watched.shows(/up 1m 40s[^]*shop/);
  await peer.expect("/clients", "/stats");
  await peer.say(answers[0], "/err stats rate-limited Too many questions");
  await watched.shows(/refused \(rate-limited\): Too many questions[^]*shop/);
  peer.close();
});

Deno.test("mq top asks for the connections of a broker page by page", async () => {
  await using broker = new FakeBroker();
  await using watched = new Watched(broker.port);
  const peer = await broker.welcome();
  const many = Array.from({ length: CLIENTS_PER_PAGE + 1 }, (_, index) => client(`c${1000 + index}`));
  const { stats, clients } = snapshot(many);
  await peer.expect("/sub mq.http", "/clients", "/stats");
  const page = clients.slice(0, CLIENTS_PER_PAGE);
  await peer.say("/ok sub", `/ok clients ${JSON.stringify(page)}`, `/ok stats ${JSON.stringify(stats)}`);
  await peer.expect(`/clients ${page.at(-1)!.id}`);
  await peer.say(`/ok clients ${JSON.stringify(clients.slice(CLIENTS_PER_PAGE))}`);
  await watched.shows(/102 connections/);
  peer.close();
});

Deno.test("mq top in a pipe reports a refusal once, and prints what comes after it", async () => {
  await using broker = new FakeBroker();
  const program = new Program(["top", "--every", "20ms", "--json", "-s", `127.0.0.1:${broker.port}`]);
  await using _ = program;
  const peer = await broker.welcome();
  const { stats, clients } = snapshot([client("shop")]);
  await peer.expect("/sub mq.http", "/clients", "/stats");
  await peer.say("/ok sub");
  for (let count = 0; count < 3; count++) {
    if (count > 0) await peer.expect("/clients", "/stats");
    await peer.say("/err clients forbidden Not for this token", `/ok stats ${JSON.stringify(stats)}`);
  }
  await peer.expect("/clients", "/stats");
  await peer.say(`/ok clients ${JSON.stringify(clients)}`, `/ok stats ${JSON.stringify(stats)}`);
  assertEquals(JSON.parse((await program.stdout.next())!).clients.length, 2);
  peer.close();
  assertEquals(await program.stderr.next(), "mq top: refused (forbidden): Not for this token");
  assertMatch((await program.stderr.next())!, /^mq top: lost the connection/);
});

Deno.test("mq top shows the connections of a broker before 0.5, which reports fewer fields", async () => {
  await using broker = new FakeBroker();
  await using watched = new Watched(broker.port);
  const peer = await broker.welcome();
  const { stats, clients } = snapshot([client("shop")]);
  const before = clients.map(({ dropped: _, observe: __, ...info }) => info);
  await peer.expect("/sub mq.http", "/clients", "/stats");
  await peer.say("/ok sub", `/ok clients ${JSON.stringify(before)}`, `/ok stats ${JSON.stringify(stats)}`);
  await watched.shows(new RegExp(`^${HELLO.server} at [^]*^  shop .* 0 {8}0 `, "m"));
  peer.close();
});

Deno.test("mq top --once prints the header and the table once, without colours in a pipe", async () => {
  await using server = await crowd(2);
  const { code, stdout, stderr } = await mq(["top", "--once", "--every", "50ms", "-s", `127.0.0.1:${server.port}`]);
  assertEquals([code, stderr], [0, ""]);
  const [head, traffic, counts, titles, ...rows] = stdout.trimEnd().split("\n");
  assertMatch(head, /^mq\/\S+ at 127\.0\.0\.1:\d+ {2}up \d+s {2}CPU \d+ % {2}\S+ MB$/);
  assertEquals([traffic, counts], [
    "3 connections  0 published/s  0 delivered/s",
    "unrecognized 0  dropped 0  slow 0  refused 0",
  ]);
  assertMatch(titles, /^ {2}name +address +patterns +published\/s▼ +delivered\/s +queue +dropped +connected$/);
  assertEquals(rows.map((row) => row.split(" ").filter((cell) => cell !== "").slice(0, 2).join(" ").slice(0, 12)), [
    "c0 127.0.0.1",
    "c1 127.0.0.1",
    "· top",
  ]);
});

Deno.test("mq top --once --json prints one object for the interval", async () => {
  await using server = await crowd(2);
  const args = ["top", "--once", "--json", "--every", "10ms", "--sort", "name", "-s", `127.0.0.1:${server.port}`];
  const { code, stdout, stderr } = await mq(args);
  assertEquals([code, stderr, stdout.split("\n").length], [0, "", 2]);
  const { at, stats, clients } = JSON.parse(stdout);
  assert(new Date(at).toISOString() === at && stats.connections === 3 && stats.perSecond.published === 0);
  assertEquals(clients.map(({ name }: ClientInfo) => name), ["c0", "c1", "top"]);
  assertEquals(clients[0].perSecond, { published: 0, delivered: 0, dropped: 0 });
});

Deno.test("mq top in a pipe prints repeatedly without escape sequences, and ends when the pipe is closed", async () => {
  await using server = await crowd(1);
  await using program = new Program(["top", "--every", "10ms", "-s", `127.0.0.1:${server.port}`]);
  for (let times = 0; times < 3; times++) {
    assertMatch((await program.stdout.find("mq/"))!, /^mq\/\S+ at 127/);
    const table = [];
    for (let line = await program.stdout.next(); line !== ""; line = await program.stdout.next()) table.push(line);
    assertEquals(table.length, 5);
    assert(!/\p{Cc}/u.test(table.join()));
  }
  await program.breakStdout();
  const { code, stderr } = await program.outcome();
  assertEquals([code, stderr], [0, ""]);
});

Deno.test("mq top --json prints a line each interval, through a restart, until a signal", async () => {
  const first = await crowd(1);
  const { port } = first;
  await using program = new Program(["top", "--json", "--every", "20ms", "-s", `127.0.0.1:${port}`]);
  const names = (line: string | null) => JSON.parse(line!).clients.map(({ name }: ClientInfo) => name);
  assertEquals(names(await program.stdout.next()).toSorted(), ["c0", "top"]);
  await first[Symbol.asyncDispose]();
  assertMatch(await program.stderr.find("lost the connection"), /^mq top: lost the connection.*; reconnecting$/);
  await using second = new Broker();
  await listenAgain(second, port);
  await program.stdout.find('"connections":1,');
  program.kill("SIGTERM");
  assertEquals((await program.outcome()).code, 0);
});

Deno.test("mq top --once fails if it is interrupted or disconnected before it has anything to print", async () => {
  const server = await crowd(1);
  const args = ["top", "--once", "--every", "1h", "-s", `127.0.0.1:${server.port}`];
  await using one = new Program(args);
  await using other = new Program(args);
  await until(() => server.broker.stats().connections === 3, "both are connected");
  one.kill("SIGINT");
  assertEquals(await one.outcome(), { code: 1, stdout: "", stderr: "" });
  await server[Symbol.asyncDispose]();
  const { code, stdout, stderr } = await other.outcome();
  assertEquals([code, stdout], [1, ""]);
  assertMatch(stderr, /^mq top: .+\n$/);
});

// Publishers without a connection, and answers to requests

Deno.test("compare and drawAll show HTTP publishers, without counting them as connections", () => {
  const post = { name: "http", address: "127.0.0.1:50001" };
  const counter = new HttpCounter();
  counter.count(post);
  const before = { ...snapshot([], { uptimeMs: 98_000 }), http: counter.publishers };
  for (let times = 0; times < 10; times++) counter.count(post);
  const after = compare(before, { ...snapshot([]), http: counter.publishers });
  const { perSecond, connectedMs, published } = after.clients.find(({ name }) => name === "http")!;
  assertEquals([perSecond.published, connectedMs, published], [5, 0, 11]);
  const drawn = drawAll(after, SUBJECT, BY_NAME, Infinity);
  assertMatch(drawn, /^1 connection {2}/m);
  assertMatch(drawn, /^ {2}http +127\.0\.0\.1:50001 +nothing +5 +0 +0 +0 +-$/m);
  const first = compare({ ...before, http: [] }, { ...snapshot([]), http: counter.publishers });
  assertEquals(first.clients.find(({ name }) => name === "http")?.perSecond.published, 5.5);
});

Deno.test("HttpCounter counts a limited number of publishers", () => {
  const counter = new HttpCounter();
  for (let index = 0; index < 30; index++) counter.count({ name: `job-${index}`, address: "127.0.0.1:1" });
  assertEquals(counter.publishers.length, 20);
  counter.clear();
  assertEquals(counter.publishers, []);
});

Deno.test("drawAll shows the reply patterns of requests as one", () => {
  const patterns = ["create", "_INBOX.a.*", "_INBOX.b.*"];
  assertMatch(
    drawAll(compare(undefined, snapshot([client("asker", { patterns })])), SUBJECT, BY_NAME, Infinity),
    / create _INBOX +0/,
  );
});

Deno.test("mq top shows a row for http once something is published over HTTP", async () => {
  await using server = await crowd(1);
  await using watched = new Watched(server.port, ["--sort", "name"]);
  await watched.shows(/2 connections/);
  assertEquals(watched.names, ["c0", "top"]);
  const publish = () => server.broker.publish("create", 1, { from: "http", address: "127.0.0.1:50001" });
  await until(() => server.told("mq.subscribe").some(({ name }) => name === "top"), "it is subscribed");
  publish();
  await watched.shows(/2 connections[^]*\n {2}http /);
  assertEquals(watched.names, ["c0", "http", "top"]);
});

Deno.test("mq top works with a token for publishing only, which cannot subscribe to mq.http", async () => {
  await using server = await startBroker({ tokens: parseTokens("publish s3cret") });
  const { code, stdout } = await mq(["top", "--once", "--every", "10ms", "-s", `127.0.0.1:${server.port}`], {
    env: { MQ_TOKEN: "s3cret" },
  });
  assertEquals(code, 0);
  assertMatch(stdout, /^1 connection /m);
});

// The store

Deno.test("drawAll shows the log and all groups below the connections, those with dead jobs first", () => {
  const drawing = `
    3 groups  events in the log: 12,345  1.23 MB  since 2026-02-03 04:05:06
      group    members    lag  ready  in flight  delayed  dead  names
    ! print          1      0      0          0        1     2  printer
      mail-2         3      0      3         10        0     0  m-1 m-2
      mail-10        0  1,234      0          0        0     0
  `;
  const drawn = drawAll({ ...figures(), store: STORE }, SUBJECT, BY_NAME, Infinity).split("\n");
  assertEquals(drawn.slice(9), lines(drawing));
});

Deno.test("drawAll shows an empty log in one line, and why there are no groups", () => {
  const log = { events: 0, deleted: 0, bytes: 0, syncMs: 0 };
  const last = (groups?: GroupReport[]) =>
    drawAll({ ...figures(), store: { log, groups } }, SUBJECT, BY_NAME, Infinity).split("\n").slice(9);
  assertEquals([last([]), last(undefined)], [
    ["0 groups  events in the log: 0"],
    ["groups unknown: the store cannot be read  events in the log: 0"],
  ]);
});

Deno.test("drawAll shows why the store cannot be written in place of what the log has", () => {
  const store = { ...STORE, log: { ...STORE.log, failed: "Cannot write the store: \x1b[2Jdatabase or disk is full" } };
  const [head] = drawAll({ ...figures(), store }, SUBJECT, BY_NAME, Infinity).split("\n").slice(9);
  assertEquals(head, "3 groups  ! Cannot write the store: \\x1b[2Jdatabase or disk is full");
});

/** What a narrow screen with so many rows shows between its header and its keys. */
function tables(rows: number, store = STORE): string[] {
  return screen({ ...figures(), store }, SUBJECT, BY_NAME, { columns: 40, rows }).slice(3, -1);
}

Deno.test("drawScreen gives a store no more than half of the room, and says how many groups are shown", () => {
  const drawing = `
      name▲      published/s  delivered/s
    ! client-2             0            0
      client-10        1,230            0
    · page                 0          0.4
    · top                  0            0
    3 groups (2 shown)  events in the log: …
      group   members  lag  in flight  dead
    ! print         1    0          0     2
      mail-2        3    0         10     0
  `;
  assertEquals(tables(13), lines(drawing));
});

Deno.test("drawScreen gives a store what the connections leave", () => {
  const groups = Array.from({ length: 8 }, (_, index) => group(`mail-${index}`));
  const drawn = tables(19, { log: STORE.log, groups }); // Of 14 rows, 5 are for connections.
  assertEquals([drawn[5].includes("注文"), drawn[6].slice(0, 18)], [true, "8 groups (7 shown)"]);
  assertEquals(drawn.slice(8).map((line) => line.trim().split(" ")[0]), groups.slice(0, 7).map(({ group }) => group));
});

Deno.test("drawScreen shows the log alone where there is no room for a group", () => {
  const drawing = `
      name▲      published/s  delivered/s
    ! client-2             0            0
      client-10        1,230            0
    3 groups (0 shown)  events in the log: …
  `;
  assertEquals(tables(8), lines(drawing));
});

Deno.test("formatFigures has the log and the groups of a store, and neither without one", () => {
  const order = { sort: "name", isReversed: false } as const;
  const { log, groups } = JSON.parse(formatFigures({ ...figures(), store: STORE }, order));
  assertEquals([log, groups], [STORE.log, STORE.groups]);
  assertEquals(Object.keys(JSON.parse(formatFigures(figures(), order))), ["at", "stats", "clients"]);
});

/** A broker with a store, a group, and a connection that has one of its two jobs and has buried the other. */
async function crowdAtWork(folder: Folder) {
  const server = await startStored(folder);
  const [member] = await server.connect(1);
  await member.line('/hello {"name":"m"}', "/unsub >", '/join mail {"ahead":1} n');
  await member.lines.find("/ok join");
  await member.line("/pub 1 n", "/pub 2 n");
  await member.lines.find("/job 1");
  await member.line("/bury 1");
  await member.lines.find("/job 2");
  return server;
}

Deno.test("mq top shows the groups of a broker with a store", async () => {
  await using folder = tempFolder();
  await using server = await crowdAtWork(folder);
  await using watched = new Watched(server.port);
  await watched.shows(/\n {2}m .* works in mail +0/);
  await watched.shows(/· top .*\n1 group {2}events in the log: 2 .*\n {2}group .*\n! mail +1 +0 +0 +1 +0 +1 {2}m$/m);
});

Deno.test("mq top --once --json has the groups and the log of a broker with a store", async () => {
  await using folder = tempFolder();
  await using server = await crowdAtWork(folder);
  const args = ["top", "--once", "--json", "--every", "10ms", "-s", `127.0.0.1:${server.port}`];
  const { log, groups: [mail] } = JSON.parse((await mq(args)).stdout);
  assertEquals([log.events, log.deleted, log.first.length], [2, 0, 26]);
  assertEquals([mail.group, mail.inFlight, mail.dead, mail.members], ["mail", 1, 1, ["m"]]);
});

Deno.test("mq top shows the connections if the broker cannot read its groups", async () => {
  await using broker = new FakeBroker();
  await using watched = new Watched(broker.port);
  const peer = await broker.accept();
  await peer.lines.find("/hello");
  await peer.say(`/ok hello ${JSON.stringify({ ...HELLO, store: { keep: [">"], syncMs: 0 } })}`, "/ok unsub");
  const { stats, clients } = snapshot([client("shop")]);
  await peer.lines.find("/sub mq.http");
  await peer.expect("/clients", "/stats", "/log", "/groups");
  await peer.say("/ok sub", `/ok clients ${JSON.stringify(clients)}`, `/ok stats ${JSON.stringify(stats)}`);
  await peer.say(`/ok log ${JSON.stringify(STORE.log)}`, "/err groups store-failed The disk is broken");
  await watched.shows(/shop[^]*\ngroups unknown: the store cannot be read {2}events in the log: 12,345/);
  peer.close();
});
