/**
 * `mq top`: what goes on in a broker, in a terminal.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import type { Client } from "../lib/client.ts";
import { ConnectionError } from "../lib/protocol/errors.ts";
import type { ClientInfo } from "../lib/protocol/responses.ts";
import {
  brokerAccess,
  brokerFlags,
  connectOrSay,
  connectPatiently,
  tellConnection,
  untilLost,
} from "./shared/broker_flags.ts";
import { choice, defineCommand, DURATION, duration, option, toggle, type Values } from "./command.ts";
import { titleOf } from "./commands.ts";
import { aborted, type Io } from "./shared/stdio.ts";
import { keys, type Terminal } from "./shared/terminal.ts";
import { drawAll, drawScreen, firstRow, formatAge, roomFor, SORTING, type View } from "./top/drawing.ts";
import { HttpCounter } from "./top/http_counter.ts";
import { compare, type Figures, formatFigures, type Snapshot, SORT_KEYS, type SortKey } from "./top/figures.ts";

/** When an answer takes longer, what is shown is out of date. */
const LATE_MS = 2000;

/** What a broker before 0.5 does not say of a connection. */
const UNSAID: Partial<ClientInfo> = { dropped: 0, observe: null };

/** The keys that end it; in a terminal that hands out each key, Ctrl-C is one. */
const ENDING = ["q", "\x03"];

/** The keys that scroll, by how many rows and by how many screens. */
const SCROLLING = new Map<string, readonly [rows: number, screens: number]>([
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
    fallback: ["published", "published" as const],
  }),
  every: option("DURATION", "How often the broker is asked.", duration, {
    fallback: ["1s", 1000],
    aliases: ["interval", "delay", "period", "d", "i"],
    looks: DURATION,
  }),
  once: toggle("Print it once, and end."),
  json: toggle("Print one JSON object a line: {at, stats, clients}."),
};

type TopFlags = Values<typeof flags>;

/** The command. */
export const top = defineCommand({
  ...titleOf("top"),
  description:
    "Shows connections and what each publishes and gets, anew each second. Keys sort, and the same key again\n" +
    "reverses; q ends it. A ! marks those that read too slowly, a · those that only look on.\n" +
    "In a pipe it prints the table again and again, with what has happened since the one before.",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [
    ["mq top", "watch a broker until q"],
    ["mq top --sort queue", "those first for whom most waits"],
    ["mq top --once", "what happens within a second"],
    ["mq top --once --json", "the same for programs"],
    ["mq top --every 10s --json", "a line each ten seconds"],
  ],
  permissions: ["net"],
  async run({ flags }, io) {
    const access = { ...brokerAccess(flags, io, "top"), name: "top" };
    try {
      await using client = flags.once
        ? await connectOrSay({ ...access, reconnect: false, signal: io.signal })
        : await connectPatiently("top", access, io);
      await attend(client, flags, io);
      return 0;
    } catch (error) {
      if (flags.once || !io.signal.aborted) throw error;
      return 0;
    }
  },
});

/** Shows what goes on until it is time to end. */
async function attend(client: Client, flags: TopFlags, io: Io): Promise<void> {
  const until = untilLost(client, io.signal);
  const isScreen = io.terminal?.isScreen && !flags.once && !flags.json;
  try {
    await (isScreen ? new Screen(client, flags, io, io.terminal).show(until) : print(client, flags, io, until));
  } catch (error) {
    throw until.aborted ? until.reason : error;
  }
}

/** Asks the broker time and again, and works out what has changed. */
class Watcher {
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

