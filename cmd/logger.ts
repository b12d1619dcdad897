/**
 * `mq logger`: subscribes to events and prints them.
 *
 * @module
 */
import { dim } from "@std/fmt/colors";
import type { Client } from "../lib/client.ts";
import type { MqEvent } from "../lib/protocol/event.ts";
import {
  brokerAccess,
  brokerFlags,
  connectAndWait,
  jsonFlag,
  logConnection,
  logDropped,
  nameFlag,
  warnOfUnmatchedPatterns,
} from "./shared/broker_flags.ts";
import { COUNT_NAMES, defineCommand, duration, integer, option, toggle, type Values } from "./command.ts";
import { titleOf } from "./commands.ts";
import { count, formatForPeople, formatJson, formatPatternList, formatPlain } from "./shared/format.ts";
import { PATTERN } from "./shared/operands.ts";
import type { Io } from "./shared/stdio.ts";

/** Matches all events except the broker's own. */
const ALL_EVENTS = ">";

const flags = {
  ...brokerFlags,
  count: option("COUNT", "Exit after COUNT events.", integer(1), { short: "n", suggestFor: COUNT_NAMES }),
  wait: option("DURATION", "Exit after that time, with exit code 124.", duration, {
    suggestFor: ["timeout", "time", "for", "duration"],
  }),
  json: jsonFlag,
  verbose: toggle("Show time and sender in a pipe, too.", { short: "v" }),
  name: nameFlag("logger"),
};

export const logger = defineCommand({
  ...titleOf("logger"),
  description: "Without a PATTERN it subscribes to all events except the broker's own, which 'mq.>' matches.\n" +
    "In a pattern, * matches one part of a name, and > at the end matches the rest.\n" +
    "If no broker answers it keeps trying, and it reconnects when the connection is lost.",
  operands: {
    form: "[PATTERN...]",
    min: 0,
    max: Infinity,
    suggestFor: ["pattern", "patterns", "event", "events", "e", "topic", "topics", "t"],
    kinds: [PATTERN],
  },
  flags,
  examples: [
    ["mq logger", "print all events"],
    ["mq logger create 'order.*'", "print some"],
    ["mq logger 'mq.>'", "print the broker's own events"],
    ["mq logger -n 1 --wait 10s error", "wait up to 10 s for the next error"],
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
      await using client = await connectAndWait("logger", options, { ...io, signal: until });
      logConnection("logger", client, io);
      logged = await log(client, { patterns: operands, limit: flags.count, format, until }, io);
    } catch (error) {
      if (!until.aborted) throw error;
    }
    if (logged === flags.count || !until.aborted) return 0;
    return time?.aborted ? timedOut(logged, flags, io) : interrupted(logged, flags, io);
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

/** Prints events until the limit is reached or the signal is aborted; resolves to their number. */
async function log(client: Client, { patterns, limit, format, until }: LogOptions, io: Io): Promise<number> {
  let logged = 0;
  const subscription = client.subscribe(patterns.length > 0 ? patterns : ALL_EVENTS, { signal: until });
  await subscription.ready; // The message below promises that events published from now on are received.
  if (io.stderr.isTerminal) {
    const subscribed = patterns.length > 0 ? formatPatternList(patterns) : "all events";
    io.stderr.line(dim(`Connected to ${client.address}, subscribed to ${subscribed}. Ctrl-C ends it.`));
  }
  warnOfUnmatchedPatterns("logger", patterns, client, io);
  using _ = logDropped("logger", subscription, io);
  for await (const event of subscription) {
    io.stdout.line(format(event));
    if (++logged === limit) break;
    if (io.stdout.isFull) await io.stdout.flush();
  }
  return logged;
}

function timedOut(logged: number, { count: wanted, wait }: Values<typeof flags>, io: Io): number {
  if (wanted !== undefined) {
    io.stderr.line(`mq logger: received ${logged} of ${count(wanted, "event")} in ${wait! / 1000} s`);
  }
  return 124;
}

function interrupted(logged: number, { count: wanted }: Values<typeof flags>, io: Io): number {
  if (wanted === undefined || io.stdout.failure !== undefined) return 0; // The failure has its own message.
  io.stderr.line(`mq logger: ended after ${logged} of ${count(wanted, "event")}`);
  return 1;
}
