/**
 * `mq on`: runs a command for each event.
 *
 * @module
 */
import type { Client } from "../lib/client.ts";
import type { Address } from "../lib/protocol/address.ts";
import { MqError, ProtocolError } from "../lib/protocol/errors.ts";
import { checkPublishable } from "../lib/protocol/event.ts";
import { checkGroupName } from "../lib/protocol/group.ts";
import { Pattern } from "../lib/protocol/pattern.ts";
import {
  asUsageError,
  brokerAccess,
  brokerFlags,
  connectAndWait,
  handlerEnvironment,
  logConnection,
  nameFlag,
  startCommandFor,
  warnOfUnmatchedPatterns,
} from "./shared/broker_flags.ts";
import { COUNT_NAMES, defineCommand, duration, integer, option, toggle, UsageError, type Values } from "./command.ts";
import { titleOf } from "./commands.ts";
import { admitHint } from "./shared/format.ts";
import { EmittingRunner } from "./on/runner.ts";
import { DEFAULT_TRIES, GroupHandling } from "./on/group_handling.ts";
import { Handling, logStart } from "./shared/handling.ts";
import { InvalidValueError } from "./shared/errors.ts";
import { PATTERN } from "./shared/operands.ts";
import { sinceFlag, sinceText } from "./shared/since.ts";
import { checkStore, warnOfUnstoredPatterns } from "./shared/store_access.ts";

const flags = {
  ...brokerFlags,
  concurrency: option("N", "How many events are handled at the same time; 1 keeps their order.", integer(1), {
    defaultValue: ["1", 1],
  }),
  timeout: option("DURATION", "The time limit of a run; then its process group is killed.", duration, {
    defaultValue: ["30s", 30_000],
  }),
  retry: option("N", "How many times a failed run is retried, after increasing delays.", integer(0, 999), {
    defaultValue: [`0, or ${DEFAULT_TRIES - 1} with --group`, undefined],
  }),
  group: option(
    "GROUP",
    "Share the events with all that run with that name; the broker keeps them until done.",
    groupName,
    {
      suggestFor: ["queue", "consumer", "durable", "q"],
    },
  ),
  since: sinceFlag("Where a new group begins: all, an id, a time, or a duration such as 1h.", [
    "the next event",
    undefined,
  ]),
  emit: option(
    "NAME",
    "Publish the output of a successful run as the data of an event of that name.",
    (text) => text,
  ),
  "emit-lines": toggle("With --emit: publish an event for each line of output that is not empty, up to 64 MiB."),
  dead: option(
    "NAME",
    "Publish events that failed after all retries as events of that name (dead letters).",
    (text) => text,
  ),
  count: option("N", "Exit after N events, with code 1 if one of them failed after all retries.", integer(1), {
    short: "n",
    suggestFor: COUNT_NAMES,
  }),
  json: toggle("Print one JSON object per run: {id, at, from, event, data, attempt, ms, ok, ended, next}."),
  name: nameFlag("on"),
};

export type OnFlags = Values<typeof flags>;

export const on = defineCommand({
  ...titleOf("on"),
  description:
    "The command gets the event's data as one line on stdin, and MQ_EVENT, MQ_ID, MQ_FROM, MQ_AT and MQ_ATTEMPT in its\n" +
    "environment. It also gets MQ_URL, MQ_TOKEN and MQ_TLS_CA, so that mq pub in it uses the same broker: do not run\n" +
    "programs that must not know the token. A run fails if its exit code is not 0; mq on continues. When a run ends, its\n" +
    "process group is killed; only a process that has left it (setsid) keeps running. An event that 16 handlers have\n" +
    "republished, with --emit, --dead or mq pub, is not handled, since that may be a loop. Without --group, up to 64 MiB of\n" +
    "events wait in memory, and further events are dropped and counted. Ctrl-C waits for running commands, a second Ctrl-C kills them.",
  operands: {
    form: "PATTERN...",
    min: 1,
    max: Infinity,
    suggestFor: ["pattern", "patterns", "event", "events", "e", "topic", "topics", "t"],
    kinds: [PATTERN],
    commandLine: "COMMAND [ARGS...]",
    hint: "mq on create -- cat",
  },
  flags,
  examples: [
    ["mq on create -- node handler.js", "handle create events, one after another"],
    [
      "mq on 'order.*' --concurrency 4 --retry 2 --dead failed -- node handler.js",
      "four at a time, three attempts each",
    ],
    ["mq on create --emit update -- tr a-z A-Z", "publish the output as update events"],
    ["mq on create --timeout 2s --json -- sh -c 'sleep 1; cat'", "print a JSON object per run"],
    ["mq on error -n 1 -- cat", "print the data of one event, and exit"],
    ["mq on create --group mail -- node handler.js", "typed twice, two share the events, and none is lost"],
  ],
  permissions: ["net", "run"],
  async run({ flags, operands, commandLine }, io) {
    const patterns = operands.map((text) => new Pattern(text));
    checkTargets(flags, patterns);
    checkGroup(flags);
    const access = brokerAccess(flags, io, "on");
    try {
      await using client = await connectAndWait("on", { ...access, name: flags.name }, io);
      logConnection("on", client, io);
      if (flags.group !== undefined) {
        checkStore(client, access);
        warnOfUnstoredPatterns("on", operands, client, io);
      }
      await checkRecognized(flags, client, access);
      warnOfUnmatchedPatterns("on", operands, client, io);
      const handler = { commandLine, env: handlerEnvironment(flags, access), timeoutMs: flags.timeout };
      const runner = new EmittingRunner(client, handler, flags, io);
      logStart(commandLine, operands, client, io);
      const { group, retry = 0 } = flags;
      if (group !== undefined) return await new GroupHandling(client, runner, { ...flags, group }, io).run(operands);
      const handling = new Handling(client, runner, { command: "on", ...flags, retry }, io);
      return await handling.run(client.subscribe(operands, { signal: io.signal }));
    } catch (error) {
      if (error !== io.signal.reason) throw error;
      return flags.count === undefined ? 0 : 1; // Ctrl-C while waiting for a broker.
    }
  },
});

function groupName(name: string): string {
  try {
    return checkGroupName(name);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new InvalidValueError("1 to 64 letters, digits, _ and -");
  }
}

function checkGroup({ group, since }: OnFlags): void {
  if (group === undefined && since !== undefined) {
    throw new UsageError("--since needs --group", `mq on create --group work --since ${sinceText(since)} -- cat`);
  }
}

/** Refuses targets that cannot be published, and targets that the command itself subscribes to: an endless loop. */
function checkTargets(flags: OnFlags, patterns: readonly Pattern[]): void {
  if (flags["emit-lines"] && flags.emit === undefined) {
    throw new UsageError("--emit-lines needs --emit", "mq on create --emit update --emit-lines -- cat");
  }
  for (const [flag, name] of targetsOf(flags)) {
    asUsageError("mq on --help", () => checkPublishable(name));
    const own = patterns.find((pattern) => pattern.matches(name));
    if (own === undefined) continue;
    const why = `"${own.text}" matches it, which would be an endless loop`;
    throw new UsageError(`--${flag} ${name}: ${why}`, "another name, or patterns that do not match it");
  }
}

/** The flags that name events to publish, with their values. */
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
  const remedy = admitHint(await client.events(), which, startCommandFor(address));
  throw new MqError("unrecognized", `${problem}; to admit ${which.length === 1 ? "it" : "them"}: ${remedy}`);
}
