/**
 * `mq on`: runs a command for each event.
 *
 * @module
 */
import type { Client } from "../lib/client.ts";
import type { Address } from "../lib/protocol/address.ts";
import { MqError } from "../lib/protocol/errors.ts";
import { checkPublishable } from "../lib/protocol/event.ts";
import { Pattern } from "../lib/protocol/pattern.ts";
import {
  brokerAccess,
  brokerFlags,
  checkTyped,
  connectPatiently,
  handlerEnvironment,
  howToStart,
  nameFlag,
  tellConnection,
  warnOfDeadPatterns,
} from "./shared/broker_flags.ts";
import { COUNT_ALIASES, defineCommand, duration, integer, option, toggle, UsageError, type Values } from "./command.ts";
import { titleOf } from "./commands.ts";
import { howToAdmit } from "./shared/format.ts";
import { Emission } from "./on/emission.ts";
import { Handling, sayWhatRuns } from "./shared/handling.ts";
import { PATTERN } from "./shared/operands.ts";

const flags = {
  ...brokerFlags,
  concurrency: option("N", "How many events are handled at a time; with 1, in the order of their coming.", integer(1), {
    fallback: ["1", 1],
  }),
  timeout: option("DURATION", "How long a run may take; then it is killed, with all it started.", duration, {
    fallback: ["30s", 30_000],
  }),
  retry: option("N", "How often a failed run is tried again, after growing delays.", integer(0), {
    fallback: ["0", 0],
  }),
  emit: option(
    "NAME",
    "Publish what a run prints, up to a line of the broker, as that event, if it succeeds.",
    (text) => text,
  ),
  "emit-lines": toggle("With --emit: an event for each line that is not empty; up to 64MiB are kept."),
  dead: option("NAME", "Publish what failed for good as an event of that name.", (text) => text),
  count: option("N", "End after that many events; exit code 1 if one of them failed for good.", integer(1), {
    short: "n",
    aliases: COUNT_ALIASES,
  }),
  json: toggle("Print each run as a JSON object: {id, at, from, event, data, attempt, ms, ok, ended, next}."),
  name: nameFlag("on"),
};

/** The flags of `mq on`. */
export type OnFlags = Values<typeof flags>;

/** The command. */
export const on = defineCommand({
  ...titleOf("on"),
  description:
    "The event's data is one line on the command's stdin; MQ_EVENT, MQ_ID, MQ_FROM, MQ_AT and MQ_ATTEMPT are in its\n" +
    "environment, and MQ_URL, MQ_TOKEN and MQ_TLS_CA, so that mq pub in it reaches the same broker: run no program that\n" +
    "should not have the token. A run fails if its exit code is not 0, and a failed run does not end mq on. What a run\n" +
    "has started is killed when it ends, except a process that has left its process group (setsid). An event that 16\n" +
    "handlers have passed on, by --emit, --dead or mq pub, is not handled: it may loop. Up to 64 MiB of events wait;\n" +
    "what comes on top is dropped and told. Ctrl-C waits for the runs, a second one kills them.",
  operands: {
    form: "PATTERN...",
    min: 1,
    max: Infinity,
    aliases: ["pattern", "patterns", "event", "events", "e", "topic", "topics", "t"],
    kinds: [PATTERN],
    commandLine: "COMMAND [ARGS...]",
    hint: "mq on create -- cat",
  },
  flags,
  examples: [
    ["mq on create -- node handler.js", "handle each create, one after another"],
    ["mq on 'order.*' --concurrency 4 --retry 2 --dead failed -- node handler.js", "four at a time, three tries"],
    ["mq on create --emit update -- tr a-z A-Z", "what it prints is a new event"],
    ["mq on create --timeout 2s --json -- sh -c 'sleep 1; cat'", "with a record of each run for programs"],
    ["mq on error -n 1 -- cat", "wait for one, print it, and end"],
  ],
  permissions: ["net", "run"],
  async run({ flags, operands, commandLine }, io) {
    const patterns = operands.map((text) => new Pattern(text));
    checkTargets(flags, patterns);
    const access = brokerAccess(flags, io, "on");
    try {
      await using client = await connectPatiently("on", { ...access, name: flags.name }, io);
      tellConnection("on", client, io);
      await checkRecognized(flags, client, access);
      warnOfDeadPatterns("on", operands, client, io);
      const handler = { commandLine, env: handlerEnvironment(flags, access), timeoutMs: flags.timeout };
      const handling = new Handling(client, new Emission(client, handler, flags, io), { command: "on", ...flags }, io);
      const subscription = client.subscribe(operands, { signal: io.signal });
      sayWhatRuns(commandLine, operands, client, io);
      return await handling.run(subscription);
    } catch (error) {
      if (error !== io.signal.reason) throw error;
      return flags.count === undefined ? 0 : 1; // It was to end before there was a broker.
    }
  },
});

/** Refuses names that cannot be published, and an event that would set off what publishes it, for ever. */
function checkTargets(flags: OnFlags, patterns: readonly Pattern[]): void {
  if (flags["emit-lines"] && flags.emit === undefined) {
    throw new UsageError("--emit-lines needs --emit", "mq on create --emit update --emit-lines -- cat");
  }
  for (const [flag, name] of targetsOf(flags)) {
    checkTyped("mq on --help", () => checkPublishable(name));
    const own = patterns.find((pattern) => pattern.matches(name));
    if (own === undefined) continue;
    const why = `"${own.text}" matches it, so that it would be handled in turn, and again without end`;
    throw new UsageError(`--${flag} ${name}: ${why}`, "another name, or patterns that do not match it");
  }
}

/** The events that it publishes itself, each with its flag. */
function targetsOf({ emit, dead }: OnFlags): [flag: string, name: string][] {
  return Object.entries({ emit, dead }).filter((target): target is [string, string] => target[1] !== undefined);
}

async function checkRecognized(flags: OnFlags, client: Client, address: Address): Promise<void> {
  const { events } = client.hello;
  const recognized = events.map((text) => new Pattern(text));
  const names = targetsOf(flags).map(([, name]) => name);
  const unknown = names.filter((name) => !recognized.some((pattern) => pattern.matches(name)));
  if (unknown.length === 0) return;
  const which = [...new Set(unknown)];
  const problem = `The broker at ${client.address} does not recognize ${which.join(" and ")}`;
  const remedy = howToAdmit(await client.events(), which, howToStart(address));
  throw new MqError("unrecognized", `${problem}; to admit that: ${remedy}`);
}
