/**
 * `mq why`: why an event reaches whom it reaches.
 *
 * @module
 */
import type { Client } from "../lib/client.ts";
import type { Why } from "../lib/protocol/responses.ts";
import { brokerAccess, brokerFlags, connectOrSay } from "./shared/broker_flags.ts";
import { defineCommand, toggle } from "./command.ts";
import { titleOf } from "./commands.ts";
import { NAME } from "./shared/operands.ts";
import { drawWhy } from "./why/drawing.ts";

/** How many connections are shown of those that hear an event, and how many of those that do not. */
const MAX_SHOWN = 20;

const flags = {
  ...brokerFlags,
  all: toggle(`Show all connections, not just the first ${MAX_SHOWN} that hear it and that do not.`),
  json: toggle("Print the broker's answer as one JSON object."),
};

/** The command. */
export const why = defineCommand({
  ...titleOf("why"),
  description:
    "Asks the broker what recognizes an event of that name, who hears it and by which pattern, what waits\n" +
    "for them, and who does not hear it. It publishes nothing.",
  operands: { form: "NAME", min: 1, max: 1, kinds: [NAME] },
  flags,
  examples: [
    ["mq why create", "who would get a create"],
    ["mq why order.created --all", "however many they are"],
    ["mq why mq.connect", "who watches the broker's own life"],
    ["mq why create --json", "the answer for programs"],
  ],
  permissions: ["net"],
  async run({ flags, operands: [name] }, io) {
    const access = brokerAccess(flags, io, "why");
    await using client = await connectOrSay({ ...access, name: "why", reconnect: false, signal: io.signal });
    const answer = await ask(client, name, io.signal);
    const drawn = async () => {
      const events = answer.recognized ? [] : await client.events(io.signal);
      return drawWhy(answer, events, flags.all ? Infinity : MAX_SHOWN, io.terminal?.size().columns);
    };
    io.stdout.line(flags.json ? JSON.stringify(answer) : await drawn());
    return 0;
  },
});

/** The broker's answer without the connection that asks: it hears nothing, and is gone before anything is published. */
async function ask(client: Client, name: string, signal: AbortSignal): Promise<Why> {
  const answer = await client.why(name, signal);
  return { ...answer, ignores: answer.ignores.filter(({ id }) => id !== client.hello.id) };
}