  /** What has changed since it was asked last; undefined if there is no connection, or it broke meanwhile. */
  async look(signal: AbortSignal): Promise<Figures | undefined> {
    if (!this.#client.connected) return undefined;
    try {
      const before = this.#before;
      this.#before = await this.#ask(signal);
      return compare(before, this.#before);
    } catch (error) {
      if (error instanceof ConnectionError && error.code === "disconnected") return undefined;
      throw error;
    }
  }

  async #ask(signal: AbortSignal): Promise<Snapshot> {
    const client = this.#client;
    const [clients, stats] = await Promise.all([client.clients(signal), client.stats(signal)]);
    const { id, limits } = client.hello;
    return {
      at: new Date(),
      stats,
      clients: clients.map((info) => ({ ...UNSAID, ...info })),
      own: { id, ageMs: performance.now() - this.#connectedAt },
      outboxBytes: limits.outboxBytes,
      http: this.#http.publishers,
    };
  }
}

/** Prints what has happened within each interval, line by line. */
async function print(client: Client, flags: TopFlags, io: Io, until: AbortSignal): Promise<void> {
  if (!flags.once) tellConnection("top", client, io);
  const watcher = new Watcher(client);
  await watcher.look(until);
  while (true) {
    await delay(flags.every, { signal: until });
    const figures = await watcher.look(until);
    if (figures === undefined) continue;
    io.stdout.line(format(figures, client, flags, io));
    if (io.stdout.isFull) await io.stdout.flush();
    if (flags.once) return;
  }
}

function format(figures: Figures, client: Client, { sort, json, once }: TopFlags, { terminal }: Io): string {
  const order = { sort, isReversed: false };
  if (json) return formatFigures(figures, order);
  const width = terminal?.size().columns ?? Infinity;
  const { address, hello: { server } } = client;
  return drawAll(figures, { address, server }, order, width) + (once ? "" : "\n");
}

/** Shows it all over a terminal, and obeys the keys. */
class Screen {
  readonly #client: Client;
  readonly #io: Io;
  readonly #terminal: Terminal;
  readonly #watcher: Watcher;
  readonly #everyMs: number;
  #view: View;
  #figures: Figures | undefined;
  #trouble: string | undefined;

  constructor(client: Client, { sort, every }: TopFlags, io: Io, terminal: Terminal) {
    this.#client = client;
    this.#io = io;
    this.#terminal = terminal;
    this.#watcher = new Watcher(client);
    this.#everyMs = every;
    this.#view = { sort, isReversed: false, first: 0 };
    client.addEventListener("disconnect", () => {
      this.#trouble = "lost; trying again";
      this.#draw();
    });
  }

  /** Shows it until somebody presses q or a signal is aborted; then the terminal is as it was. */
  async show(until: AbortSignal): Promise<void> {
    const end = new AbortController();
    const signal = AbortSignal.any([until, end.signal]);
    this.#terminal.take();
    const forget = this.#terminal.onResize(() => this.#draw());
    try {
      await Promise.race([this.#refresh(signal), this.#obey(signal)]);
    } finally {
      forget();
      end.abort();
      await this.#io.stdout.flush();
      this.#terminal.release();
    }
  }

  /** Draws once each interval: what the broker answers, or that it does not. */
  async #refresh(signal: AbortSignal): Promise<void> {
    let asking: Promise<void> | undefined;
    let askedAt = 0;
    while (true) {
      if (asking === undefined) {
        askedAt = performance.now();
        asking = this.#look(signal).finally(() => asking = undefined);
      }
      const interval = delay(this.#everyMs, { signal });
      await Promise.race([asking, interval]);
      const silentMs = performance.now() - askedAt;
      if (asking !== undefined && silentMs > LATE_MS) this.#trouble = `no answer for ${formatAge(silentMs)}`;
      this.#draw();
      await interval;
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const figures = await this.#watcher.look(signal);
    if (figures === undefined) return;
    this.#figures = figures;
    this.#trouble = undefined;
  }

  /** Does what the keys say until it is to end. Where no more keys can come, a signal ends it. */
  async #obey(signal: AbortSignal): Promise<void> {
    for await (const key of keys(this.#io.stdin, signal)) {
      if (ENDING.includes(key)) return;
      const sort = SORTING.get(key);
      if (sort !== undefined) this.#sort(sort);
      else this.#scroll(SCROLLING.get(key) ?? [0, 0]);
      this.#draw();
    }
    await aborted(signal);
  }

  #sort(sort: SortKey): void {
    const isReversed = sort === this.#view.sort && !this.#view.isReversed;
    this.#view = { sort, isReversed, first: 0 };
  }

  #scroll([rows, screens]: readonly [number, number]): void {
    const size = this.#terminal.size();
    const wanted = this.#view.first + rows + screens * roomFor(size);
    this.#view = { ...this.#view, first: firstRow(wanted, this.#figures?.clients.length ?? 0, size) };
  }

  #draw(): void {
    if (this.#figures === undefined) return;
    const { address, hello: { server } } = this.#client;
    const subject = { address, server, trouble: this.#trouble };
    this.#io.stdout.screen(drawScreen(this.#figures, subject, this.#view, this.#terminal.size()));
  }
}
