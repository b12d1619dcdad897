/**
 * `mq app`: a sample application that publishes random events, as a database would publish its changes.
 *
 * @module
 */
import { type Client, connect } from "../lib/client.ts";
import { atMost } from "../lib/net/time.ts";
import { encodeData } from "../lib/protocol/data.ts";
import { MqError, ProtocolError } from "../lib/protocol/errors.ts";
import { checkPublishable, MqEvent } from "../lib/protocol/event.ts";
import {
  abortWhenLost,
  asUsageError,
  type BrokerAccess,
  brokerAccess,
  brokerFlags,
  connectAndWait,
  jsonFlag,
  logConnection,
  nameFlag,
} from "./shared/broker_flags.ts";
import { COUNT_NAMES, defineCommand, DURATION, duration, integer, option, toggle, type Values } from "./command.ts";
import { titleOf } from "./commands.ts";
import { type Events, eventsFlag, isList, readCatalog } from "./shared/events_flag.ts";
import { catalogSamples } from "./app/schema_samples.ts";
import { count, formatDuration, formatForPeople, formatJson, formatPlain } from "./shared/format.ts";
import { SAMPLE_EVENTS, type SampleEvent, sampleEvents } from "./app/sample_events.ts";
import { aborted, type Io } from "./shared/stdio.ts";

/** How long to wait for outstanding receipts at the end, in milliseconds. */
const GRACE_MS = 2000;

const flags = {
  ...brokerFlags,
  every: option("DURATION", "The time from one event to the next.", duration, {
    defaultValue: ["1s", 1000],
    suggestFor: ["interval", "delay", "period", "rate", "i"],
    suggestForValue: DURATION,
  }),
  events: eventsFlag("NAME,...", "Names, or a catalog.", SAMPLE_EVENTS),
  count: option("N", "Exit after N events.", integer(1), { short: "n", suggestFor: COUNT_NAMES }),
  seed: option("N", "The same seed gives the same events.", integer(0)),
  "once-per-connection": toggle("Open and close a connection for each event."),
  json: jsonFlag,
  name: nameFlag("app"),
};

type AppFlags = Values<typeof flags>;

export const app = defineCommand({
  ...titleOf("app"),
  description:
    "Publishes random events about sample records, and prints each when the broker has answered. Brokers do not recognize\n" +
    "some of the default events, to show that these are dropped. At the end (Ctrl-C) it prints totals and the mean time\n" +
    "from publish to receipt. The exit code is 1 if an event was refused or may be lost, or if the broker recognizes none of\n" +
    "--events. With a catalog file (see mq server --help) the data conforms to its schemas; a pattern in it, such as\n" +
    "order.*, is used only if the catalog has no plain names.",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [
    ["mq app", "one event a second"],
    ["mq app --every 100ms --count 50", "50 events, 10 a second"],
    [
      "mq app --every 100ms --count 50 --once-per-connection",
      "compare the mean time with a connection per event",
    ],
    ["mq app --events order.created,order.paid --seed 7", "these names, the same events on each run"],
    ["mq app --events catalog.json", "the events of a catalog, with data that is valid"],
  ],
  permissions: ["net"],
  async run({ flags }, io) {
    const { events } = flags;
    if (isList(events)) {
      asUsageError("mq app --events order.created,order.paid", () => events.forEach(checkPublishable));
    }
    const access = brokerAccess(flags, io, "app");
    const seed = flags.seed ?? crypto.getRandomValues(new Uint32Array(1))[0];
    const generator = new EventGenerator(await samples(seed, events, io), flags, io);
    await using client = await connectAndWait("app", { ...access, name: flags.name }, io);
    const until = abortWhenLost(client, io.signal);
    if (flags["once-per-connection"]) {
      await client.close();
      await generator.run((event) => publishAlone(event, access, flags.name), io.signal);
    } else {
      logConnection("app", client, io);
      await generator.run((event) => publish(event, client), until);
      await client.close(); // Settles the receipts of what has not been sent.
      await generator.settled();
    }
    await io.stdout.flush(); // On a terminal, the events go before their summary.
    io.stderr.line(generator.summary);
    if (until.aborted && !io.signal.aborted) throw until.reason; // The broker rejected the reconnection.
    return generator.exitCode;
  },
});

