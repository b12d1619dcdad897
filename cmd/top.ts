/**
 * `mq top`: shows the connections, rates, queues and groups of a broker, updated continuously.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import type { Client } from "../lib/client.ts";
import { ConnectionError, ProtocolError } from "../lib/protocol/errors.ts";
import type { ClientInfo } from "../lib/protocol/responses.ts";
import {
  abortWhenLost,
  brokerAccess,
  brokerFlags,
  connectAndWait,
  connectWithHint,
  logConnection,
} from "./shared/broker_flags.ts";
import { choice, defineCommand, DURATION, duration, option, toggle, type Values } from "./command.ts";
import { titleOf } from "./commands.ts";
import { aborted, type Io } from "./shared/stdio.ts";
import { keys, type Terminal } from "./shared/terminal.ts";
import { drawAll, drawScreen, firstRow, formatAge, SORTING, type View, visibleRows } from "./top/drawing.ts";
import { HttpCounter } from "./top/http_counter.ts";
import { compare, type Figures, formatFigures, type Snapshot, SORT_KEYS, type SortKey } from "./top/figures.ts";
import type { StoreFigures } from "./top/store.ts";

/** If the broker takes longer to answer, the figures are shown as out of date, in milliseconds. */
const LATE_MS = 2000;

/** Fields that brokers before 0.5 leave out. */
const MISSING_FIELDS: Partial<ClientInfo> = { dropped: 0, observe: null };

/** The keys that end it: q and Ctrl-C, which is a key in raw mode. */
const QUIT_KEYS = ["q", "\x03"];

/** The keys that scroll, each with how many rows and how many screens: k, j, arrows, page up and page down. */
const SCROLL_KEYS = new Map<string, readonly [rows: number, screens: number]>([
  ["k", [-1, 0]],
  ["\x1b[A", [-1, 0]],
  ["\x1bOA", [-1, 0]],
  ["j", [1, 0]],
  ["\x1b[B", [1, 0]],
  ["\x1bOB", [1, 0]],
  ["\x1b[5~", [0, -1]],
  ["\x1b[6~", [0, 1]],
]);

const flags = {
  ...brokerFlags,
  sort: option("KEY", `Sort by one of ${SORT_KEYS.join(", ")}.`, choice(...SORT_KEYS), {
    defaultValue: ["published", "published" as const],
  }),
  every: option("DURATION", "The time from one update to the next.", duration, {
    defaultValue: ["1s", 1000],
    suggestFor: ["interval", "delay", "period", "d", "i"],
    suggestForValue: DURATION,
  }),
  once: toggle("Print one table and exit."),
  json: toggle("Print one JSON object per line: {at, stats, clients}, and of a store {log, groups}."),
};

type TopFlags = Values<typeof flags>;

export const top = defineCommand({
  ...titleOf("top"),
  description:
    "Shows each connection and how many events it publishes and receives, updated every second. A key sorts by a\n" +
    "column, the same key again reverses the order, and q quits. A ! marks slow consumers, a · marks observers.\n" +
    "If the broker has a store, its groups are below: a ! marks those with dead jobs.\n" +
    "In a pipe it prints the tables repeatedly, with the rates since the previous ones.",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [
    ["mq top", "watch a broker; q quits"],
    ["mq top --sort queue", "the longest queues first"],
    ["mq top --once", "the rates of one second"],
    ["mq top --once --json", "the same as JSON"],
    ["mq top --every 10s --json", "one line every ten seconds"],
  ],
  permissions: ["net"],
  async run({ flags }, io) {
    const access = { ...brokerAccess(flags, io, "top"), name: "top" };
    try {
      const client = flags.once
        ? await connectWithHint({ ...access, reconnect: false, signal: io.signal })
        : await connectAndWait("top", access, io);
      try {
        await showFigures(client, flags, io);
      } finally {
        await client.close(); // Nothing is left to handle, so there is nothing to drain.
      }
      return 0;
    } catch (error) {
      if (flags.once || !io.signal.aborted) throw error;
      return 0;
    }
  },
});

