/**
 * `mq log`: prints the events that a broker has stored.
 *
 * @module
 */
import { brokerFlags, jsonFlag } from "./shared/broker_flags.ts";
import { COUNT_NAMES, defineCommand, integer, option } from "./command.ts";
import { titleOf } from "./commands.ts";
import { chooseFormat, verboseFlag } from "./shared/event_output.ts";
import { count } from "./shared/format.ts";
import { PATTERN } from "./shared/operands.ts";
import { sinceFlag, untilFlag, untilId } from "./shared/since.ts";
import type { Io } from "./shared/stdio.ts";
import { connectToStore, warnOfUnstoredPatterns } from "./shared/store_access.ts";

const flags = {
  ...brokerFlags,
  since: sinceFlag("Begin there: all, an id, a time, or a duration such as 1h.", ["all", "first"]),
  until: untilFlag,
  count: option("COUNT", "Print at most COUNT events.", integer(1), { short: "n", suggestFor: COUNT_NAMES }),
  json: jsonFlag,
  verbose: verboseFlag,
};

export const log = defineCommand({
  ...titleOf("log"),
  description:
    "Prints what the broker has stored, the oldest event first, and ends; it needs mq server --store DIR.\n" +
    "Without a PATTERN it prints all events. mq logger --since FROM goes on with what is published.\n" +
    "A time without a zone is the local time. --since takes what is at that time or behind that id, and --until what is\n" +
    "before that time, or up to that id.",
  operands: {
    form: "[PATTERN...]",
    min: 0,
    max: Infinity,
    suggestFor: ["pattern", "patterns", "event", "events", "e", "topic", "topics", "t"],
    kinds: [PATTERN],
  },
  flags,
  elsewhere: { follow: "mq logger --since all", f: "mq logger --since all", live: "mq logger --since all" },
  examples: [
    ["mq log", "print all events"],
    ["mq log --since 1h 'order.*'", "print some of the last hour"],
    ["mq log --since 2026-11-28T10:00 --until 2026-11-28T11:00", "one hour, in local time"],
    ["mq log --since 01JD3K5E8Q5V1M4S3R6T7W8X9Y -n 10", "the ten events behind that one"],
    ["mq log --json --since 1d | head -n 3", "three events as JSON"],
  ],
  permissions: ["net"],
  async run({ flags, operands: patterns }, io) {
    await using client = await connectToStore("log", flags, io);
    const isTold = warnOfUnstoredPatterns("log", patterns, client, io);
    const format = chooseFormat(flags, io);
    const wanted = patterns.length > 0 ? patterns : [">"];
    let printed = 0;
    try {
      const options = { until: untilId(flags.until), signal: io.signal };
      for await (const event of client.store.read(flags.since, wanted, options)) {
        io.stdout.line(format(event));
        if (++printed === flags.count) break;
        if (io.stdout.isFull) await io.stdout.flush();
        io.signal.throwIfAborted();
      }
      if (printed === 0 && !isTold) io.stderr.line(`mq log: the broker at ${client.address} has stored no such event`);
      return 0;
    } catch (error) {
      if (!io.signal.aborted) throw error;
      return interrupted(printed, io);
    }
  },
});

function interrupted(printed: number, io: Io): number {
  if (io.stdout.failure === undefined) io.stderr.line(`mq log: ended after ${count(printed, "event")}`);
  return 1;
}
