/**
 * `mq complete`: what the scripts of `mq completions` ask at each TAB. People do not call it, so the help leaves it out.
 *
 * It answers with a candidate a line and what that means behind a tab. A line without a candidate asks the shell for
 * `files` or `commands`. It says nothing where something is wrong: somebody is typing.
 *
 * @module
 */
import { connect } from "../../lib/client.ts";
import { atMost } from "../../lib/net/time.ts";
import { MqError } from "../../lib/protocol/errors.ts";
import { brokerAccess, brokerFlags } from "../shared/broker_flags.ts";
import { type Candidate, eventCandidates, type EventOffer, type Offer, offerAt } from "./candidates.ts";
import { defineCommand, duration, option, type Reader, UsageError, type Values } from "../command.ts";
import { commandOf, COMMANDS, titleOf } from "../commands.ts";
import type { Io } from "../shared/stdio.ts";

const flags = {
  "tls-ca": { ...brokerFlags["tls-ca"], read: orNothing(brokerFlags["tls-ca"].read) },
  limit: option("DURATION", "How long the broker may take to say what it recognizes.", duration, {
    fallback: ["300ms", 300], // Somebody waits at the prompt.
  }),
};

type CompleteFlags = Values<typeof flags>;

/** A reader of what is not there if it cannot be read: somebody is typing. */
function orNothing<T>(read: Reader<T>): Reader<T | undefined> {
  return (text) => {
    try {
      return read(text);
    } catch {
      return undefined; // The command that is being typed will say what is wrong with it.
    }
  };
}

/** The command. */
export const complete = defineCommand({
  ...titleOf("complete"),
  description: "The scripts of mq completions call it, with -- before what has been typed.",
  operands: { form: "INDEX [WORD...]", min: 1, max: Infinity },
  flags,
  examples: [["mq complete -- 1 pub cre", "what may become of cre behind mq pub"]],
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
      return await atMost(flags.limit, askBroker(offer, flags, io)) ?? [];
  }
}

/** The events that the broker recognizes; none if no broker answers. */
async function askBroker(offer: EventOffer, flags: CompleteFlags, io: Io): Promise<readonly Candidate[]> {
  try {
    const access = brokerAccess({ ...flags, server: offer.server }, io, "complete");
    await using client = await connect({ ...access, name: "complete", reconnect: false });
    return eventCandidates(offer, client.hello.events);
  } catch (error) {
    if (error instanceof MqError || error instanceof UsageError) return [];
    throw error;
  }
}
