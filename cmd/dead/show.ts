/**
 * `mq dead show`: all that is known of a dead job.
 *
 * @module
 */
import { bold } from "@std/fmt/colors";
import type { PeekedJob } from "../../lib/protocol/responses.ts";
import { MqError } from "../../lib/protocol/errors.ts";
import { brokerFlags } from "../shared/broker_flags.ts";
import { defineCommand, toggle } from "../command.ts";
import { titleOf } from "../commands.ts";
import { formatDateTime, printable, reasonLines } from "../shared/format.ts";
import { GROUP, ID } from "../shared/operands.ts";
import { connectToStore } from "../shared/store_access.ts";
import { eventOf, formatDeadJson } from "./jobs.ts";

/** The width of the column with the names of what is shown. */
const LABEL_COLUMNS = 11;

const flags = {
  ...brokerFlags,
  json: toggle("Print one JSON object: {id, at, from, event, data, group, tries, died, why}."),
};

export const deadShow = defineCommand({
  ...titleOf("dead show"),
  description:
    "Shows the event of a dead job with its data, how often it was tried, when it died, and the reason with all\n" +
    "its lines. ID is the id of the event, which mq dead list shows.",
  operands: { form: "GROUP ID", min: 2, max: 2, kinds: [GROUP, ID] },
  flags,
  examples: [
    ["mq dead show mail 01JD3K5E8Q5V1M4S3R6T7W8X9Y", "one dead job of the group mail"],
    ["mq dead show mail 01JD3K5E8Q5V1M4S3R6T7W8X9Y --json", "the same as JSON"],
  ],
  permissions: ["net"],
  async run({ flags, operands: [group, id] }, io) {
    await using client = await connectToStore("dead show", flags, io);
    const [job] = await client.store.peek(group, "dead", id);
    if (job === undefined) throw new MqError("not-found", `The group ${group} has no dead job of the event ${id}`);
    io.stdout.line(flags.json ? formatDeadJson(group, job) : describeJob(group, job));
    if (job.cut) io.stderr.line(`mq dead show: the broker shows the first ${job.data.length} characters of the data`);
    return 0;
  },
});

function describeJob(group: string, job: PeekedJob): string {
  const { name, text, from, id, at } = eventOf(job);
  const died = job.at === undefined ? "" : `${formatDateTime(new Date(job.at))}, after `;
  const [why, ...more] = reasonLines(job.why ?? "").map(printable);
  const rows: [label: string, value: string][] = [
    ["group", group],
    ["event", bold(printable(name))],
    ["id", id!],
    ["from", printable(from!)],
    ["published", formatDateTime(at!)],
    ["died", `${died}${job.tries === 1 ? "1 try" : `${job.tries} tries`}`],
    ["why", why],
    ...more.map((line): [string, string] => ["", line]),
    ["data", printable(text)],
  ];
  return rows.map(([label, value]) => `${label.padEnd(LABEL_COLUMNS)}${value}`.trimEnd()).join("\n");
}
