/** Counts of events with the time and the CPU time at that moment, and what two of them say. */
import process from "node:process";

/** The unit of CPU times in /proc, in milliseconds: Linux has 100 a second for all processes, whatever its own clock. */
const TICK_MS = 10;

/** A count at one moment. */
export interface Reading {
  readonly count: number;
  readonly atMs: number;
  /** The CPU time of the whole broker process so far, in milliseconds. */
  readonly brokerCpuMs: number;
  /** The CPU time of this process, the load generator, so far, in milliseconds. */
  readonly ownCpuMs: number;
}

/** Takes a reading. */
export type Read = (count: number) => Reading;

/** One measurement. */
export interface Sample {
  readonly perSecond: number;
  /** The CPU time of the broker for each event, in microseconds. */
  readonly brokerUs: number;
  /** The CPU time of the load generator for each event, in microseconds. */
  readonly ownUs: number;
}

/** What was between two readings. */
export function sampleOf(from: Reading, to: Reading): Sample {
  const count = to.count - from.count;
  return {
    perSecond: count / (to.atMs - from.atMs) * 1000,
    brokerUs: (to.brokerCpuMs - from.brokerCpuMs) / count * 1000,
    ownUs: (to.ownCpuMs - from.ownCpuMs) / count * 1000,
  };
}

/** Takes readings with the CPU time of a process. */
export function readerOf(pid: number): Read {
  return (count) => {
    const { user, system } = process.cpuUsage();
    const brokerCpuMs = cpuMsOf(Deno.readTextFileSync(`/proc/${pid}/stat`));
    return { count, atMs: performance.now(), brokerCpuMs, ownCpuMs: (user + system) / 1000 };
  };
}

/** The CPU time in a file /proc/PID/stat, in milliseconds: utime and stime, fields 14 and 15. */
export function cpuMsOf(stat: string): number {
  // The second field is the program's name in parentheses, and may contain both spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [utime, stime] = [14, 15].map((field) => Number(fields[field - 3]));
  return (utime + stime) * TICK_MS;
}