async function samples(seed: number, events: Events, io: Io): Promise<Generator<SampleEvent, never>> {
  if (isList(events)) return sampleEvents(seed, events);
  return await catalogSamples(seed, await readCatalog(events, "mq app", io));
}

/** Publishes an event; resolves to its id, or to undefined if the broker does not recognize it. */
async function publish({ name, data }: SampleEvent, client: Client): Promise<string | undefined> {
  try {
    return (await client.publishConfirmed(name, data)).id;
  } catch (error) {
    if (error instanceof ProtocolError && error.code === "unrecognized") return undefined;
    throw error;
  }
}

async function publishAlone(event: SampleEvent, access: BrokerAccess, name: string): Promise<string | undefined> {
  await using client = await connect({ ...access, name });
  return await publish(event, client);
}

/** Publishes events at a fixed interval, prints them, and counts and times the receipts. */
class EventGenerator {
  readonly #events: Generator<SampleEvent, never>;
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

  constructor(events: Generator<SampleEvent, never>, flags: AppFlags, io: Io) {
    this.#events = events;
    this.#flags = flags;
    this.#io = io;
  }

  /** Publishes until the count is reached or the signal is aborted. */
  async run(publish: (event: SampleEvent) => Promise<string | undefined>, until: AbortSignal): Promise<void> {
    const complete = Promise.withResolvers<void>();
    const publishNext = () => {
      this.#keep(this.#publishNext(publish));
      if (++this.#started === this.#flags.count) complete.resolve();
    };
    publishNext();
    const timer = setInterval(publishNext, this.#flags.every);
    await Promise.race([complete.promise, aborted(until)]);
    clearInterval(timer);
    await atMost(GRACE_MS, Promise.all(this.#running));
  }

  /** Waits until each event has its receipt or has failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** Totals and the mean time, as one sentence. */
  get summary(): string {
    const sent = `${count(this.#sent, "event")} sent, ${this.#unrecognized} of them not recognized`;
    const how = this.#flags["once-per-connection"] ? "a connection for each" : "one connection for all";
    const mean = this.#sent === 0 ? "" : `, ${formatDuration(this.#totalMs / this.#sent)} each on average`;
    const others = Object.entries(this.#others).filter(([, number]) => number > 0);
    const rest = others.length === 0 ? "" : `; ${others.map(([what, number]) => `${number} ${what}`).join(", ")}`;
    return `mq app: ${sent}; ${how}${mean}${rest}`;
  }

  /** Events without a receipt, by reason; one whose receipt is still outstanding is uncertain. */
  get #others(): Record<string, number> {
    return { refused: this.#refused, uncertain: this.#uncertain + this.#running.size, "not sent": this.#unsent };
  }

  /** Unrecognized events are expected with the default names; with other names at least one must be recognized. */
  get exitCode(): number {
    const isComplete = Object.values(this.#others).every((number) => number === 0);
    const isDefault = String(this.#flags.events) === String(SAMPLE_EVENTS);
    const areAllUnrecognized = this.#sent > 0 && this.#unrecognized === this.#sent;
    return isComplete && (isDefault || !areAllUnrecognized) ? 0 : 1;
  }

  #keep(task: Promise<void>): void {
    const kept = task.finally(() => this.#running.delete(kept));
    this.#running.add(kept);
  }

  async #publishNext(publish: (event: SampleEvent) => Promise<string | undefined>): Promise<void> {
    const { name, data } = this.#events.next().value;
    const text = encodeData(data);
    const startedAt = performance.now();
    try {
      const id = await publish({ name, data });
      this.#totalMs += performance.now() - startedAt;
      this.#sent++;
      if (id === undefined) this.#unrecognized++;
      this.#print(this.#flags.json ? new MqEvent(name, text, { id, from: this.#flags.name }) : new MqEvent(name, text));
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
