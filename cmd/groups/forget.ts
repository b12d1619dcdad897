/**
 * `mq groups forget`: discards a group.
 *
 * @module
 */
import type { GroupReport } from "../../lib/protocol/responses.ts";
import { brokerFlags } from "../shared/broker_flags.ts";
import { defineCommand } from "../command.ts";
import { titleOf } from "../commands.ts";
import { checkConfirmable, confirm, yesFlag } from "../shared/confirm.ts";
import { count } from "../shared/format.ts";
import { GROUP } from "../shared/operands.ts";
import { connectToStore } from "../shared/store_access.ts";

const flags = { ...brokerFlags, yes: yesFlag };

export const groupsForget = defineCommand({
  ...titleOf("groups forget"),
  description:
    "Discards a group without members: how far it is, and all its jobs, dead ones included. The events stay in\n" +
    "the log. A group that is made again with the same name is a new one.",
  operands: { form: "GROUP", min: 1, max: 1, kinds: [GROUP] },
  flags,
  examples: [
    ["mq groups forget mail", "asks, and discards the group mail"],
    ["mq groups forget mail --yes", "does not ask"],
  ],
  permissions: ["net"],
  async run({ flags, operands: [name] }, io) {
    await using client = await connectToStore("groups forget", flags, io);
    const group = (await client.store.groups(io.signal)).find(({ group }) => group === name);
    const isRefused = group === undefined || group.members.length > 0; // The broker says why.
    if (!isRefused) {
      checkConfirmable(flags.yes, `mq groups forget ${name}`, io);
      if (!flags.yes) await confirm(questionFor(group), io);
    }
    await client.store.forget(name);
    io.stdout.line(`the group ${name} is forgotten`);
    return 0;
  },
});

function questionFor({ group, lag, ready, inFlight, delayed, dead }: GroupReport): string {
  const jobs = ready + inFlight + delayed + dead;
  return `Forget the group ${group}, with ${count(jobs, "job")} and ${count(lag, "event")} that it has not looked at?`;
}
