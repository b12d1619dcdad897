import { assertEquals } from "@std/assert";
import { Shown } from "../../web/shown.ts";

/** What it says after some seconds in which so many were published and shown. */
function said(...seconds: [published: number, shown: number][]): string {
  const shown = new Shown();
  let total = 0;
  shown.answered(total);
  for (const [published, events] of seconds) {
    for (let event = 0; event < events; event++) shown.event();
    shown.answered(total += published);
  }
  return shown.text;
}

const CASES: [seconds: [number, number][], text: string][] = [
  [[], ""],
  [[[60, 60]], ""],
  [[[61, 60]], ""],
  [[[0, 1]], ""],
  [[[80, 60]], "75 % shown"],
  [[[200, 60]], "1 of 3 shown"],
  [[[30_000, 60]], "1 of 500 shown"],
  [[[200_000, 60]], "1 of 3,300 shown"],
  [[[1000, 0]], "none of 1,000 shown"],
  [[[30_000, 60], [60, 60], [60, 60], [60, 60], [60, 60], [60, 60]], ""],
];

for (const [seconds, text] of CASES) {
  Deno.test(`Shown says "${text}" after ${JSON.stringify(seconds)}`, () => assertEquals(said(...seconds), text));
}

Deno.test("Shown begins with the first answer: what was before is not its own", () => {
  const shown = new Shown();
  shown.answered(1_000_000);
  assertEquals(shown.text, "");
});
