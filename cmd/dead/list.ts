/**
 * `mq dead list`: lists the dead jobs of a group.
 *
 * @module
 */
import { bold } from "@std/fmt/colors";
import type { PeekedJob } from "../../lib/protocol/responses.ts";
import { brokerFlags } from "../shared/broker_flags.ts";
import { type Column, cut, layOutTable } from "../shared/cells.ts";
import { defineCommand, toggle } from "../command.ts";
import { titleOf } from "../commands.ts";
import { count, formatWhen, printable, reasonLine } from "../shared/format.ts";
import { GROUP } from "../shared/operands.ts";
import { connectToStore } from "../shared/store_access.ts";
import { deadJobsOf, formatDeadJson } from "./jobs.ts";

/** In fewer columns there is no room for an id, an event and a reason beside each other. */
const NARROW = 54;

const flags = {
  ...brokerFlags,
  json: toggle("Print one JSON object per job: {id, at, from, event, data, group, tries, died, why}."),
};

export const deadList = defineCommand({
  ...titleOf("dead list"),
  description:
    "A job is dead when it has been tried as often as its group allows, or when its handler has given it up. It is kept\n" +
    "with its event and the reason until it is delivered again (mq dead kick) or discarded (mq dead purge).\n" +
    "The broker shows 100 jobs at most, and fewer if they have much data: those that died first. With --json, long data is\n" +
    "cut, and the object has cut: mq dead show has all of it.",
  operands: { form: "GROUP", min: 1, max: 1, kinds: [GROUP] },
  flags,
  examples: [
    ["mq dead list mail", "the dead jobs of the group mail"],
    ["mq dead list mail --json", "the same as JSON, with their data"],
  ],
  permissions: ["net"],
  async run({ flags, operands: [group] }, io) {
    await using client = await connectToStore("dead list", flags, io);
    const { jobs, total } = await deadJobsOf(client, group);
    if (flags.json) { for (const job of jobs) io.stdout.line(formatDeadJson(group, job)); }
    else if (jobs.length > 0) io.stdout.line(drawJobs(jobs, io.terminal?.size().columns).join("\n"));
    if (total === 0) io.stderr.line(`mq dead list: ${group} has no dead jobs`);
    else if (jobs.length < total) {
      io.stderr.line(`mq dead list: ${group} has ${count(total, "dead job")}; the broker shows ${jobs.length}`);
    }
    return 0;
  },
});

/**
 * Draws the table of dead jobs.
 *
 * @param jobs The jobs.
 * @param width The width. In a narrow terminal the reason of each job stands below it. Default: no limit.
 * @returns The lines, the titles first.
 */
export function drawJobs(jobs: readonly PeekedJob[], width: number = Infinity): string[] {
  const isNarrow = width < NARROW;
  const column = (title: string, priority: number, cell: (job: PeekedJob) => string, minWidth?: number): Column => ({
    cells: [title, ...jobs.map((job) => printable(cell(job)))],
    isNumber: title === "tries",
    priority,
    minWidth,
  });
  const [titles, ...rows] = layOutTable([
    column("id", 6, ({ id }) => id),
    column("event", 5, ({ event }) => event, 12),
    column("from", 1, ({ from }) => from, 8),
    column("tries", 2, ({ tries }) => String(tries)),
    column("died", 3, ({ at }) => at === undefined ? "" : formatWhen(new Date(at))),
    ...isNarrow ? [] : [column("why", 4, reasonOf, 12)],
  ], width);
  const reasons = jobs.map((job) =>
    isNarrow && reasonOf(job) !== "" ? [cut(`  ${printable(reasonOf(job))}`, width)] : []
  );
  return [bold(titles), ...rows.flatMap((row, index) => [row, ...reasons[index]])];
}

function reasonOf({ why = "" }: PeekedJob): string {
  return reasonLine(why);
}
