/** The one line that is shown of why a job failed. */
import { assertEquals } from "@std/assert";
import { reasonLine } from "../../lib/protocol/reason.ts";

/** What a handler has written, and the line of it that is shown. */
const OUTPUTS: readonly [output: string, line: string][] = [
  ['/tmp/h.js:2 | throw new Error("no id"); | ^ | Error: no id | at main (/tmp/h.js:2) | Node.js v20', "Error: no id"],
  ['Traceback (most recent call last): | File "h.py", line 1 | raise ValueError("x") | ValueError: x', "ValueError: x"],
  ["  raise json.JSONDecodeError | json.decoder.JSONDecodeError: at 1 | later", "json.decoder.JSONDecodeError: at 1"],
  ['Exception in thread "main" java.lang.Exception: x | at H', 'Exception in thread "main" java.lang.Exception: x'],
  ["error: Uncaught (in promise) TypeError: x | at file", "error: Uncaught (in promise) TypeError: x"],
  ["Error [ERR_X]: x | at y", "Error [ERR_X]: x"],
  ["panic: x | goroutine 1 [running]: | exit status 2", "panic: x"],
  ["done 2 | out |   err  | ", "err"],
  ["one line", "one line"],
  ["no errors, no exceptions | the end", "the end"],
];

for (const [output, line] of OUTPUTS) {
  Deno.test(`of a reason that ends ${JSON.stringify(line)} that line is shown, with how the handler ended`, () => {
    for (const ended of ["exit code 1", "killed by SIGSEGV", "took longer than 500ms and was killed"]) {
      assertEquals(reasonLine(`${ended}: ${output}`), `${ended}: ${line}`);
    }
  });
}

Deno.test("of a reason that somebody has written the first line is shown, or the first that names an error", () => {
  assertEquals(reasonLine("no address | at all"), "no address");
  assertEquals(reasonLine("no address | TypeError: x | at all"), "TypeError: x");
});

Deno.test("reasonLine shows what was not published, and takes a reason without output or text", () => {
  const problem = "done, but not published: Unrecognized event";
  assertEquals(reasonLine(`${problem}: out | Error: other`), `${problem}: out`);
  assertEquals(["exit code 3", "", " | "].map(reasonLine), ["exit code 3", "", ""]);
});
