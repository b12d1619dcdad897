/**
 * The limits of a broker as flags of `mq server`.
 *
 * @module
 */
import { getHeapStatistics } from "node:v8";
import {
  DEFAULT_LIMITS,
  type Limits,
  minMemoryBytes,
  minOutboxBytes,
  PROGRAM_BYTES,
} from "../../lib/protocol/limits.ts";
import {
  duration,
  durationText,
  type Flag,
  integer,
  option,
  size,
  sizeText,
  UsageError,
  type Values,
} from "../command.ts";

const MIB = 1024 * 1024;

/** One flag for each limit. */
export const limitFlags = {
  "max-line": sizeFlag("lineBytes", "The longest line that is accepted."),
  "max-queue": sizeFlag("outboxBytes", "How much may wait in the queue of one connection."),
  "max-memory": option("BYTES", "How much memory the broker should take in all.", size, {
    defaultValue: [`${sizeText(DEFAULT_LIMITS.memoryBytes)}, less on a small machine`, ownMemoryBytes()],
    suggestFor: ["memory", "max-heap"],
  }),
  "max-connections": countFlag("connections", "The maximum number of connections."),
  "max-http-connections": countFlag("httpConnections", "The maximum number of HTTP connections."),
  "max-patterns": countFlag("patterns", "The maximum number of patterns that one connection may subscribe to."),
  "max-rate": option("N", "Events per second of one connection; more wait (POSTs are refused).", integer(1), {
    defaultValue: ["unlimited", DEFAULT_LIMITS.eventsPerSecond],
  }),
  "hello-time": durationFlag("helloMs", "How long a client may take for TLS and to present its token."),
  "ping-after": durationFlag("silenceMs", "How long a connection may be silent before the broker sends a /ping."),
  "ping-timeout": durationFlag("answerMs", "How long the client may take to answer that /ping."),
  "drain-time": durationFlag("drainMs", "How long the shutdown waits for clients that still read."),
};

/**
 * The limits that the flags set.
 *
 * @throws {UsageError} If the queue is too small for the longest line.
 */
export function limitsOf(values: Values<typeof limitFlags>): Limits {
  const { "max-line": line, "max-queue": queue, "max-memory": memory } = values;
  const least = minOutboxBytes(line);
  if (queue < least) {
    const problem = `--max-queue ${sizeText(queue)} is too small for an event of --max-line ${sizeText(line)}`;
    throw new UsageError(problem, `mq server --max-queue ${sizeText(least)}`);
  }
  const leastMemory = minMemoryBytes(line);
  if (memory < leastMemory) {
    const problem = `--max-memory ${sizeText(memory)} is too small: ${sizeText(PROGRAM_BYTES)} are for the program, ` +
      `and half of the rest must have room for an event of --max-line ${sizeText(line)}`;
    throw new UsageError(problem, `mq server --max-memory ${sizeText(Math.ceil(leastMemory / MIB) * MIB)}`);
  }
  return {
    lineBytes: values["max-line"],
    outboxBytes: values["max-queue"],
    memoryBytes: values["max-memory"],
    connections: values["max-connections"],
    httpConnections: values["max-http-connections"],
    patterns: values["max-patterns"],
    eventsPerSecond: values["max-rate"],
    helloMs: values["hello-time"],
    silenceMs: values["ping-after"],
    answerMs: values["ping-timeout"],
    drainMs: values["drain-time"],
  };
}

/** V8 limits its heap by the memory of the machine; half of that is left for what is not counted. */
function ownMemoryBytes(): number {
  return Math.min(DEFAULT_LIMITS.memoryBytes, Math.floor(getHeapStatistics().heap_size_limit / 2));
}

/** The limits that always have a value. */
type Measure = Exclude<keyof Limits, "eventsPerSecond">;

function sizeFlag(limit: Measure, help: string): Flag<number> {
  return option("BYTES", help, size, { defaultValue: [sizeText(DEFAULT_LIMITS[limit]), DEFAULT_LIMITS[limit]] });
}

function countFlag(limit: Measure, help: string): Flag<number> {
  return option("N", help, integer(1), { defaultValue: [String(DEFAULT_LIMITS[limit]), DEFAULT_LIMITS[limit]] });
}

function durationFlag(limit: Measure, help: string): Flag<number> {
  return option("DURATION", help, duration, {
    defaultValue: [durationText(DEFAULT_LIMITS[limit]), DEFAULT_LIMITS[limit]],
  });
}
