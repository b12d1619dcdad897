/**
 * `mq app`: an application, say a database, that lets the world know what happens in it.
 *
 * @module
 */
import { type Client, connect } from "../lib/client.ts";
import { encodeData } from "../lib/protocol/data.ts";
import { MqError, ProtocolError } from "../lib/protocol/errors.ts";
import { checkPublishable, MqEvent } from "../lib/protocol/event.ts";
import {
  type BrokerAccess,
  brokerAccess,
  brokerFlags,
  checkTyped,
  connectPatiently,
  jsonFlag,
  nameFlag,
  tellConnection,
  untilLost,
} from "./shared/broker_flags.ts";
import { COUNT_ALIASES, defineCommand, DURATION, duration, integer, option, toggle, type Values } from "./command.ts";
import { type Events, eventsFlag, isList, readCatalog } from "./shared/events_flag.ts";
import { makeUpFitting } from "./app/schema_samples.ts";
import { count, formatDuration, formatForPeople, formatJson, formatPlain } from "./shared/format.ts";
import { BARKED_EVENTS, type MadeUpEvent, makeUpEvents } from "./app/sample_events.ts";
import { aborted, type Io } from "./shared/stdio.ts";

/** How long it waits at the end for the broker to take in what was published, in milliseconds. */
const GRACE_MS = 2000;

const flags = {
  ...brokerFlags,
  every: option("DURATION", "How often an event comes.", duration, {
    fallback: ["1s", 1000],
    aliases: ["interval", "delay", "period", "rate", "i"],
    looks: DURATION,
  }),
  events: eventsFlag("NAME,...", "Names, or a catalog.", BARKED_EVENTS),
  count: option("N", "End after that many events.", integer(1), { short: "n", aliases: COUNT_ALIASES }),
  seed: option("N", "The same seed gives the same events.", integer(0)),
  "once-per-connection": toggle("Connect and disconnect for each event."),
  json: jsonFlag,
  name: nameFlag("app"),
};

type AppFlags = Values<typeof flags>;

/** The command. */
export const app = defineCommand({
  name: "app",
  aliases: ["bark", "generate", "simulate", "client"],
  summary: "an application that barks random events",
  description: "Publishes made-up events about made-up records, some of them on purpose such as the broker does not\n" +
    "recognize, and prints each once the broker has answered. At the end (Ctrl-C) it says what became of them and the\n" +
    "mean time each took. It exits with 1 if one was refused or may be lost, or if none of --events is recognized.\n" +
    "With the broker's catalog (mq server --help shows what that is like) it makes up data that fits;\n" +
    "an entry such as order.* it takes only where the catalog names no event.",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [
    ["mq app", "an event each second"],
    ["mq app --every 100ms --count 50", "fifty of them, faster"],
    ["mq app --every 100ms --count 50 --once-per-connection", "is it cheaper to stay connected? Compare"],
    ["mq app --events order.created,order.paid --seed 7", "these names, the same each time"],
    ["mq app --events catalog.json", "the events of a catalog, with data that fits their schemas"],
  ],
  permissions: ["net"],
  async run({ flags }, io) {
    const { events } = flags;
    if (isList(events)) checkTyped("mq app --events order.created,order.paid", () => events.forEach(checkPublishable));
    const access = brokerAccess(flags, io, "app");
    const seed = flags.seed ?? crypto.getRandomValues(new Uint32Array(1))[0];
    const barker = new Barker(await makeUp(seed, events, io), flags, io);
    await using client = await connectPatiently("app", { ...access, name: flags.name }, io);
    const until = untilLost(client, io.signal);
    if (flags["once-per-connection"]) {
      await client.close();
      await barker.run((event) => publishAlone(event, access, flags.name), io.signal);
    } else {
      tellConnection("app", client, io);
      await barker.run((event) => publish(event, client), until);
      await client.close(); // What it has not sent it never will.
      await barker.settled();
    }
    await io.stdout.flush(); // On a terminal, the events come before their summary.
    io.stderr.line(barker.summary);
    if (until.aborted && !io.signal.aborted) throw until.reason; // It has been let in no more.
    return barker.exitCode;
  },
});

async function makeUp(seed: number, events: Events, io: Io): Promise<Generator<MadeUpEvent, never>> {
  if (isList(events)) return makeUpEvents(seed, events);
  return await makeUpFitting(seed, await readCatalog(events, "mq app", io));
}

