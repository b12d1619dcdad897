import { assertEquals } from "@std/assert";
import { Legend } from "../../web/legend.ts";

Deno.test("Legend shows one name for each colour, and replaces one that has become stale", () => {
  const legend = new Legend();
  const additions: [name: string, color: number, now: number, changes: boolean][] = [
    ["create", 2, 0, true],
    ["update", 3, 0, true],
    ["create", 2, 9000, false],
    ["login", 2, 12_000, false],
    ["login", 2, 20_000, true],
    ["create", 2, 21_000, false],
  ];
  for (const [name, color, now, changes] of additions) {
    assertEquals(legend.add(name, color, now), changes, `${name} ${now}`);
  }
  assertEquals([...legend], [["login", 2], ["update", 3]]);
  legend.clear();
  assertEquals([...legend], []);
});
