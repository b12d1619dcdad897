/**
 * Asks before something is discarded for good.
 *
 * @module
 */
import { MqError } from "../../lib/protocol/errors.ts";
import { type Flag, toggle, UsageError } from "../command.ts";
import { aborted, type Io } from "./stdio.ts";

/** `--yes`. */
export const yesFlag: Flag<boolean> = toggle("Do not ask. It is needed where there is no terminal.", {
  short: "y",
  suggestFor: ["force", "f", "confirm", "no-confirm"],
});

/**
 * Checks that somebody has confirmed, or can be asked.
 *
 * @param isConfirmed The value of `--yes`.
 * @param command The command line, with which `--yes` is suggested.
 * @throws {UsageError} If neither is so.
 */
export function checkConfirmable(isConfirmed: boolean, command: string, { isInteractive }: Io): void {
  if (isConfirmed || isInteractive) return;
  throw new UsageError("it discards for good, and there is no terminal on which to ask", `${command} --yes`);
}

/**
 * Asks on the terminal.
 *
 * @param question What is about to be done, as a question.
 * @throws {MqError} With the code `not-confirmed`, if the answer is no.
 */
export async function confirm(question: string, io: Io): Promise<void> {
  io.stderr.prompt(`${question} [y/N] `);
  const answer = await readLine(io);
  if (answer === undefined) io.stderr.line(""); // Nobody has pressed Enter.
  if (/^y(?:es)?$/i.test(answer?.trim() ?? "")) return;
  throw new MqError("not-confirmed", "Nothing was discarded");
}

/** The next line of the terminal; undefined if it is closed, or the command is interrupted. */
async function readLine({ stdin, signal }: Io): Promise<string | undefined> {
  const reader = stdin.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  const read = async () => (await reader.read()).value;
  return await Promise.race([read(), aborted(signal).then(() => undefined)]);
}
