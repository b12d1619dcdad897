/**
 * `mq request`: publishes a request and prints the reply.
 *
 * @module
 */
import type { Client } from "../lib/client.ts";
import { dataFromText, jsonError } from "../lib/protocol/data.ts";
import { MqError, ProtocolError, TimeoutError } from "../lib/protocol/errors.ts";
import {
  abortWhenLost,
  brokerAccess,
  brokerFlags,
  connectWithHint,
  hopsFlag,
  jsonFlag,
  nameFlag,
} from "./shared/broker_flags.ts";
import { defineCommand, duration, option, toggle, type Values } from "./command.ts";
import { titleOf } from "./commands.ts";
import { formatJson, printable } from "./shared/format.ts";
import { readInput } from "./shared/input.ts";
import { PUBLISHABLE, TEXT } from "./shared/operands.ts";
import type { Io } from "./shared/stdio.ts";
import { readTyped } from "./shared/typed.ts";

const flags = {
  ...brokerFlags,
  timeout: option("DURATION", "How long to wait for the reply; then exit with code 124.", duration, {
    suggestFor: ["wait", "time", "w"],
    defaultValue: ["5s", 5000],
  }),
  "json-data": toggle("Refuse data that is not JSON."),
  json: jsonFlag,
  hops: hopsFlag,
  name: nameFlag("request"),
};

type RequestFlags = Values<typeof flags>;

export const request = defineCommand({
  ...titleOf("request"),
  description:
    "DATA is JSON or plain text; - reads stdin, where each line is the data of one request; they are sent one after another.\n" +
    "It prints the data of the first reply and ignores further ones. It fails at once if no client receives the request, or\n" +
    "if the reply is an error, as it is when the command of mq reply fails.",
  operands: {
    form: "NAME [DATA|-]",
    min: 1,
    max: Infinity,
    suggestFor: ["data", "d", "message", "m", "payload", "body", "event", "e", "topic", "t"],
    kinds: [PUBLISHABLE, TEXT],
  },
  flags,
  examples: [
    ["mq request read", "a request without data"],
    [`mq request read '{"id":1}' --timeout 1s`, "an object as data, and one second to reply"],
    ["mq request read tea --json", "the reply with its id, time and sender"],
    ["seq 3 | mq request read -", "three requests"],
  ],
  permissions: ["net"],
  async run({ flags, operands: [name, ...words] }, io) {
    const isPiped = words.length === 1 && words[0] === "-";
    const { text, warning } = isPiped ? { text: "" } : readTyped(`mq request ${name}`, words, flags["json-data"]);
    if (warning !== undefined) io.stderr.line(`mq request: ${warning}`);
    const access = brokerAccess(flags, io, "request");
    await using client = await connectWithHint({ ...access, name: flags.name, reconnect: false, signal: io.signal });
    const requester = new Requester(client, name, flags, io);
    if (isPiped) await requester.requestLines();
    else await requester.request(text, "");
    return requester.exitCode;
  },
});

/** Publishes requests one after another, and prints the replies. */
class Requester {
  /** 0 if all had a reply, 124 if the only failures are timeouts, else 1. */
  exitCode = 0;
  readonly #client: Client;
  readonly #name: string;
  readonly #flags: RequestFlags;
  readonly #io: Io;

  constructor(client: Client, name: string, flags: RequestFlags, io: Io) {
    this.#client = client;
    this.#name = name;
    this.#flags = flags;
    this.#io = io;
  }

  /** Publishes a request for each line of stdin. */
  async requestLines(): Promise<void> {
    const signal = abortWhenLost(this.#client, this.#io.signal);
    await readInput(this.#io.stdin, {
      onLine: (line, number) => this.#requestLine(line, `line ${number}: `),
      onFault: (error, number) => this.#fail(error, `line ${number}: `),
    }, { maxLineBytes: this.#client.hello.limits.lineBytes, signal });
    if (signal.aborted) throw signal.reason;
  }

  async #requestLine(line: string, where: string): Promise<void> {
    const mistake = this.#flags["json-data"] && line !== "" ? jsonError(line) : undefined;
    if (mistake === undefined) await this.request(line, where);
    else this.#fail(new ProtocolError("invalid-data", `Not JSON: ${mistake}`), where);
  }

  /**
   * Publishes a request, and prints the reply or an error.
   *
   * @param text The data; empty for none.
   * @param where The prefix of an error, such as `line 3: `.
   */
  async request(text: string, where: string): Promise<void> {
    const { hops, timeout: timeoutMs, json } = this.#flags;
    const { signal, stdout } = this.#io;
    const data = text === "" ? undefined : dataFromText(text);
    try {
      const reply = await this.#client.request(this.#name, data, { raw: true, hops, timeoutMs, signal });
      stdout.line(json ? formatJson(reply) : stdout.isTerminal ? printable(reply.text) : reply.text);
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      this.#fail(error, where);
    }
  }

  #fail(error: MqError, where: string): void {
    this.exitCode = error instanceof TimeoutError && this.exitCode !== 1 ? 124 : 1;
    const hint = error.code === "no-responders" ? `; start a handler with: mq reply ${this.#name} -- COMMAND` : "";
    this.#io.stderr.line(`mq request: ${where}${error.message}${hint}`);
  }
}
