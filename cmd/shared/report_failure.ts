/**
 * Reports the failure of a command: one sentence on stderr.
 *
 * @module
 */
import { MqError, visible } from "../../lib/protocol/errors.ts";
import { UsageError } from "../command.ts";
import { ALL, commandOf } from "../commands.ts";
import { describeWriteError } from "./sink.ts";
import type { Io } from "./stdio.ts";

/** The longest message that is printed. */
const MAX_MESSAGE_COLUMNS = 2000;

/**
 * Reports why a command has failed.
 *
 * @param argv The arguments after `mq`.
 * @returns The exit code: 1 failed, 2 wrong arguments.
 */
export async function reportFailure(argv: readonly string[], error: unknown, { stderr }: Io): Promise<number> {
  const command = commandOf(ALL, argv);
  const program = command ? `mq ${command.name}` : "mq";
  const message = await printableMessage(error instanceof Error ? error.message : String(error));
  if (error instanceof UsageError) {
    stderr.line(`${program}: ${message}\nTry: ${await printableMessage(error.hint)}`);
    return 2;
  }
  const isExpected = error instanceof MqError || error instanceof RangeError;
  stderr.line(isExpected ? `${program}: ${message}` : `${program}: unexpected error: ${message}. This is a bug in mq.`);
  return 1;
}

/** Reports that the output of a command could not be written; resolves to the exit code. */
export function reportWriteError(argv: readonly string[], error: unknown, io: Io): Promise<number> {
  return reportFailure(argv, new MqError("cannot-write", `Cannot write the output: ${describeWriteError(error)}`), io);
}

/** A message that is safe to print: control characters are escaped, and it is no longer than a screen. */
async function printableMessage(sentence: string): Promise<string> {
  const isShort = 2 * sentence.length <= MAX_MESSAGE_COLUMNS; // A character is at most two columns wide.
  return visible(isShort ? sentence : (await import("./cells.ts")).cut(sentence, MAX_MESSAGE_COLUMNS));
}
