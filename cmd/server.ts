/**
 * `mq server`: the broker.
 *
 * @module
 */
import { bold, dim, green, red, yellow } from "@std/fmt/colors";
import {
  type Activity,
  Broker,
  DEFAULT_EVENTS,
  DEFAULT_PORT,
  formatAddress,
  formatPatterns,
  type Json,
  MqError,
  MqEvent,
  VERSION,
} from "../mod.ts";
import { checkTyped, jsonFlag } from "./broker_flags.ts";
import { defineCommand, integer, list, option, toggle, type Values } from "./command.ts";
import { count, formatDuration, formatForPeople, formatJson, layOut, localTime } from "./format.ts";
import { aborted, type Io } from "./stdio.ts";

const flags = {
  host: option("HOST", "The address to listen on.", (text) => text, { fallback: ["localhost", "localhost"] }),
  port: option("PORT", "The port to listen on; 0 takes a free one.", integer(0, 65535), {
    fallback: [String(DEFAULT_PORT), DEFAULT_PORT],
  }),
  events: option("LIST", "Names or patterns of the events it recognizes.", list, {
    fallback: [DEFAULT_EVENTS.join(","), [...DEFAULT_EVENTS]],
  }),
  verbose: toggle("Log every event, too.", { short: "v" }),
  json: jsonFlag,
};

/** The options of {@linkcode startServer}. */
export type ServerFlags = Values<typeof flags>;

/** The command. */
export const server = defineCommand({
  name: "server",
  summary: "the broker: sends every event it recognizes on to those who listen",
  description: "Keeps a pool of TCP connections. What it does not recognize is dropped, and the log says so.\n" +
    "localhost is both 127.0.0.1 and ::1. Ctrl-C drains and ends it.",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [
    ["mq server", "on localhost:3001, recognizing create, read, update, delete, error"],
    ["mq server --events 'order.*,user.>'", "recognizing events by pattern"],
    ["mq server --events '>' --verbose", "recognizing all events, and logging them"],
    ["mq server --port 4000 --json", "on another port, with a log for programs"],
  ],
  permissions: ["net"],
  async run({ flags }, io) {
    const broker = await startServer(flags, io);
    await aborted(io.signal);
    await broker.close();
    return 0;
  },
});

/** Starts a broker that logs to an Io's stdout. */
export async function startServer(flags: ServerFlags, io: Io): Promise<Broker> {
  const log = flags.json ? jsonLog(io) : new Log(io, flags.events);
  checkTyped("mq server --events 'order.*,user.>'", () => void new Broker({ events: flags.events }));
  const broker = new Broker({
    events: flags.events,
    onActivity: (name, data) => log.activity(name, data),
    onPublish: flags.verbose
      ? (name, line, from, receivers) => log.published(name, line.slice(name.length).trimStart(), from, receivers)
      : undefined,
  });
  await listen(broker, flags);
  log.listening(broker);
  return broker;
}

async function listen(broker: Broker, { host, port }: ServerFlags): Promise<void> {
  try {
    await broker.listen({ hostname: host, port });
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    const hint = error.code === "address-in-use"
      ? "choose another port with --port, or end that program"
      : "--host takes a name or an address of this machine";
    throw new MqError(error.code, `${error.message}; ${hint}`, { cause: error });
  }
}

interface ServerLog {
  listening(broker: Broker): void;
  activity(name: string, data: Activity): void;
  published(name: string, text: string, from: string, receivers: number): void;
}

/** The log for programs: one object a line. */
function jsonLog(io: Io): ServerLog {
  const print = (name: string, from: string, text: string) =>
    io.stdout.line(formatJson(new MqEvent(name, text, undefined, from), { at: new Date() }));
  const activity = (name: string, data: Json) => print(name, "mq", JSON.stringify(data));
  return {
    listening: ({ addrs, events }) =>
      activity("mq.listen", { addresses: addrs.map(formatAddress), events: [...events] }),
    activity,
    published: (name, text, from) => print(name, from, text),
  };
}

/** The log for people. */
class Log implements ServerLog {
  readonly #io: Io;
  readonly #events: readonly string[];

  constructor(io: Io, events: readonly string[]) {
    this.#io = io;
    this.#events = events;
  }

  listening({ addrs, events }: Broker): void {
    const port = addrs[0].port;
    const where = port === DEFAULT_PORT ? "" : ` -s localhost:${port}`;
    this.#io.stdout.line(bold(`mq server ${VERSION} listens on ${addrs.map(formatAddress).join(" and ")}`));
    this.#io.stdout.line(`It recognizes these events: ${formatPatterns(events)}`);
    this.#io.stdout.line(
      dim(`In other terminals: mq logger${where}, mq app${where}, or nc localhost ${port}. Ctrl-C ends it.`),
    );
    if (addrs.some(({ hostname }) => !isLoopback(hostname))) {
      this.#io.stdout.line(
        yellow("Anyone on the network can connect and publish; without --host only this machine could."),
      );
    }
  }

  activity(name: string, data: Activity): void {
    const line = this.#describe(name, data);
    if (line !== undefined) this.#print(line);
  }

  published(name: string, text: string, from: string, receivers: number): void {
    this.#io.stdout.line(`${formatForPeople(new MqEvent(name, text, undefined, from))} ${dim(`to ${receivers}`)}`);
  }

  #print(line: string): void {
    this.#io.stdout.line(`${dim(localTime(new Date()))}  ${line}`);
  }

  #describe(name: string, data: Activity): string | undefined {
    const who = layOut(String(data.name));
    const isFirst = data.times === 1;
    switch (name) {
      case "mq.connect":
        return `${green("+")} ${who} connected from ${data.address}`;
      case "mq.hello":
        return data.was === data.name ? undefined : `${green("=")} ${layOut(String(data.was))} is ${who}`;
      case "mq.disconnect":
        return `${red("-")} ${who} left (${data.reason}) after ${formatDuration(Number(data.connectedMs))}: ` +
          `${count(Number(data.published), "event")} published, ${data.delivered} heard`;
      case "mq.unrecognized":
        return isFirst ? this.#unrecognized(who, String(data.event)) : undefined;
      case "mq.refused":
        return isFirst ? `${yellow("!")} ${who}: ${data.text}` : undefined;
      case "mq.slow":
        return `${red("!")} ${who} does not read: ${data.queuedBytes} bytes wait for it, so it is closed`;
      case "mq.dropped":
        return `${red("!")} ${data.bytes} bytes for ${who} were lost: it left before it read them`;
      case "mq.drain":
        return `Draining ${count(Number(data.connections), "connection")}`;
    }
  }

  #unrecognized(who: string, event: string): string {
    const admit = `--events '${[...this.#events, event].join(",")}'`;
    return `${yellow("!")} ${who}: "${event}" is not recognized, so nobody gets it. To admit it: ${admit}`;
  }
}

function isLoopback(hostname: string): boolean {
  return hostname.startsWith("127.") || hostname === "::1";
}
