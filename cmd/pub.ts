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
  brokerAccess,
  brokerFlags,
  connectOrSay,
  hopsFlag,
  jsonFlag,
  nameFlag,
  untilLost,
} from "./shared/broker_flags.ts";
import { defineCommand, toggle, type Values } from "./command.ts";
import { titleOf } from "./commands.ts";
import { count, formatJson } from "./shared/format.ts";
import { readInput } from "./shared/input.ts";
import { PUBLISHABLE, TEXT } from "./shared/operands.ts";
import { Account } from "./pub/account.ts";
import { readTyped } from "./shared/typed.ts";
import { aborted, type Io } from "./shared/stdio.ts";

/** How many receipts may be waited for at a time, and of how much data. */
const MAX_PENDING = 1000;
const MAX_PENDING_CHARACTERS = 1024 * 1024;

/** How long receipts are waited for when it is interrupted, in milliseconds. */
const GRACE_MS = 2000;

/** Why it ends when it is told to. */
const INTERRUPTED = "Interrupted";

const flags = {
  ...brokerFlags,
  "json-data": toggle("Refuse data that is not JSON."),
  json: jsonFlag,
  hops: hopsFlag,
  name: nameFlag("pub"),
};

type PubFlags = Values<typeof flags>;

/** The command. */
export const pub = defineCommand({
  ...titleOf("pub"),
  description: "DATA is JSON or plain text; - takes the data of one event from each line of stdin.\n" +
    "It waits until the broker has taken every event in, and fails if one was refused. Where the connection breaks,\n" +
    "or Ctrl-C ends it, it says how many were confirmed and of how many that is not known, and exits with 1.",
  operands: {
    form: "NAME [DATA|-]",
    min: 1,
    max: Infinity,
    aliases: ["data", "d", "message", "m", "payload", "body", "event", "e", "topic", "t"],
    kinds: [PUBLISHABLE, TEXT],
  },
  flags,
  examples: [
    ["mq pub create", "an event without data"],
    [`mq pub create '{"id":1}'`, "an object as data"],
    ["mq pub error 'disk full'", "text as data"],
    ["seq 3 | mq pub update -", "three events"],
    ["mq pub create --json-data - < objects.txt", "an object a line, and nothing that is not JSON"],
  ],
  permissions: ["net"],
  async run({ flags, operands: [name, ...words] }, io) {
    const isPiped = words.length === 1 && words[0] === "-";
    const { text, warning } = isPiped ? { text: "" } : readTyped(`mq pub ${name}`, words, flags["json-data"]);
    if (warning !== undefined) io.stderr.line(`mq pub: ${warning}`);
    const access = brokerAccess(flags, io, "pub");
    const { signal } = io;
    await using client = await connectOrSay({ ...access, name: flags.name, reconnect: false, signal });
    const publisher = new Publisher(client, name, flags, io);
    if (isPiped) await publisher.publishLines(untilLost(client, signal));
    else await publisher.publish(text);
    return await publisher.finish();
  },
});

/** Publishes events and gathers what became of them. */
class Publisher {
  readonly #client: Client;
  readonly #name: string;
  readonly #flags: PubFlags;
  readonly #io: Io;
  readonly #pending = new Set<Promise<void>>();
  readonly #account = new Account();
  #pendingCharacters = 0;
  /** The lines of stdin that begin like JSON and are not, and the first of them. */
  #mistakes = { count: 0, first: "" };
  /** Why not all of stdin was published. */
  #cut: string | undefined;

  constructor(client: Client, name: string, flags: PubFlags, io: Io) {
    this.#client = client;
    this.#name = name;
    this.#flags = flags;
    this.#io = io;
  }

  /** Publishes an event for each line of stdin, until a signal is aborted. */
  async publishLines(signal: AbortSignal): Promise<void> {
    await readInput(this.#io.stdin, {
      onLine: (line, number) => this.#publishLine(line, number),
      onFault: ({ code, message }, number) =>
        this.#account.fail(new ProtocolError(code, `${code}: ${message}`), number),
    }, { maxLineBytes: this.#client.hello.limits.lineBytes, signal });
    const { aborted, reason } = signal;
    if (aborted) this.#cut = reason instanceof MqError ? reason.message : INTERRUPTED;
  }

  #publishLine(line: string, number: number): Promise<void> | void {
    const mistake = line === "" ? undefined : this.#flags["json-data"] ? jsonError(line) : likelyJsonError(line);
    if (mistake !== undefined) {
      if (this.#flags["json-data"]) {
        return this.#account.fail(new ProtocolError("invalid-data", `Not JSON: ${mistake}`), number);
      }
      if (this.#mistakes.count++ === 0) this.#mistakes.first = `line ${number}: ${mistake}`;
    }
    return this.publish(line, number);
  }

  /** Publishes an event; waits only if too many receipts are outstanding. */
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

  /** Waits for all receipts and says what became of the events; returns the exit code. */
  async finish(): Promise<number> {
    await Promise.race([Promise.all(this.#pending), this.#interrupted()]);
    const account = this.#account;
    account.uncertain += this.#pending.size;
    this.#sayMistakes();
    for (const refusal of account.refusals()) this.#say(refusal);
    if (account.unheard > 0) this.#say(this.#nobodyListened());
    if (this.#cut !== undefined || account.isCut) this.#sayCut();
    return this.#cut !== undefined || account.isShort ? 1 : 0;
  }

  #sayCut(): void {
    const cut = this.#io.signal.aborted ? INTERRUPTED : this.#cut;
    if (this.#io.stdout.failure === undefined) this.#say(this.#account.summary(cut));
  }

  /** When it is interrupted, what is under way gets a moment more. */
  async #interrupted(): Promise<void> {
    await aborted(this.#io.signal);
    await aborted(AbortSignal.timeout(GRACE_MS));
  }

  async #await(text: string, line: number | undefined): Promise<void> {
    try {
      const data = text === "" ? undefined : text;
      const { hops } = this.#flags;
      const receipt = await this.#client.publishConfirmed(this.#name, data, { raw: true, hops });
      this.#account.confirmed++;
      if (receipt.receivers === 0) this.#account.unheard++;
      this.#print(text, receipt);
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      this.#account.fail(error, line);
    }
  }

  #print(text: string, { id, receivers }: Receipt): void {
    if (this.#flags.json) {
      const event = new MqEvent(this.#name, text, { id, from: this.#flags.name });
      this.#io.stdout.line(formatJson(event, { receivers }));
    } else if (this.#io.stdout.isTerminal && receivers > 0) {
      this.#io.stdout.line(dim(`${this.#name} was heard by ${count(receivers, "client")}`));
    }
  }

  #sayMistakes(): void {
    const { count: number, first } = this.#mistakes;
    if (number === 0) return;
    const which = number === 1 ? first : `${count(number, "line")}, the first is ${first}`;
    this.#say(`what begins like JSON, but is not, went out as text: ${which}`);
  }

  #nobodyListened(): string {
    const { confirmed, unheard } = this.#account;
    const which = confirmed === 1 ? this.#name : `${unheard} of ${count(confirmed, "event")}`;
    return `nobody was listening for ${which}`;
  }

  #say(text: string): void {
    this.#io.stderr.line(`mq pub: ${text}`);
  }
}
