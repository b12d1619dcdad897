/**
 * Asks a broker for the dead jobs of a group, and formats them.
 *
 * @module
 */
import type { Client } from "../../lib/client.ts";
import { MqEvent } from "../../lib/protocol/event.ts";
import type { PeekedJob } from "../../lib/protocol/responses.ts";
import { formatJson, reasonLines } from "../shared/format.ts";

/** How many jobs a broker shows at most. */
export const MAX_JOBS = 100;

/** The dead jobs of a group. */
export interface DeadJobs {
  /** The jobs, those that died first in front; not all of them, if they are many or have much data. */
  readonly jobs: readonly PeekedJob[];
  /** How many there are. */
  readonly total: number;
}

/**
 * Asks for the dead jobs of a group.
 *
 * @param client A client of a broker with a store.
 * @param group The name of the group.
 * @throws {ProtocolError} With the code `no-group`.
 */
export async function deadJobsOf({ store }: Client, group: string): Promise<DeadJobs> {
  const jobs = await store.peek(group, "dead", MAX_JOBS);
  const total = (await store.groups()).find((report) => report.group === group)?.dead ?? 0;
  return { jobs, total: Math.max(total, jobs.length) };
}

/** A dead job as JSON: the event, then what is known of the job, and whether its data is cut. */
export function formatDeadJson(group: string, job: PeekedJob): string {
  const { tries, at: died, why = "", cut } = job;
  return formatJson(eventOf(job), { group, tries, died, why: reasonLines(why).join("\n"), ...(cut && { cut }) });
}

/** The event of a job. */
export function eventOf({ id, from, event, data }: PeekedJob): MqEvent {
  return new MqEvent(event, data, { id, from });
}
