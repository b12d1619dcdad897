/**
 * `mq pub`: publishes one event, or one for each line of stdin.
 *
 * @module
 */
import { dim } from "@std/fmt/colors";
import type { Client } from "../lib/client.ts";
import { dataFromText, jsonError, likelyJsonError } from "../lib/protocol/data.ts";
import type { Receipt } from "../lib/protocol/responses.ts";
import { MqError, ProtocolError } from "../lib/protocol/errors.ts";
import { MqEvent } from "../lib/protocol/event.ts";
import {
  abortWhenLost,
  brokerAccess,
  brokerFlags,
  connectWithHint,
  hopsFlag,
  jsonFlag,
  nameFlag,
} from "./shared/broker_flags.ts";
import { defineCommand, toggle, type Values } from "./command.ts";
import { titleOf } from "./commands.ts";
import { count, formatJson } from "./shared/format.ts";
import { readInput } from "./shared/input.ts";
import { PUBLISHABLE, TEXT } from "./shared/operands.ts";
import { Results } from "./pub/results.ts";
import { readTyped } from "./shared/typed.ts";
import { aborted, type Io } from "./shared/stdio.ts";

/** How many receipts may be outstanding at a time, and for how much data. */
const MAX_PENDING = 1000;
const MAX_PENDING_CHARACTERS = 1024 * 1024;

/** How long to wait for outstanding receipts after Ctrl-C, in milliseconds. */
const GRACE_MS = 2000;

const INTERRUPTED = "Interrupted";

const flags = {
  ...brokerFlags,
  "json-data": toggle("Refuse data that is not JSON."),
  json: jsonFlag,
  hops: hopsFlag,
  name: nameFlag("pub"),
};

type PubFlags = Values<typeof flags>;

export const pub = defineCommand({
  ...titleOf("pub"),
  description: "DATA is JSON or plain text; - reads stdin, where each line is the data of one event.\n" +
    "It waits for the receipt of every event, and fails if one is refused. If the connection is lost, or Ctrl-C ends it,\n" +
    "it prints how many events were confirmed, uncertain and not sent, and exits with 1.",
  operands: {
    form: "NAME [DATA|-]",
    min: 1,
    max: Infinity,
    suggestFor: ["data", "d", "message", "m", "payload", "body", "event", "e", "topic", "t"],
    kinds: [PUBLISHABLE, TEXT],
  },
  flags,
  examples: [
    ["mq pub create", "an event without data"],
    [`mq pub create '{"id":1}'`, "an object as data"],
    ["mq pub error 'disk full'", "text as data"],
    ["seq 3 | mq pub update -", "three events"],
    ["mq pub create --json-data - < objects.txt", "one object per line; lines that are not JSON are refused"],
  ],
  permissions: ["net"],
  async run({ flags, operands: [name, ...words] }, io) {
    const isPiped = words.length === 1 && words[0] === "-";
    const { text, warning } = isPiped ? { text: "" } : readTyped(`mq pub ${name}`, words, flags["json-data"]);
    if (warning !== undefined) io.stderr.line(`mq pub: ${warning}`);
    const access = brokerAccess(flags, io, "pub");
    const { signal } = io;
    await using client = await connectWithHint({ ...access, name: flags.name, reconnect: false, signal });
    const publisher = new Publisher(client, name, flags, io);
    if (isPiped) await publisher.publishLines(abortWhenLost(client, signal));
    else await publisher.publish(text);
    return await publisher.finish();
  },
});

/** Publishes events and counts the results. */
class Publisher {
  readonly #client: Client;
  readonly #name: string;
  readonly #flags: PubFlags;
  readonly #io: Io;
  readonly #pending = new Set<Promise<void>>();
  readonly #results = new Results();
  #pendingCharacters = 0;
  /** The lines of stdin that begin like JSON but are not, and the first of them. */
  #mistakes = { count: 0, first: "" };
  /** Why stdin was not published to its end. */
  #stopReason: string | undefined;

  constructor(client: Client, name: string, flags: PubFlags, io: Io) {
    this.#client = client;
    this.#name = name;
    this.#flags = flags;
    this.#io = io;
  }

