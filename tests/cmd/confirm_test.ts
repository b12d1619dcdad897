/** What is asked before something is discarded, and what counts as yes. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { UsageError } from "../../cmd/command.ts";
import { checkConfirmable, confirm } from "../../cmd/shared/confirm.ts";
import { type Io, Output } from "../../cmd/shared/stdio.ts";
import { MqError } from "../../lib/protocol/errors.ts";
import { sinkTo, until } from "../helpers.ts";

/** A terminal on which somebody types some text, or closes it without; what it shows is in `said`. */
function terminalWith(typed: string | null, signal = new AbortController().signal): { io: Io; said: () => string } {
  let said = "";
  const stderr = new Output(sinkTo((text) => said += text), { isTerminal: true });
  const stdin = new ReadableStream<Uint8Array>({
    start(controller) {
      if (typed === null) controller.close();
      else if (typed !== "") controller.enqueue(new TextEncoder().encode(typed));
    },
  });
  return { io: { stdin, stdout: stderr, stderr, signal, env: {}, isInteractive: true }, said: () => said };
}

for (const typed of ["y\n", "Y\n", "yes\n", " YES \r\n"]) {
  Deno.test(`confirm takes ${JSON.stringify(typed)} for yes`, async () => {
    const { io, said } = terminalWith(typed);
    await confirm("Discard 3 jobs?", io);
    await until(() => said() === "Discard 3 jobs? [y/N] ", "it is asked");
  });
}

for (const typed of ["n\n", "\n", "yeah\n", "no\n", null]) {
  Deno.test(`confirm takes ${JSON.stringify(typed)} for no`, async () => {
    const { io, said } = terminalWith(typed);
    await assertRejects(() => confirm("Discard 3 jobs?", io), MqError, "Nothing was discarded");
    await until(() => said() === `Discard 3 jobs? [y/N] ${typed === null ? "\n" : ""}`, "it is asked");
  });
}

Deno.test("confirm takes Ctrl-C for no", async () => {
  const ending = new AbortController();
  const { io, said } = terminalWith("", ending.signal);
  const refused = assertRejects(() => confirm("Discard 3 jobs?", io), MqError, "Nothing was discarded");
  await until(() => said().endsWith("[y/N] "), "it is asked");
  ending.abort();
  await refused;
  await until(() => said().endsWith("[y/N] \n"), "the line is ended");
});

Deno.test("checkConfirmable wants --yes where nobody can be asked", () => {
  const { io } = terminalWith(null);
  checkConfirmable(true, "mq dead purge mail", { ...io, isInteractive: false });
  checkConfirmable(false, "mq dead purge mail", io);
  const error = assertThrows(
    () => checkConfirmable(false, "mq dead purge mail", { ...io, isInteractive: false }),
    UsageError,
    "it discards for good",
  );
  assertEquals(error.hint, "mq dead purge mail --yes");
});
