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
import { COUNT_NAMES, defineCommand, duration, integer, option, type Values } from "./command.ts";
import { titleOf } from "./commands.ts";
import { chooseFormat, verboseFlag } from "./shared/event_output.ts";
import { count, formatPatternList, formatPlain } from "./shared/format.ts";
import { PATTERN } from "./shared/operands.ts";
import { sinceFlag } from "./shared/since.ts";
import type { Io } from "./shared/stdio.ts";
import { checkStore } from "./shared/store_access.ts";

/** Matches all events except the broker's own. */
const ALL_EVENTS = ">";

const flags = {
  ...brokerFlags,
  count: option("COUNT", "Exit after COUNT events.", integer(1), { short: "n", suggestFor: COUNT_NAMES }),
  wait: option("DURATION", "Exit after that time, with exit code 124.", duration, {
    suggestFor: ["timeout", "time", "for", "duration"],
  }),
  since: sinceFlag("Begin with what is stored: all, an id, a time, or a duration.", ["the next event", undefined]),
  json: jsonFlag,
  verbose: verboseFlag,
  name: nameFlag("logger"),
};

export const logger = defineCommand({
  ...titleOf("logger"),
  description: "Without a PATTERN it subscribes to all events except the broker's own, which 'mq.>' matches.\n" +
    "In a pattern, * matches one part of a name, and > at the end matches the rest.\n" +
    "If no broker answers it keeps trying, and it reconnects when the connection is lost.\n" +
    "With --since it prints what a broker with a store has, then what is published, without a gap; when it reconnects, it\n" +
    "goes on behind the last event. A time without a zone is the local time. mq log prints what is stored, and ends.",
  operands: {
    form: "[PATTERN...]",
    min: 0,
    max: Infinity,
    suggestFor: ["pattern", "patterns", "event", "events", "e", "topic", "topics", "t"],
    kinds: [PATTERN],
  },
  flags,
  elsewhere: { until: "mq log --until FROM" },
  examples: [
    ["mq logger", "print all events"],
    ["mq logger create 'order.*'", "print some"],
    ["mq logger 'mq.>'", "print the broker's own events"],
    ["mq logger -n 1 --wait 10s error", "wait up to 10 s for the next error"],
    ["mq logger --json | head -n 3", "three events as JSON"],
    ["mq logger --since 1h error", "the errors of the last hour, then new ones"],
    ["mq logger --since 2026-11-28T10:00", "all events from that time on"],
  ],
  permissions: ["net"],
  async run({ flags, operands }, io) {
    const access = brokerAccess(flags, io, "logger");
    const format = chooseFormat(flags, io);
    const time = flags.wait === undefined ? undefined : AbortSignal.timeout(flags.wait);
    const until = time ? AbortSignal.any([io.signal, time]) : io.signal;
    let logged = 0;
    try {
      const { count: limit, since } = flags;
      const options = { ...access, name: flags.name, meta: format !== formatPlain || since !== undefined };
      await using client = await connectAndWait("logger", options, { ...io, signal: until });
      if (since !== undefined) checkStore(client, access);
      logConnection("logger", client, io);
      logged = await log(client, { patterns: operands, limit, since, format, until }, io);
    } catch (error) {
      if (!until.aborted) throw error;
    }
    if (logged === flags.count || !until.aborted) return 0;
    return time?.aborted ? timedOut(logged, flags, io) : interrupted(logged, flags, io);
  },
});

interface LogOptions {
  patterns: string[];
  limit: number | undefined;
  since: string | undefined;
  format: (event: MqEvent) => string;
  until: AbortSignal;
}

/** Prints events until the limit is reached or the signal is aborted; resolves to their number. */
async function log(client: Client, { patterns, limit, since, format, until }: LogOptions, io: Io): Promise<number> {
  let logged = 0;
  const subscription = client.subscribe(patterns.length > 0 ? patterns : ALL_EVENTS, { signal: until, since });
  // The message below promises that events published from now on are received. What is stored has to be taken first.
  if (since === undefined) await subscription.ready;
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