  /** Publishes an event for each line of stdin, until the signal is aborted. */
  async publishLines(signal: AbortSignal): Promise<void> {
    await readInput(this.#io.stdin, {
      onLine: (line, number) => this.#publishLine(line, number),
      onFault: ({ code, message }, number) =>
        this.#results.fail(new ProtocolError(code, `${code}: ${message}`), number),
    }, { maxLineBytes: this.#client.hello.limits.lineBytes, signal });
    const { aborted, reason } = signal;
    if (aborted) this.#stopReason = reason instanceof MqError ? reason.message : INTERRUPTED;
  }

  #publishLine(line: string, number: number): Promise<void> | void {
    const mistake = line === "" ? undefined : this.#flags["json-data"] ? jsonError(line) : likelyJsonError(line);
    if (mistake !== undefined) {
      if (this.#flags["json-data"]) {
        return this.#results.fail(new ProtocolError("invalid-data", `Not JSON: ${mistake}`), number);
      }
      if (this.#mistakes.count++ === 0) this.#mistakes.first = `line ${number}: ${mistake}`;
    }
    return this.publish(line, number);
  }

  /** Publishes an event. Waits only while too many receipts are outstanding. */
  async publish(text: string, line?: number): Promise<void> {
    const task = this.#await(dataFromText(text), line).finally(() => {
      this.#pending.delete(task);
      this.#pendingCharacters -= text.length;
    });
    this.#pending.add(task);
    this.#pendingCharacters += text.length;
    const isEnough = this.#pending.size >= MAX_PENDING || this.#pendingCharacters >= MAX_PENDING_CHARACTERS;
    if (isEnough) await Promise.race(this.#pending);
  }

  /** Waits for all receipts and reports the results; resolves to the exit code. */
  async finish(): Promise<number> {
    await Promise.race([Promise.all(this.#pending), this.#interrupted()]);
    const results = this.#results;
    results.uncertain += this.#pending.size;
    this.#reportMistakes();
    for (const refusal of results.refusals()) this.#log(refusal);
    if (results.withoutReceiver > 0) this.#log(this.#describeWithoutReceiver());
    if (this.#stopReason !== undefined || results.isIncomplete) this.#reportIncomplete();
    return this.#stopReason !== undefined || results.hasFailures ? 1 : 0;
  }

  #reportIncomplete(): void {
    const reason = this.#io.signal.aborted ? INTERRUPTED : this.#stopReason;
    if (this.#io.stdout.failure === undefined) this.#log(this.#results.summary(reason));
  }

  /** Resolves some time after Ctrl-C. */
  async #interrupted(): Promise<void> {
    await aborted(this.#io.signal);
    await aborted(AbortSignal.timeout(GRACE_MS));
  }

  async #await(text: string, line: number | undefined): Promise<void> {
    try {
      const data = text === "" ? undefined : text;
      const { hops } = this.#flags;
      const receipt = await this.#client.publishConfirmed(this.#name, data, { raw: true, hops });
      this.#results.confirmed++;
      if (receipt.receivers === 0) this.#results.withoutReceiver++;
      this.#print(text, receipt);
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      this.#results.fail(error, line);
    }
  }

  #print(text: string, { id, receivers }: Receipt): void {
    if (this.#flags.json) {
      const event = new MqEvent(this.#name, text, { id, from: this.#flags.name });
      this.#io.stdout.line(formatJson(event, { receivers }));
    } else if (this.#io.stdout.isTerminal && receivers > 0) {
      this.#io.stdout.line(dim(`${this.#name} was delivered to ${count(receivers, "client")}`));
    }
  }

  #reportMistakes(): void {
    const { count: number, first } = this.#mistakes;
    if (number === 0) return;
    const which = number === 1 ? first : `${count(number, "line")}, the first is ${first}`;
    this.#log(`published as text, because it begins like JSON but is not valid: ${which}`);
  }

  #describeWithoutReceiver(): string {
    const { confirmed, withoutReceiver } = this.#results;
    const which = confirmed === 1 ? this.#name : `${withoutReceiver} of ${count(confirmed, "event")}`;
    return `nobody received ${which}`;
  }

  #log(text: string): void {
    this.#io.stderr.line(`mq pub: ${text}`);
  }
}
