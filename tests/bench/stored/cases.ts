/** The cases that are compared. */
import { UsageError } from "../../../cmd/command.ts";
import { measurePublishing, publishAll } from "./publishing.ts";
import type { Sample } from "./readings.ts";
import { Server } from "./server.ts";
import type { Subject } from "./subject.ts";
import { measureWorking, MEMBERS, type WorkWire } from "./working.ts";

/** What is published; beanstalkd and JetStream count on it to have no line end and to begin with `x`. */
const DATA = "x".repeat(64);

/** How the jobs are published. */
const JOBS_LOAD = { connections: 10, window: 100, data: DATA };

/** How long each case goes on. */
export interface Extent {
  readonly warmUpMs: number;
  readonly ms: number;
  readonly jobs: number;
}

/** One way to measure a broker. */
export interface Measurement {
  /** What distinguishes it from others of the same broker and case; empty if there is only one. */
  readonly label: string;
  run(signal?: AbortSignal): Promise<Sample>;
}

/** What is measured of each broker. */
export interface Case {
  /** As `--cases` has it. */
  readonly name: string;
  /** As the results have it. */
  readonly title: string;
  /** The measurements of a broker; none if it is not compared in this case. */
  of(subject: Subject, extent: Extent): Measurement[];
}

/** All cases, in order. */
export const CASES: readonly Case[] = [
  publishCase(1, 1),
  publishCase(1, 100),
  publishCase(10, 100),
  publishCase(100, 10),
  {
    name: "work",
    title: "acknowledge jobs",
    of: (subject, { jobs }) =>
      subject.working.map((wire) => ({
        label: wire.label,
        run: (signal) => work(subject, wire, jobs, signal),
      })),
  },
];

/**
 * The cases with some names.
 *
 * @throws {UsageError} If there is no such case.
 */
export function casesNamed(names: readonly string[]): Case[] {
  const known = CASES.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new UsageError(`there is no case ${unknown}`, `--cases ${known.join(",")}`);
  return CASES.filter(({ name }) => names.includes(name));
}

function publishCase(connections: number, window: number): Case {
  return {
    name: `${connections}x${window}`,
    title: `publish ${connections} x ${window}`,
    of: (subject, extent) => [{
      label: "",
      async run(signal) {
        await using server = await Server.start(subject);
        const load = { connections, window, data: DATA };
        return await measurePublishing(server.address, subject.publishing, load, extent, server.read, signal);
      },
    }],
  };
}

async function work(subject: Subject, wire: WorkWire, jobs: number, signal?: AbortSignal): Promise<Sample> {
  await using server = await Server.start(subject);
  await publishAll(server.address, subject.publishing, JOBS_LOAD, jobs, signal);
  return await measureWorking(server.address, wire, { members: MEMBERS, jobs }, server.read, signal);
}