/** Shows the figures until the signal ends it, or a key, or --once. */
async function showFigures(client: Client, flags: TopFlags, io: Io): Promise<void> {
  const until = abortWhenLost(client, io.signal);
  const isScreen = io.terminal?.isScreen && !flags.once && !flags.json;
  try {
    await (isScreen ? new Screen(client, flags, io, io.terminal).show(until) : print(client, flags, io, until));
  } catch (error) {
    throw until.aborted ? until.reason : error;
  }
}

/** Requests the counters of the broker, and computes the rates since the previous request. */
class Sampler {
  readonly #client: Client;
  readonly #http = new HttpCounter();
  #connectedAt = performance.now();
  #before: Snapshot | undefined;

  constructor(client: Client) {
    this.#client = client;
    this.#http.follow(client);
    client.addEventListener("reconnect", () => {
      this.#http.clear();
      this.#connectedAt = performance.now();
      this.#before = undefined; // It may be another broker.
    });
  }

  /**
   * The figures since the previous call; undefined without a connection, or if it is lost meanwhile.
   *
   * @throws {ProtocolError} If the broker refuses to answer.
   */
  async sample(signal: AbortSignal): Promise<Figures | undefined> {
    if (!this.#client.connected) return undefined;
    try {
      const before = this.#before;
      this.#before = await this.#snapshot(signal);
      return compare(before, this.#before);
    } catch (error) {
      if (error instanceof ConnectionError && error.code === "disconnected") return undefined;
      throw error;
    }
  }

  async #snapshot(signal: AbortSignal): Promise<Snapshot> {
    const client = this.#client;
    const [clients, stats, store] = await Promise.all([
      client.clients(signal),
      client.stats(signal),
      readStore(client, signal),
    ]);
    const { id, limits } = client.hello;
    return {
      at: new Date(),
      stats,
      clients: clients.map((info) => ({ ...MISSING_FIELDS, ...info })),
      own: { id, ageMs: performance.now() - this.#connectedAt },
      outboxBytes: limits.outboxBytes,
      http: this.#http.publishers,
      store,
    };
  }
}

/** The broker's store; undefined for none. If only its groups cannot be read, they alone are missing. */
async function readStore({ hello, store }: Client, signal: AbortSignal): Promise<StoreFigures | undefined> {
  if (hello.store === undefined) return undefined;
  const [log, groups] = await Promise.all([store.log(signal), store.groups(signal).catch(undefinedIfFailed)]);
  return { log, groups };
}

function undefinedIfFailed(error: unknown): undefined {
  if (!(error instanceof ProtocolError && error.code === "store-failed")) throw error;
}

/** What the broker said instead of an answer; the code comes first, since a terminal may have no room for all of it. */
function describeRefusal({ code, message }: ProtocolError): string {
  return `refused (${code}): ${message}`;
}

/** Prints a table or a JSON line per interval. */
async function print(client: Client, flags: TopFlags, io: Io, until: AbortSignal): Promise<void> {
  if (!flags.once) logConnection("top", client, io);
  const sampler = new Sampler(client);
  const reported = reportRefusals(io);
  const sample = () => flags.once ? sampler.sample(until) : reported(sampler.sample(until));
  await sample();
  while (true) {
    await delay(flags.every, { signal: until });
    const figures = await sample();
    if (figures === undefined) continue;
    io.stdout.line(format(figures, client, flags, io));
    if (io.stdout.isFull) await io.stdout.flush();
    if (flags.once) return;
  }
}

/** Turns refusals of the broker into lines on stderr: the same one only once, until it answers again. */
function reportRefusals(io: Io): (figures: Promise<Figures | undefined>) => Promise<Figures | undefined> {
  let last = "";
  return async (figures) => {
    try {
      const answer = await figures;
      last = "";
      return answer;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (error.message !== last) io.stderr.line(`mq top: ${describeRefusal(error)}`);
      last = error.message;
      return undefined;
    }
  };
}

function format(figures: Figures, client: Client, { sort, json, once }: TopFlags, { terminal }: Io): string {
  const order = { sort, isReversed: false };
  if (json) return formatFigures(figures, order);
  const width = terminal?.size().columns ?? Infinity;
  const { address, hello: { server } } = client;
  return drawAll(figures, { address, server }, order, width) + (once ? "" : "\n");
}

/** Draws on the full screen and handles the keys. */
class Screen {
  readonly #client: Client;
  readonly #io: Io;
  readonly #terminal: Terminal;
  readonly #sampler: Sampler;
  readonly #everyMs: number;
  #view: View;
  #figures: Figures | undefined;
  #problem: string | undefined;

  constructor(client: Client, { sort, every }: TopFlags, io: Io, terminal: Terminal) {
    this.#client = client;
    this.#io = io;
    this.#terminal = terminal;
    this.#sampler = new Sampler(client);
    this.#everyMs = every;
    this.#view = { sort, isReversed: false, first: 0 };
    client.addEventListener("disconnect", () => {
      this.#problem = "connection lost; reconnecting";
      this.#draw();
    });
  }

  /** Shows the figures until a key or the signal ends it; then restores the terminal. */
  async show(until: AbortSignal): Promise<void> {
    const end = new AbortController();
    const signal = AbortSignal.any([until, end.signal]);
    this.#terminal.take();
    const stopResize = this.#terminal.onResize(() => this.#draw());
    try {
      await Promise.race([this.#refresh(signal), this.#handleKeys(signal)]);
    } finally {
      stopResize();
      end.abort();
      await this.#io.stdout.flush();
      this.#terminal.release();
    }
  }

  /** Draws once per interval: the answer of the broker, or that it does not answer. */
  async #refresh(signal: AbortSignal): Promise<void> {
    let request: Promise<void> | undefined;
    let requestedAt = 0;
    while (true) {
      if (request === undefined) {
        requestedAt = performance.now();
        request = this.#update(signal).finally(() => request = undefined);
      }
      const interval = delay(this.#everyMs, { signal });
      await Promise.race([request, interval]);
      const silentMs = performance.now() - requestedAt;
      if (request !== undefined && silentMs > LATE_MS) this.#problem = `no answer for ${formatAge(silentMs)}`;
      this.#draw();
      await interval;
    }
  }

  async #update(signal: AbortSignal): Promise<void> {
    try {
      const figures = await this.#sampler.sample(signal);
      if (figures === undefined) return;
      this.#figures = figures;
      this.#problem = undefined;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#problem = describeRefusal(error);
    }
  }

  /** Handles keys until one of them quits. If stdin ends first, only the signal does. */
  async #handleKeys(signal: AbortSignal): Promise<void> {
    for await (const key of keys(this.#io.stdin, signal)) {
      if (QUIT_KEYS.includes(key)) return;
      const sort = SORTING.get(key);
      if (sort !== undefined) this.#sort(sort);
      else this.#scroll(SCROLL_KEYS.get(key) ?? [0, 0]);
      this.#draw();
    }
    await aborted(signal);
  }

  #sort(sort: SortKey): void {
    const isReversed = sort === this.#view.sort && !this.#view.isReversed;
    this.#view = { sort, isReversed, first: 0 };
  }

  #scroll([rows, screens]: readonly [number, number]): void {
    if (this.#figures === undefined) return;
    const size = this.#terminal.size();
    const wanted = this.#view.first + rows + screens * visibleRows(this.#figures, size);
    this.#view = { ...this.#view, first: firstRow(wanted, this.#figures, size) };
  }

  #draw(): void {
    if (this.#figures === undefined && this.#problem === undefined) return;
    const { address, hello: { server } } = this.#client;
    const broker = { address, server, problem: this.#problem };
    this.#io.stdout.screen(drawScreen(this.#figures, broker, this.#view, this.#terminal.size()));
  }
}