/** Publishes an event; returns its id, or undefined if the broker does not recognize it. */
async function publish({ name, data }: MadeUpEvent, client: Client): Promise<string | undefined> {
  try {
    return (await client.publish(name, data, { receipt: true })).id;
  } catch (error) {
    if (error instanceof ProtocolError && error.code === "unrecognized") return undefined;
    throw error;
  }
}

async function publishAlone(event: MadeUpEvent, access: BrokerAccess, name: string): Promise<string | undefined> {
  await using client = await connect({ ...access, name });
  return await publish(event, client);
}

/** Publishes one event after another at a steady pace, prints them, and keeps the time. */
class Barker {
  readonly #events: Generator<MadeUpEvent, never>;
  readonly #flags: AppFlags;
  readonly #io: Io;
  readonly #running = new Set<Promise<void>>();
  #started = 0;
  #sent = 0;
  #unrecognized = 0;
  #refused = 0;
  #uncertain = 0;
  #unsent = 0;
  #totalMs = 0;

  constructor(events: Generator<MadeUpEvent, never>, flags: AppFlags, io: Io) {
    this.#events = events;
    this.#flags = flags;
    this.#io = io;
  }

  /** Barks until there are enough events, or a signal says so. */
  async run(publish: (event: MadeUpEvent) => Promise<string | undefined>, until: AbortSignal): Promise<void> {
    const enough = Promise.withResolvers<void>();
    const bark = () => {
      this.#keep(this.#bark(publish));
      if (++this.#started === this.#flags.count) enough.resolve();
    };
    bark();
    const timer = setInterval(bark, this.#flags.every);
    await Promise.race([enough.promise, aborted(until)]);
    clearInterval(timer);
    await Promise.race([Promise.all(this.#running), aborted(AbortSignal.timeout(GRACE_MS))]);
  }

  /** Waits until it is known of each what became of it. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** How many were sent, what each cost, and what became of the others. */
  get summary(): string {
    const sent = `${count(this.#sent, "event")} sent, ${this.#unrecognized} of them not recognized`;
    const how = this.#flags["once-per-connection"] ? "a connection for each" : "one connection for all";
    const mean = this.#sent === 0 ? "" : `, ${formatDuration(this.#totalMs / this.#sent)} each on average`;
    const others = Object.entries(this.#others).filter(([, number]) => number > 0);
    const rest = others.length === 0 ? "" : `; ${others.map(([what, number]) => `${number} ${what}`).join(", ")}`;
    return `mq app: ${sent}; ${how}${mean}${rest}`;
  }

  /** What is still under way has had its time. */
  get #others(): Record<string, number> {
    return { refused: this.#refused, uncertain: this.#uncertain + this.#running.size, "not sent": this.#unsent };
  }

  /** Some unrecognized events are a part of the show, but not where nothing else was asked for. */
  get exitCode(): number {
    const isComplete = Object.values(this.#others).every((number) => number === 0);
    const isShow = String(this.#flags.events) === String(BARKED_EVENTS);
    const isInVain = this.#sent > 0 && this.#unrecognized === this.#sent;
    return isComplete && (isShow || !isInVain) ? 0 : 1;
  }

  #keep(task: Promise<void>): void {
    const kept = task.finally(() => this.#running.delete(kept));
    this.#running.add(kept);
  }

  async #bark(publish: (event: MadeUpEvent) => Promise<string | undefined>): Promise<void> {
    const { name, data } = this.#events.next().value;
    const text = encodeData(data);
    const startedAt = performance.now();
    try {
      const id = await publish({ name, data });
      this.#totalMs += performance.now() - startedAt;
      this.#sent++;
      if (id === undefined) this.#unrecognized++;
      this.#print(this.#flags.json ? new MqEvent(name, text, id, this.#flags.name) : new MqEvent(name, text));
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      this.#fail(error);
      if (!this.#io.signal.aborted) this.#io.stderr.line(`mq app: ${name}: ${error.message}`);
    }
  }

  #fail(error: MqError): void {
    if (error instanceof ProtocolError) this.#refused++;
    else if (error.code === "unconfirmed") this.#uncertain++;
    else this.#unsent++;
  }

  #print(event: MqEvent): void {
    const { stdout } = this.#io;
    if (this.#flags.json) stdout.line(formatJson(event));
    else stdout.line(stdout.isTerminal ? formatForPeople(event) : formatPlain(event));
  }
}
