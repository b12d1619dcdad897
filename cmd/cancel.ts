/**
 * `mq cancel`: takes back events that were to be published later.
 *
 * @module
 */
import { brokerFlags } from "./shared/broker_flags.ts";
import { defineCommand } from "./command.ts";
import { titleOf } from "./commands.ts";
import { ID } from "./shared/operands.ts";
import { connectToStore } from "./shared/store_access.ts";

export const cancel = defineCommand({
  ...titleOf("cancel"),
  description:
    "ID is what mq pub --in has printed: the event gets another id when it is published. It fails if an event was\n" +
    "published meanwhile, or is not there.",
  operands: { form: "ID...", min: 1, max: Infinity, suggestFor: ["id"], kinds: [ID] },
  flags: brokerFlags,
  examples: [["mq cancel 01JD3K5E8Q5V1M4S3R6T7W8X9Y", "an event of mq pub --in 1h"]],
  permissions: ["net"],
  async run({ flags, operands: ids }, io) {
    await using client = await connectToStore("cancel", flags, io);
    let missing = 0;
    for (const id of ids) {
      if (await client.cancel(id)) io.stdout.line(`${id} is cancelled`);
      else {
        missing++;
        io.stderr.line(`mq cancel: ${id} is not waiting: it was published, cancelled, or never there`);
      }
    }
    return missing > 0 ? 1 : 0;
  },
});
