/**
 * `mq complete`: computes completions. The scripts of `mq completions` call it at each TAB; the help does not list it.
 *
 * It prints one candidate per line, then a tab and a description. A line without a candidate tells the shell to complete
 * `files` or `commands`. Errors print nothing, because the user is still typing.
 *
 * @module
 */
import { connect } from "../../lib/client.ts";
import { atMost } from "../../lib/net/time.ts";
import { MqError } from "../../lib/protocol/errors.ts";
import { brokerAccess, brokerFlags } from "../shared/broker_flags.ts";
import {
  type Candidate,
  eventCandidates,
  type EventOffer,
  groupCandidates,
  type GroupOffer,
  jobCandidates,
  type JobOffer,
  type Offer,
  offerAt,
} from "./candidates.ts";
import { defineCommand, duration, option, UsageError, type ValueParser, type Values } from "../command.ts";
import { commandOf, COMMANDS, titleOf } from "../commands.ts";
import { MAX_JOBS } from "../dead/jobs.ts";
import type { Io } from "../shared/stdio.ts";

const flags = {
  "tls-ca": { ...brokerFlags["tls-ca"], parse: orUndefined(brokerFlags["tls-ca"].parse) },
  limit: option("DURATION", "How long to wait for the broker's list of events, groups or jobs.", duration, {
    defaultValue: ["300ms", 300], // The user waits at the prompt.
  }),
};

type CompleteFlags = Values<typeof flags>;

/** A parser that returns undefined instead of throwing. */
function orUndefined<T>(parse: ValueParser<T>): ValueParser<T | undefined> {
  return (text) => {
    try {
      return parse(text);
    } catch {
      return undefined; // The command will report it when it runs.
    }
  };
}

export const complete = defineCommand({
  ...titleOf("complete"),
  description: "The scripts of mq completions call it with the words of the command line after --.",
  operands: { form: "INDEX [WORD...]", min: 1, max: Infinity },
  flags,
  examples: [["mq complete -- 1 pub cre", "completes cre in: mq pub cre"]],
  permissions: ["net"],
  async run({ flags, operands: [index, ...words] }, io) {
    const called = commandOf(COMMANDS, words.slice(0, Number(index)));
    const offer = offerAt(words, Number(index), COMMANDS, await called?.load());
    for (const { word, help } of await candidatesOf(offer, flags, io)) io.stdout.line(`${word}\t${help}`);
    return 0;
  },
});

async function candidatesOf(offer: Offer, flags: CompleteFlags, io: Io): Promise<readonly Candidate[]> {
  switch (offer.from) {
    case "table":
      return offer.candidates;
    case "shell":
      return [{ word: "", help: offer.what }];
    case "broker":
    case "groups":
    case "jobs":
      return await atMost(flags.limit, askBroker(offer, flags, io)) ?? [];
  }
}

/** What the broker knows; nothing if none answers, or if it has no store to ask for groups. */
async function askBroker(
  offer: EventOffer | GroupOffer | JobOffer,
  flags: CompleteFlags,
  io: Io,
): Promise<readonly Candidate[]> {
  try {
    const access = brokerAccess({ ...flags, server: offer.server }, io, "complete");
    await using client = await connect({ ...access, name: "complete", reconnect: false });
    if (offer.from === "broker") return eventCandidates(offer, client.hello.events);
    if (offer.from === "jobs") return jobCandidates(offer, await client.store.peek(offer.group, "dead", MAX_JOBS));
    return groupCandidates(offer, (await client.store.groups()).map(({ group }) => group));
  } catch (error) {
    if (error instanceof MqError || error instanceof UsageError) return [];
    throw error;
  }
}
