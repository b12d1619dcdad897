/**
 * `mq reply`: runs a command for each request, and replies with its output.
 *
 * @module
 */
import type { Client } from "../lib/client.ts";
import { dataFromText } from "../lib/protocol/data.ts";
import { MqError } from "../lib/protocol/errors.ts";
import { ERROR_TOKEN, type MqEvent } from "../lib/protocol/event.ts";
import {
  brokerAccess,
  brokerFlags,
  connectAndWait,
  handlerEnvironment,
  logConnection,
  nameFlag,
  warnOfUnmatchedPatterns,
} from "./shared/broker_flags.ts";
import { COUNT_NAMES, defineCommand, duration, integer, option, toggle } from "./command.ts";
import { titleOf } from "./commands.ts";
import { type EventHandler, handleEvent, type Run } from "./shared/handler.ts";
import { Handling, logStart, type Runner } from "./shared/handling.ts";
import { PATTERN } from "./shared/operands.ts";
import { BufferedOutput, OutputRefused } from "./shared/handler_output.ts";

const flags = {
  ...brokerFlags,
  concurrency: option(
    "N",
    "How many requests are handled at the same time; 1 keeps their order.",
    integer(1),
    {
      defaultValue: ["1", 1],
    },
  ),
  timeout: option("DURATION", "The time limit of a run; then its process group is killed.", duration, {
    defaultValue: ["30s", 30_000],
  }),
  count: option("N", "Exit after N requests, with code 1 if one of them failed.", integer(1), {
    short: "n",
    suggestFor: COUNT_NAMES,
  }),
  json: toggle("Print one JSON object per run: {id, at, from, event, data, attempt, ms, ok, ended, next}."),
  name: nameFlag("reply"),
};

export const reply = defineCommand({
  ...titleOf("reply"),
  description:
    "The command gets the data of the request as one line on stdin, and its output, which must fit a line of the broker,\n" +
    "is the reply. If its exit code is not 0, or it exceeds the time limit, the reply is that error, and mq request fails.\n" +
    "The command has the same environment as with mq on: do not run programs that must not know the token. Events that are\n" +
    "no requests are ignored. Ctrl-C waits for running commands, a second Ctrl-C kills them.",
  operands: {
    form: "PATTERN...",
    min: 1,
    max: Infinity,
    suggestFor: ["pattern", "patterns", "event", "events", "e", "topic", "topics", "t"],
    kinds: [PATTERN],
    commandLine: "COMMAND [ARGS...]",
    hint: "mq reply read -- cat",
  },
  flags,
  examples: [
    ["mq reply read -- node handler.js", "reply with the output of handler.js"],
    ["mq reply 'price.*' --concurrency 4 -- sh price.sh", "four at a time"],
    ["mq reply read --timeout 2s -n 1 -- date", "reply once, within two seconds, and exit"],
  ],
  permissions: ["net", "run"],
  async run({ flags, operands, commandLine }, io) {
    const access = brokerAccess(flags, io, "reply");
    try {
      await using client = await connectAndWait("reply", { ...access, name: flags.name }, io);
      logConnection("reply", client, io);
      warnOfUnmatchedPatterns("reply", operands, client, io);
      const handler = { commandLine, env: handlerEnvironment(flags, access), timeoutMs: flags.timeout };
      const options = { command: "reply", retry: 0, ...flags };
      const handling = new Handling(client, new ReplyRunner(client, handler), options, io);
      const subscription = client.subscribe(operands, { signal: io.signal });
      logStart(commandLine, operands, client, io);
      return await handling.run(subscription);
    } catch (error) {
      if (error !== io.signal.reason) throw error;
      return flags.count === undefined ? 0 : 1; // Ctrl-C while waiting for a broker.
    }
  },
});

class ReplyRunner implements Runner {
  readonly #client: Client;
  readonly #handler: EventHandler;

  constructor(client: Client, handler: EventHandler) {
    this.#client = client;
    this.#handler = handler;
  }

  whyIgnored({ replyTo }: MqEvent): string | undefined {
    return replyTo === undefined ? "ignored: it is no request" : undefined;
  }

  async run(event: MqEvent, attempt: number, until: AbortSignal): Promise<Run> {
    const buffer = new BufferedOutput({ lineBytes: this.#client.hello.limits.lineBytes, isByLine: false });
    const run = await handleEvent(event, attempt, this.#handler, buffer);
    return run.ok ? { ...run, ...await this.#reply(event, buffer, until) } : run;
  }

  async fail({ replyTo }: MqEvent, _attempts: number, { ended }: Run, until: AbortSignal): Promise<string> {
    try {
      await this.#publish(`${replyTo}.${ERROR_TOKEN}`, dataFromText(ended), until);
      return "replied with that error";
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      const isSame = ended.endsWith(error.message); // The reply failed for the same reason.
      return isSame ? "nor could that error be sent" : `not replied: ${error.message}`;
    }
  }

  async refuse(event: MqEvent, why: string): Promise<void> {
    await this.fail(event, 0, { ok: false, ended: why, ms: 0 }, AbortSignal.timeout(this.#handler.timeoutMs));
  }

  async #reply({ replyTo }: MqEvent, buffer: BufferedOutput, until: AbortSignal): Promise<Pick<Run, "ok" | "ended">> {
    try {
      const receivers = await this.#publish(replyTo!, dataFromText(buffer.text.replace(/\r?\n$/, "")), until);
      return { ok: true, ended: receivers > 0 ? "done" : "done, but no client waited for the reply" };
    } catch (error) {
      if (error instanceof OutputRefused) return { ok: false, ended: error.message };
      if (!(error instanceof MqError)) throw error;
      return { ok: false, ended: `done, but not replied: ${error.message}` };
    }
  }

  async #publish(name: string, text: string, signal: AbortSignal): Promise<number> {
    const data = text === "" ? undefined : text;
    return (await this.#client.publishConfirmed(name, data, { raw: true, signal })).receivers;
  }
}
