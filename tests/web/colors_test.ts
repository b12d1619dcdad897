import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { BACKGROUNDS, Colors, PALETTE } from "../../web/colors.ts";

/** The relative luminance of WCAG 2. */
function luminance(hex: string): number {
  const [red, green, blue] = rgb(hex).map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function rgb(hex: string): number[] {
  return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
}

function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

for (const theme of ["light", "dark"] as const) {
  Deno.test(`every colour is legible on every ${theme} background`, () => {
    for (const color of PALETTE) {
      for (const background of BACKGROUNDS[theme]) {
        assert(
          contrast(color[theme], background) >= 4.5,
          `${color.name} on ${background}: ${contrast(color[theme], background)}`,
        );
      }
    }
  });
}

/** The colours of the style sheet, by theme. */
async function styled(): Promise<Record<"light" | "dark", Map<string, string>>> {
  const css = await Deno.readTextFile(new URL("../../web/page.css", import.meta.url));
  const [light, dark] = [...css.matchAll(/^ *:root \{([^}]*)/gm)].map(([, body]) =>
    new Map([...body.matchAll(/--([\w-]+): (#\w+);/g)].map(([, name, value]) => [name, value]))
  );
  return { light, dark };
}

Deno.test("the style sheet uses the palette's backgrounds, and its own colours are legible on them", async () => {
  const themes = await styled();
  for (const theme of ["light", "dark"] as const) {
    const color = (name: string) => themes[theme].get(name)!;
    const legible = (name: string, background: string) =>
      assert(contrast(color(name), color(background)) >= 4.5, `${theme}: ${name} on ${background}`);
    for (const background of ["background", "panel", "selected"]) {
      assert(BACKGROUNDS[theme].includes(color(background)), `${theme} ${background}`);
      for (const name of ["text", "muted", "accent", "good", "bad"]) legible(name, background);
    }
    for (const name of ["text", "bad"]) legible(name, "bad-background");
    legible("text", "raised");
    legible("muted", "raised");
    legible("on-accent", "accent");
  }
});

Deno.test("Colors gives a name the same colour each time, on every page", () => {
  const [one, other] = [new Colors(), new Colors()];
  assertEquals(one.of("order.paid"), one.of("order.paid"));
  assertEquals(one.of("order.paid"), other.of("order.paid"));
});

Deno.test("Colors gives different names different colours as long as there are enough", () => {
  const colors = new Colors();
  const names = PALETTE.map((_, index) => `name-${index}`);
  assertEquals(new Set(names.map((name) => colors.of(name))).size, PALETTE.length);
  const late = colors.of("one more");
  assert(late >= 0 && late < PALETTE.length);
  assertEquals(colors.of("one more"), late);
});

Deno.test("Colors accepts the names of JavaScript's own properties", () => {
  const colors = new Colors();
  assertNotEquals(colors.of("constructor"), colors.of("__proto__"));
});
