/**
 * `mq pub`: publishes one event, or one for each line of stdin.
 *
 * @module
 */
import { TextLineStream } from "@std/streams/text-line-stream";
import { dim } from "@std/fmt/colors";
import { checkPublishable, type Client, dataFromText, MqError, MqEvent, type Receipt } from "../mod.ts";
import { brokerAccess, brokerFlags, checkTyped, connectOrSay, jsonFlag, nameFlag, untilLost } from "./broker_flags.ts";
import { defineCommand, type Values } from "./command.ts";
import { count, formatJson } from "./format.ts";
import type { Io } from "./stdio.ts";

/** How many receipts may be waited for at a time, and of how much data. */
const MAX_PENDING = 1000;
const MAX_PENDING_CHARACTERS = 1024 * 1024;

const flags = { ...brokerFlags, json: jsonFlag, name: nameFlag("pub") };

type PubFlags = Values<typeof flags>;

/** The command. */
export const pub = defineCommand({
  name: "pub",
  summary: "publishes one event, or one for each line of stdin",
  description: "DATA is JSON or plain text; - takes the data of one event from each line of stdin.\n" +
    "It waits until the broker has taken every event in, and fails if one was refused.",
  operands: {
    form: "NAME [DATA|-]",
    min: 1,
    max: 2,
    hint: `data with spaces or quotes in single quotes: mq pub create '{"id":1}'`,
  },
  flags,
  examples: [
    ["mq pub create", "an event without data"],
    [`mq pub create '{"id":1}'`, "an object as data"],
    ["mq pub error 'disk full'", "text as data"],
    ["seq 3 | mq pub update -", "three events"],
  ],
  permissions: ["net"],
  async run({ flags, operands: [name, data] }, io) {
    checkTyped("mq pub --help", () => checkPublishable(name));
    const access = brokerAccess(flags, io, "pub");
    const { signal } = io;
    await using client = await connectOrSay({ ...access, name: flags.name, reconnect: false, signal });
    const publisher = new Publisher(client, name, flags, io);
    const texts = data === "-" ? lines(io.stdin, untilLost(client, io.signal)) : [data ?? ""];
    for await (const text of texts) await publisher.publish(text);
    return await publisher.finish();
  },
});

function lines(stdin: ReadableStream<Uint8Array>, signal: AbortSignal): ReadableStream<string> {
  return stdin.pipeThrough(new TextDecoderStream(), { signal }).pipeThrough(new TextLineStream());
}

/** Publishes events and gathers what became of them. */
class Publisher {
  readonly #client: Client;
  readonly #name: string;
  readonly #flags: PubFlags;
  readonly #io: Io;
  readonly #pending = new Set<Promise<void>>();
  readonly #refusals = new Map<string, number>();
  #pendingCharacters = 0;
  #taken = 0;
  #unheard = 0;

  constructor(client: Client, name: string, flags: PubFlags, io: Io) {
    this.#client = client;
    this.#name = name;
    this.#flags = flags;
    this.#io = io;
  }

  /** Publishes an event; waits only if too many receipts are outstanding. */
  async publish(text: string): Promise<void> {
    const task = this.#await(dataFromText(text)).finally(() => {
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
    await Promise.all(this.#pending);
    for (const [reason, times] of this.#refusals) {
      this.#io.stderr.line(`mq pub: ${reason}${times > 1 ? ` (${times} times)` : ""}`);
    }
    if (this.#unheard > 0) this.#io.stderr.line(this.#nobodyListened());
    return this.#refusals.size > 0 ? 1 : 0;
  }

  async #await(text: string): Promise<void> {
    try {
      const data = text === "" ? undefined : text;
      const receipt = await this.#client.publish(this.#name, data, { receipt: true, raw: true });
      this.#taken++;
      if (receipt.receivers === 0) this.#unheard++;
      this.#print(text, receipt);
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      this.#refusals.set(error.message, (this.#refusals.get(error.message) ?? 0) + 1);
    }
  }

  #print(text: string, { id, receivers }: Receipt): void {
    if (this.#flags.json) {
      const event = new MqEvent(this.#name, text, id, this.#flags.name);
      this.#io.stdout.line(formatJson(event, { receivers }));
    } else if (this.#io.stdout.isTerminal && receivers > 0) {
      this.#io.stdout.line(dim(`${this.#name} was heard by ${count(receivers, "client")}`));
    }
  }

  #nobodyListened(): string {
    const which = this.#taken === 1 ? this.#name : `${this.#unheard} of ${count(this.#taken, "event")}`;
    return `mq pub: nobody was listening for ${which}`;
  }
}
