/**
 * `mq reply`: runs a command for each request, and replies with what it prints.
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
  connectPatiently,
  handlerEnvironment,
  nameFlag,
  tellConnection,
  warnOfDeadPatterns,
} from "./shared/broker_flags.ts";
import { COUNT_ALIASES, defineCommand, duration, integer, option, toggle } from "./command.ts";
import { titleOf } from "./commands.ts";
import { type EventHandler, handleEvent, type Run } from "./shared/handler.ts";
import { Handling, type Runner, sayWhatRuns } from "./shared/handling.ts";
import { PATTERN } from "./shared/operands.ts";
import { Kept, Unusable } from "./shared/printed.ts";

const flags = {
  ...brokerFlags,
  concurrency: option(
    "N",
    "How many requests are handled at a time; with 1, in the order of their coming.",
    integer(1),
    {
      fallback: ["1", 1],
    },
  ),
  timeout: option("DURATION", "How long a run may take; then it is killed, with all it started.", duration, {
    fallback: ["30s", 30_000],
  }),
  count: option("N", "End after that many requests; exit code 1 if one of them failed.", integer(1), {
    short: "n",
    aliases: COUNT_ALIASES,
  }),
  json: toggle("Print each run as a JSON object: {id, at, from, event, data, attempt, ms, ok, ended, next}."),
  name: nameFlag("reply"),
};

/** The command. */
export const reply = defineCommand({
  ...titleOf("reply"),
  description:
    "The request's data is one line on the command's stdin, and what the command prints, up to a line of the broker, is\n" +
    "the reply. If its exit code is not 0, or it takes too long, that is the reply: mq request fails and says so.\n" +
    "Its environment is that of mq on: run no program that should not have the token. Events that ask for no reply are\n" +
    "not handled. Ctrl-C waits for the runs, a second one kills them.",
  operands: {
    form: "PATTERN...",
    min: 1,
    max: Infinity,
    aliases: ["pattern", "patterns", "event", "events", "e", "topic", "topics", "t"],
    kinds: [PATTERN],
    commandLine: "COMMAND [ARGS...]",
    hint: "mq reply read -- cat",
  },
  flags,
  examples: [
    ["mq reply read -- node handler.js", "what it prints is the reply"],
    ["mq reply 'price.*' --concurrency 4 -- sh price.sh", "four at a time"],
    ["mq reply read --timeout 2s -n 1 -- date", "reply once, within two seconds, and end"],
  ],
  permissions: ["net", "run"],
  async run({ flags, operands, commandLine }, io) {
    const access = brokerAccess(flags, io, "reply");
    try {
      await using client = await connectPatiently("reply", { ...access, name: flags.name }, io);
      tellConnection("reply", client, io);
      warnOfDeadPatterns("reply", operands, client, io);
      const handler = { commandLine, env: handlerEnvironment(flags, access), timeoutMs: flags.timeout };
      const options = { command: "reply", retry: 0, ...flags };
      const handling = new Handling(client, new Replies(client, handler), options, io);
      const subscription = client.subscribe(operands, { signal: io.signal });
      sayWhatRuns(commandLine, operands, client, io);
      return await handling.run(subscription);
    } catch (error) {
      if (error !== io.signal.reason) throw error;
      return flags.count === undefined ? 0 : 1; // It was to end before there was a broker.
    }
  },
});

/** Runs the handler of `mq reply`. */
class Replies implements Runner {
  readonly #client: Client;
  readonly #handler: EventHandler;

  constructor(client: Client, handler: EventHandler) {
    this.#client = client;
    this.#handler = handler;
  }

  whyNot({ replyTo }: MqEvent): string | undefined {
    return replyTo === undefined ? "not handled, for it asks for no reply" : undefined;
  }

  async run(event: MqEvent, attempt: number, until: AbortSignal): Promise<Run> {
    const kept = new Kept({ lineBytes: this.#client.hello.limits.lineBytes, isByLine: false });
    const run = await handleEvent(event, attempt, this.#handler, kept);
    return run.ok ? { ...run, ...await this.#reply(event, kept, until) } : run;
  }

  async fail({ replyTo }: MqEvent, _attempts: number, { ended }: Run, until: AbortSignal): Promise<string> {
    try {
      await this.#publish(`${replyTo}.${ERROR_TOKEN}`, dataFromText(ended), until);
      return "replied with that";
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      return `not replied: ${error.message}`;
    }
  }

  async refuse(event: MqEvent, why: string): Promise<void> {
    await this.fail(event, 0, { ok: false, ended: why, ms: 0 }, AbortSignal.timeout(this.#handler.timeoutMs));
  }

  async #reply({ replyTo }: MqEvent, kept: Kept, until: AbortSignal): Promise<Pick<Run, "ok" | "ended">> {
    try {
      const receivers = await this.#publish(replyTo!, dataFromText(kept.text.replace(/\r?\n$/, "")), until);
      return { ok: true, ended: receivers > 0 ? "done" : "done, but nobody waited for the reply any more" };
    } catch (error) {
      if (error instanceof Unusable) return { ok: false, ended: error.message };
      if (!(error instanceof MqError)) throw error;
      return { ok: false, ended: `done, but not replied: ${error.message}` };
    }
  }

  async #publish(name: string, text: string, signal: AbortSignal): Promise<number> {
    const data = text === "" ? undefined : text;
    return (await this.#client.publishConfirmed(name, data, { raw: true, signal })).receivers;
  }
}
