/**
 * `mq groups`: shows the groups of a broker.
 *
 * @module
 */
import { brokerFlags } from "./shared/broker_flags.ts";
import { defineCommand, toggle } from "./command.ts";
import { titleOf } from "./commands.ts";
import { drawGroups } from "./groups/drawing.ts";
import { connectToStore } from "./shared/store_access.ts";

const flags = {
  ...brokerFlags,
  json: toggle("Print one JSON object per group, as the broker describes it."),
};

export const groups = defineCommand({
  ...titleOf("groups"),
  description:
    "A group works through the stored events that its patterns match: each is a job, which one member does. lag is how\n" +
    "many events of the log it has not looked at, ready are jobs to be done now, in flight those that members have,\n" +
    "delayed those to be tried again later, and dead those that it has given up: mq dead list GROUP shows them.\n" +
    "mq on --group GROUP makes a group, or joins it; it is kept, also without members, until mq groups forget GROUP.",
  operands: { form: "", min: 0, max: 0, hint: "mq groups forget GROUP, or mq groups --help" },
  flags,
  elsewhere: { forget: "mq groups forget GROUP", delete: "mq groups forget GROUP", remove: "mq groups forget GROUP" },
  examples: [
    ["mq groups", "all groups"],
    ["mq groups --json", "one JSON object per group"],
  ],
  permissions: ["net"],
  async run({ flags }, io) {
    await using client = await connectToStore("groups", flags, io);
    const groups = await client.store.groups(io.signal);
    if (groups.length === 0) {
      io.stderr.line(`mq groups: the broker at ${client.address} has no groups; mq on --group GROUP makes one`);
    } else if (flags.json) {
      for (const group of groups) io.stdout.line(JSON.stringify(group));
    } else io.stdout.line(drawGroups(groups, io.terminal?.size().columns).join("\n"));
    return 0;
  },
});
