/**
 * `mq why`: explains which connections receive an event, and why.
 *
 * @module
 */
import type { Client } from "../lib/client.ts";
import type { Why } from "../lib/protocol/responses.ts";
import { brokerAccess, brokerFlags, connectWithHint } from "./shared/broker_flags.ts";
import { defineCommand, toggle } from "./command.ts";
import { titleOf } from "./commands.ts";
import { NAME } from "./shared/operands.ts";
import { drawWhy } from "./why/drawing.ts";

/** How many receivers are shown, and how many other connections. */
const MAX_SHOWN = 20;

const flags = {
  ...brokerFlags,
  all: toggle(
    `Show all that the broker lists, up to 100 of each, not only ${MAX_SHOWN} receivers and ${MAX_SHOWN} others.`,
  ),
  json: toggle("Print the response of the broker as one JSON object."),
};

export const why = defineCommand({
  ...titleOf("why"),
  description:
    "Asks the broker whether it recognizes an event of that name, which connections receive it by which pattern and\n" +
    "how much waits in their queues, and what the other connections subscribe to. It publishes nothing.",
  operands: { form: "NAME", min: 1, max: 1, kinds: [NAME] },
  flags,
  examples: [
    ["mq why create", "which connections would receive a create"],
    ["mq why order.created --all", "up to 100 receivers and 100 others"],
    ["mq why mq.connect", "which connections receive an event of the broker itself"],
    ["mq why create --json", "as JSON"],
  ],
  permissions: ["net"],
  async run({ flags, operands: [name] }, io) {
    const access = brokerAccess(flags, io, "why");
    await using client = await connectWithHint({ ...access, name: "why", reconnect: false, signal: io.signal });
    const response = await ask(client, name, io.signal);
    const drawn = async () => {
      const events = response.recognized ? [] : await client.events(io.signal);
      return drawWhy(response, events, flags.all ? Infinity : MAX_SHOWN, io.terminal?.size().columns);
    };
    io.stdout.line(flags.json ? JSON.stringify(response) : await drawn());
    return 0;
  },
});

/** The broker's response without the connection of `mq why` itself. */
async function ask(client: Client, name: string, signal: AbortSignal): Promise<Why> {
  const response = await client.why(name, signal);
  const { hears, hearsCount = hears.length, ignores, ignoresCount = ignores.length } = response; // Not before 0.8.
  const others = ignores.filter(({ id }) => id !== client.hello.id);
  return { ...response, hearsCount, ignores: others, ignoresCount: ignoresCount - 1 };
}
