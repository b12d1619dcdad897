import { assertEquals } from "@std/assert";
import { SampleRatio } from "../../web/sample_ratio.ts";

/** The text after some seconds in which so many events were published and received. */
function textAfter(...seconds: [published: number, received: number][]): string {
  const ratio = new SampleRatio();
  let total = 0;
  ratio.answered(total);
  for (const [published, events] of seconds) {
    for (let event = 0; event < events; event++) ratio.event();
    ratio.answered(total += published);
  }
  return ratio.text;
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
  Deno.test(`SampleRatio is "${text}" after ${JSON.stringify(seconds)}`, () =>
    assertEquals(textAfter(...seconds), text));
}

Deno.test("SampleRatio ignores what was published before its first response", () => {
  const ratio = new SampleRatio();
  ratio.answered(1_000_000);
  assertEquals(ratio.text, "");
});
