/**
 * How it is told that a command has failed: one clear sentence on stderr.
 *
 * @module
 */
import { MqError, visible } from "../lib/protocol/errors.ts";
import { UsageError } from "./command.ts";
import { ALL, commandOf } from "./commands.ts";
import { describeWriteError } from "./shared/sink.ts";
import type { Io } from "./shared/stdio.ts";

/** The longest sentence that is told of what went wrong. */
const MAX_TOLD_COLUMNS = 2000;

/**
 * Tells why a command has failed.
 *
 * @param argv The arguments behind `mq`.
 * @returns The exit code: 1 failed, 2 misused.
 */
export async function tellFailure(argv: readonly string[], error: unknown, { stderr }: Io): Promise<number> {
  const command = commandOf(ALL, argv);
  const program = command ? `mq ${command.name}` : "mq";
  const message = await told(error instanceof Error ? error.message : String(error));
  if (error instanceof UsageError) {
    stderr.line(`${program}: ${message}\nTry: ${await told(error.hint)}`);
    return 2;
  }
  const isExpected = error instanceof MqError || error instanceof RangeError;
  stderr.line(isExpected ? `${program}: ${message}` : `${program}: unexpected error: ${message}. This is a bug in mq.`);
  return 1;
}

/** Tells that what a command has printed could not be written; returns the exit code. */
export function tellUnwritten(argv: readonly string[], error: unknown, io: Io): Promise<number> {
  return tellFailure(argv, new MqError("cannot-write", `Cannot write the output: ${describeWriteError(error)}`), io);
}

/** A sentence as it is told: nothing in it steers a terminal, and it is never longer than a screen. */
async function told(sentence: string): Promise<string> {
  const isShort = 2 * sentence.length <= MAX_TOLD_COLUMNS; // No character takes more than two.
  return visible(isShort ? sentence : (await import("./shared/cells.ts")).cut(sentence, MAX_TOLD_COLUMNS));
}
