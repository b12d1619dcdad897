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
  "max-line": sizeFlag("lineBytes", "The longest line."),
  "max-queue": sizeFlag("outboxBytes", "What may wait for one connection to read it."),
  "max-connections": countFlag("connections", "How many connections there may be."),
  "max-patterns": countFlag("patterns", "How many patterns one connection may subscribe to."),
  "max-rate": option("N", "How many events a second from one connection; more wait (POSTs are refused).", integer(1), {
    fallback: ["unlimited", DEFAULT_LIMITS.eventsPerSecond],
  }),
  "hello-time": durationFlag("helloMs", "How long one may take to show a token, or to agree on TLS."),
  "ping-after": durationFlag("silenceMs", "How long one may be silent before it is sent a /ping."),
  "ping-timeout": durationFlag("answerMs", "How long it may take to answer that."),
  "drain-time": durationFlag("drainMs", "How long the end waits for those that still read."),
};

/**
 * The limits that the values of the flags set.
 *
 * @throws {UsageError} If two of them contradict each other.
 */
export function limitsOf(values: Values<typeof limitFlags>): Limits {
  const [line, queue] = [values["max-line"], values["max-queue"]];
  const least = minOutboxBytes(line);
  if (queue < least) {
    const problem = `--max-queue ${sizeText(queue)} has no room for an event of --max-line ${sizeText(line)}`;
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

/** The limits that are a number: all but the one that may be none. */
type Measure = Exclude<keyof Limits, "eventsPerSecond">;

function sizeFlag(limit: Measure, help: string): Flag<number> {
  return option("BYTES", help, size, { fallback: [sizeText(DEFAULT_LIMITS[limit]), DEFAULT_LIMITS[limit]] });
}

function countFlag(limit: Measure, help: string): Flag<number> {
  return option("N", help, integer(1), { fallback: [String(DEFAULT_LIMITS[limit]), DEFAULT_LIMITS[limit]] });
}

function durationFlag(limit: Measure, help: string): Flag<number> {
  return option("DURATION", help, duration, { fallback: [durationText(DEFAULT_LIMITS[limit]), DEFAULT_LIMITS[limit]] });
}
