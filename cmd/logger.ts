/**
 * `mq logger`: logs the events it hears.
 *
 * @module
 */
import { dim } from "@std/fmt/colors";
import type { Client } from "../lib/client.ts";
import type { MqEvent } from "../lib/protocol/event.ts";
import {
  brokerAccess,
  brokerFlags,
  connectPatiently,
  jsonFlag,
  nameFlag,
  tellConnection,
  tellDropped,
  warnOfDeadPatterns,
} from "./shared/broker_flags.ts";
import { COUNT_ALIASES, defineCommand, duration, integer, option, toggle, type Values } from "./command.ts";
import { titleOf } from "./commands.ts";
import { count, formatForPeople, formatJson, formatPlain, formatSome } from "./shared/format.ts";
import { PATTERN } from "./shared/operands.ts";
import type { Io } from "./shared/stdio.ts";

/** Everything but the broker's own events. */
const EVERYTHING = ">";

const flags = {
  ...brokerFlags,
  count: option("COUNT", "End after that many events.", integer(1), { short: "n", aliases: COUNT_ALIASES }),
  wait: option("DURATION", "End after that time, with exit code 124.", duration, {
    aliases: ["timeout", "time", "for", "duration"],
  }),
  json: jsonFlag,
  verbose: toggle("Show time and sender even when the output is piped.", { short: "v" }),
  name: nameFlag("logger"),
};

/** The command. */
export const logger = defineCommand({
  ...titleOf("logger"),
  description: "Without a PATTERN it hears all events but the broker's own, which are heard by 'mq.>'.\n" +
    "In a pattern, * stands for one part of a name and a last > for the rest.\n" +
    "It waits for a broker that is not there yet, and comes back when the broker does.",
  operands: {
    form: "[PATTERN...]",
    min: 0,
    max: Infinity,
    aliases: ["pattern", "patterns", "event", "events", "e", "topic", "topics", "t"],
    kinds: [PATTERN],
  },
  flags,
  examples: [
    ["mq logger", "log all events"],
    ["mq logger create 'order.*'", "log some"],
    ["mq logger 'mq.>'", "watch the broker's own life"],
    ["mq logger -n 1 --wait 10s error", "wait at most 10 s for the first error"],
    ["mq logger --json | head -n 3", "three events as JSON"],
  ],
  permissions: ["net"],
  async run({ flags, operands }, io) {
    const access = brokerAccess(flags, io, "logger");
    const format = chooseFormat(flags, io);
    const time = flags.wait === undefined ? undefined : AbortSignal.timeout(flags.wait);
    const until = time ? AbortSignal.any([io.signal, time]) : io.signal;
    let logged = 0;
    try {
      const options = { ...access, name: flags.name, meta: format !== formatPlain };
      await using client = await connectPatiently("logger", options, { ...io, signal: until });
      tellConnection("logger", client, io);
      logged = await log(client, { patterns: operands, limit: flags.count, format, until }, io);
    } catch (error) {
      if (!until.aborted) throw error;
    }
    if (logged === flags.count || !until.aborted) return 0;
    return time?.aborted ? timeRanOut(logged, flags, io) : interrupted(logged, flags, io);
  },
});

function chooseFormat({ json, verbose }: Values<typeof flags>, io: Io): (event: MqEvent) => string {
  if (json) return (event) => formatJson(event);
  return io.stdout.isTerminal || verbose ? formatForPeople : formatPlain;
}

interface LogOptions {
  patterns: string[];
  limit: number | undefined;
  format: (event: MqEvent) => string;
  until: AbortSignal;
}

/** Logs until there are enough events or it is time to end; returns how many they were. */
async function log(client: Client, { patterns, limit, format, until }: LogOptions, io: Io): Promise<number> {
  let logged = 0;
  const subscription = client.subscribe(patterns.length > 0 ? patterns : EVERYTHING, { signal: until });
  await subscription.ready; // Who reads that it hears something may publish at once.
  if (io.stderr.isTerminal) {
    const heard = patterns.length > 0 ? formatSome(patterns) : "every event";
    io.stderr.line(dim(`Connected to ${client.address}, hears ${heard}. Ctrl-C ends it.`));
  }
  warnOfDeadPatterns("logger", patterns, client, io);
  using _ = tellDropped("logger", subscription, io);
  for await (const event of subscription) {
    io.stdout.line(format(event));
    if (++logged === limit) break;
    if (io.stdout.isFull) await io.stdout.flush();
  }
  return logged;
}

function timeRanOut(logged: number, { count: wanted, wait }: Values<typeof flags>, io: Io): number {
  if (wanted !== undefined) {
    io.stderr.line(`mq logger: ${logged} of ${count(wanted, "event")} came in ${wait! / 1000} s`);
  }
  return 124;
}

function interrupted(logged: number, { count: wanted }: Values<typeof flags>, io: Io): number {
  if (wanted === undefined || io.stdout.failure !== undefined) return 0; // What fails is told by itself.
  io.stderr.line(`mq logger: ended after ${logged} of ${count(wanted, "event")}`);
  return 1;
}
