/**
 * `mq dead purge`: discards the dead jobs of a group.
 *
 * @module
 */
import { brokerFlags } from "../shared/broker_flags.ts";
import { defineCommand } from "../command.ts";
import { titleOf } from "../commands.ts";
import { checkConfirmable, confirm, yesFlag } from "../shared/confirm.ts";
import { count } from "../shared/format.ts";
import { GROUP } from "../shared/operands.ts";
import { connectToStore } from "../shared/store_access.ts";

const flags = { ...brokerFlags, yes: yesFlag };

export const deadPurge = defineCommand({
  ...titleOf("dead purge"),
  description: "Discards all dead jobs of a group for good. Their events stay in the log as long as it keeps them.",
  operands: { form: "GROUP", min: 1, max: 1, kinds: [GROUP] },
  flags,
  examples: [
    ["mq dead purge mail", "asks, and discards the dead jobs of the group mail"],
    ["mq dead purge mail --yes", "does not ask"],
  ],
  permissions: ["net"],
  async run({ flags, operands: [group] }, io) {
    await using client = await connectToStore("dead purge", flags, io);
    const known = (await client.store.groups(io.signal)).find((report) => report.group === group);
    if (known !== undefined) checkConfirmable(flags.yes, `mq dead purge ${group}`, io); // Else the broker says so.
    const dead = known?.dead ?? 0;
    if (!flags.yes && dead > 0) await confirm(`Discard ${count(dead, "dead job")} of ${group}?`, io);
    const { jobs } = await client.store.purge(group, "dead");
    io.stdout.line(`${count(jobs, "dead job")} of ${group} discarded`);
    return 0;
  },
});
