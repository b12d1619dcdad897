/**
 * `mq pub`: publishes one event, or one for each line of stdin.
 *
 * @module
 */
import {
  abortWhenLost,
  brokerAccess,
  brokerFlags,
  connectWithHint,
  hopsFlag,
  jsonFlag,
  nameFlag,
} from "./shared/broker_flags.ts";
import { defineCommand, delay, option, toggle, UsageError, type Values } from "./command.ts";
import { titleOf } from "./commands.ts";
import { InvalidValueError } from "./shared/errors.ts";
import { PUBLISHABLE, TEXT } from "./shared/operands.ts";
import { isKey, KEY_FORM } from "../lib/protocol/key.ts";
import { Publisher } from "./pub/publisher.ts";
import { readTyped } from "./shared/typed.ts";
import { checkStore } from "./shared/store_access.ts";

const flags = {
  ...brokerFlags,
  in: option(
    "DURATION",
    "Publish it later: after 10s, 15m, 1h or up to 3650d. The broker keeps it until then.",
    delay,
    {
      suggestFor: ["delay", "after", "later", "wait"],
    },
  ),
  key: option("WORD", "Publish it once, however often it is tried with this key within two minutes.", eventKey, {
    suggestFor: ["once", "id", "idempotency-key", "dedup"],
  }),
  "json-data": toggle("Refuse data that is not JSON."),
  json: jsonFlag,
  hops: hopsFlag,
  name: nameFlag("pub"),
};

function eventKey(text: string): string {
  if (isKey(text)) return text;
  throw new InvalidValueError(KEY_FORM);
}

/** The values of the flags of `mq pub`. */
export type PubFlags = Values<typeof flags>;

export const pub = defineCommand({
  ...titleOf("pub"),
  description: "DATA is JSON or plain text; - reads stdin, where each line is the data of one event.\n" +
    "It waits for the receipt of every event, and fails if one is refused. If the connection is lost, or Ctrl-C ends it,\n" +
    "it prints how many events were confirmed, uncertain and not sent, and exits with 1.\n" +
    "--in and --key need a broker with a store: mq server --store DIR. With --in it prints an id, by which mq cancel ID\n" +
    "takes the event back. With --key, try again with the same key if there was no receipt.",
  operands: {
    form: "NAME [DATA|-]",
    min: 1,
    max: Infinity,
    suggestFor: ["data", "d", "message", "m", "payload", "body", "event", "e", "topic", "t"],
    kinds: [PUBLISHABLE, TEXT],
  },
  flags,
  elsewhere: { cancel: "mq cancel ID" },
  examples: [
    ["mq pub create", "an event without data"],
    [`mq pub create '{"id":1}'`, "an object as data"],
    ["mq pub error 'disk full'", "text as data"],
    ["seq 3 | mq pub update -", "three events"],
    ["mq pub create --json-data - < objects.txt", "one object per line; lines that are not JSON are refused"],
    ["mq pub create '{\"id\":1}' --in 1h", "in an hour, also if the broker restarts meanwhile"],
    ["mq pub create '{\"id\":1}' --key cart-17", "once, also if it is typed again"],
  ],
  permissions: ["net"],
  async run({ flags, operands: [name, ...words] }, io) {
    const isPiped = words.length === 1 && words[0] === "-";
    checkKey(flags, name, isPiped);
    const { text, warning } = isPiped ? { text: "" } : readTyped(`mq pub ${name}`, words, flags["json-data"]);
    if (warning !== undefined) io.stderr.line(`mq pub: ${warning}`);
    const access = brokerAccess(flags, io, "pub");
    const { signal } = io;
    await using client = await connectWithHint({ ...access, name: flags.name, reconnect: false, signal });
    if (flags.in !== undefined || flags.key !== undefined) checkStore(client, access);
    const publisher = new Publisher(client, name, flags, io);
    if (isPiped) await publisher.publishLines(abortWhenLost(client, signal));
    else await publisher.publish(text);
    return await publisher.finish();
  },
});

/** A key is that of one event, which is published at once. */
function checkKey({ key, in: delayMs }: PubFlags, name: string, isPiped: boolean): void {
  if (key === undefined) return;
  if (isPiped) throw new UsageError("--key is for one event, and - publishes many", `mq pub ${name} DATA --key ${key}`);
  if (delayMs !== undefined) throw new UsageError("it takes --key or --in, not both", "mq pub --help");
}
