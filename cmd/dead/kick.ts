/**
 * `mq dead kick`: has dead jobs delivered again.
 *
 * @module
 */
import { ProtocolError } from "../../lib/protocol/errors.ts";
import { brokerFlags } from "../shared/broker_flags.ts";
import { defineCommand, toggle, UsageError } from "../command.ts";
import { titleOf } from "../commands.ts";
import { count } from "../shared/format.ts";
import { GROUP, ID } from "../shared/operands.ts";
import { connectToStore } from "../shared/store_access.ts";

const flags = {
  ...brokerFlags,
  all: toggle("All dead jobs of the group."),
};

export const deadKick = defineCommand({
  ...titleOf("dead kick"),
  description:
    "Dead jobs are delivered to the members of the group again, as if they had never been tried: as soon as the\n" +
    "cause is mended. ID is the id of an event, which mq dead list shows.",
  operands: { form: "GROUP [ID...]", min: 1, max: Infinity, kinds: [GROUP, ID] },
  flags,
  examples: [
    ["mq dead kick mail 01JD3K5E8Q5V1M4S3R6T7W8X9Y", "one dead job of the group mail"],
    ["mq dead kick mail --all", "all of them"],
  ],
  permissions: ["net"],
  async run({ flags, operands: [group, ...ids] }, io) {
    checkChoice(group, ids, flags.all);
    await using client = await connectToStore("dead kick", flags, io);
    let [kicked, missing] = [0, 0];
    for (const id of flags.all ? [undefined] : ids) {
      try {
        kicked += await client.store.kick(group, id);
      } catch (error) {
        if (!(error instanceof ProtocolError && error.code === "not-found")) throw error;
        missing++;
        io.stderr.line(`mq dead kick: ${error.message}`);
      }
    }
    if (kicked > 0 || flags.all) io.stdout.line(`${count(kicked, "job")} of ${group} to be delivered again`);
    return missing > 0 ? 1 : 0;
  },
});

function checkChoice(group: string, ids: readonly string[], isAll: boolean): void {
  if (ids.length > 0 && isAll) throw new UsageError("it takes ids or --all, not both", `mq dead kick ${group} --all`);
  if (ids.length === 0 && !isAll) {
    throw new UsageError("it needs the ID of a job, or --all", `mq dead list ${group}, or mq dead kick ${group} --all`);
  }
}
