/**
 * The limits of a broker as flags of `mq server`.
 *
 * @module
 */
import { DEFAULT_LIMITS, type Limits, minOutboxBytes } from "../../lib/protocol/limits.ts";
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

/** One flag for each limit. */
export const limitFlags = {
  "max-line": sizeFlag("lineBytes", "The longest line that is accepted."),
  "max-queue": sizeFlag("outboxBytes", "How much may wait in the queue of one connection."),
  "max-connections": countFlag("connections", "The maximum number of connections."),
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
  const [line, queue] = [values["max-line"], values["max-queue"]];
  const least = minOutboxBytes(line);
  if (queue < least) {
    const problem = `--max-queue ${sizeText(queue)} is too small for an event of --max-line ${sizeText(line)}`;
    const shorter = queue - least + line;
    const hint = shorter > 0 ? `, or --max-line ${sizeText(shorter)} or less` : "";
    throw new UsageError(problem, `mq server --max-queue ${sizeText(least)} or more${hint}`);
  }
  return {
    lineBytes: values["max-line"],
    outboxBytes: values["max-queue"],
    connections: values["max-connections"],
    patterns: values["max-patterns"],
    eventsPerSecond: values["max-rate"],
    helloMs: values["hello-time"],
    silenceMs: values["ping-after"],
    answerMs: values["ping-timeout"],
    drainMs: values["drain-time"],
  };
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
