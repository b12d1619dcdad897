/**
 * Shows on a terminal how far a command is, if that takes some time.
 *
 * @module
 */
import type { Io } from "../shared/stdio.ts";

/** For how long nothing is shown, and how often then, in milliseconds. */
const [SILENT_MS, EVERY_MS] = [2000, 200];

/**
 * Shows a status on stderr until it is disposed. Nothing is shown where the results go to a terminal, among which it would
 * stand.
 *
 * @param io The output of the command.
 * @param describe What is shown.
 * @param silentMs For how long nothing is shown, in milliseconds.
 * @param everyMs How often it is shown then, in milliseconds.
 */
export function showProgress(
  { stdout, stderr }: Pick<Io, "stdout" | "stderr">,
  describe: () => string,
  silentMs: number = SILENT_MS,
  everyMs: number = EVERY_MS,
): Disposable {
  let isShown = false;
  const beginsAt = performance.now() + silentMs;
  const timer = setInterval(() => {
    if (stdout.isTerminal || performance.now() < beginsAt) return;
    isShown = true;
    stderr.status(describe());
  }, everyMs);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      if (isShown) stderr.status("");
    },
  };
}
